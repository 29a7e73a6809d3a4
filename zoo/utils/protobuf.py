"""The few parts of the protocol buffers' wire format that the reading of ONNX files needs.

ONNX files are such messages. The package onnx reads them too, but its import takes longer than
tagging a clip, and little of it is needed: to list the fields of a message, and to write some.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


class Cut(ValueError):
    """The message ends in the middle of a field, or is none."""


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of each field of a message.

    Args:
        message: its bytes.

    Yields:
        Number; the integer, or the bytes of other types.

    Raises:
        Cut: the message is damaged or cut off.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind, size = tag & 7, 0
        if kind == VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            size, place = _varint(message, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise Cut(f"wire type {kind}")
        if place + size > len(message):
            raise Cut(f"{place + size - len(message)} bytes are missing")
        yield tag >> 3, message[place : place + size]
        place += size


def field(number: int, value: int | bytes | str) -> bytes:
    """Return the bytes of a field.

    Args:
        number: of the field.
        value: an integer of at least 0, bytes (also of a message), or text.
    """
    if isinstance(value, int):
        return _as_varint(number << 3 | VARINT) + _as_varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _as_varint(number << 3 | BYTES) + _as_varint(len(content)) + content


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return the integer at a place, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise Cut("it ends within a number")
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise Cut("a number is too long")


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
