"""The history of a training: a row for each epoch, and which of them is the best."""

import math
from collections.abc import Sequence
from typing import Any

from zoo.errors import ConfigError
from zoo.utils.files import PathLike, write_csv

Row = dict[str, Any]
"""An epoch: "phase", "epoch" from 1 on, "learning_rate", "loss", "val_loss" and a score."""

MONITORS = ("score", "loss")
SCORES = {"val_accuracy": "accuracy", "val_roc_auc": "ROC-AUC"}
"""Column of a score -> its name. A row has one of them."""


def check_monitor(monitor: str) -> None:
    """Check the name of a monitor.

    Args:
        monitor: one of `MONITORS`.

    Raises:
        ConfigError: it is another name.
    """
    if monitor not in MONITORS:
        raise ConfigError(f"monitor is {monitor!r}; it is one of {', '.join(MONITORS)}.")


def score_of(row: Row) -> str | None:
    """Return the column of a row's score.

    Args:
        row: an epoch.

    Returns:
        "val_accuracy" or "val_roc_auc"; None if the row has only losses.
    """
    return next((name for name in SCORES if name in row), None)


def monitored(row: Row, monitor: str) -> str:
    """Return the name of the value that the best epoch is chosen by.

    Args:
        row: an epoch.
        monitor: "score" or "loss".

    Returns:
        "accuracy", "ROC-AUC" or "loss".
    """
    name = score_of(row) if monitor == "score" else None
    return "loss" if name is None else SCORES[name]


def rank(row: Row, monitor: str) -> tuple[float, float]:
    """Return a key that sorts epochs by score, then by validation loss, the best first.

    A score or loss that is NaN is sorted last.

    Args:
        row: the epoch.
        monitor: "score", or "loss" for the validation loss alone.

    Returns:
        (negative score, validation loss).
    """
    name = score_of(row) if monitor == "score" else None
    values = (0.0 if name is None else -row[name], row["val_loss"])
    score, loss = (math.inf if math.isnan(value) else value for value in values)
    return score, loss


def best_of(rows: Sequence[Row], monitor: str) -> Row:
    """Return the best epoch, the first of equal ones.

    Args:
        rows: the epochs, at least one.
        monitor: as in `rank`.

    Returns:
        One of the rows.
    """
    return min(rows, key=lambda row: rank(row, monitor))


def write_history(rows: Sequence[Row], path: PathLike | None = None) -> str:
    """Write a history as CSV.

    Args:
        rows: the epochs.
        path: the file; None writes nothing.

    Returns:
        The CSV text.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in names] for row in rows]
    return write_csv([names, *cells], path)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
