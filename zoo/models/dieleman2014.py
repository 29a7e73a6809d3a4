"""Dieleman and Schrauwen 2014: frames of raw audio under the filters of one convolution.

Paper: Sander Dieleman, Benjamin Schrauwen, "End-to-end learning for music audio", ICASSP 2014,
pages 6964-6968 (doi 10.1109/ICASSP.2014.6854950).

The idea. A spectrogram is a fixed bank of filters over short frames of audio; let the network learn
the bank. The first layer is a convolution over the waveform whose length and stride are those of
the spectrogram that it replaces. So both give the same number of frames, and the rest can be the
same small network: two convolutions over time, each with its max-pooling, and a dense layer.

Inputs:
    "waveform" (default): the learned filters, and the reason why the review lists this paper.
        The samples are not preprocessed. Feature pooling (`feature_pooling`) joins the outputs
        of neighbouring filters so that some invariance (to phase, say) can be learned; the number
        of filters stays and the number of features falls.
    "spectrogram": 128 mel bands, log(1 + 10000 x). It is better in all five settings of Table 1.

Both inputs, five settings of window and hop in samples (Table 1), mean ROC-AUC over 50 tags of
MagnaTagATune:

    window_length  hop_length  spectrogram  waveform
             1024        1024        .8690     .8366
             1024         512        .8726     .8365
              512         512        .8793     .8386
              512         256        .8793     .8408
              256         256        .8815     .8487

Feature pooling at 1024 / 1024: none .8366; L2 .8387 at size 2 and at size 4; max .8183 at size 2,
.8280 at size 4.

What the paper does not state, and our choices:
    - The number of filters of the first layer. Its Fig. 2 draws the spectra of 128 of them for the
      512 / 512 network; we take 128 for every setting.
    - How the convolutions are padded. Without padding the 46 frames of a hop of 1024 are too few,
      so `padding="same"` (zeros that keep the length) is our default. "valid" works for the other
      settings. With both, pooling drops the frames that do not fill a pool.
    - The length of the windows: "about 3 seconds". We take 48,000 samples, one after the other.
    - Whether L2 pooling, a sum of squares of linear filter outputs, ends in a square root. Ours
      does, as the name implies; `square_root=False` omits it.
    - The spectrogram's window function, frequency range and power. We take those of musicnn, whose
      compression is based on this paper's: Hann, 0 to 8 kHz, power. At a window of 256 the lowest
      of the 128 bands are narrower than a bin and stay 0.
    - Initial weights. We take He's uniform ones before a ReLU.

The authors released neither code nor weights. Two student re-implementations with weights exist
(github.com/alexelwood14/adl-coursework and github.com/sakshisaraff/ADL2023, University of Bristol,
2023); they have no licence, so the zoo does not offer them.
"""

from typing import Any

import keras
from keras import layers, ops

from zoo.errors import ConfigError
from zoo.layers.spectrograms import LogMelSpectrogram

INPUTS = ("waveform", "spectrogram")
SETTINGS = ((1024, 1024), (1024, 512), (512, 512), (512, 256), (256, 256))  # Table 1
POOLINGS = (None, "max", "l2")
PADDINGS = ("same", "valid")

SEGMENT = 48000  # samples: 3 s at 16 kHz
KERNEL, POOL = 8, 4  # of both convolutions over time, and of the pools that follow them


# --- layers ---


