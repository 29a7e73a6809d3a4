"""Reader of PyTorch's saved state dicts, without PyTorch and without trust.

A pickle is a program. This reader admits only the few names that a dictionary of tensors needs, and
replaces them with stand-ins (`zoo.utils.unpickling`). Everything else is refused.

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
import reprlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zoo.errors import WeightsError
from zoo.utils.unpickling import MAX_AXES, Refused, StandIn, Word, load, the

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
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
            raise Refused(f"holds one dictionary, but its part {member!r} was requested")
        return _archive(path) if zipfile.is_zipfile(path) else _legacy(path)
    except Refused as refusal:
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


# --- layouts ---


def _legacy(path: Path) -> dict[str, np.ndarray]:
    """Read five pickles and the storages that follow them."""
    stream = io.BytesIO(path.read_bytes())
    if (_unpickled(stream), _unpickled(stream)) != (MAGIC, PROTOCOL):
        raise Refused("does not begin with PyTorch's magic number and protocol")
    machine = _unpickled(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise Refused("was not written on a little-endian machine")
    tensors, keys = _state(_unpickled(stream)), _unpickled(stream)
    owners = {tensor.storage.key: name for name, tensor in tensors.items()}
    if sorted(the(str, key) for key in the(list, keys)) != sorted(owners):
        raise Refused("lists other storages than its tensors have")
    arrays = {}
    for key in keys:
        name = owners[key]
        tensor = tensors[name]
        count = int.from_bytes(_bytes(stream, 8, name), "little")
        if count != tensor.storage.count:
            raise Refused(f"has {count} values for {name!r}, expected {tensor.storage.count}")
        arrays[name] = tensor.array(_bytes(stream, tensor.storage.bytes, name))
    if stream.read(1):
        raise Refused("continues after its last storage")
    return {name: arrays[name] for name in tensors}


def _archive(path: Path) -> dict[str, np.ndarray]:
    """Read a zip archive: a pickle and a file for each storage, in a folder of any name."""
    with zipfile.ZipFile(path) as archive:
        announced = sum(entry.file_size for entry in archive.infolist())
        if announced > path.stat().st_size:  # files that overlap
            raise Refused(f"announces {announced} bytes, more than the file has")
        folders = [name[: -len("data.pkl")] for name in archive.namelist() if _is_pickle(name)]
        if len(folders) != 1:
            raise Refused(f"is an archive with {len(folders)} files data.pkl, expected one")
        (folder,) = folders
        if f"{folder}byteorder" in archive.namelist() and (
            _stored(archive, f"{folder}byteorder") != b"little"
        ):
            raise Refused("was not written on a little-endian machine")
        tensors = _state(_unpickled(io.BytesIO(_stored(archive, f"{folder}data.pkl"))))
        arrays = {}
        for name, tensor in tensors.items():
            values = _stored(archive, f"{folder}data/{tensor.storage.key}")
            if len(values) != tensor.storage.bytes:
                raise Refused(
                    f"has {len(values)} bytes for {name!r}, expected {tensor.storage.bytes}"
                )
            arrays[name] = tensor.array(values)
        return arrays


def _is_pickle(name: str) -> bool:
    return name.endswith("/data.pkl") and name.count("/") == 1


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive; compressed ones, which could be bombs, are not PyTorch's."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise Refused(f"holds {name!r} compressed, which PyTorch does not do")
    return archive.read(name)


def _bytes(stream: BinaryIO, count: int, name: str) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise Refused(f"ends inside the values of {name!r}: it is cut off")
    return data


# --- what a pickle may contain ---


@dataclass(frozen=True)
class _Storage:
    """A run of values of one type somewhere else in the file."""

    key: str
    dtype: str
    count: int

    @property
    def bytes(self) -> int:
        return self.count * np.dtype(self.dtype).itemsize


class _Tensor(StandIn):
    """A whole storage in C order, and a shape: a call of `_rebuild_tensor_v2`."""

    __slots__ = ("shape", "storage")

    def __init__(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: Any):
        sizes = [the(int, size) for size in the(tuple, shape)]
        strides = [the(int, step) for step in the(tuple, stride)]
        if len(sizes) > MAX_AXES or min(sizes + strides, default=0) < 0:
            raise Refused(f"holds a tensor of shape {reprlib.repr(shape)}, which is not admitted")
        count = the(_Storage, storage).count
        steps = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
        in_order = len(sizes) == len(strides) and all(
            size == 1 or step == expected
            for size, step, expected in zip(sizes, strides, steps, strict=True)
        )
        if offset != 0 or math.prod(sizes) != count or (count and not in_order):
            raise Refused(
                f"holds a tensor of shape {shape}, stride {reprlib.repr(stride)} and offset "
                f"{reprlib.repr(offset)} in a storage of {count} values: a view, which is not "
                "admitted"
            )
        self.storage, self.shape = storage, shape

    def array(self, values: bytes) -> np.ndarray:
        """Return the values as a writable array in this machine's byte order."""
        dtype = self.storage.dtype
        return np.frombuffer(values, dtype).reshape(self.shape).astype(dtype[1:])


class _Dictionary(StandIn, dict):
    """An OrderedDict, made empty. Its attributes, versions of layers, are of no use here."""

    def __init__(self, *arguments: Any):
        if arguments:
            raise Refused("makes a dictionary from arguments, which is not admitted")

    def __setstate__(self, state: Any) -> None:
        pass


NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Dictionary,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{("torch", name): Word(name) for name in STORAGES},
}


def _unpickled(stream: BinaryIO) -> Any:
    return load(stream, NAMES, _storage, kind="a file of torch.save")


def _storage(identity: Any) -> _Storage:
    """Read ("storage", type, key, device, count) and, in the legacy layout, a view that is None."""
    match identity:
        case ("storage", Word(word=kind), str(key), str(), int(count), *view):
            if kind in STORAGES and count >= 0 and view in ([], [None]):
                return _Storage(key, STORAGES[kind], count)
    raise Refused("refers to something that is not a storage of its own")


def _state(content: Any) -> dict[str, _Tensor]:
    """Check that the content is a flat dictionary of tensors, none of which share values."""
    if not isinstance(content, dict):
        raise Refused(f"holds a {type(content).__name__}, expected a dictionary of tensors")
    for name, value in content.items():
        if not isinstance(value, _Tensor):
            raise Refused(f"holds {the(str, name)!r}, which is not a tensor")
        the(str, name)
    keys = [tensor.storage.key for tensor in content.values()]
    if len(set(keys)) < len(keys):
        raise Refused("holds tensors that share their values, which is not admitted")
    return content
