"""What the headers of WAV, W64, AIFF, CAF, AU and Ogg files say of their length.

libsndfile takes as many samples as a cut-off file has, and does not say that more were announced.
Only headers are read here, and the last page of an Ogg.
"""

import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

_CHUNKS = 1000  # more before the sound are not followed
_OPEN_ENDED = 0x7FFFFF00  # bytes: written by programs that do not know the length yet
_PAGE = 2**17  # bytes, more than an Ogg page can have
_LATE = 10  # seconds: an Ogg whose first page ends later was recorded from a running stream
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
_W64 = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # what the names of W64's chunks end in


class Layout(NamedTuple):
    """What a file's structure says of its sound."""

    announced: int | None = None  # bytes of sound; None if it is not known
    present: int = 0  # bytes that the file has of them
    seconds: float | None = None  # the length, where it is stated as such
    frames: int | None = None  # to which libsndfile must be held, if it would read on
    other: bool = False  # whether the file needs the other decoder, FFmpeg
    notes: tuple[str, ...] = ()  # what is wrong with it, for a warning


def layout(path: Path, head: bytes) -> Layout:
    """Read the structure of a file.

    Args:
        path: of the file.
        head: its first bytes; others begin with tags and are not read here.

    Returns:
        What is known; an empty layout for other formats, and where the structure is damaged.
    """
    damage = suppress(OSError, OverflowError, ValueError, struct.error)  # no such places
    with damage, open(path, "rb") as file:
        if head and file.read(len(head[:16])) == head[:16]:
            return _layout(file, head)
    return Layout()


def _layout(file: BinaryIO, head: bytes) -> Layout:
    kind, size = head[:4], os.fstat(file.fileno()).st_size
    if kind in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return _riff(file, size, ">" if kind == b"RIFX" else "<")
    if kind == b"riff" and head[24:28] == b"wave":
        return _w64(file, size)
    if kind == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _aiff(file, size)
    if kind == b"caff":
        return _caf(file, size)
    if kind == b".snd" and len(head) >= 12:
        start, length = struct.unpack(">II", head[4:12])
        return _cut(length, size - start)
    return _ogg(file, size) if kind == b"OggS" else Layout()


def _cut(announced: int, present: int, **more: object) -> Layout:
    """Return the layout of a file with one piece of sound at its end."""
    if announced >= _OPEN_ENDED > present:
        return Layout(**more)  # type: ignore[arg-type]
    return Layout(announced, min(announced, max(present, 0)), **more)  # type: ignore[arg-type]


def _riff(file: BinaryIO, size: int, order: str) -> Layout:
    form, long = b"", None
    for name, start, length in _walk(file, 12, order + "4sI"):
        if name == b"ds64":
            long = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"fmt ":
            form = file.read(16)
        elif name == b"data":
            if length == 0xFFFFFFFF and long is not None:
                length = long
            return _wav(file, size, start, length, form, order)
    return Layout()


