"""Reader of the neural networks that madmom keeps as pickles, without madmom and without trust.

A pickle is a program for Python's unpickler: it may name any function and have it called. This one
is looked through before it runs: instructions that such a file does not need are refused. Then, of
all the names that it may ask for, the few of `STAND_INS` are answered, each with a class of this
file that does nothing but check what it is given and keep it. Anything else is refused. The file
reaches neither madmom nor NumPy; the arrays are made here, from type, shape and bytes.

The files were written by Python 2 (protocol 2), so their strings are bytes in Latin-1.
"""

import io
import math
import pickle
import pickletools
import tarfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo.errors import WeightsError

INSTRUCTIONS = {
    *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "NEWOBJ", "BUILD"),
    *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"),
}
DTYPES = ("f4", "f8", "i4", "i8")


def read(path: Path, member: str = "") -> dict[str, np.ndarray]:
    """Read every array and number of a network.

    Args:
        path: a pickle, or a .tar.gz archive (a source distribution is one).
        member: name of the pickle inside the archive; "" if `path` is the pickle.

    Returns:
        "<layer>/<attribute>" -> array, in the order of the network. A layer is its position, its
        class and all its attributes that are words, such as "1 ConvolutionalLayer tanh valid";
        so a network that computes something else has other names.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the file is damaged, or asks for anything but layers, activation functions
            and arrays of float32, float64, int32 and int64 numbers.
    """
    path = Path(path)
    content = _content(path, member)
    where = f"{path}, {member!r}" if member else str(path)
    try:
        _check_instructions(content)
        return _arrays(_Reader(content).load())
    except _Refused as refusal:
        raise WeightsError(f"{where}: {refusal}") from None
    except Exception as error:  # there are as many ways to fail as there are programs
        raise WeightsError(f"{where}: not a network of madmom, or damaged ({error!r})") from error


class _Refused(Exception):
    """The pickle holds what this reader does not admit."""


def _content(path: Path, member: str) -> bytes:
    """Return the bytes of the pickle."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if not member:
        return path.read_bytes()
    try:
        with tarfile.open(path, "r:gz") as archive:
            for entry in archive:
                if entry.name == member and entry.isfile():
                    file = archive.extractfile(entry)
                    return file.read() if file else b""
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise WeightsError(f"{path}: {member!r} cannot be read ({error})") from error
    raise WeightsError(f"{path}: has no file {member!r}")


def _check_instructions(content: bytes) -> None:
    """Refuse a pickle with instructions that a network does not need, before any of them runs."""
    stream = io.BytesIO(content)
    for instruction, argument, _ in pickletools.genops(stream):
        if instruction.name not in INSTRUCTIONS:
            raise _Refused(f"has the pickle instruction {instruction.name}, which is not admitted")
        # Python makes a table of as many entries as the highest number of an object.
        if instruction.name == "LONG_BINPUT" and int(argument or 0) > len(content):
            raise _Refused(f"numbers its objects up to {argument}, which is not admitted")
    if rest := stream.read():
        raise _Refused(f"goes on for {len(rest)} bytes after its end")


class _Reader(pickle.Unpickler):
    """An unpickler that knows no names but those of `STAND_INS`."""

    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content), fix_imports=False, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for what the file names."""
        stand_in = STAND_INS.get(f"{module}.{name}")
        if stand_in is None:
            raise _Refused(f"asks for {module}.{name}, which is not admitted")
        return stand_in


# --- stand-ins ---


class _StandIn:
    """Base of all: what the unpickler makes or is given. It has no behaviour to be misused.

    `__setstate__` is what the instruction BUILD calls. Since every class has it, BUILD can set
    attributes of no object or class but through the checks here.
    """

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise _Refused(f"gives a state to a {type(self).__name__}, which is not admitted")


class _Word(_StandIn):
    """A function or class that is only named."""

    __slots__ = ("word",)

    def __init__(self, word: str):
        self.word = word


