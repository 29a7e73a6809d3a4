"""Render a small collection of songs in six styles, to fine-tune on: 696 clips, 1.2 h.

    apt-get install mma fluidsynth fluid-soundfont-gm musescore-general-soundfont-small \
        timgm6mb-soundfont
    python recipes/finetune_styles/data.py FOLDER

`mma` (Bob van der Poel, GPL-2) plays an accompaniment in a style that people wrote into one of its
style files: which instruments, which patterns, which metre. From each of 48 style files, eight for
each of six styles, come songs of some 26 s with grooves, key, chords and tempo drawn by chance, and
from each song four clips of 6 s. **It is rendered music, not recorded music**, and what is learned
from it need not hold for recordings.

What makes it hard, and the test fair:

- A style file is a group. Test songs come from style files that no other split has heard: blues is
  to be told from other blues.
- A soundfont is held out too. Training and validation are played by FluidR3 and by MuseScore
  General, which descends from it; the test by TimGM6mb, whose samples are others.
- The tempo is drawn from the same range for every style and so says nothing, and all clips are
  equally loud.

Which style file is in which split is drawn by chance (seed 0), not chosen. FOLDER gets `clips.csv`
(path, tags, split, group) and the clips as FLAC, 22,050 Hz, mono. Songs that are there already are
not rendered again. About 6 minutes of one core.
"""

import argparse
import csv
import math
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from rich.progress import track

STYLES = {
    "ballad": "ballad ballad128 ballad68 folkballad guitarballad pianoballad popballad rb-ballad",
    "blues": "blues blues128 blues68 boggiewoggie countryblues fastblues shuffleboggie slowblues",
    "latin": "afro-cuban beguine bossanova chacha mambo merengue salsa samba",
    "rock": "50srock 60srock basicrock bubblerock folkrock rock-128 softrock twist",
    "swing": "68swing bebop bigband easyswing fastswing jazzguitar nitejazz swing",
    "waltz": "broadwaywaltz countrywaltz fastwaltz frenchwaltz latinwaltz rockwaltz vienesewaltz"
    " waltz",
}
SPLITS = ("train",) * 4 + ("validation",) + ("test",) * 3  # of a style's eight files
SOUNDS = Path("/usr/share/sounds")
FONTS = {
    "fluid": SOUNDS / "sf2" / "FluidR3_GM.sf2",
    "musescore": SOUNDS / "sf3" / "MuseScore_General_Lite.sf3",
    "timgm": SOUNDS / "sf2" / "TimGM6mb.sf2",
}
PLAYED_BY = {"train": ("fluid", "musescore"), "validation": ("fluid", "musescore")}
PLAYED_BY["test"] = ("timgm",)
SONGS = {"train": 2, "validation": 2, "test": 3}  # of a style file, by each of its soundfonts
CLIPS = 4  # of a song
SECONDS = 6.0
LEAD = 1.0  # seconds of a song before its first clip
SAMPLE_RATE = 22_050
LOUDNESS = 0.08  # root mean square of every clip
TEMPO = (90, 160)  # quarter notes a minute
KEYS = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
# Chords in semitones above the key, a bar each; four or eight bars, common to all the styles.
PROGRESSIONS = (
    "0M7 9m7 2m7 7",
    "0 5 0 7",
    "0 9m 5 7",
    "2m7 7 0M7 0M7",
    "0m 8 3 10",
    "0m7 5m7 7 0m7",
    "0 0 5 5 0 0 7 0",
    "0 7 9m 4m 5 0 5 7",
)
# Parts of a song that are not like the style at large.
SPECIAL = re.compile(r"Intro|End|Fill|Stop|Tag|Break")


class Song(NamedTuple):
    """What is to be rendered."""

    style: str
    file: str  # of mma's library: the group
    split: str
    font: str
    number: int

    @property
    def name(self) -> str:
        """Of its clips' files and, as a seed, of its chances."""
        return f"{self.file}_{self.font}_{self.number}"

    def clips(self) -> list[str]:
        """Paths of its clips in the folder."""
        return [f"{self.style}/{self.name}_{i}.flac" for i in range(CLIPS)]


def songs(seed: int = 0) -> list[Song]:
    """Draw which style file goes into which split; list every song."""
    chance = random.Random(seed)
    listed = []
    for style, names in STYLES.items():
        files = names.split()
        chance.shuffle(files)
        for file, split in zip(files, SPLITS, strict=True):
            for font in PLAYED_BY[split]:
                listed += [Song(style, file, split, font, i) for i in range(SONGS[split])]
    return listed


