"""Check whether files can be decoded, by their headers where possible, in several threads."""

import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zoo.audio.decode import duration
from zoo.audio.excerpt import SLACK
from zoo.errors import AudioError, AudioWarning
from zoo.utils.progress import bar

MANY = 500  # files: fewer take less than a second

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


def _lengths(wanted: dict[Path, float], progress: bool) -> dict[Path, float | str]:
    """Return each file's length in seconds, or why it cannot be read."""
    files = list(wanted.items())
    parts = [files[i : i + 64] for i in range(0, len(files), 64)]
    found: dict[Path, float | str] = {}
    shown = None if progress and len(files) >= MANY else False
    with (
        warnings.catch_warnings(action="ignore", category=AudioWarning),
        ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool,
        bar("checking the files", len(files), shown, transient=True) as advance,
    ):
        for part in pool.map(lambda part: [(p, _length(p, s)) for p, s in part], parts):
            found.update(part)
            advance(len(part))
    return found


def _length(path: Path, wanted: float) -> float | str:
    """Return a file's length in seconds, or why it cannot be read."""
    if not path.exists():
        return "no such file"
    try:
        return duration(path, wanted)
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
