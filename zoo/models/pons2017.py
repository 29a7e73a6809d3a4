"""Pons et al. 2017: musically motivated filters of many shapes.

Paper: Jordi Pons, Oriol Nieto, Matthew Prockup, Erik Schmidt, Andreas Ehmann, Xavier Serra,
"End-to-end learning for music audio tagging at scale", 2017 (arXiv 1711.02520; ISMIR 2018).

The idea. Instruments differ in the shape of the spectrum at an instant, and rhythms in the shape of
the envelope over time. So the first layer has filters that are tall (most of the frequency axis,
few frames) for timbre, and filters that are long (one band, up to 128 frames) for time, in many
sizes. A timbral filter is pooled over all frequency, which makes it invariant to pitch. The rest of
the network takes a sequence of feature vectors, and global pooling over time allows any length.

Variants:
    "musicnn" (default): the network that the first author trained and released as the Python
        package musicnn 0.1.0 (Pons and Serra, arXiv 1909.06654). The numbers are from that
        package's code and weights, not from the 2017 paper.
    "spectrogram", "waveform": the two networks of the 2017 paper, from the authors' code
        (github.com/jordipons/music-audio-tagging-at-scale-models). No weights were released.
    "won2020": musicnn as Won et al. rebuilt it ("Evaluation of CNN-based automatic music tagging
        models", SMC 2020, arXiv 2006.00751); from their code and weights
        (github.com/minzwon/sota-music-tagging-models). A different network: HTK mel bands in
        decibels, normalisation before ReLU, temporal filters of odd lengths on the mean over
        frequency, concatenated maximum and mean. Their wider build for the Million Song Dataset is
        not here.

We keep two choices of the authors' 2017 code, because the published numbers come from it. In the
second and third convolution of the back-end the tensor is transposed to (batch, frames, 512, 1)
before its batch normalisation, which therefore has a single scale, shift, mean and variance for all
512 channels (`shared_norm=True`; False gives one per channel). The dense layer's size refers to an
undefined name; we take 500, the value of the function's unused argument `num_units`.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.errors import ConfigError
from zoo.layers.spectrograms import LogMelSpectrogram
from zoo.models import _renaming

VARIANTS = ("musicnn", "spectrogram", "waveform", "won2020")

# TensorFlow 1's defaults, under which Pons' three networks were trained, and PyTorch's.
NORM = {"momentum": 0.99, "epsilon": 1e-3}
TORCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}

# The 2017 code initialises every layer by variance scaling; musicnn by TensorFlow 1's default.
HE = "he_normal"

GROUP = 80  # filters at once in `extreme_responses`: blocks of 16; their results fit into a cache


# --- layers ---


@keras.saving.register_keras_serializable("zoo")
class InputNorm(layers.BatchNormalization):
    """Batch normalisation of a spectrogram as one channel, with fast training.

    (batch, 1, frames, bands) -> the same, normalised; its scale (1,); its offset (1,). In training
    no gradient flows through the first: `PooledFilters` computes the gradients of scale and offset
    from the other two. The usual gradient, through a convolution with tall filters over one
    channel, takes 7 to 9 times as long as the rest of a training step on a CPU.
    """

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: Any = None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
        x = super().call(inputs, training=training, mask=mask)
        scale, offset = (ops.cast(v, x.dtype) for v in (self.gamma, self.beta))
        return (ops.stop_gradient(x) if training else x), scale, offset

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape, (1,), (1,)


@keras.saving.register_keras_serializable("zoo")
class PooledFilters(layers.Layer):
    """Filters of one shape over a spectrogram: convolution, ReLU, batch norm, max over frequency.

    (batch, frames, bands) -> (batch, frames, filters). Time is zero-padded to keep its length
    (an even kernel pads one frame less before than after, as TensorFlow does); frequency is not
    padded. Note the order: normalisation follows ReLU in all of Pons' networks.

    In inference the maximum is taken first, directly on the convolution, which saves three passes
    over the widest tensors of the network; tall filters have an even shorter way to it,
    `extreme_responses`. The result is the same: ReLU and a normalisation with a positive scale keep
    the order of values. For a negative scale the minimum is needed, which is the maximum of the
    negated filter's response.

    Args:
        filters: number of filters.
        kernel_size: (frames, bands). Tall kernels are the paper's timbral filters, (frames, 1)
            its temporal ones in the released network.
        initializer: of the kernel.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: tuple[int, int],
        initializer: str = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, tuple(kernel_size)
        self.initializer = initializer
        self.conv = layers.Conv2D(
            filters,
            self.kernel_size,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name="conv",
        )
        self.norm = layers.BatchNormalization(**NORM, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: tuple) -> None:
        frames, bands = input_shape[1:]
        self.positions = bands - self.kernel_size[1] + 1
        self.conv.build((None, None, bands, 1))  # any number of frames: `call` pads them
        self.norm.build((None, frames, self.positions, self.filters))

    def call(
        self,
        x: keras.KerasTensor,
        scale: keras.KerasTensor | None = None,
        offset: keras.KerasTensor | None = None,
        training: bool = False,
    ) -> keras.KerasTensor:
        frames = ops.shape(x)[1]
        x = self._padded(x)  # (batch, frames + length - 1, bands, 1)
        if not training:
            return self._maximum_first(x)
        x = self.conv(x) if scale is None else self._of_normalised(x, frames, scale, offset)
        x = self.norm(ops.relu(x), training=True)  # (batch, frames, positions, filters)
        return ops.max(x, axis=2)  # (batch, frames, filters)

    def _padded(self, x: keras.KerasTensor) -> keras.KerasTensor:
        length = self.kernel_size[0]
        x = ops.pad(x, [[0, 0], [(length - 1) // 2, length // 2], [0, 0]])
        return ops.expand_dims(x, -1)

    def _of_normalised(
        self,
        x: keras.KerasTensor,
        frames: Any,
        scale: keras.KerasTensor,
        offset: keras.KerasTensor,
    ) -> keras.KerasTensor:
        """Convolve what `InputNorm` returned; the gradients reach its scale and offset.

        x is scale * z + offset with z constant, so the convolution is scale * conv(z) + offset *
        conv(1), where 1 is padded with zeros like x. The code gives the value conv(x) and the
        derivatives of that sum.
        """
        kernel = ops.cast(self.conv.kernel, self.compute_dtype)
        still_scale, still_offset = ops.stop_gradient(scale), ops.stop_gradient(offset)
        ratio = 1 + (scale - still_scale) / still_scale  # 1
        ones = self._padded(ops.ones((1, frames, self.kernel_size[1]), self.compute_dtype))
        of_ones = ops.conv(ones, kernel, data_format="channels_last")  # (1, frames, 1, filters)
        bias = ops.cast(self.conv.bias, self.compute_dtype)
        bias = bias + (offset - still_offset * ratio) * of_ones  # (1, frames, 1, filters)
        # (batch, frames, positions, filters)
        return ops.conv(x, kernel * ratio, data_format="channels_last") + bias

    def _maximum_first(self, x: keras.KerasTensor) -> keras.KerasTensor:
        sign = ops.cast(ops.where(self.norm.gamma < 0, -1.0, 1.0), self.compute_dtype)
        kernel = self.conv.kernel * sign
        if self.kernel_size[1] > 1 and by_spectra(self):
            x = extreme_responses(x, kernel)  # (batch, frames, 1, filters)
        else:
            # Runtimes work on 16 filters at once. With whole blocks none has to be taken apart.
            # Not ops.pad: TensorFlow 2.21 takes that for a padding of the input, and aborts.
            more = ops.zeros((*self.kernel_size, 1, -self.filters % 16), kernel.dtype)
            kernel = ops.concatenate([kernel, more], axis=3)
            # (batch, frames, positions, filters and those that fill the block)
            x = ops.conv(x, kernel, data_format="channels_last")
            if keras.config.backend() == "tensorflow":
                # On a CPU 5 to 10 % faster than ops.max.
                x = ops.max_pool(x, (1, self.positions), data_format="channels_last")
            else:
                x = ops.max(x, axis=2, keepdims=True)
            x = x[..., : self.filters]  # (batch, frames, 1, filters)
        x = self.norm(ops.relu(x * sign + self.conv.bias), training=False)
        return ops.squeeze(x, axis=2)  # (batch, frames, filters)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:2], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "initializer": self.initializer,
        }


@keras.saving.register_keras_serializable("zoo")
class TallConv2D(layers.Conv2D):
    """Convolution with tall filters, of which only the extremes over frequency are wanted.

    (batch, frames + length - 1, bands, 1) -> (batch, frames, positions, filters) in training. In
    inference -> (batch, frames, 2, filters), the largest and the smallest response. After a
    normalisation and ReLU, which keep or reverse the order of values, the maximum over the two is
    that over all positions.
    """

    def call(self, x: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if training or not by_spectra(self):
            return super().call(x)
        return extreme_responses(x, self.kernel, smallest=True) + self.bias

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, frames, _, filters = super().compute_output_shape(input_shape)
        return batch, frames, None, filters


def by_spectra(layer: layers.Layer) -> bool:
    """Whether a layer takes `extreme_responses` in inference.

    JAX is slower with it on a CPU, and in less than float32 its sums would be inexact.
    """
    return layer.compute_dtype == "float32" and keras.config.backend() != "jax"


def extreme_responses(
    x: keras.KerasTensor, kernel: keras.KerasTensor, smallest: bool = False
) -> keras.KerasTensor:
    """Convolve with tall filters, without padding, and take the maximum over frequency.

    The same as `ops.max(ops.conv(x, kernel), axis=2)`, within rounding (1e-6 of the largest value),
    in half of the time on a CPU; on a GPU it was not measured. Along frequency the convolution is a
    product of Fourier transforms. They need no padding, since no filter is moved beyond the axis.
    Positions are counted from the middle one. Those of +j and -j are then a - b and a + b with the
    same a and b: the larger of them is a + |b|, the smaller a - |b|.

    Args:
        x: (batch, frames + length - 1, bands, 1).
        kernel: (length, height, 1, filters), of at most `bands` bands.
        smallest: return the minimum, too.

    Returns:
        (batch, frames, 1, filters); with the minimum (batch, frames, 2, filters).
    """
    length, height, _, filters = kernel.shape
    bands = x.shape[2]
    middle = (bands - height) / 2
    frequencies = np.arange(bands // 2 + 1)
    positions = np.arange(middle % 1, middle + 1)  # from the middle one upwards

    def wave(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turns = 2 * np.pi / bands * np.outer(places, frequencies)
        return np.cos(turns).astype("float32"), np.sin(turns).astype("float32")

    # Spectra of the frames, conjugate: real parts, then imaginary ones.
    x = ops.matmul(ops.squeeze(x, axis=3), np.concatenate(wave(np.arange(bands)), axis=1))
    x = ops.concatenate([x[:, i : i - length + 1 or None] for i in range(length)], axis=-1)
    frames = ops.shape(x)[1]
    x = ops.reshape(x, (-1, frames, 2 * length, len(frequencies)))
    x = ops.transpose(x, (0, 3, 1, 2))  # (batch, frequencies, frames, 2 length)

    # Spectra of the filters: (frequencies, length, 1, filters).
    taps = ops.reshape(ops.transpose(kernel, (1, 0, 2, 3)), (height, length * filters))
    cosine, sine = (
        ops.reshape(ops.matmul(part.T, taps), (-1, length, 1, filters))
        for part in wave(np.arange(height) + middle)
    )
    shape = (-1, 2 * length, filters)
    real = ops.reshape(ops.concatenate([cosine, sine], axis=2), shape)
    imaginary = ops.reshape(ops.concatenate([-sine, cosine], axis=2), shape)

    # Back to positions. A frequency stands for its negative, too, but for the first and the last.
    weight = np.where(np.isin(2 * frequencies, (0, bands)), 1, 2) / bands
    cosines, sines = (part * weight.astype("float32") for part in wave(positions))
    found = []
    for start in range(0, filters, GROUP):
        size = min(GROUP, filters - start)
        sums = []
        for spectra, waves in ((real, cosines), (imaginary, sines)):
            y = ops.matmul(x, spectra[..., start : start + size])
            y = ops.reshape(y, (-1, len(frequencies), frames * size))
            sums.append(ops.matmul(waves, y))  # (batch, half of the positions, frames * size)
        centre, distance = sums[0], ops.abs(sums[1])
        ends = [ops.max(centre + distance, axis=1)]
        if smallest:
            ends.append(ops.min(centre - distance, axis=1))
        found.append(ops.stack([ops.reshape(end, (-1, frames, size)) for end in ends], axis=2))
    return ops.concatenate(found, axis=-1)


def conv_norm(
    x: keras.KerasTensor,
    filters: int,
    length: int,
    name: str,
    *,
    strides: int = 1,
    padding: str = "same",
    initializer: str = "glorot_uniform",
    shared_norm: bool = False,
) -> keras.KerasTensor:
    """Convolution over time, ReLU, batch norm: (batch, frames, channels) -> (.., .., filters).

    Args:
        x: (batch, frames, channels).
        filters: number of filters.
        length: of a filter, in frames.
        name: of the convolution.
        strides: in frames.
        padding: "same" or "valid".
        initializer: of the kernel.
        shared_norm: one scale, shift, mean and variance for all channels.

    Returns:
        (batch, frames, filters).
    """
    x = layers.Conv1D(
        filters,
        length,
        strides,
        padding,
        activation="relu",
        kernel_initializer=initializer,
        name=name,
    )(x)
    if not shared_norm:
        return layers.BatchNormalization(**NORM, name=f"{name}_norm")(x)
    x = layers.Reshape((-1, filters, 1), name=f"{name}_column")(x)  # one channel: one scale for all
    x = layers.BatchNormalization(**NORM, name=f"{name}_norm")(x)
    return layers.Reshape((-1, filters), name=f"{name}_row")(x)


def interleave(
    first: keras.KerasTensor, second: keras.KerasTensor, units: int, name: str
) -> keras.KerasTensor:
    """Join two (batch, units) into (batch, 2 units) as first0, second0, first1, second1, ...

    Both versions of Pons' code stack them on a new last axis and flatten. Plain concatenation gives
    wrong tags with the released weights.

    Args:
        first: (batch, units).
        second: (batch, units).
        units: number of units of each.
        name: of the result.

    Returns:
        (batch, 2 units).
    """
    columns = [
        layers.Reshape((units, 1), name=f"{column}_column")(x)
        for column, x in (("first", first), ("second", second))
    ]
    joined = layers.Concatenate(name=f"{name}_columns")(columns)
    return layers.Reshape((2 * units,), name=name)(joined)


# --- front-ends ---


def segmentation(*, variant: str = "musicnn") -> dict[str, int]:
    """Consecutive segments of 16 kHz audio.

    musicnn: patches of 187 frames of 256 samples (package 0.1.0, configuration.py and
    extractor.py), centred on multiples of 256 samples. The clip is padded with zeros, as in the
    original under librosa 0.9 and later; it was trained under librosa 0.7, which reflects the ends.
    This changes one frame of the first patch.

    "spectrogram" and "waveform": 15 s, the length of the paper's training patches according to
    secondary sources. "won2020": 3 s (its eval.py).

    Args:
        variant: as in `frontend`.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    if variant in ("waveform", "won2020"):
        samples = 240000 if variant == "waveform" else 48000
        return {"sample_rate": 16000, "segment": samples, "hop": samples, "pad": 0}
    frames = 187 if variant == "musicnn" else 938
    return {
        "sample_rate": 16000,
        "segment": (frames - 1) * 256 + 512,
        "hop": frames * 256,
        "pad": 256,  # half a window at both ends of the clip
    }


def frontend(
    waveform: keras.KerasTensor, *, variant: str = "musicnn", n: int = 16
) -> dict[str, keras.KerasTensor]:
    """Waveform to feature sequence.

    Args:
        waveform: (batch, samples), 16 kHz.
        variant: one of "musicnn", "spectrogram", "waveform", "won2020".
        n: width of the "spectrogram" variant (29 n channels); 16 is the authors' best.

    Returns:
        Stages by name, the last of them "frontend": (batch, frames, channels).

    Raises:
        ConfigError: there is no such variant.
    """
    if variant == "musicnn":
        return musicnn_frontend(waveform)
    if variant == "spectrogram":
        return spectrogram_frontend(waveform, n)
    if variant == "waveform":
        return waveform_frontend(waveform)
    if variant == "won2020":
        return won2020_frontend(waveform)
    raise ConfigError(f"variant is {variant!r}; pons2017 has {', '.join(VARIANTS)}.")


def musicnn_frontend(waveform: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Two timbral and three temporal filter shapes (musicnn 0.1.0, models.py, `frontend`)."""
    features = LogMelSpectrogram(name="features")(waveform)  # (batch, 187, 96)
    x = layers.Reshape((1, -1, 96), name="one_channel")(features)
    x, scale, offset = InputNorm(axis=1, **NORM, name="input_norm")(x)
    x = layers.Reshape((-1, 96), name="normalised")(x)  # (batch, 187, 96)
    timbral = [
        PooledFilters(204, (7, bands), name=f"timbral_{bands}")(x, scale, offset)  # (.., 187, 204)
        for bands in (38, 67)  # .4 and .7 of 96 bands
    ]
    temporal = [
        PooledFilters(51, (length, 1), name=f"temporal_{length}")(x, scale, offset)  # (.., 187, 51)
        for length in (128, 64, 32)
    ]
    timbral = layers.Concatenate(name="timbral")(timbral)  # (batch, 187, 408)
    temporal = layers.Concatenate(name="temporal")(temporal)  # (batch, 187, 153)
    joined = layers.Concatenate(name="frontend")([timbral, temporal])  # (batch, 187, 561)
    return {"features": features, "timbral": timbral, "temporal": temporal, "frontend": joined}


def spectrogram_frontend(waveform: keras.KerasTensor, n: int) -> dict[str, keras.KerasTensor]:
    """Six timbral and four temporal filter shapes (authors' 2017 code).

    Unlike in musicnn the input is not normalised, and the temporal filters take the mean over
    frequency.
    """
    features = LogMelSpectrogram(name="features")(waveform)  # (batch, 938, 96)
    timbral = [
        PooledFilters(width * n, (frames, bands), HE, name=f"timbral_{frames}x{bands}")(features)
        for bands in (86, 38)  # .9 and .4 of 96 bands
        for frames, width in ((7, 1), (3, 2), (1, 4))
    ]
    energy = ops.mean(features, axis=2, keepdims=True)  # (batch, 938, 1)
    temporal = [
        conv_norm(energy, width * n, length, f"temporal_{length}", initializer=HE)
        for length, width in ((165, 1), (128, 2), (64, 4), (32, 8))
    ]
    timbral = layers.Concatenate(name="timbral")(timbral)  # (batch, 938, 14 n)
    temporal = layers.Concatenate(name="temporal")(temporal)  # (batch, 938, 15 n)
    joined = layers.Concatenate(name="frontend")([timbral, temporal])  # (batch, 938, 29 n)
    return {"features": features, "timbral": timbral, "temporal": temporal, "frontend": joined}


def waveform_frontend(waveform: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Seven sample-level convolutions of 3 samples, after Lee 2017 (authors' 2017 code)."""
    x = layers.Reshape((-1, 1), name="one_channel")(waveform)  # (batch, 240000, 1)
    x = conv_norm(x, 64, 3, "conv0", strides=3, padding="valid", initializer=HE)  # (.., 80000, 64)
    for i, filters in enumerate((64, 64, 128, 128, 128, 256), start=1):
        x = conv_norm(x, filters, 3, f"conv{i}", padding="valid", initializer=HE)
        name = "frontend" if i == 6 else f"pool{i}"
        x = layers.MaxPooling1D(3, name=name)(x)  # 26666, 8888, 2962, 986, 328, 108 frames
    return {"frontend": x}


# --- back-ends ---


def backend(
    stages: dict[str, keras.KerasTensor], *, variant: str = "musicnn", shared_norm: bool = True
) -> dict[str, keras.KerasTensor]:
    """Feature sequence to one vector: convolutions over time, global pooling, a dense layer.

    Args:
        stages: result of `frontend`.
        variant: as in `frontend`.
        shared_norm: see the top of this file; for the paper's variants only.

    Returns:
        Stages by name, the last of them "penultimate": (batch, units).
    """
    if variant == "musicnn":
        return musicnn_backend(stages["frontend"])
    if variant == "won2020":
        return won2020_backend(stages["frontend"])
    return paper_backend(stages["frontend"], shared_norm)


def musicnn_backend(x: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Mid-end and back-end of the released network (musicnn 0.1.0, `midend` and `backend`)."""
    cnn1 = conv_norm(x, 64, 7, "cnn1_conv")  # (batch, 187, 64)
    cnn2 = layers.Add(name="cnn2")([conv_norm(cnn1, 64, 7, "cnn2_conv"), cnn1])
    cnn3 = layers.Add(name="cnn3")([conv_norm(cnn2, 64, 7, "cnn3_conv"), cnn2])
    x = layers.Concatenate(name="dense_connection")([x, cnn1, cnn2, cnn3])  # (batch, 187, 753)
    max_pool = layers.GlobalMaxPooling1D(name="max_pool_layer")(x)  # (batch, 753)
    mean_pool = layers.GlobalAveragePooling1D(name="mean_pool")(x)  # (batch, 753)
    pooled = interleave(max_pool, mean_pool, 753, "pooled")  # (batch, 1506)
    x = layers.BatchNormalization(**NORM, name="pooled_norm")(pooled)
    x = layers.Dropout(0.5, name="pooled_dropout")(x)
    x = layers.Dense(200, activation="relu", name="dense_layer")(x)  # (batch, 200)
    x = layers.BatchNormalization(**NORM, name="dense_norm")(x)
    penultimate = layers.Dropout(0.5, name="penultimate")(x)
    summary = {"max_pool": max_pool, "mean_pool": mean_pool, "pooled": pooled}
    return {"cnn1": cnn1, "cnn2": cnn2, "cnn3": cnn3, **summary, "penultimate": penultimate}


def paper_backend(x: keras.KerasTensor, shared_norm: bool) -> dict[str, keras.KerasTensor]:
    """The back-end of both networks of the 2017 paper (authors' code)."""
    cnn1 = conv_norm(x, 512, 7, "cnn1", padding="valid", initializer=HE)  # (batch, frames - 6, 512)
    y = conv_norm(cnn1, 512, 7, "cnn2_conv", initializer=HE, shared_norm=shared_norm)
    cnn2 = layers.Add(name="cnn2")([y, cnn1])
    x = layers.MaxPooling1D(2, name="halved")(cnn2)  # (batch, (frames - 6) / 2, 512)
    y = conv_norm(x, 512, 7, "cnn3_conv", initializer=HE, shared_norm=shared_norm)
    cnn3 = layers.Add(name="cnn3")([y, x])
    max_pool = layers.GlobalMaxPooling1D(name="max_pool_layer")(cnn3)  # (batch, 512)
    mean_pool = layers.GlobalAveragePooling1D(name="mean_pool")(cnn3)  # (batch, 512)
    pooled = interleave(max_pool, mean_pool, 512, "pooled")  # (batch, 1024)
    x = layers.Dropout(0.5, name="pooled_dropout")(pooled)
    x = layers.Dense(500, activation="relu", name="dense_layer")(x)  # (batch, 500)
    x = layers.BatchNormalization(**NORM, name="dense_norm")(x)
    penultimate = layers.Dropout(0.5, name="penultimate")(x)
    summary = {"max_pool": max_pool, "mean_pool": mean_pool, "pooled": pooled}
    return {"cnn1": cnn1, "cnn2": cnn2, "cnn3": cnn3, **summary, "penultimate": penultimate}


# --- the variant of Won et al. 2020 ---


def norm_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Batch norm, then ReLU."""
    x = layers.BatchNormalization(**TORCH_NORM, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def won2020_frontend(waveform: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Two timbral and three temporal filter shapes (model.py and modules.py of their code)."""
    features = LogMelSpectrogram(
        scale="htk", area_norm=False, compression="decibel", centre=True, name="features"
    )(waveform)  # (batch, 188, 96)
    x = layers.Reshape((-1, 96, 1), name="one_channel")(features)
    x = layers.BatchNormalization(**TORCH_NORM, name="input_norm")(x)
    padded = layers.ZeroPadding2D(((3, 3), (0, 0)), name="padded")(x)
    timbral = []
    for bands in (67, 38):  # .7 and .4 of 96 bands
        name = f"timbral_{bands}"
        y = TallConv2D(204, (7, bands), name=f"{name}_conv")(padded)
        y = norm_relu(y, name)  # (batch, 188, positions, 204)
        timbral.append(ops.max(y, axis=2))  # (batch, 188, 204)
    energy = ops.mean(x, axis=2)  # (batch, 188, 1)
    temporal = []
    for length in (129, 65, 33):
        name = f"temporal_{length}"
        y = layers.Conv1D(51, length, padding="same", name=f"{name}_conv")(energy)
        temporal.append(norm_relu(y, name))
    timbral = layers.Concatenate(name="timbral")(timbral)  # (batch, 188, 408)
    temporal = layers.Concatenate(name="temporal")(temporal)  # (batch, 188, 153)
    joined = layers.Concatenate(name="frontend")([timbral, temporal])  # (batch, 188, 561)
    return {"features": features, "timbral": timbral, "temporal": temporal, "frontend": joined}


def won2020_backend(x: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Their mid-end and back-end: like musicnn's, with another order of operations."""

    def conv(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x = layers.Conv1D(64, 7, padding="same", name=f"{name}_conv")(x)
        return norm_relu(x, name)

    cnn1 = conv(x, "cnn1")  # (batch, 188, 64)
    cnn2 = layers.Add(name="cnn2")([conv(cnn1, "cnn2"), cnn1])
    cnn3 = layers.Add(name="cnn3")([conv(cnn2, "cnn3"), cnn2])
    x = layers.Concatenate(name="dense_connection")([x, cnn1, cnn2, cnn3])  # (batch, 188, 753)
    max_pool = layers.GlobalMaxPooling1D(name="max_pool_layer")(x)  # (batch, 753)
    mean_pool = layers.GlobalAveragePooling1D(name="mean_pool")(x)  # (batch, 753)
    pooled = layers.Concatenate(name="pooled")([max_pool, mean_pool])  # (batch, 1506)
    x = layers.Dense(200, name="dense_layer")(pooled)  # (batch, 200)
    x = norm_relu(x, "dense")
    penultimate = layers.Dropout(0.5, name="penultimate")(x)
    summary = {"max_pool": max_pool, "mean_pool": mean_pool, "pooled": pooled}
    return {"cnn1": cnn1, "cnn2": cnn2, "cnn3": cnn3, **summary, "penultimate": penultimate}


# --- published weights ---


def from_musicnn(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the variables of a musicnn 0.1.0 checkpoint as this file does.

    TensorFlow 1 numbered them in the order of creation: input norm, the five filter shapes, the
    three convolutions of the mid-end, the two dense layers.

    Args:
        tensors: by their TensorFlow names; the optimiser's are ignored.

    Returns:
        Arrays by Keras variable path.
    """
    blocks = ["timbral_38", "timbral_67", "temporal_128", "temporal_64", "temporal_32"]
    convs = [f"{block}/conv" for block in blocks] + [f"cnn{i}_conv" for i in (1, 2, 3)]
    norms = [f"{block}/norm" for block in blocks] + [f"cnn{i}_conv_norm" for i in (1, 2, 3)]

    def numbered(kind: str, names: list[str]) -> dict[str, str]:
        return {f"{kind}_{i}" if i else kind: name for i, name in enumerate(names)}

    ours = _renaming.from_tensorflow(
        tensors,
        numbered("conv2d", convs) | numbered("dense", ["dense", "logits"]),
        numbered("batch_normalization", ["input_norm", *norms, "pooled_norm", "dense_norm"]),
    )
    for i in (1, 2, 3):  # (7, channels, 1, 64), a 2D convolution over the full height: (7, .., 64)
        ours[f"cnn{i}_conv/kernel"] = ours[f"cnn{i}_conv/kernel"][:, :, 0, :]
    return ours


def from_won2020(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the tensors of a Musicnn of Won et al. 2020 as this file does.

    The stored window and mel filters equal those of our spectrogram layer and are ignored.

    Args:
        tensors: by their PyTorch names.

    Returns:
        Arrays by Keras variable path.
    """
    shapes = ("timbral_67", "timbral_38", "temporal_129", "temporal_65", "temporal_33")
    blocks = {f"layers.{i}": shape for i, shape in enumerate(shapes)}
    blocks |= {f"layer{i}": f"cnn{i}" for i in (1, 2, 3)}
    weighted = {f"{theirs}.conv": f"{name}_conv" for theirs, name in blocks.items()}
    weighted |= {"dense1": "dense", "dense2": "logits"}
    norms = {f"{theirs}.bn": f"{name}_norm" for theirs, name in blocks.items()}
    norms |= {"spec_bn": "input_norm", "bn": "dense_norm"}
    return _renaming.from_torch(tensors, weighted, norms)


CARD = {
    "title": "End-to-end learning for music audio tagging at scale",
    "authors": [
        "Jordi Pons",
        "Oriol Nieto",
        "Matthew Prockup",
        "Erik Schmidt",
        "Andreas Ehmann",
        "Xavier Serra",
    ],
    "year": 2017,
    "venue": "arXiv 1711.02520; ISMIR 2018",
    "url": "https://arxiv.org/abs/1711.02520",
    "task": "tagging",
    "input": "spectrogram",
    "domain_knowledge": True,
    "many_shapes": True,
    "shape": "vertical and horizontal",
    "filters": "many shapes in the first layer, vertical and horizontal",
    "backend": "temporal_pooling",
    "variants": {
        "musicnn": {
            "parameters": 787159,
            "sample_rate": 16000,
            "segment": 48128,
            "plane": [187, 96],
            "filters": [[7, 38, 204], [7, 67, 204], [128, 1, 51], [64, 1, 51], [32, 1, 51]],
        },
        "spectrogram": {
            "options": {"variant": "spectrogram"},
            "parameters": 5924154,
            "segment": 240384,
            "plane": [938, 96],
            "filters": [
                [7, 86, 16],
                [3, 86, 32],
                [1, 86, 64],
                [7, 38, 16],
                [3, 38, 32],
                [1, 38, 64],
            ],
            "over_mean": [[165, 16], [128, 32], [64, 64], [32, 128]],
        },
        "waveform": {
            "options": {"variant": "waveform"},
            "parameters": 5377082,
            "segment": 240000,
            "filters": [[3, 3, 64]],
            "plane": None,
        },
        "won2020": {
            "options": {"variant": "won2020"},
            "parameters": 784300,
            "segment": 48000,
            "plane": [188, 96],
            "filters": [[7, 38, 204], [7, 67, 204]],
            "over_mean": [[129, 51], [65, 51], [33, 51]],
        },
    },
    "stages": {
        "features": "log-mel spectrogram (frames, 96)",
        "timbral": "vertical filters, pooled over frequency (frames, 408)",
        "temporal": "horizontal filters, pooled over frequency (frames, 153)",
        "frontend": "timbral and temporal joined (frames, 561)",
        "cnn1": "first convolution of the mid-end (frames, 64)",
        "cnn2": "second, with its residual connection (frames, 64)",
        "cnn3": "third, with its residual connection (frames, 64)",
        "max_pool": "maximum over time of frontend, cnn1, cnn2, cnn3 (753)",
        "mean_pool": "mean over time of the same (753)",
        "pooled": "both, side by side (1506)",
        "penultimate": "dense layer after its batch normalisation (200)",
        "logits": "one per label",
        "probabilities": "one per label, independent of each other",
    },
}

# "musicnn", as its author trained it (github.com/jordipons/musicnn-training): Adam at 1e-3, batches
# of 32, a random segment of each clip an epoch, the rate halved after 75 epochs without a better
# validation loss; the released network of MagnaTagATune took 600 epochs. There the loss also has
# 1e-5 times half the squared kernels; a recipe's weight decay is different, so there is none. The
# patience is our choice. The training of the networks of the 2017 paper could not be confirmed.
# "won2020" (their code): Adam at 1e-4 with an L2 penalty of 1e-4, batches of 16, for 80 epochs,
# then SGD with a Nesterov momentum of .9 at 1e-3, after 20 epochs 1e-4, after 20 more 1e-5; 200
# epochs in all.
TRAINING = dict(
    optimizer="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    batch_size=32,
    epochs=600,
    schedule="plateau",
    plateau_factor=0.5,
    plateau_patience=75,
    patience=200,
    chosen=("weight_decay", "patience"),
)
