"""Files at addresses such as s3://bucket/song.mp3, read by fsspec (the extra `remote`)."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from zoo.audio.paths import is_address
from zoo.errors import ConfigError


def _system(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and its path there."""
    try:
        import fsspec  # not above: an extra

        return fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise ConfigError(
            f"{address}: this address needs a package that is missing ({error}): "
            "pip install 'music-zoo[remote]'. It has fsspec and s3fs; gs:// needs gcsfs too."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{address}: not an address that can be read: {error}.") from error


def find(address: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, int | None, str | None]]:
    """List the sounds at an address: a file, a folder, or a pattern.

    Args:
        address: such as s3://bucket/folder.
        suffixes: of the files in a folder that are wanted.

    Yields:
        Address, size in bytes and etag of each; None where the server does not tell.

    Raises:
        FileNotFoundError: there is nothing.
        ConfigError: the package for this kind of address is missing.
    """
    system, path = _system(address)
    try:
        if "*" in path:
            found = system.glob(path, detail=True)
            for name, state in sorted(found.items()):
                if name.lower().endswith(suffixes):
                    yield _entry(system, name, state)
            if not found:
                raise FileNotFoundError(f"{address}: no file matches this pattern.")
        elif path.lower().endswith(suffixes) or system.isfile(path):
            yield address, *_state(system.info(path))
        else:
            empty = True
            for _, folders, files in system.walk(path, detail=True, on_error="raise"):
                empty = empty and not folders and not files
                for _, state in sorted(files.items()):
                    if state["name"].lower().endswith(suffixes):
                        yield _entry(system, state["name"], state)
            if empty:
                raise FileNotFoundError(address)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{address}: there is no such file or folder.") from error


def _entry(system: Any, name: str, state: dict) -> tuple[str, int | None, str | None]:
    return system.unstrip_protocol(name), *_state(state)


def _state(state: dict) -> tuple[int | None, str | None]:
    etag = next(
        (state[key] for key in ("ETag", "etag", "LastModified", "mtime") if key in state), None
    )
    return state.get("size"), None if etag is None else str(etag).strip('"')


def state(address: str) -> tuple[int | None, str | None]:
    """Return size and etag of a file at an address; None, None if it cannot be asked for."""
    system, path = _system(address)
    try:
        return _state(system.info(path))
    except Exception:  # each file system raises its own; the prediction will say what is wrong
        return None, None


@contextlib.contextmanager
def opened(source: str) -> Iterator[IO[bytes]]:
    """Open a list, here or at an address."""
    if not is_address(source):
        with open(source, "rb") as file:
            yield file
        return
    system, path = _system(source)
    with system.open(path, "rb") as file:
        yield file


@contextlib.contextmanager
def local(path: str) -> Iterator[str]:
    """Give a file at an address a name on this machine for as long as it is needed.

    Args:
        path: of a file, which is left where it is, or an address.

    Yields:
        The path of the file, or of a temporary copy.
    """
    if not is_address(path):
        yield path
        return
    system, there = _system(path)
    suffix = os.path.splitext(there.partition("?")[0])[1]
    with tempfile.NamedTemporaryFile(prefix="music-zoo-", suffix=suffix) as copy:
        with system.open(there, "rb") as file:
            shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        yield copy.name
