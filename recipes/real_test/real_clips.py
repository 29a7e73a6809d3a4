"""The clips of the real test: recordings of real players, singers and bands, with known answers.

`clips.csv` has a row for each clip: its part, the group that its confidence interval resamples (a
player, singer, band or artist), its labels, and the recording that it is cut from, with repository
and commit (or package), licence and author. **The groups of the two parts are different people, and
no training ever uses the clips of either part.** Networks, teachers and training material are
chosen on the part `validation`; the part `test` is only reported.

Kinds of clips, and what their labels say:

    solo   one player or singer: the labels are complete, so a label that is not there is a "no";
           only the sex of a singer may be unknown
    song   several at once: a label is a "yes"; the other sex is a "no" where one is labelled,
           and "no vocals" is a "no" for voices. All else is unknown and counts for no question.
    genre  the middle of a track of the genre test: one genre, and a "no" for the other genres
"""

import csv
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from zoo.utils.files import replacing

TABLE = Path(__file__).parent / "clips.csv"
VALIDATION, TEST = "validation", "test"
VOICES = ("vocals", "female vocals", "male vocals")
PLAYERS = (*VOICES, "guitar", "strings", "cello", "violin", "flute", "piano", "harp", "drums")
GENRES = ("classical", "electronic", "metal", "ambient")  # rock has one artist
QUESTIONS = (*PLAYERS, *GENRES)
FEWEST = 3  # clips with the answer "yes", and with "no", for a question to count


class Clip(NamedTuple):
    """A row of the table."""

    clip: str
    part: str
    group: str
    kind: str
    labels: str
    file: str  # path of the recording, in its folder
    start: float  # s
    seconds: float
    source: str
    original: str
    licence: str
    author: str

    def answer(self, question: str) -> bool | None:
        """Return whether the clip has what a question asks for; None if that is not known."""
        labels = set(self.labels.split("|")) - {""}
        if question in labels:
            return True
        if question in VOICES[1:] and "vocals" in labels and not labels & set(VOICES[1:]):
            return None  # nobody says who sings
        if self.kind == "solo":
            return None if question in GENRES else False
        if self.kind == "genre":
            return False if question in GENRES else None
        if question in VOICES and ("no vocals" in labels or labels & set(VOICES[1:])):
            return False
        return None


def read(part: str, table: Path = TABLE) -> list[Clip]:
    """Return the clips of a part."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == part]
    return [
        Clip(**{**row, "start": float(row["start"]), "seconds": float(row["seconds"])})
        for row in rows
    ]


def answers(clips: list[Clip]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for each question that counts, the indices of its clips and their answers."""
    found = {}
    for question in QUESTIONS:
        given = [(i, clip.answer(question)) for i, clip in enumerate(clips)]
        index = np.array([i for i, answer in given if answer is not None], int)
        truth = np.array([answer for _, answer in given if answer is not None], bool)
        if min(truth.sum(), (~truth).sum()) >= FEWEST:
            found[question] = (index, truth)
    return found


def cut(source: Path | BinaryIO, start: float, seconds: float, path: Path) -> None:
    """Write a part of a sound as FLAC, at its own sample rate.

    Args:
        source: the sound.
        start: of the part, in seconds.
        seconds: its length.
        path: of the file to write.
    """
    with soundfile.SoundFile(source) as file:
        file.seek(min(round(start * file.samplerate), file.frames))
        sound = file.read(round(seconds * file.samplerate), dtype="float32")
        rate = file.samplerate
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        soundfile.write(new, sound, rate, format="FLAC", subtype="PCM_16")
