"""Writing files so that nothing half-written stays behind."""

import csv
import io
import os
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.errors import ConfigError

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


def write_csv(rows: Iterable[Sequence[str]], path: PathLike | None = None) -> str:
    """Return rows as comma-separated text, and write it to `path` if one is given."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    if path is not None:
        with replacing(path) as file:
            file.write(text.getvalue().encode())
    return text.getvalue()


def read_npz(path: PathLike, names: Iterable[str], what: str) -> dict[str, np.ndarray]:
    """Read arrays out of a NumPy archive (.npz), which may hold no pickles.

    Args:
        path: of the archive, which is there.
        names: of the arrays wanted.
        what: it should hold, for messages: "scores", "an embedding".

    Raises:
        ConfigError: the file is something else.
    """
    try:
        # opened here, since np.load leaves the file open when the archive is damaged
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as e:
        raise ConfigError(f"{path} does not hold {what} of the zoo: {e}") from e
