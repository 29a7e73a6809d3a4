"""The cache folder of fetched weights: one safetensors file per checkpoint, and its sha256.

``ZOO_CACHE`` names the folder; the default is the user's cache folder for "music-zoo". A file
appears only when it is complete; its name changes when its source changes.
``sha256sum -c`` reads ``NAME.safetensors.sha256``. A folder that was filled on another machine may
be read-only.
"""

import atexit
import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import filelock
import platformdirs

from zoo.errors import WeightsError

VARIABLE = "ZOO_CACHE"
LOCK_SECONDS = 1800  # for 30 MB on a slow line; a process that dies releases its lock at once

logger = logging.getLogger(__name__)


def folder() -> Path:
    """Return the cache folder's path; it need not exist. Without a home, one of this process."""
    chosen = os.environ.get(VARIABLE)
    try:
        return Path(chosen or platformdirs.user_cache_dir("music-zoo", False)).expanduser()
    except (KeyError, RuntimeError):  # a user without a home, as in containers
        return _folder_of_this_process()


def file_name(checkpoint: str, identity: str) -> str:
    """Return the name of a cached file.

    Args:
        checkpoint: name of the checkpoint.
        identity: `Remote.identity` of its source.

    Returns:
        The file name.
    """
    return f"{checkpoint}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.safetensors"


def find(name: str) -> Path:
    """Find and verify a cached file.

    Args:
        name: from `file_name`.

    Returns:
        Its path.

    Raises:
        WeightsError: it is not in the cache, or does not match its recorded sha256.
        OSError: it cannot be read.
    """
    places = [place / name for place in (*_own_folders, folder())]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise WeightsError(f"has no {name}")
    record = _record(file).read_bytes().decode("latin1")
    expected, got = record.split(" ")[0], sha256(file)
    if got != expected:
        raise WeightsError(f"{file} is damaged: sha256 expected {expected}, got {got}")
    return file


def writable_folder() -> Path:
    """Return the cache folder, and create it if necessary.

    If it is not writable, this warns and returns a folder that is removed when the process ends.

    Returns:
        A writable folder.
    """
    chosen = folder()
    try:
        chosen.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=chosen):
            return chosen
    except OSError as error:
        warnings.warn(
            f"the cache folder {chosen} cannot be written ({error}), so fetched weights are kept "
            f"for this process only. Set {VARIABLE} to a folder that is writable.",
            stacklevel=2,
        )
    return _folder_of_this_process()


@contextlib.contextmanager
def workspace(place: Path, checkpoint: str) -> Iterator[Path]:
    """Hold the lock on one checkpoint, across processes, with a scratch folder.

    Args:
        place: the cache folder.
        checkpoint: name of the checkpoint.

    Yields:
        A folder that is removed at the end.

    Raises:
        WeightsError: another process holds the lock for half an hour.
    """
    lock = filelock.FileLock(lock_file(place, checkpoint))
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            logger.warning("another process is fetching %s; waiting for it", checkpoint)
            lock.acquire(timeout=LOCK_SECONDS)
    except filelock.Timeout:
        raise WeightsError(
            f"another process has been fetching {checkpoint!r} for {LOCK_SECONDS // 60} minutes "
            f"(lock {lock.lock_file}); end it, or set {VARIABLE} to another folder"
        ) from None
    try:
        # We hold the lock, so these are leftovers of a process that was killed.
        for left_behind in place.glob(f".{checkpoint}-*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{checkpoint}-", dir=place) as scratch:
            yield Path(scratch)
    finally:
        lock.release()


def tidy(place: Path, checkpoint: str) -> None:
    """Remove what processes have left that were killed when their file was already in place.

    Args:
        place: the cache folder.
        checkpoint: name of the checkpoint.
    """
    left = list(place.glob(f".{checkpoint}-*"))
    if left:
        lock = filelock.FileLock(lock_file(place, checkpoint), timeout=0)
        with contextlib.suppress(OSError, filelock.Timeout), lock:
            for folder in left:
                shutil.rmtree(folder, ignore_errors=True)


def lock_file(place: Path, checkpoint: str) -> Path:
    """Return the lock file of a checkpoint in a cache folder."""
    return place / f".{checkpoint}.lock"


def keep(new: Path, file: Path) -> Path:
    """Move a finished file into the cache, in one step, after a record of its sha256.

    Args:
        new: the file, on the same file system as the cache.
        file: its path in the cache.

    Returns:
        `file`.
    """
    line = f"{sha256(new)}  {file.name}\n"
    record = new.with_name(f"{new.name}.sha256")
    record.write_text(line)
    os.replace(record, _record(file))
    os.replace(new, file)
    return file


def sha256(file: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_blob(file: Path) -> str:
    """Return the digest that git gives to a file's content."""
    digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: digest).hexdigest()


def _record(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def is_lasting(file: Path) -> bool:
    """Return whether a file stays when this process ends."""
    return not any(file.is_relative_to(place) for place in _own_folders)


_own_folders: list[Path] = []


def _folder_of_this_process() -> Path:
    """Return a folder that is removed when the process ends."""
    if not _own_folders:
        new = tempfile.mkdtemp(prefix="music-zoo-")
        atexit.register(shutil.rmtree, new, ignore_errors=True)
        _own_folders.append(Path(new))
    return _own_folders[0]
