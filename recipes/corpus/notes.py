"""Play our own scores with instruments that were recorded note by note.

    python recipes/corpus/notes.py FOLDER
    python recipes/corpus/build.py CORPUS --recordings RECORDINGS FOLDER

A soundfont squeezes an orchestra into a few megabytes. Here a single instrument has a sample for
each note, or for every third one: pianos, guitars, bowed basses, a cello, a violin, string
sections, winds. `notes.csv` names them: packages of npm or commits of public repositories, licence
and author, the kinds of pieces that they play (`scores.py`), their range, and how long a note rings
on. For each instrument, `PIECES` pieces of 30 s are written to FOLDER as Ogg Vorbis, with a room
and a tone, and FOLDER/manifest.csv lists them as `recordings.py` reads it.

The package manager of Node.js, `npm`, must be installed, and git. `--clones FOLDER` keeps the
clones, or uses those that are there, OWNER/NAME. The players of `recipes/real_test/clips.csv` are
not in the table, nor packages whose player may be one of them.
"""

import argparse
import csv
import fnmatch
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rendering
import scores
import soundfile
from playing import Note
from rich.progress import track

sys.path.append(str(Path(__file__).resolve().parents[1]))
import repositories

TABLE = Path(__file__).with_suffix(".csv")
PIECES = 24  # of each instrument
SECONDS = 30.0
FADE = 0.03  # s; at the end of a note that is cut
LONGEST = 8.0  # s of a sample that are used
NAME = re.compile(r"(?<![A-Za-z])([A-Ga-g])([#sb]?)(-?\d)(?![0-9])")
NUMBER = re.compile(r"\d+$")
SAMPLE, KEY = re.compile(r"\bsample=(.+?\.\w+)(?=\s|$)"), re.compile(r"\bpitch_keycenter=(\d+)")
HEADER = ("file", "source", "original_paths", "licence", "author", "kind", "seconds", "note")


class Instrument(NamedTuple):
    """A row of the table."""

    name: str
    source: str  # OWNER/NAME@COMMIT, or npm:NAME@VERSION
    path: str  # of the samples, with wildcards; or an SFZ file that names them
    pieces: tuple[str, ...]  # of `scores.KINDS`
    low: int  # MIDI numbers; notes beyond are moved by octaves
    high: int
    ring: float  # s that a note sounds on after its end
    licence: str
    author: str
    kind: str


class Sample(NamedTuple):
    """A recorded note."""

    pitch: int
    sound: np.ndarray  # (samples,)
    rate: int


