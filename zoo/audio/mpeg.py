"""Recognise MP3s and read their announced length; libsndfile does neither reliably."""

import io
import mmap
import os
import re
from pathlib import Path

HEAD = 2**16  # bytes to search for a frame, as many as mpg123, libsndfile's decoder, searches
ENDLESS = 2**40  # bytes: claimed length of a file that does not state its number of samples

# kbit/s by bit rate index 1 to 14 (ISO/IEC 11172-3, 2.4.2.3; 13818-3, 2.4.2.3).
_LAYER_3 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LAYER_2 = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_LOW_RATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def announced_bytes(head: bytes, size: int) -> int | None:
    """Return how many bytes of MPEG audio a file announces.

    The Xing header in the first frame states the number of frames and of bytes. libsndfile takes
    the number of samples from it. Without this header it estimates the length from the first
    frame's bit rate and stops there, even if the file continues: at a variable bit rate most of the
    sound can be lost without a warning. If the file claims to be `ENDLESS`, it reads to the end.

    mpg123 also accepts fonts and programs as music, so we require three consecutive frames.

    Args:
        head: the file's first `HEAD` bytes after its ID3v2 tags.
        size: number of bytes from there to the end of the file.

    Returns:
        The announced bytes; `ENDLESS` if the file states no number of frames; None if this is not
        MPEG audio of layer II or III.
    """
    start = _first_frame(head, size)
    if start is None:
        return None
    xing = re.search(rb"(?:Xing|Info)\0\0\0(.)(.{4})(.{4})", head[start : start + 200], re.DOTALL)
    if not xing or not xing[1][0] & 1:  # bit 0: the number of frames follows
        return ENDLESS
    return start + int.from_bytes(xing[3]) if xing[1][0] & 2 else size  # bit 1: then the bytes


def gap(path: Path, start: int) -> tuple[int, int] | None:
    """Return the first bytes between the frames of a file that are no MPEG audio.

    libsndfile skips them and says nothing.

    Args:
        path: the file.
        start: number of bytes before its frames: those of its ID3v2 tags.

    Returns:
        Their position and number; None if frame follows frame until the end, or until a tag, or
        until a stream of another kind.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _first_frame(data[start : start + HEAD], len(data) - start)
        if found is None:
            return None
        at = start + found
        first = data[at : at + 4]
        steps: dict[bytes, int] = {}  # header -> length of the frame
        while at + 4 <= len(data):
            header = data[at : at + 4]
            if header not in steps:
                steps[header] = _frame_bytes(header, first)
            if not steps[header]:
                break
            at += steps[header]
        rest = data[at : at + HEAD]
        known = rest[:3] in (b"TAG", b"ID3") or rest[:8] in (b"APETAGEX", b"LYRICSBE")
        if known or _first_frame(rest, len(data) - at) == 0:
            return None
        for begin in range(at, len(data), HEAD // 2):  # half of it may hold no whole frames
            rest = data[begin : begin + HEAD]
            place = _first_frame(rest, len(data) - begin, first)
            if place is not None:
                return at, begin + place - at
    return None


def _first_frame(head: bytes, size: int, like: bytes = b"") -> int | None:
    """Return where the first of three frames begins that follow each other; None if nowhere.

    Args:
        head: bytes to search.
        size: number of bytes from there to the end of the file.
        like: header of a frame; the frames must have its version, layer and rate. b"" for any.
    """
    for sync in re.finditer(rb"\xff[\xe2-\xff]", head):
        start = end = sync.start()
        first, frames = like or head[start : start + 4], 0
        while frames < 3 and (step := _frame_bytes(head[end : end + 4], first)):
            end, frames = end + step, frames + 1
        if frames == 3 or (frames == 2 and end + 4 > size):
            return start
    return None


def _frame_bytes(header: bytes, first: bytes) -> int:
    """Return the length of the frame that begins with these four bytes, 0 if none does.

    ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3. Version, layer and rate must be those of the first frame.
    """
    if len(header) < 4 or header[0] != 255 or (header[1] ^ first[1]) & 0xFE:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)  # version: 3 is 1, 2 is 2, 0 2.5
    index, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer not in (2, 3) or index in (0, 15) or rate == 3:
        return 0
    if (header[2] ^ first[2]) & 0x0C:
        return 0
    table = _LOW_RATES if version != 3 else _LAYER_3 if layer == 3 else _LAYER_2
    hertz = (44100, 48000, 32000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * table[index - 1] * 1000 // hertz + padding


class Claiming(io.BufferedReader):
    """A file that claims another length than its own, for readers that look before they read.

    Used for `ENDLESS` files and for those cut off. For the latter mpg123 would print the difference
    between size and Xing header on stderr; `zoo.audio.decode` warns instead, with the seconds.

    Args:
        path: the file.
        length: the length to claim, in bytes.
    """

    def __init__(self, path: Path, length: int) -> None:
        super().__init__(io.FileIO(path), HEAD)
        self.length = length
        self.beyond: int | None = None  # position after a seek relative to the claimed end

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; an offset from the end counts from the claimed end.

        Args:
            offset: in bytes.
            whence: as in `io.IOBase.seek`.

        Returns:
            The new position, in bytes.
        """
        self.beyond = self.length + offset if whence == os.SEEK_END else None
        return super().seek(offset, whence) if self.beyond is None else self.beyond

    def reached(self) -> int:
        """Return the file's real position, in bytes: the end of what was read."""
        return super().tell()

    def tell(self) -> int:
        """Return the current position, in bytes."""
        return super().tell() if self.beyond is None else self.beyond
