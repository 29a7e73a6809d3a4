"""Decode sound files to blocks of samples: most formats by libsndfile, the rest by FFmpeg (PyAV).

Files that libsndfile refuses, or where it stops before the end, are given to FFmpeg. What was
decoded is compared with what the file announces, and a difference above .1 s gives a warning.
Models, segments and target sample rates are left to `zoo.audio.segmentation`.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from zoo.audio import containers, ffmpeg, mpeg, sndfile
from zoo.audio.containers import Layout
from zoo.audio.paths import is_loop, missing
from zoo.audio.progress import Frames, Progress, reason
from zoo.errors import AudioError, ZooError

# The first bytes of formats that libsndfile recognises, and of those that only FFmpeg reads: MP4,
# Matroska, ASF, AC-3, Monkey's Audio, WavPack, ADIF, ADTS (MPEG's sync word with layer 0).
_SNDFILE_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"riff")
_FFMPEG_MAGIC = re.compile(
    rb"....ftyp|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75|\x0b\x77|MAC |wvpk|ADIF|\xff[\xf0\xf1\xf8\xf9]",
    re.DOTALL,
)
_ZEROS = 2**24  # bytes of zeros before a sound that are skipped
_UNREAD = 2**14  # bytes that a decoder may leave at the end: tags, or what it has read ahead


def _all(rate: float, seconds: float | None) -> tuple[int, int | None]:
    return 0, None


def decode(path: str | os.PathLike[str], part: Frames = _all) -> Iterator[tuple[np.ndarray, float]]:
    """Decode a file, or a part of it, block by block; the suffix does not matter.

    libsndfile seeks, so that only the part is decoded. FFmpeg, and MP3s below 32 kHz, are decoded
    from the beginning. In both cases the samples equal those of the whole file.

    Args:
        path: a sound file.
        part: the part to decode, see `Frames`; it may raise if the sound does not contain it.

    Yields:
        (samples,) float32, the mean over the channels, and the file's sample rate in Hz.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: it is a folder, empty or unreadable, or nothing in it can be decoded.

    Warns:
        AudioWarning: the file is cut off or damaged; the samples that could be decoded are yielded.
    """
    path = Path(path)
    try:
        yield from _decode(path, part)
    except (ZooError, OSError, MemoryError):
        raise
    except Exception as error:  # whatever a decoder makes of a damaged file
        raise AudioError(
            f"{path}: this file could not be decoded ({type(error).__name__}: {error})."
        ) from error


def _decode(path: Path, part: Frames) -> Iterator[tuple[np.ndarray, float]]:
    progress = Progress(path, part)
    with _opened(path) as (sound, found):
        progress.notes += found.layout.notes
        if sound is None:
            yield from _by_ffmpeg(progress, found)
        else:
            yield from sndfile.blocks(sound, progress, found.layout.frames)
            yield from _beyond(sound, progress, found)
        if found.mpeg and progress.wanted == (0, None) and (gap := mpeg.gap(path, found.tags)):
            said = f" ({gap[1]:,} bytes at byte {gap[0]:,} are no MPEG audio)"
            progress.holes = progress.holes or said
    progress.check()


def _beyond(
    sound: sndfile.Sound, progress: Progress, found: "_Found"
) -> Iterator[tuple[np.ndarray, float]]:
    """Compare what libsndfile decoded with what there is; decode what it left by FFmpeg."""
    first, stop = progress.wanted
    if stop is not None and progress.at >= stop:
        return
    if found.layout.seconds is not None:
        progress.announced = max(progress.announced or 0.0, found.layout.seconds)
    short = progress.damage is not None or progress.missing
    if (short and found.left() > _UNREAD) or found.more(sound):
        before, damage = progress.at, progress.damage
        if ffmpeg.installed():
            with suppress(AudioError):  # FFmpeg does not read it at all
                yield from ffmpeg.blocks(progress.path, progress)
        if damage is not None:
            progress.damage = damage  # the first tells more
        if progress.at == before and not short:
            progress.notes.append("more sound follows, which could not be decoded")
    elif progress.announced is None and (first, stop) != (0, None):
        progress.part(progress.rate, duration(progress.path))  # raises if it lacks the part
    _compare(progress, found.layout)


def _compare(progress: Progress, layout: Layout) -> None:
    """Correct the announced length of a file that is cut off, which the decoders shorten."""
    if layout.announced and layout.present and progress.rate:
        whole = progress.at / progress.rate * max(layout.announced / layout.present, 1)
        progress.announced = max(progress.announced or 0.0, whole)
        if 2 * layout.present < layout.announced and not progress.missing:  # less than .1 s
            progress.notes.append(
                f"it has {layout.present:,} of the {layout.announced:,} bytes that it announces"
            )
    if layout.seconds is not None:
        progress.announced = max(progress.announced or 0.0, layout.seconds)


def _by_ffmpeg(progress: Progress, found: "_Found") -> Iterator[tuple[np.ndarray, float]]:
    """Decode a file that libsndfile does not read."""
    path = progress.path
    if not ffmpeg.installed():
        if found.error:
            raise AudioError(f"{found.error} FFmpeg may read it: pip install av")
        raise AudioError(
            f"{path}: not a format that libsndfile reads. AAC (M4A), WMA and others need FFmpeg: "
            "pip install av"
        )
    try:
        yield from ffmpeg.blocks(
            path, progress, refused="" if found.mpeg or not found.error else "mp3"
        )
    except AudioError as error:
        if found.error and not progress.rate:
            reasons = str(error).removeprefix(f"{path}: ")
            raise AudioError(f"{found.error} Nor does FFmpeg read it: {reasons}") from error
        raise
    _, stop = progress.wanted
    if stop is None or progress.at < stop:
        _compare(progress, found.layout)


def announced(path: str | os.PathLike[str]) -> float | None:
    """Return the length of a file according to its header.

    MP3s without a Xing header, some FLAC streams and the formats that FFmpeg reads state none.

    Args:
        path: a sound file.

    Returns:
        Seconds; None if the header does not state the length.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: the file cannot be opened.
    """
    with _opened(Path(path)) as (sound, found):
        if sound is None or sound.frames >= sndfile.UNKNOWN:
            return None
        frames = found.layout.frames
        return min(sound.frames, frames or sound.frames) / sound.samplerate


def duration(path: str | os.PathLike[str], enough: float | None = None) -> float:
    """Return the length of a file: from its header, or else by decoding it.

    Args:
        path: a sound file.
        enough: seconds: a header that states less is not trusted, and decoding stops there.

    Returns:
        Seconds; of a file that is cut off, the length that its header states. With `enough`, exact
        if it is below that.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: as in `decode`.
    """
    seconds = announced(path)
    if seconds is not None and (enough is None or seconds >= enough):
        return seconds
    decoded = 0.0
    for block, rate in decode(path):
        decoded += len(block) / rate
        if enough is not None and decoded >= enough:
            break
    return decoded


class _Found(NamedTuple):
    """What is known of a file before it is decoded."""

    path: Path
    size: int  # bytes
    layout: Layout = Layout()
    error: str = ""  # why libsndfile does not read it
    tags: int = 0  # bytes of ID3v2 tags at its beginning
    mpeg: bool = False  # whether MPEG frames were found
    read: Callable[[], int] | None = None  # how many of the file's bytes libsndfile has read

    def left(self) -> int:
        """Return how many bytes libsndfile has not read."""
        reached = -1 if self.read is None else self.read()
        return self.size if reached < 0 else self.size - reached

    def more(self, sound: sndfile.Sound) -> bool:
        """Return whether libsndfile left sound at the end: another stream, or other frames."""
        left = self.left()
        if not sound.compressed or not _UNREAD < left < self.size:
            return False
        with open(self.path, "rb") as file:
            file.seek(self.size - left)
            rest = file.read(mpeg.HEAD)
        if sound.format == "FLAC":
            return left > 4 * _UNREAD and rest[:3] not in (b"TAG", b"APE")
        if sound.format == "OGG":
            return b"OggS" in rest
        return mpeg.announced_bytes(rest, left) is not None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[sndfile.Sound | None, _Found]]:
    """Open a file with libsndfile; yield None if FFmpeg must read it."""
    head, tags, size = _head(path)
    found = _Found(path, size, containers.layout(path, head))
    if _FFMPEG_MAGIC.match(head):
        yield None, found
        return
    length = None
    named_mpeg = path.suffix.lower() in (".mp2", ".mp3") and not head.startswith(_SNDFILE_MAGIC)
    if named_mpeg or (head[0] == 0xFF and head[1] >= 0xE0):
        announced = mpeg.announced_bytes(head, size - tags)
        if announced is None:
            error = (
                f"{path}: not an MP3, despite its name: there is no MPEG audio in its "
                f"first {len(head)} bytes, which begin with {head[:16]!r}."
            )
            yield None, found._replace(error=error)
            return
        found = found._replace(mpeg=True, tags=tags)
        length = tags + announced
        if abs(length - size) <= 0.005 * size:
            length = None
        elif announced < mpeg.ENDLESS and length > size:
            found = found._replace(layout=Layout(announced, size - tags))
        elif length < size and _goes_on(path, length, size):
            found = found._replace(layout=Layout(other=True))
    if found.layout.other and ffmpeg.installed():
        yield None, found
        return
    with ExitStack() as stack:
        sound = None
        try:
            sound, read = stack.enter_context(sndfile.opened(path, length))
            found = found._replace(read=read)
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless .raw
            found = found._replace(
                error=f"{path}: no sound could be read from this file of {size} bytes, which "
                f"begins with {head[:16]!r}{reason(error)}. Is the download complete?"
            )
        yield sound, found


def _goes_on(path: Path, start: int, size: int) -> bool:
    """Return whether MPEG audio follows where a file's header says that it ends."""
    with open(path, "rb") as file:
        file.seek(start)
        return mpeg.announced_bytes(file.read(mpeg.HEAD), size - start) is not None


