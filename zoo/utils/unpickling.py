"""Pickles of others: none of their code runs, and they take bounded time and memory.

A pickle is a program for Python's unpickler: it may name any function and call it. Here a pickle is
checked before it runs. Then each name in it is replaced with what the caller admits for that name,
best a `StandIn`, which checks and keeps what it is given; any other name is refused. Files of
Python 2 can be read; their strings are Latin-1.
"""

import io
import math
import pickle
import pickletools
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Literal

import numpy as np

OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
# Instructions that plain files do not need: calls in other forms, data outside the file, and
# results that are thrown away.
REFUSED = {"EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ_EX", "NEXT_BUFFER", "READONLY_BUFFER"}
REFUSED |= {"POP", "POP_MARK", "DUP"}
PERSISTENT = {"PERSID", "BINPERSID"}
PUT, GET = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
IN_PLACE = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"}

MAX_DEPTH = 50  # of containers in containers
MAX_GROWTH = 50  # bytes that references to earlier objects stand for, over the pickle's own
MAX_BITS = 128  # of an integer

DTYPES = ("b1", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
MAX_AXES = 32


class Refused(Exception):
    """A file holds what is not admitted. The message is a predicate: "asks for os.system"."""


def load(
    stream: BinaryIO,
    names: Mapping[tuple[str, str], Any],
    persistent_load: Callable[[Any], Any] | None = None,
    kind: str = "a pickle",
) -> Any:
    """Unpickle one object and leave the stream behind it.

    Args:
        stream: one that can seek.
        names: (module, name) -> what stands for it.
        persistent_load: resolves references to objects outside the pickle; None refuses them.
        kind: of file, for messages.

    Raises:
        Refused: the pickle is damaged, asks for something else, or would take too much of time or
            memory.
    """
    start = stream.tell()
    try:
        _check(stream, persistent_load is not None)
        end = stream.tell()
        stream.seek(start)
        return _Unpickler(stream.read(end - start), names, persistent_load).load()
    except (Refused, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can raise any exception
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise Refused(f"is not {kind}, or damaged, or cut off ({reason})") from error


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows no names but those that the caller admits."""

    def __init__(
        self,
        content: bytes,
        names: Mapping[tuple[str, str], Any],
        persistent_load: Callable[[Any], Any] | None,
    ):
        super().__init__(io.BytesIO(content), fix_imports=False, encoding="latin1")
        self.names = names
        self.resolve = persistent_load

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name."""
        if (module, name) not in self.names:
            raise Refused(f"asks for {f'{module}.{name}'[:100]!r}, which is not admitted")
        return self.names[module, name]

    def persistent_load(self, identity: Any) -> Any:
        """Return what stands for an object outside the pickle."""
        if self.resolve is None:
            raise Refused("refers to objects outside the pickle, which is not admitted")
        return self.resolve(identity)


class _Reader:
    """A stream that never makes room for more bytes than it has, whatever it is asked for."""

    def __init__(self, stream: BinaryIO, end: int):
        self.stream, self.end = stream, end
        self.tell, self.readline = stream.tell, stream.readline

    def read(self, size: int) -> bytes:
        """Read at most so many bytes."""
        return self.stream.read(max(min(size, self.end - self.tell()), 0))


def _check(stream: BinaryIO, persistent: bool) -> None:
    """Follow a pickle's instructions up to its end without running them.

    Of each object that would be on the stack, only its size in the file and its depth are kept.
    A few references to references can stand for gigabytes, which Python would hash or print.
    """
    start = stream.tell()
    length = stream.seek(0, io.SEEK_END) - start
    stream.seek(start)
    reader: Any = _Reader(stream, start + length)
    refused = REFUSED if persistent else REFUSED | PERSISTENT
    stack: list[Any] = []  # of (size, depth), and None for a mark
    memo: dict[int, Any] = {}
    fetched, at = 0, start
    while True:
        opcode = OPCODES[stream.read(1).decode("latin1")]
        name = opcode.name
        if name in refused:
            raise Refused(f"has the pickle instruction {name}, which is not admitted")
        argument: Any = None
        if name == "STRING":  # which pickletools reads as ASCII alone
            stream.readline()
        elif opcode.arg is not None:
            argument = opcode.arg.reader(reader)
        if type(argument) is int and argument.bit_length() > MAX_BITS:
            raise Refused(f"holds an integer of {argument.bit_length()} bits, {MAX_BITS} at most")
        at, size = stream.tell(), stream.tell() - at
        if name in PUT:
            # Python makes a table of as many entries as the highest number.
            if argument > length:
                raise Refused(f"numbers its objects up to {argument}, which is not admitted")
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in GET:
            stack.append(memo[argument])
            fetched += memo[argument][0]
            if fetched > MAX_GROWTH * length:
                raise Refused("refers to its own objects so often that it would grow too large")
        elif name == "MARK":
            stack.append(None)
        elif opcode.stack_after and not opcode.stack_before:
            stack.append((size, 1))
        else:
            taken = []
            below = len(opcode.stack_before)
            if pickletools.stackslice in opcode.stack_before:  # all down to the mark
                below -= 2
                while (item := stack.pop()) is not None:
                    taken.append(item)
            taken += [stack.pop() for _ in range(below)]
            if not opcode.stack_after:
                if name == "STOP":
                    return
                continue
            size += sum(item[0] for item in taken)
            holder = taken.pop()[1] if name in IN_PLACE else 1
            depth = max(holder, 1 + max((item[1] for item in taken), default=0))
            if depth > MAX_DEPTH:
                raise Refused(f"is nested more than {MAX_DEPTH} deep, which is not admitted")
            stack.append((size, depth))


# --- stand-ins ---


class StandIn:
    """Base of what a pickle makes or is given. It has no behaviour that could be misused.

    `__setstate__` is what the instruction BUILD calls. Since every class has it, BUILD can set
    attributes of no object or class but through the checks of the class.
    """

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise Refused(f"gives a state to a {type(self).__name__}, which is not admitted")


class Word(StandIn):
    """A function or class that is only named."""

    __slots__ = ("word",)

    def __init__(self, word: str):
        self.word = word

    def __call__(self, *_: Any) -> None:
        """Refuse to be called."""
        raise Refused(f"calls {self.word!r}, which is not admitted")


class Text(StandIn):
    """Bytes, as Python 3 writes them for Python 2: `_codecs.encode(text, "latin1")`."""

    __slots__ = ("content",)

    def __init__(self, text: str, encoding: str):
        self.content = text.encode("latin1")


class DType(StandIn):
    """A NumPy dtype; only plain little-endian numbers."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: Any):
        if code not in DTYPES:
            given = reprlib.repr(code)
            raise Refused(f"holds values of type {given}; admitted are {', '.join(DTYPES)}")
        self.code = f"<{code}"

    def __setstate__(self, state: Any) -> None:
        if state[1:] not in [(order, None, None, None, -1, -1, 0) for order in "<|"]:
            raise Refused(f"describes {self.code[1:]} as more than numbers, which is not admitted")


class Scalar(StandIn):
    """A NumPy scalar."""

    __slots__ = ("values",)

    def __init__(self, dtype: Any, data: Any):
        self.values = _numbers(dtype, (), data)


class Array(StandIn):
    """A NumPy array."""

    __slots__ = ("values",)

    def __init__(self, kind: Any, *_: Any):
        if kind is not NDARRAY:
            raise Refused("makes an array of a class other than ndarray, which is not admitted")
        self.values = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, data = state
        self.values = _numbers(dtype, shape, data, "F" if column_major else "C")


def _numbers(dtype: Any, shape: Any, data: Any, order: Literal["C", "F"] = "C") -> np.ndarray:
    """Make a writable array from its description in a pickle."""
    code = the(DType, dtype).code
    sizes = tuple(the(int, size) for size in the(tuple, shape))
    raw = data.content if isinstance(data, Text) else data
    raw = raw.encode("latin1") if isinstance(raw, str) else the(bytes, raw)
    plain = len(sizes) <= MAX_AXES and min(sizes, default=0) >= 0
    if not plain or len(raw) != math.prod(sizes) * np.dtype(code).itemsize:
        given = reprlib.repr(sizes)
        raise Refused(f"has {len(raw)} bytes for an array of shape {given} and type {code[1:]}")
    return np.frombuffer(raw, code).reshape(sizes, order=order).astype(code[1:])


def the(kind: type, value: Any) -> Any:
    """Return a value that must be of a kind."""
    if type(value) is not kind:
        raise Refused(f"holds a {type(value).__name__} where a {kind.__name__} belongs")
    return value


NDARRAY = Word("ndarray")
NUMPY: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): DType,
    ("numpy.core.multiarray", "_reconstruct"): Array,
    ("numpy.core.multiarray", "scalar"): Scalar,
}
