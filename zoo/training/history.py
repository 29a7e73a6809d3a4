"""The history of a training: a row for each epoch."""

from collections.abc import Sequence
from typing import Any

from zoo.history import Row
from zoo.utils.files import PathLike, write_csv


def write_history(rows: Sequence[Row], path: PathLike | None = None) -> str:
    """Return the history as comma-separated text, and write it to `path` if one is given."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in names] for row in rows]
    return write_csv([names, *cells], path)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
