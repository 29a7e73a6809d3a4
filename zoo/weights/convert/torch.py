"""Reader of PyTorch's saved state dicts, without PyTorch and without Python's unpickler.

A pickle is a program, and Python's unpickler runs whatever it asks for. The reader here knows only
the few instructions that a dictionary of tensors is made of, as data: a name such as
"torch FloatStorage" is compared with a list and stands for itself; nothing is imported or called.
Everything else is refused.

Two layouts, both read in PyTorch's ``torch/serialization.py``:

    - legacy, before 1.6: five pickles in a row (a magic number, the protocol 1001, facts about the
      machine, the dictionary, the keys of its storages), then each storage in the order of those
      keys: its number of elements in eight bytes, and its values.
    - since 1.6: a zip archive, uncompressed, with ``data.pkl`` and ``data/<key>`` for each storage.

Each tensor must own its storage, whole and contiguous. Tensors that are views of another one's
values, as those of tied weights are, are refused.
"""

import io
import math
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zoo.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
DICTIONARY = "collections OrderedDict"
REBUILD = "torch._utils _rebuild_tensor_v2"
STORAGES = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
}


def read(path: Path, member: str = "") -> dict[str, np.ndarray]:
    """Read every tensor of a state dict, buffers such as running means included.

    Args:
        path: what ``torch.save(model.state_dict(), path)`` wrote.
        member: must be empty: a file holds one dictionary.

    Returns:
        Name -> array, in the file's order.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the file is damaged, cut off, or holds anything but a flat dictionary of
            float16, float32, float64, int32 and int64 tensors.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if member:
            raise _Refused(f"holds one dictionary, but its part {member!r} was asked for")
        return _archive(path) if zipfile.is_zipfile(path) else _legacy(path)
    except _Refused as refusal:
        raise WeightsError(f"{path}: {refusal}") from None
    except (
        EOFError,
        IndexError,
        KeyError,
        OSError,
        OverflowError,
        RuntimeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        raise WeightsError(
            f"{path}: is not a file of torch.save, or damaged, or cut off ({error!r})"
        ) from error


class _Refused(Exception):
    """The file holds what this reader does not admit, or contradicts itself."""


# --- layouts ---


def _legacy(path: Path) -> dict[str, np.ndarray]:
    """Read five pickles and the storages that follow them."""
    stream = io.BytesIO(path.read_bytes())
    if (_unpickled(stream), _unpickled(stream)) != (MAGIC, PROTOCOL):
        raise _Refused("does not begin with PyTorch's magic number and protocol")
    machine = _unpickled(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise _Refused("was not written on a little-endian machine")
    tensors, keys = _state(_unpickled(stream)), _unpickled(stream)
    owners = {tensor.storage.key: name for name, tensor in tensors.items()}
    if sorted(_the(str, key) for key in _the(list, keys)) != sorted(owners):
        raise _Refused("lists other storages than its tensors have")
    arrays = {}
    for key in keys:
        name = owners[key]
        tensor = tensors[name]
        count = int.from_bytes(_bytes(stream, 8, name), "little")
        if count != tensor.storage.count:
            raise _Refused(f"has {count} values for {name!r}, expected {tensor.storage.count}")
        arrays[name] = tensor.array(_bytes(stream, tensor.storage.bytes, name))
    if stream.read(1):
        raise _Refused("goes on after its last storage")
    return {name: arrays[name] for name in tensors}


def _archive(path: Path) -> dict[str, np.ndarray]:
    """Read a zip archive: a pickle and a file for each storage, in a folder of any name."""
    with zipfile.ZipFile(path) as archive:
        folders = [name[: -len("data.pkl")] for name in archive.namelist() if _is_pickle(name)]
        if len(folders) != 1:
            raise _Refused(f"is an archive with {len(folders)} files data.pkl, expected one")
        (folder,) = folders
        if f"{folder}byteorder" in archive.namelist() and (
            _stored(archive, f"{folder}byteorder") != b"little"
        ):
            raise _Refused("was not written on a little-endian machine")
        tensors = _state(_unpickled(io.BytesIO(_stored(archive, f"{folder}data.pkl"))))
        arrays = {}
        for name, tensor in tensors.items():
            values = _stored(archive, f"{folder}data/{tensor.storage.key}")
            if len(values) != tensor.storage.bytes:
                raise _Refused(
                    f"has {len(values)} bytes for {name!r}, expected {tensor.storage.bytes}"
                )
            arrays[name] = tensor.array(values)
        return arrays


def _is_pickle(name: str) -> bool:
    return name.endswith("/data.pkl") and name.count("/") == 1


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive; compressed ones, which could be bombs, are not PyTorch's."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise _Refused(f"holds {name!r} compressed, which PyTorch does not do")
    return archive.read(name)


def _bytes(stream: BinaryIO, count: int, name: str) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise _Refused(f"ends inside the values of {name!r}: it is cut off")
    return data


# --- what a pickle may say ---


@dataclass(frozen=True)
class _Name:
    """A class or function that the pickle names. It stands for itself and cannot be called."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """A run of values of one type somewhere else in the file."""

    key: str
    dtype: str
    count: int

    @property
    def bytes(self) -> int:
        return self.count * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class _Tensor:
    """A whole storage and a shape."""

    storage: _Storage
    shape: tuple[int, ...]

    def array(self, values: bytes) -> np.ndarray:
        """Return the values as a writable array in this machine's byte order."""
        dtype = self.storage.dtype
        return np.frombuffer(values, dtype).reshape(self.shape).astype(dtype[1:])