class _Layer(_StandIn):
    """A layer, or the network: its attributes by name."""

    __slots__ = ("attributes",)

    def __setstate__(self, state: Any) -> None:
        self.attributes = _the(dict, state)


class _DType(_StandIn):
    """A NumPy dtype; only plain little-endian numbers."""

    __slots__ = ("code",)

    def __init__(self, code: str, align: int, copy: int):
        if code not in DTYPES:
            raise _Refused(f"holds values of type {code!r}; admitted are {', '.join(DTYPES)}")
        self.code = f"<{code}"

    def __setstate__(self, state: Any) -> None:
        if state != (3, "<", None, None, None, -1, -1, 0):
            raise _Refused(f"describes {self.code[1:]} as {state!r}, which is not admitted")


class _Scalar(_StandIn):
    """A NumPy scalar."""

    __slots__ = ("array",)

    def __init__(self, dtype: Any, data: Any):
        self.array = _numbers(dtype, (), data)


class _Array(_StandIn):
    """A NumPy array."""

    __slots__ = ("array",)

    def __init__(self, kind: Any, shape: Any, typecode: Any):
        if kind is not NDARRAY:
            raise _Refused("makes an array of a class other than ndarray, which is not admitted")

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, data = state
        self.array = _numbers(dtype, shape, data, "F" if column_major else "C")


def _numbers(dtype: Any, shape: Any, data: Any, order: Literal["C", "F"] = "C") -> np.ndarray:
    """Make an array from what a pickle says of it."""
    code, raw = _the(_DType, dtype).code, _the(str, data).encode("latin1")
    sizes = tuple(_the(int, size) for size in _the(tuple, shape))
    expected = math.prod(sizes) * np.dtype(code).itemsize
    if min(sizes, default=0) < 0 or len(raw) != expected:
        raise _Refused(f"has {len(raw)} bytes for an array of shape {shape} and type {code[1:]}")
    return np.frombuffer(raw, code).reshape(sizes, order=order).astype(code[1:])


def _the(kind: type, value: Any) -> Any:
    """Return a value that must be of a kind."""
    if type(value) is not kind:
        raise _Refused(f"holds a {type(value).__name__} where a {kind.__name__} belongs")
    return value


NDARRAY = _Word("ndarray")
NETWORK = type("NeuralNetwork", (_Layer,), {"__slots__": ()})
LAYERS = [
    "BatchNormLayer",
    "ConvolutionalLayer",
    "MaxPoolLayer",
    "StrideLayer",
    "FeedForwardLayer",
]
STAND_INS: dict[str, Any] = {
    "madmom.ml.nn.NeuralNetwork": NETWORK,
    **{f"madmom.ml.nn.layers.{n}": type(n, (_Layer,), {"__slots__": ()}) for n in LAYERS},
    **{f"madmom.ml.nn.activations.{n}": _Word(n) for n in ("linear", "tanh", "sigmoid")},
    "numpy.ndarray": NDARRAY,
    "numpy.dtype": _DType,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _Scalar,
}


# --- from the stand-ins to arrays ---


def _arrays(network: Any) -> dict[str, np.ndarray]:
    """Name the arrays of each layer."""
    arrays = {}
    for i, layer in enumerate(_the(list, _the(NETWORK, network).attributes["layers"])):
        if not isinstance(layer, _Layer):
            raise _Refused(f"holds a {type(layer).__name__} where a layer belongs")
        attributes = {name: _plain(layer.attributes[name]) for name in sorted(layer.attributes)}
        words = [value for value in attributes.values() if isinstance(value, str)]
        title = " ".join([str(i), type(layer).__name__, *words])
        for name, value in attributes.items():
            if isinstance(value, np.ndarray):
                arrays[f"{title}/{name}"] = value
    return arrays


def _plain(value: Any) -> np.ndarray | str:
    """Return an attribute of a layer as an array or a word."""
    match value:
        case _Array() | _Scalar():
            return value.array
        case _Word():
            return value.word
        case str():
            return value
        case int() | float():
            return np.asarray(value)
    raise _Refused(f"has an attribute that is a {type(value).__name__}, which is not admitted")
