"""The table of the corpus, and the teachers that score its clips."""

import csv
from pathlib import Path
from typing import NamedTuple

# Chosen on recordings of real players: `recipes/real_test/teachers.py`.
TEACHERS = ("pons2017.mtt_won2020", "pons2017.mtt", "choi2016.vgg_mtt")


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
