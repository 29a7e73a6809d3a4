"""How well a student's scores follow its teacher's: what all our distilled taggers are measured by.

"ROC-AUC" asks whether what the teacher gives a tag more than `PRESENT` comes before the rest; it is
counted for tags of which there are `FEWEST` such pieces or more. The rank correlation (Spearman's)
and the mean absolute error are over all tags. None of them says anything about listeners.
"""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from zoo.utils.files import write_csv

PRESENT, FEWEST = 0.3, 20


class Tag(NamedTuple):
    """What was measured of one tag."""

    label: str
    there: int  # pieces in which the teacher hears it
    auc: float | None  # None where these are too few
    rank: float
    error: float


def follow(said: np.ndarray, taught: np.ndarray, labels: Sequence[str]) -> list[Tag]:
    """Compare scores, (pieces, labels) both, tag by tag."""
    tags = []
    for i, label in enumerate(labels):
        there = taught[:, i] > PRESENT
        counts = FEWEST <= there.sum() < len(there)
        auc = float(roc_auc_score(there, said[:, i])) if counts else None
        rank = float(spearmanr(said[:, i], taught[:, i]).statistic)
        error = float(np.abs(said[:, i] - taught[:, i]).mean())
        tags.append(Tag(label, int(there.sum()), auc, rank, error))
    return tags


def counted(tags: Iterable[Tag]) -> list[float]:
    """Return the ROC-AUCs of the tags that have one."""
    return [tag.auc for tag in tags if tag.auc is not None]


def mean(tags: Sequence[Tag]) -> tuple[float, float, float]:
    """Return the means over tags: ROC-AUC (NaN if no tag has one), rank correlation, error."""
    rest = np.mean([(tag.rank, tag.error) for tag in tags], axis=0)
    aucs = counted(tags) or [math.nan]
    return float(np.mean(aucs)), float(rest[0]), float(rest[1])


def merge(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], keys: int = 1) -> None:
    """Put rows into a table that other commands write to as well.

    Args:
        path: of the table, made if need be.
        header: its columns.
        rows: take the place of those that have the same first `keys` cells as any of them.
        keys: how many cells say what a row is about.
    """
    rows = [list(map(str, row)) for row in rows]
    new = {tuple(row[:keys]) for row in rows}
    old: list[list[str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            old = [row for row in list(csv.reader(file))[1:] if tuple(row[:keys]) not in new]
    write_csv([header, *sorted([*old, *rows], key=lambda row: row[:keys])], path)
