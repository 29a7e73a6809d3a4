"""What can be given as a sound: files, open files, arrays, clips, samples of data sets."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeGuard

import numpy as np

from zoo.errors import AudioError


class Part(Protocol):
    """A part of a file: a `zoo.data.Clip`, or anything with these attributes."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def start(self) -> float:
        """Seconds into the file."""

    @property
    def end(self) -> float | None:
        """Seconds into the file; None for its end."""


Source = str | os.PathLike[str] | tuple[np.ndarray, float] | BinaryIO | Part | Mapping[str, Any]
"""A file; an array (samples,) or (samples, channels) with its sample rate in Hz; a file that is
open for reading bytes; a clip of a corpus; or a sample of a Hugging Face data set, such as
{"array": array, "sampling_rate": 44100}."""

PAIR = ("array", "sampling_rate")  # keys of Hugging Face's `Audio`


def is_part(source: Any) -> TypeGuard[Part]:
    """Say whether a source is a part of a file, such as a clip of a corpus."""
    return all(hasattr(source, name) for name in ("path", "start", "end"))


def is_list_pair(source: Any) -> bool:
    """Say whether this is [array, sample_rate], a list where a tuple is expected."""
    if not (isinstance(source, list) and len(source) == 2) or isinstance(source[0], Real):
        return False
    return isinstance(source[1], Real) and not isinstance(source[1], bool)


def name_of(source: Any) -> str:
    """Return the name of a source in messages and results.

    Args:
        source: see `Source`.

    Returns:
        The path; of a clip with its excerpt; "array" for arrays; "open file" for an open file
        without a name.
    """
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if is_part(source):
        return str(getattr(source, "name", source.path))
    if isinstance(source, Mapping):
        return str(source.get("path") or "array")
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return name if isinstance(name, str) else "open file"
    return "array"


def plain(source: Any) -> Any:
    """Return a source as a path with the home folder in place of "~", a pair, or an open file.

    Args:
        source: see `Source`; not a clip.

    Returns:
        The same sound in a simpler form.

    Raises:
        AudioError: a dictionary without an array; a list.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        return (
            os.path.expanduser(name) if name.startswith("~") and not Path(name).exists() else source
        )
    if isinstance(source, Mapping):
        if all(key in source for key in PAIR):
            return tuple(np.asarray(source[key]) if key == "array" else source[key] for key in PAIR)
        raise AudioError(
            f"a dictionary with the keys {', '.join(map(repr, source)) or 'none'}; expected "
            "'array' and 'sampling_rate', as in the Audio column of Hugging Face's datasets."
        )
    if is_list_pair(source):
        raise AudioError(
            f"a list [array, {source[1]}]: a list means several sounds. Give one sound as a tuple: "
            f"(array, {source[1]})."
        )
    return source


@contextmanager
def on_disk(file: BinaryIO) -> Iterator[str]:
    """Copy an open file to the disk, since decoders seek in it, and delete the copy afterwards.

    Args:
        file: open for reading bytes; it is read from its beginning if it can seek.

    Yields:
        The path of the copy.

    Raises:
        AudioError: it gives text instead of bytes.
    """
    if getattr(file, "seekable", lambda: False)():
        file.seek(0)
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        copy = os.path.join(folder, "sound")
        with open(copy, "wb") as target:
            while block := file.read(2**20):
                if not isinstance(block, bytes | bytearray | memoryview):
                    raise AudioError(
                        f"{name_of(file)}: open for text; expected a file open for bytes: "
                        "open(path, 'rb')."
                    )
                target.write(block)
        yield copy