def _state(content: Any) -> dict[str, _Tensor]:
    """Check that the content is a flat dictionary of tensors, none of which share values."""
    if not isinstance(content, dict):
        raise _Refused(f"holds a {type(content).__name__}, expected a dictionary of tensors")
    for name, value in content.items():
        if not isinstance(value, _Tensor):
            raise _Refused(f"holds {name!r}, which is not a tensor")
    keys = [tensor.storage.key for tensor in content.values()]
    if len(set(keys)) < len(keys):
        raise _Refused("holds tensors that share their values, which is not admitted")
    return content


def _unpickled(stream: BinaryIO) -> Any:
    """Follow one pickle's instructions and leave the stream behind it.

    The instructions are those that Python's ``pickletools`` describes; those that are not here are
    refused. Work is done on a stack; MARK puts it aside until the next instruction that gathers.
    """
    stack: list[Any] = []
    aside: list[list[Any]] = []
    memo: dict[int, Any] = {}
    argument: Any
    for opcode, argument, _ in pickletools.genops(stream):
        match opcode.name:
            case "PROTO":
                pass
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE":
                stack.append(argument)
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "MARK":
                aside.append(stack)
                stack = []
            case "TUPLE":
                gathered, stack = stack, aside.pop()
                stack.append(tuple(gathered))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                gathered = [stack.pop() for _ in range(count)]
                stack.append(tuple(reversed(gathered)))
            case "APPENDS":
                gathered, stack = stack, aside.pop()
                _the(list, stack[-1]).extend(gathered)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _the(dict, stack[-1])[_the(str, key)] = value
            case "SETITEMS":
                gathered, stack = stack, aside.pop()
                for key, value in zip(gathered[::2], gathered[1::2], strict=True):
                    _the(dict, stack[-1])[_the(str, key)] = value
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_name(argument))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_made(_the(_Name, function).name, _the(tuple, arguments)))
            case "BUILD":  # attributes of an OrderedDict: versions of layers, of no use here
                stack.pop()
                _the(dict, stack[-1])
            case "STOP":
                (result,) = stack
                return result
            case other:
                raise _Refused(f"holds the pickle instruction {other}, which is not admitted")
    raise _Refused("holds a pickle without an end: it is cut off")


def _the(kind: type, value: Any) -> Any:
    """Return a value that must be of a kind."""
    if type(value) is not kind:
        raise _Refused(f"holds a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _name(name: str) -> _Name:
    """Admit a class or function that state dicts are made of."""
    if name not in (DICTIONARY, REBUILD, *STORAGES):
        raise _Refused(f"asks for {name.replace(' ', '.')!r}, which is not admitted")
    return _Name(name)


def _storage(identity: Any) -> _Storage:
    """Read ("storage", type, key, device, count) and, in the legacy layout, a view that is None."""
    match identity:
        case ("storage", _Name(kind), str(key), str(), int(count), *view):
            if kind in STORAGES and count >= 0 and view in ([], [None]):
                return _Storage(key, STORAGES[kind], count)
    raise _Refused("refers to something that is not a storage of its own")


def _made(name: str, arguments: tuple) -> dict | _Tensor:
    """Return what one of the two admitted functions makes of its arguments."""
    if name == DICTIONARY and not arguments:
        return {}
    match arguments:
        case (_Storage(), int(), tuple(shape), tuple(stride), _, {}) if name == REBUILD:
            if all(type(number) is int and number >= 0 for number in shape + stride):
                return _tensor(*arguments[:4])
    raise _Refused(f"calls {name.replace(' ', '.')!r} in a way that is not admitted")


def _tensor(storage: _Storage, offset: int, shape: tuple, stride: tuple) -> _Tensor:
    """Admit a tensor that is the whole of its storage, in C order."""
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    in_order = len(shape) == len(stride) and all(
        size == 1 or step == expected
        for size, step, expected in zip(shape, stride, steps, strict=True)
    )
    whole = offset == 0 and math.prod(shape) == storage.count
    if not whole or (storage.count and not in_order):
        raise _Refused(
            f"holds a tensor of shape {shape}, stride {stride} and offset {offset} in a storage "
            f"of {storage.count} values: a view, which is not admitted"
        )
    return _Tensor(storage, shape)
