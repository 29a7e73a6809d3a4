"""Let the filters of a network that reads the waveform begin as tones.

Filters that begin as noise must first find frequencies, each on its own. These begin as short tones
whose frequencies are spaced as the ear spaces them, half of them a quarter of a period later, and
learn on from there.
"""

import keras
import numpy as np

from zoo import features


def begin_with_tones(model: keras.Model) -> None:
    """Set the kernels of all convolutions that read one channel over time."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv1D) and layer.kernel.shape[1] == 1:
            length, _, count = layer.kernel.shape
            layer.kernel.assign(tones(length, count, model.sample_rate)[:, None])


def tones(length: int, count: int, rate: int) -> np.ndarray:
    """Return tones (length, count), each under a Hann window, as strong as He's initial filters.

    Args:
        length: in samples.
        count: of tones; two each of a frequency, between one period in `length` and half the rate.
        rate: of sampling, in Hz.
    """
    low, high = features.hz_to_mel(np.array([rate / length, rate / 2]))
    hertz = features.mel_to_hz(np.linspace(low, high, -(-count // 2) + 1)[:-1])
    time = (np.arange(length) - (length - 1) / 2)[:, None] / rate
    phase = np.pi / 2 * (np.arange(count) % 2)
    waves = np.cos(2 * np.pi * np.repeat(hertz, 2)[:count] * time + phase)
    waves *= np.hanning(length + 2)[1:-1, None]
    return (waves * np.sqrt(2 / np.square(waves).sum(axis=0))).astype("float32")
