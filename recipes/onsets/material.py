"""Make the clips on which `schluter2014.zoo` is trained and scored.

    apt-get install mma fluidsynth ffmpeg
    pip install mido
    python recipes/corpus/build.py CORPUS --only games
    python recipes/onsets/material.py FOLDER --corpus CORPUS --recordings RECORDINGS

Nobody has to annotate onsets, since all clips are made here (`sounds.py` defines an onset): our own
scores and the accompaniments of mma's style files through soundfonts, and real one-shots of
Debian's hydrogen-drumkits. In the training part, two clips in five have real game music under
them, 6 to 24 dB softer; frames near a possible onset of that music do not count.

| part | hours | soundfonts | style files of mma | drum kits |
|---|---|---|---|---|
| train | 2.8 | fluid, musescore, opl3 | those for training | 8 |
| validation | 0.33 | csound | those for validation | 2 |
| soundfont | 0.27 | timgm, never used in training | none | none |
| styles | 0.27 | fluid, musescore | those for the test | none |
| kits | 0.27 | fluid, musescore | none | 3 never used in training |

The last three are the test. Apart from these there are drums as drummers play them and fast
repeated notes (`strokes.py`, also on RECORDINGS; `repeats.py`): 3.3 h for training, and 0.33 h
each for strokes_validation and strokes_test.

FOLDER gets an archive for each album (log-mels as float16, onsets),
and each clip as FLAC, except those of the training part. When it was stopped and is started again,
it continues where it was. An album takes some 15 seconds of one core.
"""

import argparse
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import repeats
import soundfile
import sounds
import strokes
from features import log_mels
from rich.progress import track as progress

from zoo.utils.files import replacing

sys.path.append(str(Path(__file__).resolve().parents[1]))
import debian
import kits
import making

TRAINING = ("fluid", "musescore", "fluid", "musescore", "opl3")
# part -> (kind of clips, albums)
ALBUMS = {
    "train": (("scores", 18), ("styles", 16), ("kits", 8), ("strokes", 40), ("repeats", 10)),
    "validation": (("scores", 2), ("styles", 1), ("kits", 2)),
    "soundfont": (("scores", 4),),
    "styles": (("styles", 4),),
    "kits": (("kits", 4),),
    "strokes_validation": (("strokes", 4), ("repeats", 1)),
    "strokes_test": (("strokes", 4), ("repeats", 1)),
}
FONTS = {
    "validation": ("csound",),
    "strokes_validation": ("csound",),
    "soundfont": ("timgm",),
    "strokes_test": ("timgm",),
}
# Of style files and kits; else "test".
SPLIT = {"train": "train", "validation": "validation", "strokes_validation": "validation"}
TEST = ("soundfont", "styles", "kits")


def albums() -> list[tuple[str, str, int]]:
    """List (part, kind, number)."""
    return [
        (part, kind, i)
        for part, kinds in ALBUMS.items()
        for kind, count in kinds
        for i in range(count)
    ]


def album(
    part: str, kind: str, number: int, folder: Path, corpus: Path, recordings: Path
) -> Iterator[sounds.Clip]:
    """Make the clips of an album; its name is the seed of all its randomness."""
    rng = np.random.default_rng(zlib.crc32(f"{part} {kind} {number}".encode()))
    fonts = FONTS.get(part, TRAINING if part == "train" else TRAINING[:2])
    font = making.font(fonts[number % len(fonts)], folder)
    split = SPLIT.get(part, "test")
    behind = sounds.backgrounds(corpus / "games", rng) if part == "train" else None
    made: Iterable[sounds.Clip]
    if kind == "strokes":
        found = strokes.kits_of(split, folder / "packages", recordings)
        made = (strokes.clip(rng, split, found, i) for i in range(sounds.CLIPS))
    elif kind == "repeats":
        made = (
            marked(sounds.finished(sound, times, False, rng))
            for sound, times in repeats.clips(rng, font)
        )
    else:
        made = (sounds.finished(*each, rng) for each in music(kind, split, rng, font, folder))
    for clip in made:
        if behind is not None and rng.random() < sounds.WITH_BACKGROUND:
            clip = sounds.laid_over(clip, next(behind), rng.uniform(-24, -6))
        yield clip


def marked(clip: sounds.Clip) -> sounds.Clip:
    """Name the instrument of each onset, for the stroke test."""
    count = len(clip.onsets)
    return clip._replace(
        every=clip.onsets, instruments=np.full(count, "pitched"), levels=np.zeros(count)
    )


def music(
    kind: str, split: str, rng, font: Path, folder: Path
) -> Iterator[tuple[np.ndarray, list[float], bool]]:
    """Make the sounds of an album of scores, styles or kits."""
    if kind == "scores":
        made = sounds.of_scores(rng, font)
    elif kind == "styles":
        made = sounds.of_styles(rng, font, split)
    else:
        made = sounds.of_kits(rng, font, kits.KITS[split], folder / "packages")
    return made


def keep(name: str, clips: list[sounds.Clip], folder: Path) -> None:
    """Write an album: log-mels, onsets, and the times to ignore."""
    arrays = {}
    for i, clip in enumerate(clips):
        arrays |= {
            f"features{i}": log_mels(clip.sound).astype("float16"),  # (frames, 80, 3)
            f"onsets{i}": clip.onsets,
            f"ignored{i}": clip.ignored,
            f"every{i}": clip.every,
            f"instruments{i}": clip.instruments,
            f"levels{i}": clip.levels,
        }
        if not name.startswith("train"):
            (folder / "sounds").mkdir(exist_ok=True)
            soundfile.write(folder / "sounds" / f"{name}-{i:02}.flac", clip.sound, sounds.RATE)
    with replacing(folder / f"{name}.npz") as file:
        np.savez(file, **arrays)


def fetch(folder: Path) -> None:
    """Get soundfonts and drum kits."""
    wanted = making.packages("rendered") | {strokes.PACKAGE: list(strokes.AVL.values())}
    if missing := debian.fetch_matching(folder / "packages", wanted):
        raise SystemExit(f"could not be fetched: {missing}. To fix this, try `apt-get update`.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write the clips to.")
    parser.add_argument(
        "--corpus", type=Path, required=True, help="The folder that corpus/build.py filled."
    )
    parser.add_argument(
        "--recordings",
        type=Path,
        required=True,
        help="The folder of recorded strokes with drums.csv and test_drums.csv; see strokes.py.",
    )
    parser.add_argument(
        "--only", nargs="+", choices=ALBUMS, default=ALBUMS, help="Make only these parts."
    )
    given = parser.parse_args()
    fetch(given.folder)
    wanted = [album for album in albums() if album[0] in given.only]
    for part, kind, number in progress(wanted, "albums"):
        name = f"{part}-{kind}-{number:02}"
        if not (given.folder / f"{name}.npz").is_file():
            clips = list(album(part, kind, number, given.folder, given.corpus, given.recordings))
            keep(name, clips, given.folder)


if __name__ == "__main__":
    main()