@keras.saving.register_keras_serializable("zoo")
class FeaturePooling(layers.Layer):
    """Pooling over neighbouring filters: (batch, frames, filters) -> (.., .., filters / size).

    Args:
        kind: "max", or "l2": the square root of the sum of squares.
        size: how many filters are joined.
        square_root: False omits it in "l2".
    """

    def __init__(self, kind: str, size: int, square_root: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind, self.size, self.square_root = kind, size, square_root

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        frames, filters = ops.shape(x)[1], x.shape[2]
        groups = ops.reshape(x, (-1, frames, filters // self.size, self.size))
        if self.kind == "max":
            return ops.max(groups, axis=-1)
        energy = ops.sum(ops.square(ops.cast(groups, "float32")), axis=-1)
        if self.square_root:
            energy = ops.sqrt(energy + 1e-12)  # the root's slope at 0 is infinite
        return ops.cast(energy, x.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:2], input_shape[2] // self.size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kind": self.kind,
            "size": self.size,
            "square_root": self.square_root,
        }


def conv_pool(
    x: keras.KerasTensor, padding: str, conv_name: str, pool_name: str
) -> keras.KerasTensor:
    """32 filters of 8 frames, ReLU, maximum of 4: (batch, frames, any) -> (.., frames / 4, 32).

    Args:
        x: (batch, frames, any).
        padding: "same" or "valid".
        conv_name: name of the convolution.
        pool_name: name of the pooling.

    Returns:
        (batch, frames / 4, 32).
    """
    if padding == "same":  # an even kernel pads one frame less before than after, as TensorFlow
        x = layers.ZeroPadding1D(((KERNEL - 1) // 2, KERNEL // 2), name=f"{conv_name}_pad")(x)
    x = layers.Conv1D(
        32, KERNEL, activation="relu", kernel_initializer="he_uniform", name=conv_name
    )(x)
    return layers.MaxPooling1D(POOL, name=pool_name)(x)


# --- front-end ---


def segmentation() -> dict[str, int | bool]:
    """Consecutive segments of 48,000 samples at 16 kHz.

    "About 3 s" in the paper; a clip's score is the mean over its consecutive windows. The dense
    layer requires one length.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    return {
        "sample_rate": 16000,
        "segment": SEGMENT,
        "hop": SEGMENT,
        "pad": 0,
        "fixed": True,
    }


def frontend(
    waveform: keras.KerasTensor,
    *,
    input: str = "waveform",
    window_length: int = 256,
    hop_length: int = 256,
    filters: int = 128,
    feature_pooling: str | None = None,
    pool_size: int = 2,
    square_root: bool = True,
    padding: str = "same",
) -> dict[str, keras.KerasTensor]:
    """Waveform to feature sequence.

    Args:
        waveform: (batch, samples), 16 kHz.
        input: "waveform" or "spectrogram".
        window_length: of a filter or a frame, in samples. Table 1 has five settings of this and
            `hop_length`, see `SETTINGS`; 256 / 256 is the best for both inputs.
        hop_length: in samples.
        filters: of the first layer, before pooling; "waveform" only.
        feature_pooling: None, "max" or "l2"; "waveform" only.
        pool_size: how many filters are joined: 2 or 4 in the paper.
        square_root: whether "l2" ends in a square root.
        padding: of the two convolutions over time: "same" or "valid".

    Returns:
        Stages by name, the last of them "frontend": (batch, frames / 16, 32).

    Raises:
        ConfigError: an option has an unknown value, or the hop is so long that no frame is left.
    """
    for name, value, known in (
        ("input", input, INPUTS),
        ("feature_pooling", feature_pooling, POOLINGS),
        ("padding", padding, PADDINGS),
    ):
        if value not in known:
            raise ConfigError(
                f"{name} is {value!r}; dieleman2014 has {', '.join(map(repr, known))}."
            )
    check_length(waveform.shape[1] or SEGMENT, window_length, hop_length, padding)
    if input == "spectrogram":
        if feature_pooling is not None:
            raise ConfigError("feature_pooling joins learned filters: it needs input='waveform'.")
        features = LogMelSpectrogram(
            n_fft=window_length,
            hop_length=hop_length,
            n_mels=128,
            compression="log",
            name="features",
        )(waveform)  # (batch, 187, 128)
    else:
        features = learned_filters(
            waveform, window_length, hop_length, filters, feature_pooling, pool_size, square_root
        )
    pool1 = conv_pool(features, padding, "conv1", "pool1")  # (batch, 46, 32)
    pool2 = conv_pool(pool1, padding, "conv2", "frontend")  # (batch, 11, 32)
    return {"features": features, "pool1": pool1, "frontend": pool2}


def learned_filters(
    waveform: keras.KerasTensor,
    length: int,
    stride: int,
    filters: int,
    pooling: str | None,
    pool_size: int,
    square_root: bool,
) -> keras.KerasTensor:
    """Layer 0, which replaces the spectrogram: (batch, samples) -> (batch, frames, features).

    Args:
        waveform: (batch, samples), 16 kHz.
        length: of a filter, in samples.
        stride: in samples.
        filters: number of filters.
        pooling: None, "max" or "l2".
        pool_size: how many filters are joined.
        square_root: whether "l2" ends in a square root.

    Returns:
        (batch, frames, features).

    Raises:
        ConfigError: `pool_size` does not divide `filters`.
    """
    if pooling is not None and filters % pool_size:
        raise ConfigError(f"pool_size is {pool_size}: it must divide the {filters} filters.")
    x = layers.Reshape((-1, 1), name="one_channel")(waveform)  # (batch, 48000, 1)
    x = layers.Conv1D(
        filters,
        length,
        strides=stride,
        activation=None if pooling == "l2" else "relu",
        kernel_initializer="he_uniform",
        name="conv0",
    )(x)  # (batch, 187, 128)
    if pooling is None:
        return x
    return FeaturePooling(pooling, pool_size, square_root, name="features")(x)


def check_length(samples: int, window_length: int, hop_length: int, padding: str) -> None:
    """Raise ConfigError if no frame of a segment is left after the pools.

    Args:
        samples: of a segment.
        window_length: in samples.
        hop_length: in samples.
        padding: "same" or "valid".

    Raises:
        ConfigError: as above.
    """
    frames = left = 1 + (samples - window_length) // hop_length
    for _ in (1, 2):
        left = (left - (KERNEL - 1 if padding == "valid" else 0)) // POOL
    if left < 1:
        raise ConfigError(
            f"nothing is left of {frames} frames after two convolutions of {KERNEL} frames with "
            f"padding={padding!r} and two pools of {POOL}: use padding='same', a shorter "
            "hop_length or a longer segment."
        )


# --- back-end ---


def backend(stages: dict[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
    """Feature sequence of fixed length to one vector: a dense layer of 100 ReLU units.

    The paper tried dropout here, without a significant change.

    Args:
        stages: result of `frontend`.

    Returns:
        One stage, "penultimate": (batch, 100).
    """
    flat = layers.Flatten(name="flat")(stages["frontend"])  # (batch, 352)
    dense = layers.Dense(100, "relu", kernel_initializer="he_uniform", name="penultimate")(flat)
    return {"penultimate": dense}


CARD = {
    "title": "End-to-end learning for music audio",
    "authors": ["Sander Dieleman", "Benjamin Schrauwen"],
    "year": 2014,
    "venue": "ICASSP 2014, pages 6964-6968",
    "url": "https://doi.org/10.1109/ICASSP.2014.6854950",
    "task": "tagging",
    "input": "waveform",
    "domain_knowledge": True,
    "shape": "frame-level",
    "filters": "one shape in the first layer, as long as a spectrogram's frame",
    "backend": "mlp",
    "variants": {
        "waveform": {
            "parameters": 114270,
            "sample_rate": 16000,
            "segment": 48000,
            "filters": [[256, 256, 128]],
        },
        "spectrogram": {
            "options": {"input": "spectrogram"},
            "parameters": 81374,
            "sample_rate": 16000,
            "segment": 48000,
            "plane": [187, 128],
            "filters": [[8, 128, 32]],
        },
    },
    "stages": {
        "features": "output of the learned filters, or the log-mel spectrogram (frames, 128)",
        "pool1": "first convolution and pooling (frames / 4, 32)",
        "frontend": "second convolution and pooling (frames / 16, 32)",
        "penultimate": "dense layer (100)",
        "logits": "one per label",
        "probabilities": "one per label, independent of each other",
    },
    "notes": "padding, width of the first layer and length of a segment are not in the paper",
}

# The paper: minibatch gradient descent, batches of 10, about 5 million updates, the weights of the
# best validation. It does not state the content of a batch; with one segment of each of the 18,706
# clips per epoch, 5 million updates of 10 are 2,673 epochs. Rate and momentum: those of a student
# re-implementation (Bristol, see above). The constant rate and the patience are our choice.
TRAINING = dict(
    optimizer="sgd",
    learning_rate=0.0075,
    momentum=0.95,
    batch_size=10,
    epochs=2673,
    schedule=None,
    patience=100,
    chosen=("learning_rate", "momentum", "epochs", "schedule", "patience"),
)
