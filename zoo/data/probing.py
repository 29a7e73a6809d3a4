"""Check whether files can be decoded, by their headers where possible, in several threads."""

import contextlib
import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import soundfile

from zoo.audio.decode import decode
from zoo.errors import AudioError, AudioWarning
from zoo.utils.progress import bar

MANY = 500  # files: fewer take less than a second
SLACK = 0.1  # s: annotations are rounded, and encoders count their padding differently
UNKNOWN = 2**36  # frames: libsndfile's value for streams of unknown length

Excerpt = tuple[Path, float, float | None]
"""A file, and start and end in seconds; None for its end."""


def probe(excerpts: Sequence[Excerpt], minimum: float, progress: bool = True) -> list[str]:
    """Return for each excerpt why it cannot be used.

    A file is opened once, also for several excerpts.

    Args:
        excerpts: path, start and end in seconds.
        minimum: shortest excerpt, in seconds.
        progress: show a progress bar on a terminal if there are many files.

    Returns:
        A reason for each excerpt; "" if it can be used.
    """
    wanted: dict[Path, float] = {}  # the seconds that a file should have
    for path, start, end in excerpts:
        needed = start + minimum if end is None else end - SLACK
        wanted[path] = max(wanted.get(path, 0.0), needed)
    found = _lengths(wanted, progress)
    return [_reason(found[path], start, end, minimum) for path, start, end in excerpts]


def seconds(path: Path, wanted: float) -> float:
    """Return the length of a file.

    The header's length is used only if it is long enough: in MP3s it may be an estimate, and
    libsndfile does not read all formats. Otherwise the file is decoded as far as needed.

    Args:
        path: of the file.
        wanted: seconds to check for.

    Returns:
        The length in seconds, exact if it is below `wanted`.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: it is not an audio file.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with contextlib.suppress(soundfile.SoundFileError, TypeError):  # TypeError: headerless .raw
        with soundfile.SoundFile(path) as sound:
            frames = sound.frames
            announced = math.inf if frames >= UNKNOWN else frames / sound.samplerate
        if announced >= wanted and frames > 0:
            return announced
    decoded = 0.0
    for block, rate in decode(path):
        decoded += len(block) / rate
        if decoded >= wanted:
            break
    return decoded


def _lengths(wanted: dict[Path, float], progress: bool) -> dict[Path, float | str]:
    """Return each file's length in seconds, or why it cannot be read."""
    files = list(wanted.items())
    parts = [files[i : i + 64] for i in range(0, len(files), 64)]
    found: dict[Path, float | str] = {}
    shown = None if progress and len(files) >= MANY else False
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool,
        bar("checking the files", len(files), shown, transient=True) as advance,
    ):
        warnings.simplefilter("ignore", AudioWarning)  # about damage: decoding warns again later
        for part in pool.map(lambda part: [(p, _length(p, s)) for p, s in part], parts):
            found.update(part)
            advance(len(part))
    return found


def _length(path: Path, wanted: float) -> float | str:
    """Return a file's length in seconds, or why it cannot be read."""
    try:
        return seconds(path, wanted)
    except (AudioError, OSError) as error:
        return str(error).removeprefix(f"{path}: ").rstrip(".")


def _reason(length: float | str, start: float, end: float | None, minimum: float) -> str:
    """Return why an excerpt cannot be used, given the file's length or error; "" if it can."""
    if isinstance(length, str):
        return length
    if start >= length:
        return f"starts at {start:g} s, but the file ends at {length:.2f} s"
    if end is not None and end > length + SLACK:
        return f"ends at {end:g} s, but the file ends at {length:.2f} s"
    own = min(length, math.inf if end is None else end) - start
    return f"only {own:.3g} s long, less than {minimum:g} s" if own < minimum else ""
