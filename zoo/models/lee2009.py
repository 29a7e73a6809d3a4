"""Lee et al. 2009: features of a spectrogram, trained without labels.

Paper: Honglak Lee, Peter Pham, Yan Largman, Andrew Y. Ng, "Unsupervised feature learning for audio
classification using convolutional deep belief networks", NIPS 22, 2009.

The idea. A convolutional restricted Boltzmann machine (RBM) is a generative model: hidden units
that share weights along time reconstruct the spectrogram, with few of them on at once. Its filters
cover the whole band and a few frames, so they are "vertical". In every block of neighbouring frames
at most one hidden unit of a filter may be on; the probability that one is on pools the block. Two
such machines are stacked, each trained alone and without labels (`zoo.cdbn.pretrain`); a simple
classifier takes statistics of their activations over time.

Where the numbers come from. We could not get the paper's text. "Demo" is the authors' own code for
speech (Copyright Honglak Lee; read at github.com/gsmafra/lee-2009-audio, a fork that was reduced
for debugging).

    demo        Hamming window of 20 ms, hop 10 ms, log(1e-5 + magnitude) - log(1e-5); the mean of
                the utterance subtracted and its RMS divided out; 80 principal components, each
                divided by sqrt(eigenvalue + 3), the mean not subtracted; 300 filters of 6 frames,
                blocks of 3, sigma .2, input of the hidden units clipped to +-20
    summaries   window, hop and the 80 components are the paper's, according to summaries of it
    memory      for music: filters of 10 frames, a second layer of the same size and blocks of 3,
                segments of 3 s, mean, maximum and standard deviation over time; please check the
                paper before you cite these
    our choice  16 kHz for music (the demo's rate for speech); the same normalisation for a segment
                as the demo's for an utterance; the second layer has Gaussian visible units with
                the same sigma; the head sees the last layer only (`summary="all"`: all layers)

Our weights: `lee2009.zoo_unsupervised` is trained as described above. In `lee2009.zoo` the filters
were then trained further with gradients, to predict scores of teachers (recipes/distill.py). As far
as we know, the paper does not do that.

A larger sigma seems better for music: recipes/lee2009/filters.py uses .4 and explains it.

The demo also fades the first and last 20 frames of every utterance in and out ("smooth", with
parameters 20 and 4). We do not: an utterance ends in silence, a segment does not.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.errors import ConfigError
from zoo.layers.spectrograms import LogSpectrogram

SAMPLE_RATE = 16000
SIGMA = 0.2  # standard deviation of the visible units (demo)
OFFSET = 3.0  # added to every eigenvalue (demo, sigmaPC)


# --- layers ---


@keras.saving.register_keras_serializable("zoo")
class SegmentNormalization(layers.Layer):
    """Scale a spectrogram to mean 0 and RMS 1, over all bands; silence gives zeros. Float32.

    The mean is subtracted twice: a float32 sum over 48,000 values of about 10 is rounded
    differently by each backend, and the whitening multiplies a common offset by ten.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        for _ in range(2):
            x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        rms = ops.sqrt(ops.mean(ops.square(x), axis=(1, 2), keepdims=True))
        return x / ops.maximum(rms, 1e-3)  # the log values span 10 to 20

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@keras.saving.register_keras_serializable("zoo")
class PCAWhitening(layers.Layer):
    """Principal components, scaled towards unit variance: (..., bands) -> (..., components).

    The matrix is fitted to data, not trained by gradients. Before `fit` it is a cosine transform
    (DCT-II), which is close to the principal components of smooth spectra.

    Args:
        n_components: number of components.
        offset: added to each eigenvalue before the division by its square root, so that
            components of little variance stay small.
    """

    def __init__(self, n_components: int = 80, offset: float = OFFSET, **kwargs: Any):
        super().__init__(**kwargs)
        self.n_components, self.offset = n_components, offset

    def build(self, input_shape: tuple) -> None:
        bands = input_shape[-1]
        if self.n_components > bands:
            raise ConfigError(
                f"n_components is {self.n_components}; {bands} bands give at most as many."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(bands, self.n_components),
            initializer=self._cosines,
            trainable=False,
        )

    def _cosines(self, shape: tuple[int, int], dtype: Any = None) -> keras.KerasTensor:
        bands, components = shape
        angles = np.pi * np.outer(np.arange(bands) + 0.5, np.arange(components)) / bands
        return ops.convert_to_tensor(np.cos(angles) * np.sqrt(2 / bands / self.offset), dtype)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.matmul(x, self.kernel)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.n_components)

    def fit(self, frames: Iterable[np.ndarray]) -> np.ndarray:
        """Set the matrix to the principal components of data.

        As in the demo, the mean is not subtracted.

        Args:
            frames: iterable of arrays (..., bands).

        Returns:
            The eigenvalues of the components, largest first.

        Raises:
            ConfigError: there are no frames.
        """
        bands = self.kernel.shape[0]
        total, count = np.zeros((bands, bands)), 0
        for block in frames:
            rows = np.asarray(block, dtype="float64").reshape(-1, bands)
            total += rows.T @ rows
            count += len(rows)
        if not count:
            raise ConfigError("there are no frames to fit the whitening to; expected at least one.")
        values, vectors = np.linalg.eigh(total / count)
        largest = np.argsort(-values)[: self.n_components]
        values, vectors = values[largest], vectors[:, largest]
        vectors = vectors * np.sign(vectors.sum(axis=0))  # the sign of a component is arbitrary
        self.kernel.assign(vectors / np.sqrt(values + self.offset))
        return values

    def unwhiten(self, x: np.ndarray) -> np.ndarray:
        """Convert components to bands: (..., components) -> (..., bands)."""
        return np.asarray(x) @ np.linalg.pinv(ops.convert_to_numpy(self.kernel))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_components": self.n_components, "offset": self.offset}


