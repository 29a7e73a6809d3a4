"""Decode files with FFmpeg (PyAV): what libsndfile does not read, or where it stops too early."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from zoo.audio.arrays import BLOCK, mix_down
from zoo.audio.excerpt import SLACK
from zoo.audio.progress import Progress, reason
from zoo.errors import AudioError

# FFmpeg gets an open file, and may open nothing else: a playlist would fetch addresses.
OPTIONS = {"protocol_whitelist": "none"}

# Containers whose header states the length; for others FFmpeg estimates it.
_EXACT = ("mp4", "caf", "aiff", "wav", "w64", "flac", "tta", "ape")


def installed() -> bool:
    """Return whether PyAV can be imported."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class _File(io.FileIO):
    """A file whose seeks fail without an exception, of which PyAV would print a traceback."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; -1 if that place does not exist, which a damaged file can ask for."""
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError, ValueError):
            return -1


@contextmanager
def opened(path: Path, metadata_errors: str = "strict") -> Iterator[Any]:
    """Open a file, and nothing that it names.

    Args:
        path: of the file.
        metadata_errors: what becomes of metadata that are not UTF-8, as in `bytes.decode`.

    Yields:
        PyAV's container.

    Raises:
        av.FFmpegError: FFmpeg does not read it.
        UnicodeDecodeError: metadata are not UTF-8.
    """
    import av

    with (
        _File(path) as file,
        av.open(file, options=OPTIONS, metadata_errors=metadata_errors) as container,
    ):
        yield container


def blocks(path: Path, progress: Progress, refused: str = "") -> Iterator[tuple[np.ndarray, float]]:
    """Decode the part of a file that is still missing, block by block.

    FFmpeg decodes from the beginning; frames before `progress.at` are dropped. Damaged packets are
    left out. A sound whose sample rate changes is resampled to the rate that it had first.

    Args:
        path: of the file.
        progress: where to begin; kept up to date.
        refused: a container that is not believed: FFmpeg finds "mp3" in text and programs.

    Yields:
        (samples,) float32, the mean over the channels, and the sample rate in Hz.

    Raises:
        AudioError: FFmpeg finds no sound in it.
    """
    import av

    try:
        with opened(path, metadata_errors="replace") as container:
            if container.format.name == refused:
                raise AudioError(f"{path}: it only resembles {refused}.")
            if not container.streams.audio:
                raise AudioError(f"{path}: there is no audio in this file.")
            stream = container.streams.audio[0]
            exact = any(name in container.format.name.split(",") for name in _EXACT)
            if exact and stream.duration and not progress.rate:
                progress.announced = float(stream.duration * stream.time_base)
            yield from _rest(_mono(container, stream, progress), progress)
    except av.FFmpegError as error:
        raise AudioError(
            f"{path}: neither libsndfile nor FFmpeg finds a sound in it{reason(error)}."
        ) from error


def _mono(container: Any, stream: Any, progress: Progress) -> Iterator[tuple[np.ndarray, float]]:
    """Yield FFmpeg's frames, of about a thousand samples each, as mono with their rate."""
    import av

    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError as error:  # the next packet may be whole
                progress.holes = reason(error)
                continue
            for frame in frames:
                samples = frame.to_ndarray()  # (channels, samples), or (1, samples * channels)
                if not frame.format.is_planar:
                    samples = samples.reshape(-1, len(frame.layout.channels)).T
                yield mix_down(samples.T), frame.sample_rate
    except av.FFmpegError as error:
        if not progress.rate:
            raise
        progress.damage = reason(error)


def _at_one_rate(
    frames: Iterator[tuple[np.ndarray, float]], progress: Progress
) -> Iterator[np.ndarray]:
    """Resample what has another rate than the beginning."""
    resampler: soxr.ResampleStream | None = None
    now = progress.rate
    nothing = np.empty(0, np.float32)
    for samples, rate in frames:
        progress.rate = progress.rate or rate
        if rate != (now or rate):
            if resampler is not None:
                yield resampler.resample_chunk(nothing, last=True)
            same = rate == progress.rate
            resampler = None if same else soxr.ResampleStream(rate, progress.rate, 1)
        now = rate
        yield samples if resampler is None else resampler.resample_chunk(samples)
    if resampler is not None:
        yield resampler.resample_chunk(nothing, last=True)


def _rest(
    frames: Iterator[tuple[np.ndarray, float]], progress: Progress
) -> Iterator[tuple[np.ndarray, float]]:
    """Join pieces to blocks, from where the part begins, or decoding stopped, to the part's end."""
    after = progress.at  # where libsndfile stopped
    length = progress.announced if after == 0 else None
    parts: list[np.ndarray] = []
    place = held = 0
    stop: int | None = None
    begin: int | None = None
    for samples in _at_one_rate(frames, progress):
        if begin is None:
            first, stop = progress.part(progress.rate, length)
            begin = max(first, after)
        kept = samples[max(begin - place, 0) : None if stop is None else max(stop - place, 0)]
        place += len(samples)
        if len(kept):
            parts.append(kept)
            held += len(kept)
        # the decoders can differ by a few milliseconds at the end, which are no sound of their own
        if held >= (SLACK * progress.rate if after and progress.at == after else BLOCK // 2):
            yield np.concatenate(parts), progress.rate
            parts, held = [], 0
            progress.at = place
        if stop is not None and place >= stop:
            break
    else:
        if length is None and not progress.damage and progress.rate and not after:
            progress.part(progress.rate, place / progress.rate)  # raises if it lacks the part
    if parts and not (after and progress.at == after):
        yield np.concatenate(parts), progress.rate
    if not (after and progress.at == after):
        progress.at = max(place, progress.at)
