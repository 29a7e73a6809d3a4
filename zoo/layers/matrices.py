"""The constant matrices of the spectrogram layers, computed with NumPy alone.

The layers of `zoo.layers.spectrograms` multiply with them. A graph for ONNX Runtime does not hold
them: it names layer and matrix, and they are computed here, where no framework is loaded.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.layers.dft import TwoStepDFT
from zoo.layers.mel import mel_filterbank, snapped_mel_filterbank, taper


def of_layer(kind: str, config: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the matrices of a layer.

    Args:
        kind: name of the class in `zoo.layers.spectrograms`.
        config: its settings, the layer's attribute `config`.

    Returns:
        Name -> float32 array.
    """
    return LAYERS[kind](**config)


def log_mel(
    *,
    sample_rate: int,
    n_fft: int,
    window: str,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    scale: str,
    area_norm: bool,
    **_: Any,
) -> dict[str, np.ndarray]:
    """Return the matrices of `LogMelSpectrogram`, whose arguments these are.

    Returns:
        Those of `halved_dft`, and "filterbank" (bins, n_mels): even bins, then odd ones.
    """
    bank = mel_filterbank(sample_rate, n_fft, n_mels, fmin, fmax, scale, area_norm)
    bank = np.concatenate([bank[0::2], bank[1::2]]).astype("float32")
    return {**halved_dft(n_fft, window), "filterbank": bank}


def log_spectrogram(*, n_fft: int, window: str, symmetric: bool, **_: Any) -> dict[str, np.ndarray]:
    """Return the matrices of `LogSpectrogram`, whose arguments these are.

    Returns:
        Those of `halved_dft`.
    """
    return halved_dft(n_fft, window, symmetric)


def halved_dft(n_fft: int, window: str, symmetric: bool = False) -> dict[str, np.ndarray]:
    """Return a DFT as two of half its length, which are half of the products.

    The even bins are those of the sum of a frame's halves, the odd ones those of their difference:
    an even bin's wave is the same in both halves, an odd one's is negated in the second.

    Args:
        n_fft: window and DFT length in samples, even.
        window: a name of `zoo.layers.mel.WINDOWS`.
        symmetric: as in `zoo.layers.mel.taper`.

    Returns:
        "window" (n_fft,); "even" and "odd" (n_fft / 2, 2 bins): cosines, then sines. float32.
    """
    half = n_fft // 2
    phase = 2 * np.pi * np.outer(np.arange(half), np.arange(half + 1)) / n_fft
    parts = {"even": phase[:, 0::2], "odd": phase[:, 1::2]}
    found = {name: np.concatenate([np.cos(p), np.sin(p)], axis=1) for name, p in parts.items()}
    found["window"] = taper(n_fft, window, symmetric)
    return {name: array.astype("float32") for name, array in found.items()}


def multi_resolution(**config: Any) -> dict[str, np.ndarray]:
    """Return the matrices of `MultiResolutionLogMel`, whose arguments these are.

    Returns:
        For each frame size those of `of_resolution`.
    """
    found: dict[str, np.ndarray] = {}
    for size, dft in resolutions(**config):
        found |= {name: getattr(*place) for name, place in of_resolution(size, dft).items()}
    return found


def resolutions(
    *,
    sample_rate: int,
    frame_sizes: tuple[int, ...],
    n_mels: int,
    fmin: float,
    fmax: float,
    **_: Any,
) -> Iterator[tuple[int, TwoStepDFT]]:
    """Yield each frame size with its DFT, which has the filters in its attribute `bank`.

    madmom cuts samples to 16 bits and divides them by 32767, but full scale is 32768 in our input;
    the filters correct the difference.

    Args:
        sample_rate: as in `MultiResolutionLogMel`, like the other arguments.
        frame_sizes: in samples.
        n_mels: number of bands.
        fmin: in Hz.
        fmax: in Hz.

    Yields:
        Frame size in samples, and the DFT of such frames.
    """
    for size in frame_sizes:
        bank = snapped_mel_filterbank(sample_rate, size, n_mels, fmin, fmax) * (32768 / 32767)
        dft = TwoStepDFT(np.hanning(size), n_bins=1 + np.flatnonzero(bank.any(axis=1))[-1])
        dft.bank = dft.rows(bank)
        yield size, dft


def of_resolution(size: int, dft: TwoStepDFT) -> dict[str, tuple[Any, str]]:
    """Return where the matrices of a resolution are: name -> (object, attribute)."""
    return {
        f"{size}_{step}_{part}": (getattr(dft, step), part)
        for step in ("first", "second")
        for part in ("high", "low")
    } | {f"{size}_filterbank": (dft, "bank")}


LAYERS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "LogMelSpectrogram": log_mel,
    "LogSpectrogram": log_spectrogram,
    "MultiResolutionLogMel": multi_resolution,
}
