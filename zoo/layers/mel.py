"""Mel filter banks and windowed Fourier transforms, as NumPy arrays."""

import math

import numpy as np


def hz_to_mel(hz: np.ndarray | float, scale: str = "slaney") -> np.ndarray:
    """Convert frequencies in Hz to mel.

    Args:
        hz: frequencies in Hz, any shape.
        scale: "slaney" (linear below 1 kHz, logarithmic above, as in Slaney's Auditory Toolbox,
            1998, and librosa) or "htk" (2595 log10(1 + f / 700)).

    Returns:
        Mel values, the shape of `hz`.
    """
    hz = np.asarray(hz, dtype="float64")
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    linear = hz * 3 / 200
    logarithmic = 15.0 + np.log(np.maximum(hz, 1e-10) / 1000.0) * 27 / math.log(6.4)
    return np.where(hz < 1000.0, linear, logarithmic)


def mel_to_hz(mel: np.ndarray | float, scale: str = "slaney") -> np.ndarray:
    """Convert mel values to frequencies in Hz: the inverse of `hz_to_mel`.

    Args:
        mel: mel values, any shape.
        scale: "slaney" or "htk".

    Returns:
        Frequencies in Hz, the shape of `mel`.
    """
    mel = np.asarray(mel, dtype="float64")
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * 6.4 ** ((mel - 15.0) / 27))


def mel_filterbank(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    fmin: float = 0.0,
    fmax: float | None = None,
    scale: str = "slaney",
    area_norm: bool = True,
) -> np.ndarray:
    """Triangular mel filters over the bins of a spectrum.

    Args:
        sample_rate: in Hz.
        n_fft: FFT length in samples; the spectrum has n_fft // 2 + 1 bins.
        n_mels: number of bands.
        fmin: lowest edge in Hz.
        fmax: highest edge in Hz; half the sample rate if None.
        scale: "slaney" or "htk", see `hz_to_mel`.
        area_norm: divide each triangle by half its width in Hz, so that all have the same area
            (Slaney's normalisation); if False every triangle peaks at 1.

    Returns:
        float64 array (n_fft // 2 + 1, n_mels).
    """
    fmax = sample_rate / 2 if fmax is None else fmax
    mels = np.linspace(hz_to_mel(fmin, scale), hz_to_mel(fmax, scale), n_mels + 2)
    edges = mel_to_hz(mels, scale)
    bins = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - low) / (centre - low)
    falling = (high - bins[:, None]) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))  # (bins, n_mels)
    return triangles * (2.0 / (high - low)) if area_norm else triangles


# Windows as sums of cosines of 0, 1, 2, ... periods, with alternating signs. Those with a number
# are Harris' (1978), named after their highest side lobe in dB.
WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman_harris_62": (0.44959, 0.49364, 0.05677),
}


def taper(n_fft: int, window: str = "hann", symmetric: bool = False) -> np.ndarray:
    """Return a window.

    Args:
        n_fft: length of the frame in samples.
        window: a name of `WINDOWS`.
        symmetric: first and last value of the window are the same, as in MATLAB's functions; if
            False the window is periodic, as in librosa.

    Returns:
        float64 array (n_fft,).
    """
    turns = 2 * np.pi * np.arange(n_fft) / (n_fft - 1 if symmetric else n_fft)
    return sum((-1) ** k * a * np.cos(k * turns) for k, a in enumerate(WINDOWS[window]))


# --- madmom's spectrograms ---


def snapped_mel_filterbank(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> np.ndarray:
    """Triangular mel filters with corners on bins, as in madmom (audio/filters.py).

    n_mels + 2 points, equally spaced on the mel scale 1127.01048 ln(1 + f / 700), each moved to
    the nearest bin. A triangle rises from its first point, which is 0, to its middle, which is 1,
    and falls to 0 at its last. If its points coincide or are neighbours, it is the bin of the
    first. Identical low bands are all kept. Every filter is divided by its sum.

    Args:
        sample_rate: in Hz.
        n_fft: FFT length in samples; the Nyquist bin is left out.
        n_mels: number of bands.
        fmin: lowest edge in Hz.
        fmax: highest edge in Hz.

    Returns:
        float64 array (n_fft // 2, n_mels).
    """
    low, high = (1127.01048 * np.log1p(hz / 700.0) for hz in (fmin, fmax))
    points = 700.0 * np.expm1(np.linspace(low, high, n_mels + 2) / 1127.01048)
    bins = np.arange(n_fft // 2) * sample_rate / n_fft
    corners = np.abs(points[:, None] - bins).argmin(axis=1)
    bank = np.zeros((n_fft // 2, n_mels))
    for band in range(n_mels):
        start, centre, stop = corners[band : band + 3]
        if stop - start < 2:
            bank[start, band] = 1.0
        else:
            bank[start:centre, band] = np.arange(centre - start) / (centre - start)
            bank[centre:stop, band] = np.arange(stop - centre, 0, -1) / (stop - centre)
    return bank / bank.sum(axis=0)
