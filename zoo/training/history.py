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
    """Raise ConfigError unless epochs can be chosen by it."""
    if monitor not in MONITORS:
        raise ConfigError(f"monitor is {monitor!r}; it is one of {', '.join(MONITORS)}.")


def score_of(row: Row) -> str | None:
    """Return the column of the score that a row has; None if it has the loss only."""
    return next((name for name in SCORES if name in row), None)


def monitored(row: Row, monitor: str) -> str:
    """Return the name of what epochs are chosen by: "accuracy", "ROC-AUC" or "loss"."""
    name = score_of(row) if monitor == "score" else None
    return "loss" if name is None else SCORES[name]


def rank(row: Row, monitor: str) -> tuple[float, float]:
    """Return what orders epochs, the best first: the score, then the validation loss.

    A score or loss that is not a number comes last.

    Args:
        row: the epoch.
        monitor: "score", or "loss" for the validation loss alone.
    """
    name = score_of(row) if monitor == "score" else None
    values = (0.0 if name is None else -row[name], row["val_loss"])
    score, loss = (math.inf if math.isnan(value) else value for value in values)
    return score, loss


def best_of(rows: Sequence[Row], monitor: str) -> Row:
    """Return the best epoch, the first of equals. See `rank`."""
    return min(rows, key=lambda row: rank(row, monitor))


def write_history(rows: Sequence[Row], path: PathLike | None = None) -> str:
    """Return the history as comma-separated text, and write it to `path` if one is given."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in names] for row in rows]
    return write_csv([names, *cells], path)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