def _head(path: Path) -> tuple[bytes, int, int]:
    """Return a file's first bytes after ID3v2 tags and zeros, the size of these, and the file's."""
    try:
        if path.is_dir():
            raise AudioError(
                f"{path}: this is a folder; expected one sound file. `zoo.audio.find([folder])` "
                "lists the sounds in it."
            )
        if path.exists() and not path.is_file():
            raise AudioError(f"{path}: this is a pipe or device; expected a regular file.")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            tags, start = 0, file.read(10)
            while start.startswith(b"ID3") and len(start) == 10:
                a, b, c, d = start[6:10]  # seven bits each
                tags += 10 + (a << 21 | b << 14 | c << 7 | d)
                file.seek(tags)
                start = file.read(10)
            file.seek(tags)
            head = file.read(mpeg.HEAD)
            while head and not head.strip(b"\0") and tags < _ZEROS:
                tags += len(head)
                head = file.read(mpeg.HEAD)
    except FileNotFoundError:
        raise missing(path) from None
    except OSError as error:
        if is_loop(path):
            raise missing(path) from None
        raise AudioError(
            f"{path}: this file cannot be read ({error.strerror}). Check its permissions."
        ) from error
    if size == 0:
        raise AudioError(f"{path}: an empty file (0 bytes). Is the download complete?")
    if len(head) < 4:
        raise AudioError(f"{path}: a file of {size} bytes without audio.")
    return head, tags, size