def read() -> list[Instrument]:
    """Return the rows of the table."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        return [
            Instrument(
                row["name"],
                row["source"],
                row["path"],
                tuple(row["pieces"].split()),
                int(row["low"]),
                int(row["high"]),
                float(row["ring"]),
                row["licence"],
                row["author"],
                row["kind"],
            )
            for row in csv.DictReader(file)
        ]


# --- samples ---


def pitch(name: str) -> int:
    """Return the MIDI number of a note in a file's name: A4 is 69, `As4` and `A#4` are 70.

    A name without a note ends with the number itself.
    """
    notes = NAME.findall(name)
    if not notes:
        return int(NUMBER.findall(name)[-1])
    letter, sign, octave = notes[-1]
    step = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[letter.lower()]
    return 12 * (int(octave) + 1) + step + {"": 0, "#": 1, "s": 1, "b": -1}[sign]


def of_package(source: str, pattern: str, scratch: Path) -> dict[str, bytes]:
    """Return the files of a package of npm that match a pattern."""
    command = ["npm", "pack", "--silent", source.removeprefix("npm:")]
    packed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=scratch)
    with tarfile.open(scratch / packed.stdout.strip()) as archive:
        found = {m.name.removeprefix("package/"): m for m in archive if m.isfile()}
        wanted = fnmatch.filter(found, pattern)
        return {name: archive.extractfile(found[name]).read() for name in wanted}


def of_repository(source: str, pattern: str, clones: Path) -> dict[str, bytes]:
    """Return the files of a commit that match a pattern, which begins with their folder."""
    folder = str(Path(pattern).parent)
    listed = repositories.content(source, folder, clones).decode().splitlines()
    names = [f"{folder}/{name}" for name in listed[2:]]  # behind "tree COMMIT:PATH"
    wanted = fnmatch.filter(names, pattern)
    return {name: repositories.content(source, name, clones) for name in wanted}


def samples(instrument: Instrument, clones: Path, scratch: Path) -> list[Sample]:
    """Return the notes of an instrument.

    Raises:
        ValueError: the source has no such files.
    """
    source, path = instrument.source, instrument.path
    if path.endswith(".sfz"):  # a region is a line; it names a sample and its pitch
        files = []
        text = repositories.content(source, path, clones).decode(errors="replace")
        for line in text.splitlines():
            file, key = SAMPLE.search(line), KEY.search(line)
            if line.startswith("<region>") and file and key:
                name = str(Path(path).parent / file[1])
                files.append((int(key[1]), repositories.content(source, name, clones)))
    else:
        found = (
            of_package(source, path, scratch)
            if source.startswith("npm:")
            else of_repository(source, path, clones)
        )
        files = [(pitch(Path(name).stem), data) for name, data in found.items()]
    if not files:
        raise ValueError(f"{source} has no {path}")
    return [decoded(number, data) for number, data in files]


def decoded(number: int, data: bytes) -> Sample:
    """Return a note as mono samples, from where it begins to sound."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        rate = file.samplerate
        sound = file.read(dtype="float32", always_2d=True).mean(axis=1)
    loud = np.abs(sound) > 0.02 * np.abs(sound).max()
    first = max(0, int(np.argmax(loud)) - rate // 200)
    sound = sound[first : first + round(LONGEST * rate)]
    return Sample(number, sound / (np.abs(sound).max() + 1e-9), rate)


# --- playing ---


def play(
    notes: Iterable[Note],
    recorded: list[Sample],
    instrument: Instrument,
    rate: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Play notes with the sample that is nearest in pitch: (samples,), `SECONDS` long."""
    played = np.zeros(round((SECONDS + LONGEST) * rate), "float32")
    for note in notes:
        number = note.pitch
        while number < instrument.low:
            number += 12
        while number > instrument.high:
            number -= 12
        nearest = min(abs(sample.pitch - number) for sample in recorded)
        near = [s for s in recorded if abs(s.pitch - number) == nearest]
        sample = near[rng.integers(len(near))]
        speed = 2 ** ((number - sample.pitch) / 12) * sample.rate / rate
        count = min(
            round((note.seconds + instrument.ring) * rate), int((len(sample.sound) - 1) / speed)
        )
        sound = np.interp(np.arange(count) * speed, np.arange(len(sample.sound)), sample.sound)
        fade = min(count, round((FADE + instrument.ring / 2) * rate))
        sound[count - fade :] *= np.linspace(1, 0, fade) ** 2
        start = round(note.start * rate)
        end = min(start + count, len(played))
        played[start:end] += (note.velocity / 127) ** 1.5 * sound[: end - start]
    return played[: round(SECONDS * rate)]


def pieces(instrument: Instrument, recorded: list[Sample]) -> Iterable[np.ndarray]:
    """Yield the pieces of an instrument; the same each time."""
    rng = np.random.default_rng(zlib.crc32(instrument.name.encode()))
    rate = rendering.SAMPLE_RATE
    for _ in range(PIECES):
        kind = instrument.pieces[rng.integers(len(instrument.pieces))]
        piece = scores.write(kind, rng, SECONDS)
        played = play(
            [note for part in piece.parts for note in part.notes], recorded, instrument, rate, rng
        )
        yield rendering.finish(played, rate, rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write to.")
    parser.add_argument(
        "--clones", type=Path, help="A folder for the clones. Default: deleted at the end."
    )
    given = parser.parse_args()
    (given.folder / "notes").mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for instrument in track(read(), "instruments"):
            recorded = samples(instrument, given.clones or Path(scratch), Path(scratch))
            for number, sound in enumerate(pieces(instrument, recorded)):
                name = f"notes/notes-{instrument.name}_{number:03}.ogg"
                soundfile.write(given.folder / name, sound, rendering.SAMPLE_RATE)
                about = (instrument.source, instrument.path, instrument.licence, instrument.author)
                rows.append((name, *about, instrument.kind, f"{SECONDS:.2f}", "our scores"))
    with (given.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


if __name__ == "__main__":
    main()
