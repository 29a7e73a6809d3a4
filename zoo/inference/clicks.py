"""The sound with a click at each onset that a detector found."""

from collections.abc import Iterator

import numpy as np
import soundfile

from zoo import audio
from zoo.errors import ConfigError
from zoo.utils.files import PathLike, replacing

SAMPLE_RATE = 44100
HERTZ = 2000.0  # of a click: above most fundamentals, so that it stands out
SECONDS = 0.05  # until it has died away
SHARE = 0.4  # of full scale for the clicks; the sound gets the rest, so that nothing is clipped


def write(times: np.ndarray, path: PathLike, sound: audio.Source) -> None:
    """Write a sound with clicks at times, in seconds. Memory does not grow with its length."""
    if not str(path).lower().endswith(".wav"):
        raise ConfigError(f"cannot write {path}: the name of a sound must end in .wav.")
    blocks = audio.stream(sound, SAMPLE_RATE)
    with (
        replacing(path) as file,
        soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, "PCM_16", format="WAV") as wave,
    ):
        for block in mixed(blocks, np.round(times * SAMPLE_RATE).astype(int)):
            wave.write(block)


def mixed(blocks: Iterator[np.ndarray], places: np.ndarray) -> Iterator[np.ndarray]:
    """Add a click to a sound at each place, a number of samples from its beginning.

    Args:
        blocks: the sound in pieces, (samples,) in [-1, 1].
        places: (onsets,), ascending.

    Yields:
        (samples,) float32 in [-1, 1], as long as the pieces given.
    """
    shape = click()
    begin = 0
    for block in blocks:
        out = (1 - SHARE) * np.clip(block, -1, 1)
        end = begin + len(block)
        reach = np.searchsorted(places, [begin - len(shape) + 1, end])
        for i in range(*reach):
            at = places[i] - begin  # below 0 where the click began in the block before
            until = min(at + len(shape), len(block))
            if i + 1 < len(places):  # the next click cuts off this one: never two at once
                until = min(until, places[i + 1] - begin)
            since = max(at, 0)
            until = max(until, since)
            out[since:until] += shape[since - at : until - at]
        yield out.astype("float32")
        begin = end


def click() -> np.ndarray:
    """Return a short tone that dies away, (samples,) float32 within `SHARE` of full scale."""
    time = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.cos(2 * np.pi * HERTZ * time) * 10 ** (-3 * time / SECONDS)
    return (SHARE * tone).astype("float32")
