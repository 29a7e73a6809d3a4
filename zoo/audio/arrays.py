"""Sounds given as arrays: checks, and conversion to mono float32."""

import math
import warnings
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from zoo.errors import AudioError, AudioWarning

BLOCK = 2**16  # samples of all channels together in one block: 256 KiB, which fit a cache
HOW = "Give it as a pair with its sample rate in Hz: (array, 44100)."

_LOWEST_RATE = 100.0  # Hz; a lower number is probably in kHz
_LOUDEST = 100.0  # floats beyond this are integers that were not scaled
_SCALES = {"int8": 2.0**-7, "int16": 2.0**-15, "int32": 2.0**-31}  # to [-1, 1); not uint8


def blocks(samples: Any, rate: Any) -> Iterator[tuple[np.ndarray, float]]:
    """Yield an array in mono blocks with their sample rate, as `decode.decode` yields a file.

    Args:
        samples: (samples,) or (samples, channels), floats or int8, int16, int32, uint8.
        rate: in Hz.

    Yields:
        (samples,) float32 in [-1, 1], and the rate in Hz.

    Raises:
        AudioError: the array or the rate is not that of a sound.
    """
    if np.ndim(rate) > 0 and np.ndim(samples) == 0:
        raise AudioError("array: the pair is in the wrong order. " + HOW)
    check_rate("array", rate)
    samples = np.asarray(samples)
    _check(samples)
    if samples.dtype.name == "int32" and 0 < _largest(samples) < 2**23:
        warnings.warn(
            f"array: int32 with values up to {_largest(samples)}, of a full scale of {2**31}: "
            "taken as very quiet. If these are values of 24 bits, give array / 2**23 instead; "
            "of 16 bits, array.astype('int16').",
            AudioWarning,
            stacklevel=2,
        )
    channels = samples.shape[1] if samples.ndim == 2 else 1
    step = max(BLOCK // channels, 1)
    for i in range(0, len(samples), step):
        yield mix_down(samples[i : i + step]), float(rate)


def mix_down(block: np.ndarray) -> np.ndarray:
    """Return the mean over the channels, as float32.

    Integers are scaled to [-1, 1), uint8 with its zero at 128. Mono float32 is not copied.

    Args:
        block: (samples, channels) or (samples,).

    Returns:
        (samples,) float32.
    """
    kind = "float32" if block.dtype == np.float32 else block.dtype.name  # `name` is slow
    scale = _SCALES.get(kind, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):  # `level` reports where, in seconds
        if block.ndim == 1 or block.shape[1] == 1:
            mono = np.ascontiguousarray(block.reshape(-1), np.float32)
        else:
            mono = np.add(block[:, 0], block[:, 1], dtype=np.float32, casting="unsafe")
            for channel in range(2, block.shape[1]):
                np.add(mono, block[:, channel], out=mono, casting="unsafe")
            scale /= block.shape[1]
        if kind == "uint8":
            return (mono * np.float32(scale) - 128) / 128
        return mono if scale == 1.0 else np.multiply(mono, np.float32(scale), out=mono)


def level(mono: np.ndarray, name: str, start: int, rate: float) -> float:
    """Return the peak of a block, and check its values.

    Args:
        mono: (samples,) float32.
        name: of the sound, for messages.
        start: position of the block in the sound, in samples.
        rate: in Hz.

    Returns:
        The largest absolute value.

    Raises:
        AudioError: a sample is NaN or infinite, or the peak is far beyond 1.
    """
    peak = float(max(mono.max(), -mono.min()))  # a NaN anywhere makes both NaN
    if not math.isfinite(peak):
        first = int(np.flatnonzero(~np.isfinite(mono))[0])
        raise AudioError(
            f"{name}: {mono[first]} among the samples, first at {(start + first) / rate:.3f} s. "
            "Samples must be finite; fix the audio, or replace these by 0."
        )
    if peak > _LOUDEST:
        raise AudioError(
            f"{name}: a peak of {peak:g}, where samples in [-1, 1] are expected. If the "
            "floats come from integers, divide by their full scale: array / 32768 for int16."
        )
    return peak


def check_rate(name: str, rate: Any) -> None:
    """Check a sample rate.

    Args:
        name: of the sound, for messages.
        rate: in Hz.

    Raises:
        AudioError: this is not a sample rate in Hz.
    """
    if isinstance(rate, np.generic | np.ndarray) and np.ndim(rate) == 0:
        rate = rate.item()
    hertz = float(rate) if isinstance(rate, Real) and not isinstance(rate, bool) else math.nan
    if not (math.isfinite(hertz) and hertz >= _LOWEST_RATE):
        kilo = f" Was {hertz * 1000:g} meant?" if 1 < hertz < _LOWEST_RATE else ""
        raise AudioError(
            f"{name}: a sample rate of {rate!r}; expected samples per second, such as 44100.{kilo} "
            f"{HOW if name == 'array' else ''}"
        )


def _largest(samples: np.ndarray) -> int:
    return max(int(samples.max()), -int(samples.min()))


def _check(samples: np.ndarray) -> None:
    """Raise AudioError unless shape and type are those of a sound."""
    shape, kind = samples.shape, samples.dtype
    if samples.ndim not in (1, 2):
        raise AudioError(
            f"array: shape {shape}; expected (samples,) or (samples, channels). Several sounds are "
            "given as a list of (array, sample_rate) pairs."
        )
    if samples.size == 0:
        raise AudioError(f"array: empty audio, shape {shape}; expected at least one sample.")
    if samples.ndim == 2 and shape[0] < shape[1]:
        raise AudioError(
            f"array: shape {shape} looks like (channels, samples); expected (samples, channels). "
            "Transpose it: (array.T, sample_rate)."
        )
    if kind.kind != "f" and kind.name not in ("uint8", *_SCALES):
        raise AudioError(
            f"array: samples of type {kind}; expected floats in [-1, 1], or int16, int32, int8 or "
            "uint8, which are scaled by their full scale. For others: array.astype('float32') "
            "divided by the largest value that they can take."
        )