def library() -> Path:
    """Return the folder of mma's style files; say what to install if a part is missing."""
    folder = Path("/usr/share/mma/lib/stdlib")
    needed = [folder, *FONTS.values()]
    absent = [str(path) for path in needed if not path.exists()]
    absent += [name for name in ("mma", "fluidsynth") if shutil.which(name) is None]
    if absent:
        raise SystemExit(
            f"not found: {', '.join(absent)}. On Debian: apt-get install mma fluidsynth "
            "fluid-soundfont-gm musescore-general-soundfont-small timgm6mb-soundfont"
        )
    return folder


def grooves(file: Path) -> list[str]:
    """Return the grooves of a style file that stand for the style."""
    text = file.read_text(encoding="latin-1")
    found = re.findall(r"^\s*DefGroove\s+(\S+)", text, re.MULTILINE | re.IGNORECASE)
    return [name for name in dict.fromkeys(found) if not SPECIAL.search(name)]


def score(song: Song, names: list[str], bars: int) -> str:
    """Write a song for mma: up to three grooves in turn, eight bars each, one key."""
    chance = random.Random(song.name)
    key, tempo = chance.randrange(12), chance.uniform(*TEMPO)
    chosen = chance.sample(names, min(3, len(names)))
    chords = chance.choice(PROGRESSIONS).split()
    lines = [f"RndSeed {chance.randrange(10**6)}", f"Use {song.file}", f"Tempo {tempo:.1f}"]
    for bar in range(bars):
        if bar % 8 == 0:
            lines.append(f"Groove {chosen[bar // 8 % len(chosen)]}")
        semitones, kind = re.fullmatch(r"(\d+)(.*)", chords[bar % len(chords)]).groups()
        lines.append(f"{bar + 1} {KEYS[(key + int(semitones)) % 12]}{kind}")
    return "\n".join(lines) + "\n"


def midi(song: Song, names: list[str], folder: Path) -> Path:
    """Let mma play a song that is long enough; return the MIDI file."""
    source, target = folder / "song.mma", folder / "song.mid"

    def play(bars: int) -> float:
        source.write_text(score(song, names, bars))
        command = ["mma", "-f", target, source]
        answer = subprocess.run(command, capture_output=True, text=True)
        length = re.search(r"(\d+):(\d+) m:s", answer.stdout)
        if answer.returncode or length is None:
            raise SystemExit(f"mma cannot play {song.name}: {answer.stdout[-500:]}")
        return 60 * int(length[1]) + int(length[2])

    seconds = play(64)
    play(math.ceil(64 * (LEAD + CLIPS * SECONDS + 1) / seconds))
    return target


def render(song: Song, score: Path, folder: Path) -> np.ndarray:
    """Let fluidsynth play a MIDI file: (samples,) float32."""
    wav = folder / "song.wav"
    options = ["-ni", "-q", "-r", str(SAMPLE_RATE), "-g", "0.5", "-O", "float", "-T", "wav"]
    command = ["fluidsynth", *options, "-F", str(wav), str(FONTS[song.font]), str(score)]
    subprocess.run(command, check=True, capture_output=True)
    return soundfile.read(wav, dtype="float32")[0].mean(axis=1)


def cut(samples: np.ndarray) -> list[np.ndarray]:
    """Cut a song into its clips, equally loud."""
    length = round(SECONDS * SAMPLE_RATE)
    start = round(LEAD * SAMPLE_RATE)
    clips = [samples[start + i * length : start + (i + 1) * length] for i in range(CLIPS)]
    return [clip * LOUDNESS / max(np.sqrt(np.mean(clip**2)), 1e-4) for clip in clips]


def make(song: Song, styles: Path, folder: Path) -> None:
    """Render a song and write its clips, unless they are there."""
    paths = [folder / path for path in song.clips()]
    if all(path.is_file() for path in paths):
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        score = midi(song, grooves(styles / f"{song.file}.mma"), Path(scratch))
        clips = cut(render(song, score, Path(scratch)))
        for path, clip in zip(paths, clips, strict=True):
            path.parent.mkdir(exist_ok=True)
            part = Path(scratch) / path.name
            soundfile.write(part, np.clip(clip, -1, 1), SAMPLE_RATE)
            part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the clips go, 90 MB")
    folder = parser.parse_args().folder
    styles = library()
    folder.mkdir(parents=True, exist_ok=True)
    listed = songs()
    for song in track(listed, "rendering"):
        make(song, styles, folder)
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["path", "tags", "split", "group"])
        for song in listed:
            for path in song.clips():
                table.writerow([path, song.style, song.split, song.file])
    print(f"{len(listed) * CLIPS} clips of {len(listed)} songs in {folder / 'clips.csv'}")


if __name__ == "__main__":
    main()