@keras.saving.register_keras_serializable("zoo")
class ConvolutionalRBM(layers.Layer):
    """Hidden units of a convolutional RBM: (batch, frames, channels) -> (batch, hidden, filters).

    Each output is the probability that a hidden unit is on. `pool` neighbours in time form a block,
    in which at most one unit of a filter is on. So it is a softmax over the block and the state
    "all off", whose energy is 0. Frames at the end that do not fill a block are dropped.

    The visible bias belongs to the generative model. Neither inference nor the demo's
    reconstruction uses it, so labels give it no gradient.

    Args:
        filters: number of filters (bases).
        length: of a filter, in frames.
        pool: hidden units in a block.
        sigma: standard deviation of the visible units.
    """

    def __init__(
        self,
        filters: int = 300,
        length: int = 10,
        pool: int = 3,
        sigma: float = SIGMA,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.length, self.pool, self.sigma = filters, length, pool, sigma

    def build(self, input_shape: tuple) -> None:
        channels = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.length, channels, self.filters),
            initializer=keras.initializers.RandomNormal(stddev=0.01),  # demo
        )
        self.hidden_bias = self.add_weight(
            name="hidden_bias",
            shape=(self.filters,),
            initializer=keras.initializers.Constant(-0.1),  # demo
        )
        self.visible_bias = self.add_weight(
            name="visible_bias", shape=(channels,), initializer="zeros", trainable=False
        )

    def response(self, visible: keras.KerasTensor) -> keras.KerasTensor:
        """Convolve and add the bias: (batch, frames, channels) -> (batch, hidden, filters).

        Hidden units that do not fill a block are dropped.
        """
        x = ops.conv(visible, self.kernel, padding="valid", data_format="channels_last")
        x = x + self.hidden_bias
        return x[:, : ops.shape(x)[1] // self.pool * self.pool]

    def probabilities(self, response: keras.KerasTensor) -> keras.KerasTensor:
        """Softmax of each block and "all off": (batch, hidden, filters) -> the same shape."""
        shape = (-1, ops.shape(response)[1] // self.pool, self.pool, self.filters)
        x = ops.reshape(ops.clip(response / self.sigma**2, -20.0, 20.0), shape)
        highest = ops.maximum(ops.max(x, axis=2, keepdims=True), 0.0)
        x = ops.exp(x - highest)
        x = x / (ops.sum(x, axis=2, keepdims=True) + ops.exp(-highest))
        return ops.reshape(x, ops.shape(response))

    def reconstruct(self, hidden: keras.KerasTensor) -> keras.KerasTensor:
        """Mean of the visible units: (batch, hidden, filters) -> (batch, frames, channels)."""
        return ops.conv_transpose(hidden, self.kernel, padding="valid", data_format="channels_last")

    def call(self, visible: keras.KerasTensor) -> keras.KerasTensor:
        return self.probabilities(self.response(visible))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, frames, _ = input_shape
        if frames is None:
            return (batch, None, self.filters)
        hidden = (frames - self.length + 1) // self.pool * self.pool
        if hidden <= 0:
            needed = self.length + self.pool - 1
            raise ValueError(f"{self.name} needs {needed} frames, but the input has {frames}.")
        return (batch, hidden, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "length": self.length,
            "pool": self.pool,
            "sigma": self.sigma,
        }


@keras.saving.register_keras_serializable("zoo")
class ProbabilisticMaxPooling(layers.Layer):
    """Probability that a block is not "all off": (batch, hidden, n) -> (batch, hidden / pool, n).

    At most one unit of a block is on, so this is the sum of their probabilities.

    Args:
        pool: hidden units in a block.
    """

    def __init__(self, pool: int = 3, **kwargs: Any):
        super().__init__(**kwargs)
        self.pool = pool

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        blocks = ops.shape(x)[1] // self.pool
        return ops.sum(ops.reshape(x, (-1, blocks, self.pool, x.shape[-1])), axis=2)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, frames, filters = input_shape
        return (batch, None if frames is None else frames // self.pool, filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool": self.pool}


@keras.saving.register_keras_serializable("zoo")
class StatisticsPooling(layers.Layer):
    """Mean, maximum and standard deviation over time: (batch, frames, n) -> (batch, 3 n)."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        mean = ops.mean(x, axis=1, keepdims=True)
        variance = ops.mean(ops.square(x - mean), axis=1)
        # The gradient of the square root is infinite at 0, hence the small number.
        parts = [ops.squeeze(mean, 1), ops.max(x, axis=1), ops.sqrt(variance + 1e-6)]
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], 3 * input_shape[-1])


# --- the network ---


def segmentation() -> dict[str, int]:
    """Consecutive segments of 3 s (length from memory; overlap and padding unknown).

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    return {"sample_rate": SAMPLE_RATE, "segment": 48000, "hop": 48000, "pad": 0}


def frontend(
    waveform: keras.KerasTensor,
    *,
    length: int = 10,
    bases: int = 300,
    pool: int = 3,
    n_components: int = 80,
    sigma: float = SIGMA,
    depth: int = 2,
) -> dict[str, keras.KerasTensor]:
    """Waveform to the activations of the last layer.

    Args:
        waveform: (batch, samples), 16 kHz.
        length: of the filters, in frames: 10 for music (from memory), 6 for speech (demo).
        bases: filters per layer.
        pool: frames per block.
        sigma: standard deviation of the visible units, see the top of this file.
        n_components: of the whitening.
        depth: number of layers; the paper compares 1 and 2.

    Returns:
        Stages by name, the last of them "frontend": (batch, frames, bases).

    Raises:
        ConfigError: `depth` is below 1.
    """
    if depth < 1:
        raise ConfigError(f"depth is {depth}; lee2009 needs at least 1 layer (the paper has 2).")
    stages = {}
    x = stages["features"] = LogSpectrogram(name="features")(waveform)  # (batch, 299, 161)
    x = stages["normalised"] = SegmentNormalization(name="normalised")(x)
    x = stages["whitened"] = PCAWhitening(n_components, name="whitened")(x)  # (batch, 299, 80)
    for i in range(1, depth + 1):
        rbm = ConvolutionalRBM(bases, length, pool, sigma, name=f"crbm{i}")
        x = stages[f"crbm{i}"] = rbm(x)  # (batch, 288, 300), (batch, 87, 300)
        x = stages[f"pool{i}"] = ProbabilisticMaxPooling(pool, name=f"pool{i}")(x)  # 96, 29
    stages["frontend"] = x
    return stages


def backend(
    stages: dict[str, keras.KerasTensor], *, summary: str = "last"
) -> dict[str, keras.KerasTensor]:
    """Statistics over time; the head on top of them is linear.

    Args:
        stages: result of `frontend`.
        summary: "last" for the last layer, "all" for all of them, joined.

    Returns:
        "penultimate": (batch, 3 bases), or (batch, 3 bases depth) for "all".

    Raises:
        ConfigError: there is no such summary.
    """
    if summary not in ("last", "all"):
        raise ConfigError(f"summary is {summary!r}; it is 'last' or 'all'.")
    pools = [x for name, x in stages.items() if name.startswith("pool")]
    if summary == "last" or len(pools) == 1:
        return {"penultimate": StatisticsPooling(name="penultimate")(pools[-1])}
    parts = [StatisticsPooling(name=f"statistics{i}")(x) for i, x in enumerate(pools, 1)]
    return {"penultimate": layers.Concatenate(name="penultimate")(parts)}


CARD = {
    "title": "Unsupervised feature learning for audio classification using convolutional deep "
    "belief networks",
    "authors": ["Honglak Lee", "Peter Pham", "Yan Largman", "Andrew Y. Ng"],
    "year": 2009,
    "venue": "NIPS 22",
    "url": "https://proceedings.neurips.cc/paper/2009/hash/a113c1ecd3cace2237256f4c712f61b5-Abstract.html",
    "task": "tagging",
    "input": "spectrogram",
    "domain_knowledge": True,
    "shape": "vertical",
    "filters": "one shape in the first layer, vertical: the whole band",
    "backend": "temporal_pooling",
    "variants": {
        "music": {
            "parameters": 1185650,
            "sample_rate": 16000,
            "segment": 48000,
            "plane": [299, 80],
            "bands": "components",
            "filters": [[10, 80, 300]],
        },
        "speech": {"options": {"length": 6}, "parameters": 729650, "filters": [[6, 80, 300]]},
    },
    "stages": {
        "features": "log-magnitude spectrogram (frames, 161)",
        "normalised": "the same with mean 0 and RMS 1 over the segment (frames, 161)",
        "whitened": "its principal components (frames, 80)",
        "crbm1": "probability of each hidden unit of the first layer (frames, 300)",
        "pool1": "probability that one of a block of 3 is on (frames / 3, 300)",
        "crbm2": "hidden units of the second layer (frames / 3, 300)",
        "pool2": "their blocks (frames / 9, 300)",
        "frontend": "the last layer's blocks (frames / 9, 300)",
        "penultimate": "mean, maximum and standard deviation over time (900)",
        "logits": "one per label",
        "probabilities": "one per label, independent of each other",
    },
    "notes": "meant to be trained without labels first (zoo.cdbn.pretrain); the settings for music "
    "are from memory",
}

# The paper trains the two layers without labels (`zoo.cdbn.pretrain` has the demo's numbers) and
# puts a simple classifier on top. Training all layers on labels is our own method. Call `pretrain`
# first to start from the paper's filters.
TRAINING = dict(
    optimizer="adam",
    learning_rate=1e-3,
    batch_size=16,
    epochs=200,
    schedule="plateau",
    plateau_factor=0.5,
    plateau_patience=10,
    patience=30,
    chosen=(
        "optimizer",
        "learning_rate",
        "batch_size",
        "epochs",
        "schedule",
        "plateau_factor",
        "plateau_patience",
        "patience",
    ),
)
