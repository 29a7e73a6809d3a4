"""Schlüter and Böck 2014: small filters, longer in time than in frequency, for onsets.

Paper: Jan Schlüter, Sebastian Böck, "Improved musical onset detection with convolutional neural
networks", ICASSP 2014, pages 6979-6983. Before it: the same authors, "Musical onset detection with
convolutional neural networks", 6th International Workshop on Machine Learning and Music, 2013.

The idea. An onset is an edge in a spectrogram. Windows of 23, 46 and 93 ms give the same instant in
three resolutions, like the three channels of a picture. Filters of 7 frames by 3 bands find edges;
pooling over frequency alone allows shifts in pitch but not in time. A dense layer takes 7 frames,
which with the filters makes 15 frames of context, 70 ms to either side. The output is one number
for each frame of 10 ms: the probability of an onset.

The dense layer is a convolution over 7 frames here (same weights, same result), so the network
takes clips of any length. At its ends the first and the last frame are repeated, as in madmom; so
"frontend" has 3 frames more than the clip at either end.

Variants:
    "paper" (default): ReLU in the convolutions. No weights were released.
    "madmom": tanh, the windows in the order 46, 23, 93 ms, samples cut to 16 bits. For madmom's
        checkpoint (models/onsets/2013/onsets_cnn.pkl): it is the network of 2013, the first step in
        the table, not the one of the paper's best score.

The gain of each step (paper; F-measure at +-25 ms, 8-fold cross-validation, 102 minutes of music,
25,927 onsets, for each step the threshold of the best F):

    tanh; SGD, learning rate .05, momentum .45 raised to .9 from epoch 10 to 20, 100 epochs   .885
    + dropout of half the inputs of both dense layers; rate 1.0 x .995 an epoch, 300 epochs   .890
    + the frames before and after an onset are also positives, with weight .25               .899
    + ReLU in the convolutions                                                                .903

Batches of 256 excerpts, cross-entropy. 289,693 parameters.

What the paper does not state: the shape of the mel filters, how magnitudes are computed, the
constant before the logarithm, and the padding of clips. We take madmom's for both variants
(`MultiResolutionLogMel`). The paper standardises each band of each channel with constants of a
hold-out set. The layer "standardise" contains them: in an untrained model they change nothing;
`model.get_layer("standardise").adapt(...)` computes them.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.errors import ConfigError
from zoo.layers.spectrograms import MultiResolutionLogMel

FRAME_SIZES = {"paper": (1024, 2048, 4096), "madmom": (2048, 1024, 4096)}  # at 44.1 kHz
ACTIVATION = {"paper": "relu", "madmom": "tanh"}
CONTEXT = 7  # frames of context on either side of the frame to predict

# For `AudioModel.onsets`: samples from one output to the next, and the number of frames on either
# side that an output depends on, including 5 frames of the longest window.
FRAMES = {"hop_length": 441, "context": CONTEXT + 5}


# --- layers ---


@keras.saving.register_keras_serializable("zoo")
class Standardise(layers.Layer):
    """(x - mean) * scale with constants for each band and channel; (batch, frames, bands, ..).

    Not trained: `adapt` computes the constants, or a checkpoint contains them. Always float32,
    since the logarithm of silence is far from 0.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, input_shape: tuple) -> None:
        shape = input_shape[2:]
        self.mean = self.add_weight(shape, "zeros", name="mean", trainable=False)
        self.scale = self.add_weight(shape, "ones", name="scale", trainable=False)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return (x - self.mean) * self.scale

    def adapt(self, features: np.ndarray) -> None:
        """Compute mean and standard deviation.

        Args:
            features: spectrograms, (clips, frames, bands, channels).
        """
        spread = np.std(features, axis=(0, 1), dtype="float64")
        self.mean.assign(np.mean(features, axis=(0, 1), dtype="float64"))
        self.scale.assign(1 / np.where(spread > 0, spread, 1.0))


