"""Pons, Lidy and Serra 2016: filters whose shapes are musical hypotheses.

Paper: Jordi Pons, Thomas Lidy, Xavier Serra, "Experimenting with musically motivated convolutional
neural networks", CBMI 2016 (ieeexplore.ieee.org/document/7500246).

The idea. On a spectrogram the two axes of a filter mean different things. A filter that is one band
high and 60 frames long can only learn rhythm and tempo; one that is one frame long and 32 bands
high can only learn timbre; a rectangle may learn either, and the shape does not show which. The
paper compares them on ballroom dances. The many filter shapes of `pons2017` are based on it.

Variants, with (frames x bands) filters, 32 of each, ReLU, nothing padded:
    "black_box": 8 x 12, max-pool over 4 bands, dense 200.
    "time": 60 x 1, maximum over all bands, without a dense layer.
    "frequency": 1 x 32, maximum over all frames, without a dense layer.
    "time_frequency" (default): both of these in parallel, dense 200.

Every number is from the authors' code (github.com/jordipons/CBMI2016). There the output is a
softmax over the 8 classes of Ballroom: `zoo.build("pons2016", dances, activation="softmax")`. A
song gets the class of most of its excerpts; `model.tag` takes the mean of their scores instead.

The input differs in three small ways. Essentia's `MelBands` has triangles that are linear on the
mel scale, ours are linear in Hz; its windows are symmetric, ours periodic; the ends of a clip are
padded with zeros there and reflected here. Its scale is kept, see `GAIN`. Inside our example clip
no value differs by more than .012, of up to 2.1. The original normalises with statistics that
include the test data; here they are two stored numbers, see `GlobalStandardise`.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.errors import ConfigError
from zoo.layers.mel import WINDOWS
from zoo.layers.spectrograms import LogMelSpectrogram

VARIANTS = ("black_box", "time", "frequency", "time_frequency")

FRAMES, N_FFT, HOP_LENGTH = 80, 2048, 1024  # at 44.1 kHz
LONG = 60  # frames of a long filter

# For log10(10000 x + 1) with Essentia's scale. Its windows sum to 2 and its mel weights, over the
# bins, to 1; ours sum to n_fft times the first cosine, and over Hz to 1 (2.1-beta, Windowing and
# MelBands with their defaults).
GAIN = 10000 * (2 / (N_FFT * WINDOWS["blackman_harris_62"][0])) ** 2 * 44100 / N_FFT


# --- layers ---


@keras.saving.register_keras_serializable("zoo")
class GlobalStandardise(layers.Layer):
    """Subtract one mean and divide by one standard deviation, for all frames and bands.

    The two numbers are weights that training does not change, 0 and 1 until `adapt` or a checkpoint
    sets them. Computation is always in float32.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, input_shape: tuple) -> None:
        self.mean = self.add_weight(shape=(), initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="deviation"
        )

    def adapt(self, features: np.ndarray) -> None:
        """Compute mean and deviation.

        Args:
            features: log-mel spectrograms of the training set, (..., 40).
        """
        self.mean.assign(ops.mean(features))
        self.deviation.assign(ops.std(features))

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return (x - self.mean) / self.deviation

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


def filters(x: keras.KerasTensor, kernel_size: tuple[int, int], name: str) -> keras.KerasTensor:
    """32 filters of one shape: (batch, frames, bands, 1) -> (batch, frames, bands, 32).

    Args:
        x: (batch, frames, bands, 1).
        kernel_size: (frames, bands).
        name: of the layer.

    Returns:
        (batch, frames, bands, 32), smaller by the kernel.
    """
    return layers.Conv2D(32, kernel_size, activation="relu", name=name)(x)


# --- the network ---


def segmentation() -> dict[str, int | bool]:
    """Consecutive segments of 80 frames, 1.9 s.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    return {
        "sample_rate": 44100,
        "segment": (FRAMES - 1) * HOP_LENGTH + N_FFT,
        "hop": FRAMES * HOP_LENGTH,
        "pad": N_FFT // 2,  # Essentia centres its frames
        "fixed": True,
    }


def frontend(
    waveform: keras.KerasTensor, *, variant: str = "time_frequency"
) -> dict[str, keras.KerasTensor]:
    """Waveform to feature sequence.

    Args:
        waveform: (batch, samples), 44.1 kHz.
        variant: one of "black_box", "time", "frequency", "time_frequency".

    Returns:
        Stages by name, the last of them "frontend": (batch, frames, channels), or (batch, frames,
        bands, channels) for "black_box" and "frequency".

    Raises:
        ConfigError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"variant is {variant!r}; pons2016 has {', '.join(VARIANTS)}.")
    features = LogMelSpectrogram(
        sample_rate=44100,
        n_fft=N_FFT,
        window="blackman_harris_62",
        hop_length=HOP_LENGTH,
        n_mels=40,
        scale="htk",
        gain=GAIN,
        name="features",
    )(waveform)  # (batch, 80, 40)
    x = GlobalStandardise(name="standardised")(features)
    x = layers.Reshape((-1, 40, 1), name="one_channel")(x)
    stages = {"features": features}
    if variant == "black_box":
        x = filters(x, (8, 12), "square_layer")  # (batch, 73, 29, 32)
        return stages | {"frontend": layers.MaxPooling2D((1, 4), name="frontend")(x)}
    if "time" in variant:
        x_time = filters(x, (LONG, 1), "long")  # (batch, 21, 40, 32)
        stages["time"] = ops.max(x_time, axis=2)  # (batch, 21, 32)
    if "frequency" in variant:
        stages["frequency"] = filters(x, (1, 32), "tall")  # (batch, 80, 9, 32)
    if variant == "time_frequency":
        return stages | {"frontend": side_by_side(stages["time"], stages["frequency"])}
    return stages | {"frontend": stages[variant]}


