"""Compare a student's scores with its teacher's: the metrics of all our distilled taggers.

"ROC-AUC" takes a tag as present where the teacher gives it more than `PRESENT`. It is computed for
tags that are present in `FEWEST` segments or more. The rank correlation (Spearman's) and the mean
absolute error are over all tags. None of the three says how well a model agrees with listeners.
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
    """The metrics of one tag."""

    label: str
    there: int  # segments in which it is present
    auc: float | None  # None if they are too few
    rank: float
    error: float


def follow(outputs: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> list[Tag]:
    """Compare outputs with targets, both (segments, labels), tag by tag."""
    tags = []
    for i, label in enumerate(labels):
        there = targets[:, i] > PRESENT
        counts = FEWEST <= there.sum() < len(there)
        auc = float(roc_auc_score(there, outputs[:, i])) if counts else None
        rank = float(spearmanr(outputs[:, i], targets[:, i]).statistic)
        error = float(np.abs(outputs[:, i] - targets[:, i]).mean())
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
    """Write rows into a table that other commands write to as well.

    Args:
        path: the table; it is made if it does not exist.
        header: its column names.
        rows: they replace the rows that have the same first `keys` cells as any of them.
        keys: number of cells that identify a row.
    """
    rows = [list(map(str, row)) for row in rows]
    new = {tuple(row[:keys]) for row in rows}
    old: list[list[str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            old = [row for row in list(csv.reader(file))[1:] if tuple(row[:keys]) not in new]
    write_csv([header, *sorted([*old, *rows], key=lambda row: row[:keys])], path)
