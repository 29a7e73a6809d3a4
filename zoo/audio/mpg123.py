"""What libmpg123, by which libsndfile reads MP3s, says of damage.

It tells it to nobody but C's standard error, as text. Where the C library is GNU's, that stream is
replaced while libsndfile reads; the file descriptor stays, so nothing else is affected. What other
threads write to the stream is passed on.
"""

import ctypes
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

_WRITE = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_UNBUFFERED = 2  # _IONBF of GNU's stdio.h
_lock = threading.Lock()
_inside = 0  # threads that listen
_thread = threading.local()

# Sound is lost where it says "error", or skips bytes that are no tag. Bits that the first frames
# lack are none: they belong to sound before the file.
_ERROR = re.compile(r"error: (?!.*(?:missing|reservoir))(.+)")
_SKIPPED = re.compile(
    r"Illegal Audio-MPEG-Header 0x(?!41504554|4c595249|544147|494433|58696e67|496e666f)\w+"
    r" at offset (\d+)[^S]*Skipped (\d+) bytes"
)


class _Functions(ctypes.Structure):
    """cookie_io_functions_t of fopencookie(3)."""

    _fields_ = (
        ("read", ctypes.c_void_p),
        ("write", _WRITE),
        ("seek", ctypes.c_void_p),
        ("close", ctypes.c_void_p),
    )


@_WRITE
def _write(_: int, data: int, size: int) -> int:
    text = ctypes.string_at(data, size)
    heard = getattr(_thread, "heard", None)
    if heard is None:
        os.write(2, text)
    else:
        heard.append(text.decode("latin1"))
    return size


@cache
def _streams() -> tuple[ctypes.c_void_p, int | None, int] | None:
    """Return the variable `stderr` of the C library, its value, and a stream of ours."""
    try:
        if not os.confstr("CS_GNU_LIBC_VERSION"):
            return None
        library = ctypes.CDLL(None)
        variable = ctypes.c_void_p.in_dll(library, "stderr")
        library.fopencookie.argtypes = [ctypes.c_void_p, ctypes.c_char_p, _Functions]
        library.fopencookie.restype = ctypes.c_void_p
        library.setvbuf.argtypes = [
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t,
        ]  # fmt: skip
        ours = library.fopencookie(None, b"w", _Functions(None, _write, None, None))
        if not ours or library.setvbuf(ours, None, _UNBUFFERED, 0):
            return None
    except (AttributeError, OSError, ValueError):  # another C library
        return None
    return variable, variable.value, ours


@contextmanager
def listening(heard: list[str]) -> Iterator[None]:
    """Collect what this thread's calls of C write to standard error.

    Args:
        heard: gets the pieces of text.
    """
    global _inside
    streams = _streams()
    if streams is None:
        yield
        return
    variable, original, ours = streams
    with _lock:
        _inside += 1
        variable.value = ours
    _thread.heard = heard
    try:
        yield
    finally:
        _thread.heard = None
        with _lock:
            _inside -= 1
            if not _inside:
                variable.value = original


def damage(heard: Sequence[str]) -> str:
    """Return what libmpg123 said of damage, for a warning.

    Args:
        heard: from `listening`.

    Returns:
        Its first complaint; "" if there is none.
    """
    text = "".join(heard)
    if found := _SKIPPED.search(text):
        return f"{found[2]} bytes at {found[1]} are no sound"
    found = _ERROR.search(text)
    return found[1].strip(" !") if found else ""
