"""Decode files with libsndfile, which seeks, so that only the wanted part is decoded."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from zoo.audio import mpeg
from zoo.audio.arrays import BLOCK, check_rate, mix_down
from zoo.audio.progress import Progress, reason

UNKNOWN = 2**36  # frames: more than any real file has (18 days at 44.1 kHz)

# After a seek, MP3 frames lack the bits that earlier frames hold for them: at most 511 bytes back
# (ISO/IEC 11172-3, 2.4.1.7), 9 frames of .026 s at 32 kbit/s and 44.1 kHz. Below 32 kHz (MPEG-2)
# frames are smaller, and mpg123 prints warnings on stderr: we do not seek in such files.
_PREROLL = 0.3
_MPEG1 = 32000


class Sound(soundfile.SoundFile):
    """A sound file that is read forward without seeks.

    soundfile seeks to the current position after each read. After a seek, an MP3 lacks the bits
    that earlier frames hold for the next ones: at 32 kbit/s every block began with a click.
    """

    def seekable(self) -> bool:
        """Return False, so that soundfile does not seek by itself; `seek` still works."""
        return False

    @property
    def compressed(self) -> bool:
        """Whether it is read packet by packet, so that bytes may stay unread at its end."""
        return self.format in ("MP3", "MPEG", "OGG", "FLAC")


@contextmanager
def opened(path: Path, length: int | None = None) -> Iterator[tuple[Sound, Any]]:
    """Open a file.

    Args:
        path: of the file.
        length: in bytes, that the file is to claim; None for its own.

    Yields:
        The sound, and a function that returns how many of the file's bytes were read; -1 where
        that is not known.

    Raises:
        soundfile.SoundFileError, TypeError: libsndfile does not read it.
    """
    if length is not None:
        with mpeg.Claiming(path, length) as file, Sound(file) as sound:
            yield sound, file.reached
    elif sys.platform == "win32":  # whose file numbers another library cannot use
        with Sound(path) as sound:
            yield sound, lambda: -1
    else:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with Sound(number, closefd=False) as sound:
                yield sound, lambda: os.lseek(number, 0, os.SEEK_CUR)
        finally:
            os.close(number)


def blocks(
    sound: Sound, progress: Progress, frames: int | None = None
) -> Iterator[tuple[np.ndarray, float]]:
    """Decode the part of a file block by block.

    Args:
        sound: the opened file.
        progress: kept up to date.
        frames: of the sound, if the file holds something else behind it.

    Yields:
        (samples,) float32, the mean over the channels, and the sample rate in Hz.

    Raises:
        AudioError: this is not a sample rate.
    """
    rate = progress.rate = sound.samplerate
    check_rate(str(progress.path), rate)
    known = min(sound.frames, UNKNOWN if frames is None else frames)
    if known < UNKNOWN:
        progress.announced = known / rate
    first, stop = progress.part(rate, progress.announced)
    end = stop
    if known < UNKNOWN:
        end = known if stop is None else min(stop, known)
    progress.at, progress.damage = _seek(sound, first)
    size = max(BLOCK // sound.channels, 1)
    if end is not None:
        size = min(size, max(end - progress.at, 1))
    buffer = np.empty((size, sound.channels), np.float32)
    while progress.damage is None and (end is None or progress.at < end):
        wanted = size if end is None else min(size, end - progress.at)
        block = buffer[:wanted]
        block.fill(np.nan)
        try:
            read = len(sound.read(wanted, out=block))
        except soundfile.SoundFileError as error:
            progress.damage = reason(error)
            written = np.flatnonzero(~np.isnan(block[:, 0]))  # the error does not state how far
            read = int(written[-1]) + 1 if len(written) else 0
        samples = block[max(first - progress.at, 0) : read]
        progress.at += read
        if len(samples):
            mono = mix_down(samples)
            yield mono if sound.channels > 1 else mono.copy(), rate  # the buffer is reused
        if read < wanted:
            break
    if known >= UNKNOWN and progress.damage and "seek" in progress.damage:
        progress.damage = None  # soundfile raises this at the end of a FLAC of unknown length


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
        return 0, reason(error)
