"""One album of clips: a worker makes it in one go, and writes it with a list of its clips.

The name of an album is the seed of all its randomness: the same name makes the same clips. An
album that is there is not made again.
"""

import json
import re
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import kits
import numpy as np
import rendering
import scores
import soundfile
import speech
import voices

CLIPS = 12  # an album
SECONDS = 30.0  # a clip
# Of albums, in turn; 11 and the 7 of `SERIES` have no common factor.
SPLITS = (
    "train", "train", "test", "train", "train", "validation",
    "train", "train", "test", "train", "train",
)  # fmt: skip
SERIES = ("scores", "scores", "mma", "scores", "kits", "scores", "scores")
SELDOM = {  # kinds with tags that teachers give rarely: solo, harp; female vocal, male voice
    "rendered": ("piano", "classical-guitar", "classical-guitar"),
    "voices": ("aria", "song"),
}
FONTS = {
    "fluid": ("fluid-soundfont-gm", "usr/share/sounds/sf2/FluidR3_GM.sf2"),
    "musescore": (
        "musescore-general-soundfont-small",
        "usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    ),
    "opl3": ("opl3-soundfont", "usr/share/sounds/sf2/OPL-3_FM_128M.sf2"),
    "csound": ("csound-soundfont", "usr/share/sounds/sf2/sf_GMbank.sf2"),
    "timgm": ("timgm6mb-soundfont", "usr/share/sounds/sf2/TimGM6mb.sf2"),
}
PLAYED_BY = {
    "train": (*("fluid", "musescore") * 4, "opl3"),  # the last one sounds like a machine
    "validation": ("csound",),
    "test": ("timgm",),
}
LOUD = ("rock", "metal", "pop", "techno", "beats", "drums-alone", "song-rock", "song-techno", "rap")
STYLES = Path("/usr/share/mma/lib/stdlib")
SPECIAL = re.compile(r"Intro|End|Fill|Stop|Tag|Break", re.IGNORECASE)
KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
CHORDS = (
    "0M7 9m7 2m7 7", "0 5 0 7", "0 9m 5 7", "2m7 7 0M7 0M7", "0m 8 3 10", "0m7 5m7 7 0m7",
    "0 0 5 5 0 0 7 0", "0 7 9m 4m 5 0 5 7", "07 07 57 07 77 57 07 77",
    "0m 10 8 7", "0 4m 9m 5", "0m 5m 0m 7",
)  # fmt: skip


class Row(NamedTuple):
    """A clip in the table."""

    path: str
    tags: str
    split: str
    group: str
    kind: str
    seconds: float


def packages(what: str) -> dict[str, list[str]]:
    """Return the packages that rendered clips or voices need: name -> patterns of files."""
    wanted = {package: [path] for package, path in FONTS.values()}
    return wanted | ({kits.PACKAGE: [kits.PATTERN]} if what == "rendered" else speech.packages())


def albums(what: str, hours: float, seldom: float = 0.0) -> list[str]:
    """Name the albums that make up so many hours, and so many more of the kinds in `SELDOM`."""
    count, more = (round(h * 3600 / (CLIPS * SECONDS)) for h in (hours, seldom))
    if what == "voices":
        return [
            f"{name}-{i:04}" for name, n in (("voices", count), ("sung", more)) for i in range(n)
        ]
    names = [f"{SERIES[i % len(SERIES)]}-{i:04}" for i in range(count)]
    return [*names, *(f"seldom-{i:04}" for i in range(more))]


def split_of(album: str) -> str:
    """Return the split of an album."""
    return SPLITS[int(album.split("-")[1]) % len(SPLITS)]


def make(album: str, folder: Path) -> list[Row]:
    """Make an album, unless it is there.

    Args:
        album: name of the album.
        folder: folder of the corpus; has `packages/`.

    Returns:
        A row for each clip.
    """
    series = album.split("-")[0]
    where = "voices" if series in ("voices", "sung") else "rendered"
    listed = folder / where / f"{album}.json"
    if listed.is_file():
        return [Row(*row) for row in json.loads(listed.read_text())]
    rng = np.random.default_rng(zlib.crc32(album.encode()))
    rows = []
    maker = {
        "scores": of_scores, "seldom": partial(of_scores, only=SELDOM["rendered"]),
        "voices": of_voices, "sung": partial(of_voices, only=SELDOM["voices"]),
        "kits": of_kits, "mma": of_mma,
    }[series]  # fmt: skip
    for i, (name, tags, group, sound) in enumerate(maker(rng, split_of(album), folder)):
        path = f"{where}/{album}-{i:02}-{name}.ogg"
        rendering.save(folder / path, sound, rendering.SAMPLE_RATE)
        seconds = round(len(sound) / rendering.SAMPLE_RATE, 2)
        rows.append(Row(path, "|".join(tags), split_of(album), group, name, seconds))
    part = listed.with_name(f".{listed.name}.part")
    part.write_text(json.dumps(rows, indent=0))
    part.replace(listed)
    return rows


Made = Iterator[tuple[str, tuple[str, ...], str, np.ndarray]]  # kind, tags, group, samples


def font(name: str, folder: Path) -> Path:
    """Return the file of a soundfont."""
    return folder / "packages" / FONTS[name][0] / FONTS[name][1]


def of_scores(rng, split: str, folder: Path, only: Sequence[str] = ()) -> Made:
    """Write and play our own scores; `only` limits the kinds."""
    played_by = scores.either(rng, *PLAYED_BY[split])
    kinds = (scores.either(rng, *only) for _ in range(CLIPS)) if only else scores.draw(rng)
    pieces = [scores.write(next(kinds), rng, SECONDS) for _ in range(CLIPS)]
    for piece, sound in zip(pieces, rendering.album(pieces, font(played_by, folder)), strict=True):
        sound = rendering.finish(sound, rendering.SAMPLE_RATE, rng, loud=piece.kind in LOUD)
        yield piece.kind, piece.tags, f"soundfont {played_by}", sound


def of_kits(rng, split: str, folder: Path) -> Made:
    """Play scores of bands with real drums."""
    played_by = scores.either(rng, *PLAYED_BY[split])
    kinds = [
        scores.either(rng, "rock", "metal", "pop", "country", "techno", "beats", "drums-alone")
        for _ in range(CLIPS)
    ]
    pieces = [scores.write(kind, rng, SECONDS) for kind in kinds]
    others = [
        piece._replace(parts=[part for part in piece.parts if part.programme >= 0])
        for piece in pieces
    ]
    rate = rendering.SAMPLE_RATE
    for piece, sound in zip(pieces, rendering.album(others, font(played_by, folder)), strict=True):
        kit = scores.either(rng, *kits.KITS[split])
        base = folder / "packages" / kits.PACKAGE / kits.PATTERN[:-1]
        strokes = [note for part in piece.parts if part.programme < 0 for note in part.notes]
        drums = kits.play(strokes, kits.kit(base / kit), SECONDS)
        level, own = np.std(drums), np.std(sound)
        if level > 0 and own > 0:
            sound = sound / own + drums / level * 10 ** (rng.uniform(-6, 5) / 20)
        elif level > 0:
            sound = drums / level
        yield (
            piece.kind,
            piece.tags,
            f"soundfont {played_by}",
            rendering.finish(sound, rate, rng, 0.3, True),
        )


def of_mma(rng, split: str, folder: Path) -> Made:
    """Render accompaniments of mma's style files; whole files are kept for validation and test."""
    played_by = scores.either(rng, *PLAYED_BY[split])
    mine = style_files(split)
    made = 0
    while made < CLIPS:
        file = scores.either(rng, *mine)
        score = accompaniment(rng, file)
        with tempfile.TemporaryDirectory() as scratch:
            source, target, wav = (Path(scratch, f"song.{end}") for end in ("mma", "mid", "wav"))
            source.write_text(score)
            if subprocess.run(["mma", "-f", target, source], capture_output=True).returncode:
                continue  # a few of mma's files need more than this score has
            rendering.fluidsynth(target, font(played_by, folder), wav)
            with soundfile.SoundFile(wav) as sound:
                sound.seek(min(rendering.SAMPLE_RATE, sound.frames))
                count = round(SECONDS * rendering.SAMPLE_RATE)
                samples = sound.read(count, dtype="float32", always_2d=True).mean(axis=1)
        if len(samples) < count or np.abs(samples).max() < 1e-3:
            continue
        made += 1
        yield (
            "mma",
            (),
            f"mma {split}",
            rendering.finish(samples, rendering.SAMPLE_RATE, rng, loud=bool(rng.random() < 0.3)),
        )


def style_files(split: str) -> list[Path]:
    """Return the style files of mma that are of a split."""
    files = sorted(STYLES.glob("*.mma"))
    return [file for file in files if SPLITS[zlib.crc32(file.stem.encode()) % len(SPLITS)] == split]


def accompaniment(rng, file: Path) -> str:
    """Write a song for mma: two grooves of a style file, and a random key, chords and tempo."""
    text = file.read_text(encoding="latin-1")
    found = re.findall(r"^\s*DefGroove\s+(\S+)", text, re.MULTILINE | re.IGNORECASE)
    names = [name for name in dict.fromkeys(found) if not SPECIAL.search(name)] or found
    grooves = [scores.either(rng, *names) for _ in range(2)]
    key, chords = int(rng.integers(12)), scores.either(rng, *CHORDS).split()
    lines = [
        f"RndSeed {int(rng.integers(10**6))}",
        f"Use {file.stem}",
        f"Tempo {rng.uniform(80, 160):.1f}",
    ]
    for bar in range(40):
        if bar % 8 == 0:
            lines.append(f"Groove {grooves[bar // 8 % 2]}")
        chord = chords[bar % len(chords)]
        semitones = re.match(r"1[01]|\d", chord)[0]
        lines.append(f"{bar + 1} {KEYS[(key + int(semitones)) % 12]}{chord[len(semitones) :]}")
    return "\n".join(lines) + "\n"


def of_voices(rng, split: str, folder: Path, only: Sequence[str] = ()) -> Made:
    """Make clips in which the voices of a split speak and sing; `only` limits the kinds."""
    played_by = scores.either(rng, *PLAYED_BY[split])
    cast = [
        speech.repertoire(voice, folder / "packages", folder / "voices" / "analysed")
        for voice in speech.VOICES
        if voice.split == split
    ]
    plans = [
        voices.plan(scores.either(rng, *only) if only else voices.draw(rng), rng, SECONDS, cast)
        for _ in range(CLIPS)
    ]
    unders = rendering.album([plan.under for plan in plans], font(played_by, folder))
    for plan, under in zip(plans, unders, strict=True):
        sound = voices.mixed(plan, under, rng, plan.kind in LOUD)
        yield plan.kind, plan.tags, f"voices {split}", sound
