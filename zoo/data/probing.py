"""Whether files can be heard, without hearing them: headers first, in several threads."""

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
UNKNOWN = 2**36  # frames: what libsndfile says of streams that do not tell their length

Excerpt = tuple[Path, float, float | None]
"""A file, and start and end in seconds; None for its end."""


def probe(excerpts: Sequence[Excerpt], minimum: float, progress: bool = True) -> list[str]:
    """Say of each excerpt why it cannot be used; "" where it can.

    A file is opened once, however many of its excerpts are asked for.

    Args:
        excerpts: parts of files.
        minimum: seconds that each has at least.
        progress: show a bar on a terminal if there are many files.
    """
    wanted: dict[Path, float] = {}  # the seconds that a file should have
    for path, start, end in excerpts:
        needed = start + minimum if end is None else end - SLACK
        wanted[path] = max(wanted.get(path, 0.0), needed)
    found = _lengths(wanted, progress)
    return [_reason(found[path], start, end, minimum) for path, start, end in excerpts]


def seconds(path: Path, wanted: float) -> float:
    """Return how long a file is, at least `wanted` seconds or else exactly.

    The header's word is taken only if it promises enough: those of MP3s may be guesses, and some
    formats are libsndfile's not at all. Otherwise the file is decoded as far as is needed.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: this is no sound.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with contextlib.suppress(soundfile.SoundFileError, TypeError):  # TypeError: headerless .raw
        with soundfile.SoundFile(path) as sound:
            frames = sound.frames
            announced = math.inf if frames >= UNKNOWN else frames / sound.samplerate
        if announced >= wanted and frames > 0:
            return announced
    heard = 0.0
    for block, rate in decode(path):
        heard += len(block) / rate
        if heard >= wanted:
            break
    return heard


def _lengths(wanted: dict[Path, float], progress: bool) -> dict[Path, float | str]:
    """Return each file's length in seconds, or why it cannot be read."""
    files = list(wanted.items())
    parts = [files[i : i + 64] for i in range(0, len(files), 64)]
    found: dict[Path, float | str] = {}
    shown = None if progress and len(files) >= MANY else False
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool,
        bar("looking at the files", len(files), shown, transient=True) as advance,
    ):
        warnings.simplefilter("ignore", AudioWarning)  # of damage further on: heard again later
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
    """Say what is wrong with an excerpt of a file of a length, or one that cannot be read."""
    if isinstance(length, str):
        return length
    if start >= length:
        return f"starts at {start:g} s, but the file ends at {length:.2f} s"
    if end is not None and end > length + SLACK:
        return f"ends at {end:g} s, but the file at {length:.2f} s"
    own = min(length, math.inf if end is None else end) - start
    return f"only {own:.3g} s long, less than {minimum:g} s" if own < minimum else ""
