"""Compute teachers' scores of a corpus, once; they are kept beside it, a file for each clip."""

import csv
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zoo

# Chosen on recordings of real players: `recipes/real_test/teachers.py`.
TEACHERS = ("pons2017.mtt_won2020", "choi2016.mtt_won2020", "pons2017.mtt")


class Clip(NamedTuple):
    """A row of corpus.csv."""

    path: str
    tags: tuple[str, ...]
    split: str
    group: str
    kind: str
    seconds: float

    @property
    def part(self) -> str:
        """games, rendered, voices or recordings."""
        return self.path.split("/")[0]


def read(folder: Path) -> list[Clip]:
    """Return the rows of a corpus's table."""
    with (folder / "corpus.csv").open(newline="", encoding="utf-8") as file:
        return [
            Clip(
                row["path"],
                tuple(filter(None, row["tags"].split("|"))),
                row["split"],
                row["group"],
                row["kind"],
                float(row["seconds"]),
            )
            for row in csv.DictReader(file)
        ]


def sample(clips: Sequence[Clip], minutes: float, seed: int = 0) -> list[Clip]:
    """Sample clips of each part and split, until they last so many minutes or none is left."""
    sampled: list[Clip] = []
    for part in dict.fromkeys((clip.part, clip.split) for clip in clips):
        some = [clip for clip in clips if (clip.part, clip.split) == part]
        seconds = 0.0
        for i in np.random.default_rng(seed).permutation(len(some)):
            if seconds >= 60 * minutes:
                break
            sampled.append(some[i])
            seconds += some[i].seconds
    return sampled


def predicted(model: zoo.AudioModel, name: str, path: Path, cache: Path) -> np.ndarray:
    """Return a teacher's scores of the segments of a clip: (segments, 50) float16.

    Args:
        model: the teacher.
        name: of its weights.
        path: the clip.
        cache: the folder in which scores are kept.
    """
    key = zlib.crc32(
        f"{path.name} {path.stat().st_size}".encode()
    )  # a clip that is made again is scored again
    file = cache / name / f"{key:08x}-{path.stem[:40]}.npy"
    if file.is_file():
        return np.load(file)
    scores = model.taggram(path).values.astype(np.float16)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.name}.part").open("wb") as part:
        np.save(part, scores)
    Path(part.name).replace(file)
    return scores