def side_by_side(time: keras.KerasTensor, frequency: keras.KerasTensor) -> keras.KerasTensor:
    """Join both branches to one sequence, for other back-ends than the paper's (our choice).

    A long filter covers 60 frames; it is joined with the maximum of the tall filters over the same.
    (batch, 21, 32) and (batch, 80, 9, 32) -> (batch, 21, 320).
    """
    tall = layers.Reshape((-1, 9 * 32), name="tall_joined")(frequency)
    tall = layers.MaxPooling1D(LONG, strides=1, name="tall_pooled")(tall)  # (batch, 21, 288)
    return layers.Concatenate(name="frontend")([time, tall])


def backend(
    stages: dict[str, keras.KerasTensor], *, variant: str = "time_frequency"
) -> dict[str, keras.KerasTensor]:
    """Flatten, and a dense layer if the variant has one; dropout before every dense layer.

    Args:
        stages: result of `frontend`.
        variant: as in `frontend`.

    Returns:
        Stages by name, the last of them "penultimate": (batch, units).
    """
    if variant in ("black_box", "time"):
        pooled = layers.Flatten(name="pooled")(stages["frontend"])  # 16,352 or 672
    else:
        tall = ops.max(stages["frequency"], axis=1)  # over all frames: (batch, 9, 32)
        pooled = layers.Flatten(name="pooled" if variant == "frequency" else "tall_flat")(tall)
    if variant == "time_frequency":
        long = layers.Flatten(name="long_flat")(stages["time"])
        pooled = layers.Concatenate(name="pooled")([long, pooled])  # (batch, 960)
    x = pooled
    if variant in ("black_box", "time_frequency"):
        x = layers.Dropout(0.5, name="dense_dropout")(x)
        x = layers.Dense(200, activation="relu", name="dense_layer")(x)
    return {"pooled": pooled, "penultimate": layers.Dropout(0.5, name="penultimate")(x)}


CARD = {
    "title": "Experimenting with musically motivated convolutional neural networks",
    "authors": ["Jordi Pons", "Thomas Lidy", "Xavier Serra"],
    "year": 2016,
    "venue": "CBMI 2016",
    "url": "https://ieeexplore.ieee.org/document/7500246",
    "task": "tagging",
    "input": "spectrogram",
    "domain_knowledge": True,
    "many_shapes": True,
    "shape": "vertical and horizontal",
    "filters": "one shape, or one vertical and one horizontal, in the only convolutional layer",
    "backend": "mlp",
    "labels": 8,
    "variants": {
        "time_frequency": {
            "parameters": 196816,
            "sample_rate": 44100,
            "segment": 82944,
            "plane": [80, 40],
            "filters": [[60, 1, 32], [1, 32, 32]],
        },
        "time": {"options": {"variant": "time"}, "parameters": 7336, "filters": [[60, 1, 32]]},
        "frequency": {
            "options": {"variant": "frequency"},
            "parameters": 3368,
            "filters": [[1, 32, 32]],
        },
        "black_box": {
            "options": {"variant": "black_box"},
            "parameters": 3275312,
            "filters": [[8, 12, 32]],
        },
    },
    "notes": "The paper has one label per clip: build it with activation='softmax'.",
    "stages": {
        "features": "log-mel spectrogram (frames, 40)",
        "time": "long filters, pooled over frequency (frames, 32); variants with time",
        "frequency": "tall filters (frames, 9, 32); variants with frequency",
        "frontend": "black_box: square filters (frames, 7, 32); time_frequency: both (frames, 320)",
        "pooled": "input of the dense layers (960 in time_frequency)",
        "penultimate": "dense layer, or `pooled` in the variants without one (200)",
        "logits": "one per label",
        "probabilities": "one per label",
    },
}

# The authors' code (github.com/jordipons/CBMI2016): SGD at .01 with a momentum of 0, batches of 10,
# at most 2,000 epochs; the rate is halved after more than 20 epochs whose loss rose, and training
# ends after more than 40. Those are counted over the whole training; ours counts from the best
# epoch on. Best there means validation accuracy, here validation loss.
TRAINING = dict(
    optimizer="sgd",
    learning_rate=0.01,
    batch_size=10,
    epochs=2000,
    schedule="plateau",
    plateau_factor=0.5,
    plateau_patience=20,
    patience=40,
    chosen=("plateau_patience", "patience"),
)
