"""Reading and writing files; a failed write leaves no partial file."""

import csv
import io
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.errors import ConfigError

PathLike = str | os.PathLike[str]


@contextmanager
def replacing(path: PathLike, prefix: str = ".") -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` at the end, unless an error occurs.

    Args:
        path: the file to create or to replace.
        prefix: with which the name of the temporary file begins; its end is ".part".

    Yields:
        A binary file to write to.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}.")
    new = None
    try:
        with _aside(path, prefix) as file:
            new = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave a name without its content
            if sys.platform != "win32":  # which does not rename open files
                os.replace(new, path)  # while the lock is held
        if sys.platform == "win32":
            os.replace(new, path)
        if os.name == "posix":  # the new name, too
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def _aside(path: Path, prefix: str) -> BinaryIO:
    """Open a temporary file beside another, for writing.

    Its name depends on the other's alone, so that the next process writes over what a killed one
    has left. While a lock says that its owner lives, and on Windows, the name is random.
    """
    if sys.platform != "win32":
        name = blake2b(os.fsencode(path.name), digest_size=16).hexdigest()
        try:
            return open(path.with_name(f"{prefix}{name}.part"), "wb", opener=_own)
        except (BlockingIOError, PermissionError):
            pass
    return open(path.with_name(f"{prefix}{uuid.uuid4().hex}.part"), "xb")


def _own(name: str, _: int) -> int:
    """Open a file that no process writes to, and lock and empty it.

    Raises:
        BlockingIOError: another process writes to it.
        PermissionError: it belongs to another user.
    """
    import fcntl

    number = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened, named = os.fstat(number), os.stat(name)
        if (opened.st_dev, opened.st_ino) != (named.st_dev, named.st_ino):
            raise BlockingIOError(f"{name} was renamed before it was locked")
        if opened.st_uid != os.geteuid():
            raise PermissionError(f"{name} is another user's")
        os.ftruncate(number, 0)
    except BaseException as error:
        os.close(number)
        if isinstance(error, FileNotFoundError):
            raise BlockingIOError(f"{name} was renamed before it was locked") from error
        raise
    return number


@contextmanager
def scratch(path: Path, prefix: str) -> Iterator[Path]:
    """Make a temporary folder beside a path; those of killed processes for the same path go.

    Args:
        path: what will be written.
        prefix: with which the name of the folder begins.

    Yields:
        The folder, which is removed at the end.
    """
    prefix += blake2b(os.fsencode(path.name), digest_size=8).hexdigest() + "-"
    for left in path.parent.glob(f"{prefix}*"):
        with _locked(left) as locked:
            if locked:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent) as folder, _locked(folder):
        yield Path(folder)


@contextmanager
def _locked(folder: PathLike) -> Iterator[bool]:
    """Lock a folder; yield whether no other process holds it. On Windows none is locked."""
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(number)


def escaped(text: str) -> str:
    """Return text that can be written in UTF-8: other bytes of a file's name become escapes.

    Args:
        text: may have names of files, as Python gives them.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def write_text(text: str, path: PathLike) -> None:
    """Write text in UTF-8; what UTF-8 does not have is escaped.

    Args:
        text: to write.
        path: of the file.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    with replacing(path) as file:
        file.write(escaped(text).encode())


def write_csv(rows: Iterable[Sequence[str]], path: PathLike | None = None) -> str:
    """Return rows as comma-separated text, and write it to `path` if one is given.

    Args:
        rows: the cells of each row.
        path: of the file; None to write none.

    Returns:
        The text.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    if path is not None:
        write_text(text.getvalue(), path)
    return text.getvalue()


def read_npz(path: PathLike, names: Iterable[str], what: str) -> dict[str, np.ndarray]:
    """Read arrays from a NumPy archive (.npz); pickles are refused.

    Args:
        path: of the archive; the file exists.
        names: of the arrays to read.
        what: the expected content, for messages: "scores", "an embedding".

    Returns:
        The arrays by name.

    Raises:
        ConfigError: the file is not such an archive, or lacks an array.
    """
    try:
        # opened here, since np.load leaves the file open when the archive is damaged
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (FileNotFoundError, PermissionError):
        raise
    except (Exception, MemoryError) as e:  # zipfile, zlib and NumPy raise many kinds
        raise ConfigError(f"{path} does not hold {what} of the zoo, or is damaged: {e}") from e
