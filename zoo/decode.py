"""From a sound file to blocks of samples: libsndfile for most formats, FFmpeg (PyAV) for the rest.

Nothing here knows of models, segments or target sample rates; `zoo.audio` does.
"""

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from zoo import mpeg
from zoo.arrays import BLOCK, check_rate, mix_down
from zoo.errors import AudioError, AudioWarning
from zoo.paths import SNDFILE_SUFFIXES, missing

# The first bytes of what libsndfile recognises by itself, and of what only FFmpeg reads: MP4,
# Matroska, ASF, AC-3, Monkey's Audio, WavPack, ADIF, ADTS (MPEG's sync word with layer 0).
_SNDFILE_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"riff")
_FFMPEG_MAGIC = re.compile(
    rb"....ftyp|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75|\x0b\x77|MAC |wvpk|ADIF|\xff[\xf0\xf1\xf8\xf9]",
    re.DOTALL,
)

_UNKNOWN = 2**36  # frames: more than any real file has (18 days at 44.1 kHz)
_SLACK = 0.1  # s: encoders that count their padding differently are not truncated files


def decode(path: str | os.PathLike[str]) -> Iterator[tuple[np.ndarray, float]]:
    """Decode a file block by block; its content counts, not its suffix.

    Args:
        path: a sound file.

    Yields:
        (samples,) float32, the mean over the channels, and the file's sample rate in Hz.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: it is a folder, empty, unreadable, or nothing in it can be decoded.

    Warns:
        AudioWarning: the file is cut off or damaged; what comes before is yielded.
    """
    path = Path(path)
    head, tags, size = _head(path)
    suffix = path.suffix.lower()
    if _FFMPEG_MAGIC.match(head):
        yield from _ffmpeg_blocks(path)
        return
    length = size
    named_mpeg = suffix in (".mp2", ".mp3") and not head.startswith(_SNDFILE_MAGIC)
    if named_mpeg or (head[0] == 0xFF and head[1] >= 0xE0):
        announced = mpeg.announced_bytes(head, size - tags)
        if announced is None:
            raise AudioError(
                f"{path}: not an MP3, whatever its name says: there is no MPEG audio in its first "
                f"{len(head)} bytes, which begin with {head[:16]!r}."
            )
        length = tags + announced
    honest = abs(length - size) <= 0.005 * size
    with contextlib.nullcontext(path) if honest else mpeg.Claiming(path, length) as file:
        try:
            sound = soundfile.SoundFile(file)
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless .raw
            if suffix not in SNDFILE_SUFFIXES:
                yield from _ffmpeg_blocks(path)
                return
            raise AudioError(
                f"{path}: no sound could be read from this file of {size} bytes, which begins "
                f"with {head[:16]!r}{_reason(error)}. Was it downloaded whole?"
            ) from error
        with sound:
            yield from _sndfile_blocks(sound, path)


def _head(path: Path) -> tuple[bytes, int, int]:
    """Read a file's first bytes after any ID3v2 tags; also the tags' size and the file's."""
    try:
        if path.is_dir():
            raise AudioError(
                f"{path}: a folder, where one sound file is expected. `zoo.audio.find([folder])` "
                "lists the sounds in it."
            )
        if path.exists() and not path.is_file():
            raise AudioError(f"{path}: a pipe or device, where a regular file is expected.")
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
        raise AudioError(
            f"{path}: this file cannot be read ({error.strerror}). Check its permissions."
        ) from error
    if size == 0:
        raise AudioError(f"{path}: an empty file (0 bytes). Was it downloaded whole?")
    if len(head) < 4:
        raise AudioError(f"{path}: a file of {size} bytes with no sound in it.")
    return head, tags, size


