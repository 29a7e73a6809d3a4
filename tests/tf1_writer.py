"""Writes TF1 checkpoints, sound ones and ones with a chosen defect, for tests of their reader."""

import struct
from pathlib import Path

import google_crc32c
import numpy as np

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}


def write(
    folder: Path,
    member: str,
    tensors: dict[str, np.ndarray],
    *,
    header: bytes = b"\x08\x01",  # one shard; little-endian is the default
    compression: int = 0,
    extra: dict[str, bytes] | None = None,
) -> None:
    """Write a checkpoint's two files, where `tf1.read(folder, member)` finds them.

    Args:
        folder: where to write.
        member: what both file names begin with.
        tensors: what the checkpoint holds.
        header: BundleHeaderProto.
        compression: type byte of the block of entries.
        extra: bytes to append to the entry of a variable.
    """
    data, entries = b"", {b"": header}
    for name, value in sorted(tensors.items()):
        raw = value.tobytes()
        shape = b"".join(field(2, field(1, size)) for size in value.shape)
        entries[name.encode()] = (
            field(1, DTYPES.get(str(value.dtype), 7))
            + field(2, shape)
            + field(4, len(data))
            + field(5, len(raw))
            + b"\x35"
            + struct.pack("<I", masked_crc(raw))
            + (extra or {}).get(name, b"")
        )
        data += raw
    index = folder / f"{member}.index"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_bytes(table(entries, compression))
    (folder / f"{member}.data-00000-of-00001").write_bytes(data)


def table(entries: dict[bytes, bytes], compression: int = 0) -> bytes:
    """Return a LevelDB table of one data block, whose keys share no prefixes."""
    content = block(entries, compression)
    index_at, meta_at = handle(0, len(content) - 5), len(content)
    content += block({}, 0)
    blocks_at = len(content)
    content += block({max(entries): index_at}, 0)
    footer = handle(meta_at, 8) + handle(blocks_at, len(content) - blocks_at - 5)
    return content + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def block(entries: dict[bytes, bytes], compression: int) -> bytes:
    """Return a block with its trailer: entries, one restart point at 0, type, checksum."""
    body = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value
        for key, value in sorted(entries.items())
    )
    body += struct.pack("<II", 0, 1) + bytes([compression])
    return body + struct.pack("<I", masked_crc(body))


def field(number: int, value: int | bytes) -> bytes:
    """Return one field of a protocol-buffers message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def handle(offset: int, size: int) -> bytes:
    """Return where a block lies."""
    return varint(offset) + varint(size)


def varint(value: int) -> bytes:
    """Return a number in groups of seven bits, lowest first."""
    groups = b""
    while value > 0x7F:
        groups += bytes([value & 0x7F | 0x80])
        value >>= 7
    return groups + bytes([value])


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C as these files store it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
