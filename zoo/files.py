"""Writing files so that nothing half-written stays behind."""

import csv
import io
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PathLike = str | os.PathLike[str]


@contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of `path` at the end, if nothing went wrong.

    Args:
        path: the file to make, or to replace.

    Yields:
        A binary file to write to.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}.")
    new = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with new.open("xb") as file:
            yield file
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def table(rows: Iterable[Sequence[str]], path: PathLike | None = None) -> str:
    """Return rows as comma-separated text, and write it to `path` if one is given."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    if path is not None:
        with replacing(path) as file:
            file.write(text.getvalue().encode())
    return text.getvalue()
