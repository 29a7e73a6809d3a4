"""Spectrograms as Keras layers: the first part of a model."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import ConfigError
from zoo.layers import matrices
from zoo.layers.mel import WINDOWS

EPSILON = 2.0**-52  # of float64: madmom adds it before its logarithm
COMPRESSIONS = ("log10", "log", "decibel", "none")


def check(n_fft: int, window: str) -> None:
    """Raise ConfigError unless there is such a window, and the DFT can be halved."""
    if window not in WINDOWS:
        raise ConfigError(f"window is {window!r}; it must be one of {', '.join(WINDOWS)}.")
    if n_fft < 2 or n_fft % 2:
        raise ConfigError(f"n_fft is {n_fft}; it must be even and at least 2.")


def power_spectrum(waveform, window, even, odd, hop_length: int):
    """Squared magnitudes of a Fourier transform.

    Args:
        waveform: (batch, samples).
        window: (n_fft,), like the next two from `matrices.halved_dft`.
        even: (n_fft / 2, 2 bins).
        odd: (n_fft / 2, 2 bins).
        hop_length: in samples.

    Returns:
        (batch, frames, bins): even bins, then odd ones.
    """
    n_fft = window.shape[0]
    block = math.gcd(n_fft, hop_length)
    per_frame = n_fft // block
    n_blocks = ops.shape(waveform)[1] // block
    x = ops.reshape(waveform[:, : n_blocks * block], (-1, n_blocks, block))
    step = hop_length // block
    end = n_blocks - per_frame + 1  # of the first blocks of frames
    x = [x[:, i : end + i : step] for i in range(per_frame)]
    x = ops.multiply(ops.concatenate(x, axis=-1), window)  # (batch, frames, n_fft)
    first, second = x[..., : n_fft // 2], x[..., n_fft // 2 :]
    powers = []
    for x, dft in ((first + second, even), (first - second, odd)):
        real, imaginary = ops.split(ops.square(ops.matmul(x, dft)), 2, axis=-1)
        powers.append(real + imaginary)
    return ops.concatenate(powers, axis=-1)


@keras.saving.register_keras_serializable("zoo")
class LogMelSpectrogram(keras.layers.Layer):
    """Waveform to log-mel spectrogram: (batch, samples) -> (batch, frames, n_mels).

    The defaults are musicnn's (package 0.1.0, extractor.py and configuration.py): 16 kHz, n_fft
    512, hop 256, periodic Hann, power, 96 Slaney bands with area norm from 0 to 8 kHz,
    log10(10000 x + 1). The original also rounds the mel values to float16 before the logarithm.
    This layer does not: the rounding changes probabilities by at most about 1e-3, and under NumPy 2
    the original's formula overflows there.

    Computation is always in float32, since the range of a spectrogram is too large for bfloat16 or
    float16.

    Args:
        sample_rate: of the waveform, in Hz.
        n_fft: window and FFT length in samples.
        window: a name of `WINDOWS`; periodic.
        hop_length: in samples.
        n_mels: number of bands.
        fmin: lowest edge in Hz.
        fmax: highest edge in Hz; half the sample rate if None.
        scale: "slaney" or "htk".
        area_norm: Slaney's area normalisation.
        power: 2 for the power spectrum, 1 for magnitude.
        compression: "log10" and "log" are log(gain x + 1) to base 10 and e; "decibel" is
            10 log10(max(x, 1e-10)), with no floor that depends on the clip; "none".
        gain: factor before "log10" and "log".
        centre: reflect n_fft // 2 samples at both ends, so that frame t is centred on sample
            t * hop_length. If False, a frame needs n_fft samples:
            frames = 1 + (samples - n_fft) // hop_length.

    Raises:
        ConfigError: there is no such compression or window, or n_fft is odd.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_fft: int = 512,
        window: str = "hann",
        hop_length: int = 256,
        n_mels: int = 96,
        fmin: float = 0.0,
        fmax: float | None = None,
        scale: str = "slaney",
        area_norm: bool = True,
        power: float = 2.0,
        compression: str = "log10",
        gain: float = 10000.0,
        centre: bool = False,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if compression not in COMPRESSIONS:
            raise ConfigError(
                f"compression is {compression!r}; it must be one of {', '.join(COMPRESSIONS)}."
            )
        check(n_fft, window)
        self.config: dict[str, Any] = dict(
            sample_rate=sample_rate,
            n_fft=n_fft,
            window=window,
            hop_length=hop_length,
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            scale=scale,
            area_norm=area_norm,
            power=power,
            compression=compression,
            gain=gain,
            centre=centre,
        )
        self.n_fft, self.hop_length, self.n_mels = n_fft, hop_length, n_mels
        self.power, self.compression, self.gain, self.centre = power, compression, gain, centre
        found = matrices.log_mel(**self.config)
        self.window, self.filterbank = found["window"], found["filterbank"]
        self.even, self.odd = found["even"], found["odd"]

    def constants(self) -> dict[str, tuple[object, str]]:
        """Return where the constant matrices are: name -> (object, attribute)."""
        return {name: (self, name) for name in ("window", "even", "odd", "filterbank")}

    def call(self, waveform):
        x = waveform  # (batch, samples)
        if self.centre:
            half = self.n_fft // 2
            x = ops.pad(x, [[0, 0], [half, half]], mode="reflect")
        # (batch, frames, bins)
        x = power_spectrum(x, self.window, self.even, self.odd, self.hop_length)
        if self.power != 2.0:
            x = x ** (self.power / 2)
        x = ops.matmul(x, self.filterbank)  # (batch, frames, n_mels)
        if self.compression == "decibel":
            return 10.0 * ops.log10(ops.maximum(x, 1e-10))
        if self.compression == "log10":
            return ops.log10(self.gain * x + 1.0)
        if self.compression == "log":
            return ops.log(self.gain * x + 1.0)
        return x

    def compute_output_shape(self, input_shape):
        batch, samples = input_shape
        if samples is None:
            return (batch, None, self.n_mels)
        samples += 2 * (self.n_fft // 2) if self.centre else 0
        return (batch, 1 + (samples - self.n_fft) // self.hop_length, self.n_mels)

    def get_config(self):
        return {**super().get_config(), **self.config}


# --- without mel bands ---


@keras.saving.register_keras_serializable("zoo")
class LogSpectrogram(keras.layers.Layer):
    """Waveform to log-magnitude spectrogram: (batch, samples) -> (batch, frames, n_fft // 2 + 1).

    log(floor + x) - log(floor), so that silence is 0. Always float32. The defaults are those of the
    demo of Lee et al. 2009 (get_spectrogram_orig.m) at 16 kHz: symmetric Hamming window of 20 ms,
    hop of 10 ms, magnitude (not power), floor 1e-5.

    Args:
        n_fft: window and DFT length in samples.
        hop_length: in samples; frames = 1 + (samples - n_fft) // hop_length.
        window: a name of `WINDOWS`.
        symmetric: first and last value of the window are the same, as in MATLAB.
        floor: constant that is added before the logarithm.

    Raises:
        ConfigError: there is no such window, or n_fft is odd.
    """

    def __init__(
        self,
        n_fft: int = 320,
        hop_length: int = 160,
        window: str = "hamming",
        symmetric: bool = True,
        floor: float = 1e-5,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        check(n_fft, window)
        self.config: dict[str, Any] = dict(
            n_fft=n_fft, hop_length=hop_length, window=window, symmetric=symmetric, floor=floor
        )
        self.n_fft, self.hop_length, self.floor = n_fft, hop_length, floor
        found = matrices.log_spectrogram(**self.config)
        self.window, self.even, self.odd = found["window"], found["even"], found["odd"]
        bins = np.arange(n_fft // 2 + 1)
        self.places = np.argsort([*bins[0::2], *bins[1::2]])

    def constants(self) -> dict[str, tuple[object, str]]:
        """Return where the constant matrices are: name -> (object, attribute)."""
        return {name: (self, name) for name in ("window", "even", "odd")}

    def call(self, waveform):
        x = power_spectrum(waveform, self.window, self.even, self.odd, self.hop_length)
        x = ops.take(x, self.places, axis=-1)  # (batch, frames, bins), in ascending order
        # Not log1p: ONNX has no such operation. The results differ by a rounding step of 1 at most.
        return ops.log(ops.sqrt(x) / self.floor + 1.0)

    def compute_output_shape(self, input_shape):
        batch, samples = input_shape
        frames = None if samples is None else 1 + (samples - self.n_fft) // self.hop_length
        return (batch, frames, self.n_fft // 2 + 1)

    def get_config(self):
        return {**super().get_config(), **self.config}


@keras.saving.register_keras_serializable("zoo")
class MultiResolutionLogMel(keras.layers.Layer):
    """Log-mel spectrograms of several window lengths as channels, exactly as in madmom.

    (batch, samples) -> (batch, frames, n_mels, windows). Frame i covers `size` samples from
    i * hop_length - size / 2 on, zeros outside the sound, and frames = ceil(samples / hop_length).
    Symmetric Hann window, magnitude (not power), `snapped_mel_filterbank`, ln(x + 2.220446e-16).

    madmom (0.16.1, `CNNOnsetProcessor`) cuts the mean of the channels to 16-bit samples and divides
    them by 32767. So this layer cuts samples to 16 bits, which changes activations by up to .14 in
    almost silent recordings. Full scale is 32768 in our input; the filters correct the difference.
    madmom's FFT is in float64. Here everything is always float32, and `zoo.layers.dft` keeps the
    difference small.

    Args:
        sample_rate: of the waveform, in Hz.
        frame_sizes: window and FFT lengths in samples, in the order of the channels. The default
            is madmom's order; all must be even.
        hop_length: in samples.
        n_mels: number of bands.
        fmin: lowest edge in Hz.
        fmax: highest edge in Hz.
        sixteen_bit: cut samples to multiples of 1 / 32768, towards 0, as a cast to int16 does.
            Gradients ignore it.

    Raises:
        ConfigError: `frame_sizes` is empty or has an odd size.
    """

    def __init__(
        self,
        sample_rate: int = 44100,
        frame_sizes: tuple[int, ...] = (2048, 1024, 4096),
        hop_length: int = 441,
        n_mels: int = 80,
        fmin: float = 27.5,
        fmax: float = 16000.0,
        sixteen_bit: bool = True,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if not frame_sizes or any(size % 2 for size in frame_sizes):
            raise ConfigError(f"frame_sizes is {frame_sizes!r}; give at least one, all even.")
        self.config: dict[str, Any] = dict(
            sample_rate=sample_rate,
            frame_sizes=tuple(frame_sizes),
            hop_length=hop_length,
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            sixteen_bit=sixteen_bit,
        )
        self.sixteen_bit = sixteen_bit
        self.hop_length, self.n_mels, self.longest = hop_length, n_mels, max(frame_sizes)
        self.resolutions = list(matrices.resolutions(**self.config))

    def constants(self) -> dict[str, tuple[object, str]]:
        """Return where the constant matrices are: name -> (object, attribute)."""
        places: dict[str, tuple[object, str]] = {}
        for size, dft in self.resolutions:
            places |= matrices.of_resolution(size, dft)
        return places

    def call(self, waveform):
        n_frames = (ops.shape(waveform)[1] + self.hop_length - 1) // self.hop_length
        if self.sixteen_bit:
            whole = ops.sign(waveform) * ops.floor(ops.abs(waveform) * 32768)
            waveform += ops.stop_gradient(whole / 32768 - waveform)
        gain = ops.stop_gradient(self.gain(waveform))
        frames = self.framed(waveform * gain, n_frames)
        channels = []
        for size, dft in self.resolutions:
            start = (self.longest - size) // 2  # all windows have the same centre
            x = dft.magnitudes(frames[..., start : start + size])
            x = ops.matmul(x, dft.bank)  # (batch * frames, n_mels)
            x = ops.reshape(x, (-1, n_frames, self.n_mels)) / gain[..., None]
            channels.append(ops.log(x + EPSILON))
        return ops.stack(channels, axis=-1)

    def gain(self, waveform):
        """Return the power of 4, up to 96 dB, that brings the peak of a quiet clip above 1/4.

        `SplitMatrix` sums without rounding what is a multiple of 1/512. Samples of a quiet clip
        are not. A power of two changes no digit of theirs.

        Args:
            waveform: (batch, samples).

        Returns:
            (batch, 1).
        """
        peak = ops.max(ops.abs(waveform), axis=1, keepdims=True)
        gain = ops.ones_like(peak)
        for _ in range(8):
            gain = ops.where(peak * gain < 0.25, 4.0 * gain, gain)
        return gain

    def framed(self, waveform, n_frames):
        """Cut frames, by slices of blocks of one hop.

        Args:
            waveform: (batch, samples).
            n_frames: number of frames.

        Returns:
            (batch, n_frames, longest).
        """
        n_blocks = -(-self.longest // self.hop_length)  # blocks that a frame touches
        x = ops.pad(waveform, [[0, 0], [self.longest // 2, n_blocks * self.hop_length]])
        total = n_frames + n_blocks - 1
        x = ops.reshape(x[:, : total * self.hop_length], (-1, total, self.hop_length))
        x = ops.concatenate([x[:, i : i + n_frames] for i in range(n_blocks)], axis=-1)
        return x[..., : self.longest]

    def compute_output_shape(self, input_shape):
        batch, samples = input_shape
        n_frames = None if samples is None else -(-samples // self.hop_length)
        return (batch, n_frames, self.n_mels, len(self.resolutions))

    def get_config(self):
        return {**super().get_config(), **self.config}