def _sndfile_blocks(sound: Any, path: Path) -> Iterator[tuple[np.ndarray, float]]:
    rate = sound.samplerate
    check_rate(str(path), rate)
    announced = sound.frames / rate if sound.frames < _UNKNOWN else None
    frames = max(BLOCK // sound.channels, 1)
    decoded, damage = 0, None
    while True:
        block = np.full((frames, sound.channels), np.nan, np.float32)
        try:
            read = len(sound.read(frames, out=block))
        except soundfile.SoundFileError as error:
            damage = _reason(error)
            written = np.flatnonzero(~np.isnan(block[:, 0]))  # the error does not say how far
            read = written[-1] + 1 if len(written) else 0
        decoded += read
        if read:
            yield mix_down(block[:read]), rate
        if read < frames or damage is not None:
            break
    if announced is None and damage and "seek" in damage:
        damage = None  # how soundfile finds the end of a FLAC stream of unknown length
    _check_whole(path, decoded / rate, announced, damage)


def _ffmpeg_blocks(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    try:
        import av
    except ImportError:
        raise AudioError(
            f"{path}: not a format that libsndfile reads. AAC (M4A), WMA and others are read "
            'through FFmpeg, which is an extra: pip install "music-zoo[aac]"'
        ) from None
    try:
        # FFmpeg is given an open file, never a name, which it might take for an address.
        with open(path, "rb") as file, av.open(file) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: there is no sound in this file.")
            stream = container.streams.audio[0]
            exact = "mp4" in container.format.name and stream.duration  # others only estimate
            announced = float(stream.duration * stream.time_base) if exact else None
            yield from _joined(container.decode(stream), path, announced, av.FFmpegError)
    except av.FFmpegError as error:
        raise AudioError(
            f"{path}: neither libsndfile nor FFmpeg finds a sound in it{_reason(error)}."
        ) from error


def _joined(
    frames: Iterator[Any], path: Path, announced: float | None, failure: type[Exception]
) -> Iterator[tuple[np.ndarray, float]]:
    """Join FFmpeg's frames, of about a thousand samples each, to blocks."""
    parts: list[np.ndarray] = []
    seconds, held, rate, damage = 0.0, 0, 0, None
    try:
        for frame in frames:
            samples = frame.to_ndarray()  # (channels, samples), or (1, samples * channels)
            if not frame.format.is_planar:
                samples = samples.reshape(-1, len(frame.layout.channels)).T
            if rate not in (0, frame.sample_rate):
                damage = f" (the sample rate changes from {rate} to {frame.sample_rate} Hz)"
                break
            rate = frame.sample_rate
            parts.append(mix_down(samples.T))
            held += frame.samples
            seconds += frame.samples / rate
            if held >= BLOCK // 2:
                yield np.concatenate(parts), rate
                parts, held = [], 0
    except failure as error:
        damage = _reason(error)
    if parts:
        yield np.concatenate(parts), rate
    _check_whole(path, seconds, announced, damage)


def _check_whole(path: Path, seconds: float, announced: float | None, damage: str | None) -> None:
    """Say so if a file held less than it announces, in seconds, or if decoding broke off.

    `damage` is what the decoder said when it broke off, in brackets; None if it did not.
    """
    if damage is None and (announced is None or seconds > announced - _SLACK):
        return
    words = damage or ""
    if seconds == 0:
        raise AudioError(
            f"{path}: nothing in it could be decoded{words}; the file is damaged, or cut off right "
            "after its header. Was it downloaded whole?"
        )
    expected = f" of the {announced:.2f} s announced" if announced else ""
    warnings.warn(
        f"{path}: only {seconds:.2f} s{expected} could be decoded{words}; the file is cut off or "
        "damaged there. The result rests on what comes before.",
        AudioWarning,
        stacklevel=2,
    )


def _reason(error: Exception) -> str:
    """Return in brackets what a decoder says, unless it means something else by it."""
    text = str(getattr(error, "strerror", None) or error).rsplit(": ", 1)[-1].rstrip(".")
    return "" if re.search("regular file|internal error", text) else f" ({text})"
