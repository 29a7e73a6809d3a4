"""Decode sound files to blocks of samples: most formats by libsndfile, the rest by FFmpeg (PyAV).

Models, segments and target sample rates are left to `zoo.audio.segmentation`.
"""

import contextlib
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from zoo.audio import mpeg
from zoo.audio.arrays import BLOCK, check_rate, mix_down
from zoo.audio.excerpt import SLACK
from zoo.audio.paths import FFMPEG_SUFFIXES, SNDFILE_SUFFIXES, is_loop, missing
from zoo.errors import AudioError, AudioWarning

# The first bytes of formats that libsndfile recognises, and of those that only FFmpeg reads: MP4,
# Matroska, ASF, AC-3, Monkey's Audio, WavPack, ADIF, ADTS (MPEG's sync word with layer 0).
_SNDFILE_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"riff")
_FFMPEG_MAGIC = re.compile(
    rb"....ftyp|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75|\x0b\x77|MAC |wvpk|ADIF|\xff[\xf0\xf1\xf8\xf9]",
    re.DOTALL,
)

_UNKNOWN = 2**36  # frames: more than any real file has (18 days at 44.1 kHz)

# After a seek, MP3 frames lack the bits that earlier frames hold for them: at most 511 bytes back
# (ISO/IEC 11172-3, 2.4.1.7), 9 frames of .026 s at 32 kbit/s and 44.1 kHz. Below 32 kHz (MPEG-2)
# frames are smaller, and mpg123 prints warnings on stderr: we do not seek in such files.
_PREROLL = 0.3
_MPEG1 = 32000

Frames = Callable[[float, float | None], tuple[int, int | None]]
"""(sample rate, seconds if known) -> first frame to decode, and the one after the last, or None."""


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
        AudioWarning: the file is cut off or damaged; the samples before that are yielded.
    """
    path = Path(path)
    with _opened(path) as sound:
        if sound is None:
            yield from _ffmpeg_blocks(path, part)
        else:
            yield from _sndfile_blocks(sound, path, part)


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
    with _opened(Path(path)) as sound:
        known = sound is not None and sound.frames < _UNKNOWN
        return sound.frames / sound.samplerate if known else None


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


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file with libsndfile; yield None if FFmpeg must read it."""
    head, tags, size = _head(path)
    suffix = path.suffix.lower()
    if _FFMPEG_MAGIC.match(head):
        yield None
        return
    length = size
    named_mpeg = suffix in (".mp2", ".mp3") and not head.startswith(_SNDFILE_MAGIC)
    if named_mpeg or (head[0] == 0xFF and head[1] >= 0xE0):
        announced = mpeg.announced_bytes(head, size - tags)
        if announced is None:
            raise AudioError(
                f"{path}: not an MP3, despite its name: there is no MPEG audio in its first "
                f"{len(head)} bytes, which begin with {head[:16]!r}."
            )
        length = tags + announced
    honest = abs(length - size) <= 0.005 * size
    with contextlib.nullcontext(path) if honest else mpeg.Claiming(path, length) as file:
        try:
            sound = _Forward(file)
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless .raw
            if suffix not in SNDFILE_SUFFIXES:
                yield None
                return
            raise AudioError(
                f"{path}: no sound could be read from this file of {size} bytes, which begins "
                f"with {head[:16]!r}{_reason(error)}. Is the download complete?"
            ) from error
        with sound:
            yield sound


def _head(path: Path) -> tuple[bytes, int, int]:
    """Return a file's first bytes after any ID3v2 tags, the tags' size and the file's."""
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
            tags, head = 0, file.read(mpeg.HEAD)
            while head.startswith(b"ID3") and len(head) >= 10:
                a, b, c, d = head[6:10]  # seven bits each
                tags += 10 + (a << 21 | b << 14 | c << 7 | d)
                file.seek(tags)
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