def _wav(file: BinaryIO, size: int, start: int, length: int, form: bytes, order: str) -> Layout:
    """Return the layout of a WAV, given its data chunk."""
    notes = _contradiction(form, order)
    end = start + length + length % 2
    rest = size - end
    if rest <= 0:
        return _cut(length, size - start, notes=notes)
    chunks = _chunks(file, end, size, order)
    if length == 0:  # the recorder was stopped before it wrote the length
        return Layout(0, 0, other=chunks is None, notes=notes)
    if chunks is None and rest > max(4096, _second(form, order) // 10):
        notes += (f"{rest:,} bytes after its sound are no chunk of a WAV and were not decoded",)
    if chunks and b"data" in chunks:
        notes += ("it has several data chunks, of which the first was decoded",)
    return Layout(length, length, notes=notes)


def _contradiction(form: bytes, order: str) -> tuple[str, ...]:
    """Say whether the numbers of a WAV's format chunk contradict each other."""
    if len(form) < 16:
        return ()
    kind, channels, rate, second, block, bits = struct.unpack(order + "HHIIHH", form)
    if kind not in (1, 3, 0xFFFE) or (block == channels * -(-bits // 8) and second == rate * block):
        return ()
    return (
        f"its header contradicts itself ({channels} channels of {bits} bits at {rate} Hz are not "
        f"{second} bytes a second in blocks of {block}), so its length and pitch may be wrong",
    )


def _second(form: bytes, order: str) -> int:
    return struct.unpack(order + "I", form[8:12])[0] if len(form) >= 12 else 0


def _chunks(file: BinaryIO, at: int, size: int, order: str) -> list[bytes] | None:
    """Return the names of the chunks, or tags, up to the end; None if these are others' bytes."""
    names: list[bytes] = []
    while at < size and len(names) < _CHUNKS:
        file.seek(at)
        start = file.read(16)
        if start.startswith(_TAGS):
            return [*names, b"tags"]
        if not start.strip(b"\0") and size - at <= _PAGE and not file.read().strip(b"\0"):
            return names  # padding
        if len(start) < 8 or not re.fullmatch(rb"[ -~]{4}", start[:4]):
            return None if size - at > 64 else names
        (length,) = struct.unpack(order + "I", start[4:8])
        names.append(start[:4])
        at += 8 + length + length % 2
    # A chunk that claims more than there is can be sound whose bytes happen to be letters.
    return names if at <= size + 1 or names[-1] == b"data" else None


def _w64(file: BinaryIO, size: int) -> Layout:
    at, block = 40, 0
    for _ in range(_CHUNKS):
        file.seek(at)
        header = file.read(24)
        if len(header) < 24 or header[4:16] != _W64:
            break
        length = int.from_bytes(header[16:], "little")
        if length < 24:
            break
        if header[:4] == b"fmt ":
            form = file.read(16)
            block = int.from_bytes(form[12:14], "little") if form[:2] in (b"\1\0", b"\3\0") else 0
        if header[:4] == b"data":
            frames = (length - 24) // block if block else None
            return _cut(length - 24, size - at - 24, frames=frames)
        at += -(-length // 8) * 8
    return Layout()


def _aiff(file: BinaryIO, size: int) -> Layout:
    needed, found = 0, None
    for name, start, length in _walk(file, 12, ">4sI"):
        if name == b"COMM":
            common = file.read(22)
            channels, frames, bits = struct.unpack(">hIh", common[:8].ljust(8, b"\0"))
            plain = length < 22 or common[18:22] in (b"NONE", b"sowt", b"twos")
            needed = max(channels, 0) * frames * -(-max(bits, 0) // 8) if plain else 0
        if name == b"SSND":
            found = max(length - 8, 0), size - start - 8
    if found is None:
        return Layout()
    announced, present = found
    notes: tuple[str, ...] = ()
    if needed and abs(needed - announced) > max(4096, announced // 100):
        notes = (
            f"its header contradicts itself ({needed:,} bytes of samples, in a chunk of "
            f"{announced:,}), so its length may be wrong",
        )
    return _cut(announced, present, notes=notes)


def _caf(file: BinaryIO, size: int) -> Layout:
    for name, start, length in _walk(file, 8, ">4sq", even=False):
        if name == b"data":
            return Layout() if length < 4 else _cut(length - 4, size - start - 4)
    return Layout()


def _ogg(file: BinaryIO, size: int) -> Layout:
    serials: set[bytes] = set()
    at = rate = skip = 0
    while len(serials) < 64:  # the first pages of all streams come first
        file.seek(at)
        header = file.read(27)
        if len(header) < 27 or header[:4] != b"OggS" or not header[5] & 2:
            break
        serials.add(header[14:18])
        sizes = file.read(header[26])
        rate, skip = _ogg_rate(file.read(30))
        at += 27 + len(sizes) + sum(sizes)
    file.seek(max(size - _PAGE, 0))
    tail = file.read()
    for match in reversed(list(re.finditer(rb"OggS\0", tail))):
        page = tail[match.start() :]
        table = page[27 : 27 + page[26]] if len(page) > 26 else b""
        if len(page) <= 26 or len(table) < page[26] or len(page) < 27 + len(table) + sum(table):
            break  # the last page is cut off
        if page[14:18] not in serials:
            return Layout(other=True)  # chained: another stream follows the first
        if len(serials) > 1:
            return Layout()
        if page[5] & 4:
            last = int.from_bytes(page[6:14], "little") - skip
            begun = _first_place(file, at)
            known = rate > 0 and begun < _LATE * rate
            return Layout(seconds=last / rate if known and 0 < last < 2**62 else None)
        break
    return Layout(notes=("it does not end with the mark of an Ogg's end, so it may be cut off",))


def _ogg_rate(packet: bytes) -> tuple[int, int]:
    """Return the rate of an Ogg stream's places, and the frames to skip, from its first packet."""
    if packet.startswith(b"OpusHead"):
        return 48000, int.from_bytes(packet[10:12], "little")
    if packet.startswith(b"\x01vorbis"):
        return int.from_bytes(packet[12:16], "little"), 0
    return 0, 0


def _first_place(file: BinaryIO, at: int) -> int:
    """Return the place in samples at the end of an Ogg's first page with sound."""
    for _ in range(_CHUNKS):
        file.seek(at)
        header = file.read(27)
        if len(header) < 27 or header[:4] != b"OggS":
            break
        place = int.from_bytes(header[6:14], "little", signed=True)
        if place > 0:
            return place
        at += 27 + header[26] + sum(file.read(header[26]))
    return 0


def _walk(
    file: BinaryIO, at: int, form: str, even: bool = True
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start of the content and length of each chunk, from a place in a file on.

    Args:
        file: to read; it may be moved between two chunks.
        at: where the first chunk begins.
        form: of a chunk's header, for `struct`: four bytes, and the length.
        even: whether a chunk of odd length is followed by a byte that does not count.

    Yields:
        Name, place, bytes as announced. None after a negative length, or at the end.
    """
    head = struct.calcsize(form)
    for _ in range(_CHUNKS):
        file.seek(at)
        header = file.read(head)
        if len(header) < head:
            return
        name, length = struct.unpack(form, header)
        yield name, at + head, length
        if length < 0:
            return
        at += head + length + (length % 2 if even else 0)
