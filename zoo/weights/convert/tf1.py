"""Reader of TensorFlow 1 checkpoints (tensor bundles, format V2), without TensorFlow.

A checkpoint is two files that share a prefix. ``<prefix>.index`` is a LevelDB table: blocks of
sorted keys and values, then a footer of 48 bytes that says where the block of blocks lies. Key ""
holds a BundleHeaderProto, every other key is a variable's name and its value a BundleEntryProto:
dtype, shape, offset, size and a masked CRC-32C. ``<prefix>.data-00000-of-00001`` holds the raw
values that the entries point into.

Layouts, field numbers and constants: TensorFlow's ``core/protobuf/tensor_bundle.proto`` and
``core/lib/io/table_format.txt``; LevelDB's ``doc/table_format.md``. Only what a plain checkpoint of
numbers needs is admitted. Compressed blocks, sliced or string variables, several shards, big-endian
data and anything whose lengths or checksums do not fit are refused.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import numpy as np

from zoo.errors import WeightsError

TABLE_MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
BLOCK_TRAILER_BYTES = 5  # one byte for the compression, four for the checksum
CRC_MASK = 0xA282EAD8
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}  # numbers of TensorFlow's DataType enum

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers


def read(path: Path, member: str = "") -> dict[str, np.ndarray]:
    """Read every variable of a checkpoint, optimiser slots included.

    Args:
        path: a folder, or a zip archive (a wheel is one).
        member: prefix of the checkpoint's files inside it, such as ``"musicnn/MTT_musicnn/"`` for
            ``musicnn/MTT_musicnn/.index`` or ``"model.ckpt"`` for ``model.ckpt.index``.

    Returns:
        Variable name -> array, in the table's (alphabetical) order.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the checkpoint is missing in it, damaged, cut off, or holds anything but
            float32, float64, int32 and int64 variables, unsliced, little-endian, in one shard.
    """
    index = _member(Path(path), f"{member}.index")
    where = f"{path}, checkpoint {member!r}"
    try:
        entries = dict(_table(index))
        _check_header(entries.pop(b""))
        if any(key.startswith(b"\0") for key in entries):  # how TensorFlow names a slice
            raise _Refused("holds variables that are stored in slices, which is not admitted")
        named = {key.decode(): entry for key, entry in entries.items()}
        data = _member(Path(path), f"{member}.data-00000-of-00001")
        return {name: _tensor(name, entry, data) for name, entry in named.items()}
    except _Refused as refusal:
        raise WeightsError(f"{where}: {refusal}") from None
    except (IndexError, KeyError, ValueError) as error:
        raise WeightsError(f"{where}: the index is damaged or cut off ({error!r})") from error


class _Refused(Exception):
    """The checkpoint holds what this reader does not admit, or does not fit its own checksums."""


def _member(path: Path, name: str) -> bytes:
    """Return the bytes of one file of a folder or a zip archive."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder or archive")
    try:
        if path.is_dir():
            return (path / name).read_bytes()
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (FileNotFoundError, KeyError):
        raise WeightsError(
            f"{path}: has no file {name!r}, which a TF1 checkpoint must have"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise WeightsError(f"{path}: {name!r} cannot be read ({error})") from error


def _table(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a LevelDB table."""
    footer = index[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != TABLE_MAGIC:
        raise _Refused(
            "the index does not end like a LevelDB table: not a V2 checkpoint, or cut off"
        )
    _, rest = _handle(footer)  # the meta-index, which checkpoints leave empty
    blocks, _ = _handle(rest)
    for _, value in _block(index, blocks):
        handle, _ = _handle(value)
        yield from _block(index, handle)


def _handle(data: bytes) -> tuple[tuple[int, int], bytes]:
    """Split a block handle, (offset, size) as two varints, from what follows it."""
    offset, data = _varint(data)
    size, data = _varint(data)
    return (offset, size), data


def _block(index: bytes, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of one block. A key repeats the first `shared` bytes of the one before."""
    offset, size = handle
    trailer = _slice(index, offset + size, BLOCK_TRAILER_BYTES)
    if trailer[0] != 0:
        raise _Refused(
            f"block at byte {offset} is compressed (type {trailer[0]}, 1 is snappy): not admitted"
        )
    if _masked_crc(_slice(index, offset, size + 1)) != int.from_bytes(trailer[1:], "little"):
        raise _Refused(
            f"checksum of the index block at byte {offset} does not fit: the file is damaged"
        )
    block = _slice(index, offset, size)
    restarts = int.from_bytes(block[-4:], "little")
    block = _slice(block, 0, size - 4 - 4 * restarts)
    key = b""
    while block:
        shared, block = _varint(block)
        fresh, block = _varint(block)
        length, block = _varint(block)
        key = _slice(key, 0, shared) + _slice(block, 0, fresh)
        yield key, _slice(block, fresh, length)
        block = block[fresh + length :]


def _check_header(header: bytes) -> None:
    """Refuse several shards and big-endian data (fields 1 and 2 of BundleHeaderProto)."""
    fields = dict(_fields(header))
    shards = _integer(fields.get(1, 0))
    if shards != 1:
        raise _Refused(f"is split in {shards} shards, expected one")
    if fields.get(2, 0) != 0:
        raise _Refused("holds big-endian data, expected little-endian")


def _tensor(name: str, entry: bytes, data: bytes) -> np.ndarray:
    """Read the variable that one BundleEntryProto describes, and check it against its checksum."""
    dtype = shard = offset = size = crc = 0
    shape: tuple[int, ...] = ()
    for number, value in _fields(entry):
        match number:
            case 1:
                dtype = _integer(value)
            case 2:
                shape = _shape(name, _payload(value))
            case 3:
                shard = _integer(value)
            case 4:
                offset = _integer(value)
            case 5:
                size = _integer(value)
            case 6:
                crc = _integer(value)
            case _:
                raise _Refused(
                    f"variable {name!r} is stored in slices, which is not admitted "
                    f"(field {number} of its entry)"
                )
    if dtype not in DTYPES:
        raise _Refused(
            f"variable {name!r} has data type {dtype}; "
            "admitted are float32, float64, int32 and int64"
        )
    if shard != 0:
        raise _Refused(f"variable {name!r} lies in shard {shard} of 1")
    if size != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
        raise _Refused(f"variable {name!r} has shape {shape} but {size} bytes")
    if offset + size > len(data):
        raise _Refused(
            f"the data file ends at byte {len(data)}, inside variable {name!r}: it is cut off"
        )
    raw = data[offset : offset + size]
    if _masked_crc(raw) != crc:
        raise _Refused(f"checksum of variable {name!r} does not fit: the file is damaged")
    return np.frombuffer(raw, DTYPES[dtype]).reshape(shape).astype(DTYPES[dtype][1:])


def _shape(name: str, message: bytes) -> tuple[int, ...]:
    """Return the sizes in a TensorShapeProto: field 2 is a dimension, whose field 1 is its size."""
    sizes = []
    for number, value in _fields(message):
        if number != 2:
            raise _Refused(f"variable {name!r} has no fully known shape")
        size = _integer(dict(_fields(_payload(value))).get(1, 0))
        if size >= 1 << 63:  # a negative int64, which stands for "unknown"
            raise _Refused(f"variable {name!r} has no fully known shape")
        sizes.append(size)
    return tuple(sizes)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protocol-buffers message."""
    while message:
        tag, message = _varint(message)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, message = _varint(message)
            yield number, value
        elif wire_type in (FIXED64, FIXED32):
            width = 8 if wire_type == FIXED64 else 4
            yield number, int.from_bytes(_slice(message, 0, width), "little")
            message = message[width:]
        elif wire_type == LENGTH_DELIMITED:
            length, message = _varint(message)
            yield number, _slice(message, 0, length)
            message = message[length:]
        else:
            raise ValueError(f"wire type {wire_type}")


def _integer(value: int | bytes) -> int:
    """Return the value of a field that must be a number."""
    if not isinstance(value, int):
        raise ValueError("bytes where a number belongs")
    return value


def _payload(value: int | bytes) -> bytes:
    """Return the value of a field that must be a message."""
    if not isinstance(value, bytes):
        raise ValueError("a number where a message belongs")
    return value


def _varint(data: bytes) -> tuple[int, bytes]:
    """Split a varint (seven bits a byte, lowest first, at most ten bytes) from what follows it."""
    value = 0
    for position, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value, data[position + 1 :]
    raise ValueError("a varint without an end")


def _slice(data: bytes, start: int, length: int) -> bytes:
    """Return `length` bytes from `start`, all of them there."""
    if start < 0 or length < 0 or start + length > len(data):
        raise ValueError(f"{length} bytes wanted at {start} of {len(data)}")
    return data[start : start + length]


def _masked_crc(data: bytes) -> int:
    """Return the CRC-32C, rotated and shifted as LevelDB stores it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + CRC_MASK) & 0xFFFFFFFF
