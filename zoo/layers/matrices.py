"""The constant matrices of the spectrogram layers, computed with NumPy alone.

The layers of `zoo.layers.spectrograms` multiply with them. A graph for ONNX Runtime does not hold
them: it names layer and matrix, and they are computed here, where no framework is loaded.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.layers.dft import TwoStepDFT
from zoo.layers.mel import mel_filterbank, snapped_mel_filterbank, windowed_dft


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
    hop_length: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    scale: str,
    area_norm: bool,
    **_: Any,
) -> dict[str, np.ndarray]:
    """Return the matrices of `LogMelSpectrogram`, whose arguments these are.

    Returns:
        "dft" (n_fft / block, block, 2 bins), see `folded_dft`, and "filterbank" (bins, n_mels).
    """
    bank = mel_filterbank(sample_rate, n_fft, n_mels, fmin, fmax, scale, area_norm)
    return {
        "dft": folded_dft(windowed_dft(n_fft, window), hop_length),
        "filterbank": bank.astype("float32"),
    }


def log_spectrogram(
    *, n_fft: int, hop_length: int, window: str, symmetric: bool, **_: Any
) -> dict[str, np.ndarray]:
    """Return the matrix of `LogSpectrogram`, whose arguments these are.

    Returns:
        "dft" (n_fft / block, block, 2 bins), see `folded_dft`.
    """
    return {"dft": folded_dft(windowed_dft(n_fft, window, symmetric), hop_length)}


def folded_dft(dft: np.ndarray, hop_length: int) -> np.ndarray:
    """Fold a DFT matrix into blocks of the greatest common divisor of hop and window.

    So framing and DFT together are one dense convolution over few, wide blocks.

    Args:
        dft: (n_fft, 2 bins).
        hop_length: in samples.

    Returns:
        (n_fft / block, block, 2 bins) float32.
    """
    block = math.gcd(len(dft), hop_length)
    return dft.astype("float32").reshape(len(dft) // block, block, -1)


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