@keras.saving.register_keras_serializable("zoo")
class RepeatEnds(layers.Layer):
    """Repeat the first and the last frame: (batch, frames, ...) -> (batch, frames + 2 times, ...).

    Args:
        times: number of repetitions.
    """

    def __init__(self, times: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.times = times

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        first, last = (ops.repeat(frame, self.times, axis=1) for frame in (x[:, :1], x[:, -1:]))
        return ops.concatenate([first, x, last], axis=1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, frames, *rest = input_shape
        return (batch, None if frames is None else frames + 2 * self.times, *rest)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "times": self.times}


# --- front-end ---


def segmentation() -> dict[str, int]:
    """Consecutive segments of 10 s at 44.1 kHz, for `embed` and training. Our choice.

    `AudioModel.onsets` does not cut clips: each frame has its full context.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    return {"sample_rate": 44100, "segment": 441000, "hop": 441000, "pad": 0}


def frontend(
    waveform: keras.KerasTensor, *, variant: str = "paper"
) -> dict[str, keras.KerasTensor]:
    """Waveform to feature maps.

    Args:
        waveform: (batch, samples), 44.1 kHz.
        variant: "paper" or "madmom".

    Returns:
        Stages by name, the last of them "frontend": (batch, frames + 6, 8 bands, 20 channels) with
        frames = ceil(samples / 441).

    Raises:
        ConfigError: there is no such variant.
    """
    if variant not in ACTIVATION:
        raise ConfigError(f"variant is {variant!r}; schluter2014 has {', '.join(ACTIVATION)}.")
    activation = ACTIVATION[variant]
    features = MultiResolutionLogMel(
        frame_sizes=FRAME_SIZES[variant], sixteen_bit=variant == "madmom", name="features"
    )(waveform)  # (batch, frames, 80, 3)
    x = Standardise(name="standardise")(features)  # (batch, frames, 80, 3)
    x = RepeatEnds(CONTEXT, name="context")(x)  # (batch, frames + 14, 80, 3)
    x = layers.Conv2D(10, (7, 3), activation=activation, name="conv1")(x)  # (.., + 8, 78, 10)
    pool1 = layers.MaxPooling2D((1, 3), name="pool1")(x)  # (batch, frames + 8, 26, 10)
    x = layers.Conv2D(20, (3, 3), activation=activation, name="conv2")(pool1)  # (.., + 6, 24, 20)
    x = layers.MaxPooling2D((1, 3), name="frontend")(x)  # (batch, frames + 6, 8, 20)
    return {"features": features, "pool1": pool1, "frontend": x}


# --- back-end ---


def backend(stages: dict[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
    """Feature maps to one vector for each frame: a dense layer over 7 frames, 256 sigmoid units.

    Args:
        stages: result of `frontend`.

    Returns:
        Stages by name, the last of them "penultimate": (batch, frames, 256).
    """
    x = layers.Reshape((-1, 8 * 20), name="bands_joined")(stages["frontend"])
    x = layers.Dropout(0.5, name="dense_dropout")(x)
    x = layers.Conv1D(256, 7, activation="sigmoid", name="dense_layer")(x)  # (batch, frames, 256)
    return {"penultimate": layers.Dropout(0.5, name="penultimate")(x)}


# --- published weights ---


def from_madmom(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the variables of madmom's onset network as this file does.

    madmom convolves, but Keras correlates: the filters are reversed in time and frequency. The 1120
    inputs of its dense layer are in the order frame, band, channel, like ours.

    Args:
        tensors: by layer and name, from `zoo.weights.convert.madmom`.

    Returns:
        Arrays by Keras variable path.
    """
    ours = {
        "standardise/mean": tensors["0 BatchNormLayer linear/mean"],
        "standardise/scale": tensors["0 BatchNormLayer linear/inv_std"],
    }
    for theirs, name in (
        ("1 ConvolutionalLayer tanh valid", "conv1"),
        ("3 ConvolutionalLayer tanh valid", "conv2"),
    ):
        filters = tensors[f"{theirs}/weights"][:, :, ::-1, ::-1]  # (in, out, frames, bands)
        ours[f"{name}/kernel"] = filters.transpose(2, 3, 0, 1)
        ours[f"{name}/bias"] = tensors[f"{theirs}/bias"]
    dense = tensors["6 FeedForwardLayer sigmoid/weights"]  # (1120, 256)
    ours["dense/kernel"] = dense.reshape(7, 160, 256)
    ours["dense/bias"] = tensors["6 FeedForwardLayer sigmoid/bias"]
    ours["logits/kernel"] = tensors["7 FeedForwardLayer sigmoid/weights"]
    ours["logits/bias"] = tensors["7 FeedForwardLayer sigmoid/bias"]
    return {path: array.astype("float32") for path, array in ours.items()}


CARD = {
    "title": "Improved musical onset detection with convolutional neural networks",
    "authors": ["Jan Schlüter", "Sebastian Böck"],
    "year": 2014,
    "venue": "ICASSP 2014, pages 6979-6983",
    "url": "https://doi.org/10.1109/ICASSP.2014.6854953",
    "task": "onsets",
    "input": "spectrogram",
    "domain_knowledge": True,
    "shape": "horizontal",
    "filters": "one shape in the first layer, horizontal: 7 frames by 3 bands, on 3 spectrograms",
    "backend": "mlp",
    "labels": 1,
    "variants": {
        "paper": {
            "parameters": 289693,
            "sample_rate": 44100,
            "segment": 441000,
            "plane": [1000, 80],
            "filters": [[7, 3, 10]],
        },
        "madmom": {"options": {"variant": "madmom"}},
    },
    "stages": {
        "features": "three log-mel spectrograms (frames, 80, 3)",
        "pool1": "first convolution and pooling (frames + 8, 26, 10)",
        "frontend": "second convolution and pooling (frames + 6, 8, 20)",
        "penultimate": "dense layer over 7 frames (frames, 256)",
        "logits": "one per label and frame (frames, labels)",
        "probabilities": "one per label and frame of 10 ms (frames, labels)",
    },
    "notes": "one output per frame of 10 ms; model.onsets finds the peaks",
}

# The paper, the steps with dropout: SGD, a rate of 1.0 times .995 an epoch, 300 epochs; the
# schedule here is the same in steps of 25 epochs. There momentum is .45 and rises to .9 from epoch
# 10 to 20. A recipe has one value; with .9 from the start the network diverged in our trial. Their
# batches have 256 excerpts, each one frame with its context; a segment of 10 s has 1,000 of them.
TRAINING = dict(
    optimizer="sgd",
    learning_rate=1.0,
    momentum=0.45,
    batch_size=1,
    epochs=300,
    schedule={
        25: 0.882,
        50: 0.778,
        75: 0.687,
        100: 0.606,
        125: 0.534,
        150: 0.471,
        175: 0.416,
        200: 0.367,
        225: 0.324,
        250: 0.286,
        275: 0.252,
    },
    patience=0,
    chosen=("momentum", "batch_size", "schedule", "patience"),
)
