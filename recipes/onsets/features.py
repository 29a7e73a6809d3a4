"""The network's log-mels in NumPy: as `MultiResolutionLogMel`, in a tenth of its time on a CPU."""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import rfft

from zoo.layers.mel import snapped_mel_filterbank

RATE, HOP, BANDS = 44100, 441, 80
SIZES = (1024, 2048, 4096)  # of the variant "paper"
FMIN, FMAX = 27.5, 16000.0
EPSILON = np.float32(2.220446e-16)


@cache
def bank(size: int) -> np.ndarray:
    """Return the mel filters for a window of `size` samples, (size // 2, bands)."""
    filters = snapped_mel_filterbank(RATE, size, BANDS, FMIN, FMAX)
    return (filters * (32768 / 32767)).astype("float32")


def log_mels(sound: np.ndarray) -> np.ndarray:
    """Compute the log-mels of a sound at 44.1 kHz.

    Args:
        sound: (samples,) float32.

    Returns:
        (frames, 80, 3) float32, frames = ceil(samples / 441).
    """
    count = -(-len(sound) // HOP)
    channels = []
    for size in SIZES:
        padded = np.pad(sound.astype("float64"), (size // 2, size))
        frames = sliding_window_view(padded, size)[: count * HOP : HOP][:count]
        spectrum = np.abs(rfft(frames * np.hanning(size), axis=1)).astype("float32")
        channels.append(np.log(spectrum[:, : size // 2] @ bank(size) + EPSILON))
    return np.stack(channels, axis=-1)