def _sndfile_blocks(sound: Any, path: Path, part: Frames) -> Iterator[tuple[np.ndarray, float]]:
    rate = sound.samplerate
    check_rate(str(path), rate)
    seconds = sound.frames / rate if sound.frames < _UNKNOWN else None
    first, stop = part(rate, seconds)
    at, damage = _seek(sound, first)
    size = max(BLOCK // sound.channels, 1)
    buffer = np.empty((size if stop is None else min(size, stop - at), sound.channels), np.float32)
    ended = damage is not None
    while not ended and (stop is None or at < stop):
        wanted = size if stop is None else min(size, stop - at)
        block = buffer[:wanted]
        block.fill(np.nan)
        try:
            read = len(sound.read(wanted, out=block))
        except soundfile.SoundFileError as error:
            damage = _reason(error)
            written = np.flatnonzero(~np.isnan(block[:, 0]))  # the error does not state how far
            read = written[-1] + 1 if len(written) else 0
        samples = block[max(first - at, 0) : read]
        at += read
        if len(samples):
            mono = mix_down(samples)
            yield mono if sound.channels > 1 else mono.copy(), rate  # the buffer is reused
        ended = read < wanted or damage is not None
    if seconds is None and damage and "seek" in damage:
        damage = None  # soundfile raises this at the end of a FLAC stream of unknown length
    if seconds is None and ended and not (first == 0 and stop is None):
        part(rate, duration(path))  # raises if the sound does not contain the part
    _check_whole(path, at, rate, part, seconds, damage)


class _Forward(soundfile.SoundFile):
    """A sound file that is read forward without seeks.

    soundfile seeks to the current position after each read. After a seek, an MP3 lacks the bits
    that earlier frames hold for the next ones: at 32 kbit/s every block began with a click.
    """

    def seekable(self) -> bool:
        """Return False, so that soundfile does not seek by itself; `seek` still works."""
        return False


def _seek(sound: Any, first: int) -> tuple[int, str | None]:
    """Seek to a frame, or to an earlier one from which decoding is exact.

    Returns:
        The frame reached, and libsndfile's error if the seek failed.
    """
    if "MPEG" in sound.format or "MPEG" in sound.subtype:
        first = max(first - round(_PREROLL * sound.samplerate), 0)
        if sound.samplerate < _MPEG1:
            return 0, None
    if first == 0:
        return 0, None
    try:
        return sound.seek(first), None
    except soundfile.SoundFileError as error:
        return 0, _reason(error)


def _ffmpeg_blocks(path: Path, part: Frames) -> Iterator[tuple[np.ndarray, float]]:
    try:
        import av
    except ImportError:
        with open(path, "rb") as file:
            head = file.read(16)
        if path.suffix.lower() not in FFMPEG_SUFFIXES and not _FFMPEG_MAGIC.match(head):
            raise AudioError(
                f"{path}: no sound file of a known kind: it begins with {head!r}."
            ) from None
        raise AudioError(
            f"{path}: not a format that libsndfile reads. AAC (M4A), WMA and others need FFmpeg, "
            'which is an extra: pip install "music-zoo[aac]"'
        ) from None
    try:
        # FFmpeg gets an open file, never a name, which it could take for a URL.
        with open(path, "rb") as file, av.open(file) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: there is no audio in this file.")
            stream = container.streams.audio[0]
            exact = "mp4" in container.format.name and stream.duration  # others only estimate
            announced = float(stream.duration * stream.time_base) if exact else None
            yield from _joined(container.decode(stream), path, part, announced, av.FFmpegError)
    except av.FFmpegError as error:
        raise AudioError(
            f"{path}: neither libsndfile nor FFmpeg finds a sound in it{_reason(error)}."
        ) from error


def _joined(
    frames: Iterator[Any],
    path: Path,
    part: Frames,
    announced: float | None,
    failure: type[Exception],
) -> Iterator[tuple[np.ndarray, float]]:
    """Join FFmpeg's frames, of about a thousand samples each, into blocks."""
    parts: list[np.ndarray] = []
    at = held = rate = first = 0
    stop: int | None = None
    damage: str | None = None
    try:
        for frame in frames:
            samples = frame.to_ndarray()  # (channels, samples), or (1, samples * channels)
            if not frame.format.is_planar:
                samples = samples.reshape(-1, len(frame.layout.channels)).T
            if rate not in (0, frame.sample_rate):
                damage = f" (the sample rate changes from {rate} to {frame.sample_rate} Hz)"
                break
            if rate == 0:
                rate = frame.sample_rate
                first, stop = part(rate, announced)
            end = None if stop is None else stop - at
            samples = samples.T[max(first - at, 0) : end]
            at += frame.samples
            if len(samples):
                parts.append(mix_down(samples))
                held += len(samples)
            if held >= BLOCK // 2:
                yield np.concatenate(parts), rate
                parts, held = [], 0
            if stop is not None and at >= stop:
                break
        else:
            if announced is None and damage is None and rate:
                part(rate, at / rate)  # raises if the sound does not contain the part
    except failure as error:
        damage = _reason(error)
    if parts:
        yield np.concatenate(parts), rate
    _check_whole(path, at, rate, part, announced, damage)


def _check_whole(
    path: Path, at: int, rate: float, part: Frames, announced: float | None, damage: str | None
) -> None:
    """Warn or raise if a file contains less than it announces, or if decoding stopped early.

    Args:
        path: of the file.
        at: the frame at which decoding stopped.
        rate: of the file, in Hz; 0 if unknown.
        part: the requested part.
        announced: length of the file in seconds, if known.
        damage: the decoder's error, in brackets; None without one.

    Raises:
        AudioError: none of the requested part could be decoded.
    """
    first, stop = part(rate, None) if rate else (0, None)
    seconds = at / rate if rate else 0.0
    end = math.inf if announced is None else announced
    if stop is not None:
        end = min(end, stop / rate)
    if damage is None and (end == math.inf or seconds > end - SLACK):
        return
    words = damage or ""
    if at <= first:
        where = f" {first / rate:.2f} s into it" if first else " in it"
        raise AudioError(
            f"{path}: nothing{where} could be decoded{words}; the file is damaged, or cut off "
            f"{'before that' if first else 'right after its header'}. Is the download complete?"
        )
    expected = f" of the {announced:.2f} s announced" if announced else ""
    warnings.warn(
        f"{path}: only {seconds:.2f} s{expected} could be decoded{words}; the file is cut off or "
        "damaged there. The result is based on the audio before.",
        AudioWarning,
        stacklevel=2,
    )


def _reason(error: Exception) -> str:
    """Return a decoder's message in brackets, without those that would mislead."""
    text = str(getattr(error, "strerror", None) or error).rsplit(": ", 1)[-1].rstrip(".")
    return "" if re.search("regular file|internal error", text) else f" ({text})"
