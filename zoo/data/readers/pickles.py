"""Reader of the pickles in which datasets come: lists, dictionaries, words and arrays of numbers.

A pickle is a program for Python's unpickler: it may name any function and have it called. Here all
names that such a file needs are answered with classes of this file, which check what they are given
and keep it; any other name is refused. Files of Python 2 can be read; words in them are Latin-1.
"""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ConfigError

DTYPES = ("b1", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")


def read(path: Path) -> Any:
    """Read a pickle of plain things.

    Returns:
        What it holds; arrays as objects with an attribute `values`.

    Raises:
        ConfigError: it is damaged, or asks for anything but NumPy's arrays of plain numbers.
    """
    try:
        with open(path, "rb") as file:
            return _Reader(file, fix_imports=False, encoding="latin1").load()
    except _Refused as refusal:
        raise ConfigError(f"{path}: not read, for this pickle {refusal}.") from None
    except OSError:
        raise
    except Exception as error:  # there are as many ways to fail as there are programs
        raise ConfigError(f"{path}: no pickle, or a damaged one ({error!r}).") from error


class _Refused(Exception):
    """The pickle holds what this reader does not admit."""


class _Reader(pickle.Unpickler):
    """An unpickler that knows no names but those of `_STAND_INS`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for what the file names."""
        stand_in = _STAND_INS.get(f"{module}.{name}")
        if stand_in is None:
            raise _Refused(f"asks for {module}.{name}, which is not admitted")
        return stand_in


class _StandIn:
    """Base of all; having `__setstate__`, none gets attributes but through the checks here."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise _Refused(f"gives a state to a {type(self).__name__}, which is not admitted")


class _Kind(_StandIn):
    """The class ndarray, which is only named."""

    __slots__ = ()


class _Text(_StandIn):
    """Bytes, as Python 3 writes them for Python 2: `_codecs.encode(text, "latin1")`."""

    __slots__ = ("content",)

    def __init__(self, text: str, encoding: str):
        self.content = text.encode("latin1")


class _DType(_StandIn):
    """The type of an array's numbers."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: Any):
        if code not in DTYPES:
            raise _Refused(f"holds values of type {code!r}; admitted are {', '.join(DTYPES)}")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        if state[1:] not in [(order, None, None, None, -1, -1, 0) for order in "<|"]:
            raise _Refused(f"describes {self.code} as {state!r}, which is not admitted")


class _Array(_StandIn):
    """An array of numbers."""

    __slots__ = ("values",)

    def __init__(self, *_: Any):
        self.values = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, data = state
        raw = data.content if isinstance(data, _Text) else data
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        kind = np.dtype(f"<{dtype.code}")
        if len(raw) != math.prod(shape) * kind.itemsize:
            raise _Refused(f"has {len(raw)} bytes for an array of shape {shape} and type {kind}")
        order: Any = "F" if column_major else "C"
        self.values = np.frombuffer(raw, kind).reshape(shape, order=order)


_STAND_INS: dict[str, Any] = {
    "numpy.ndarray": _Kind,
    "numpy.dtype": _DType,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "_codecs.encode": _Text,
}
