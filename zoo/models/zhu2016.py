"""Zhu, Engel and Hannun 2016: filters of several lengths over the same waveform.

Paper: Zhenyao Zhu, Jesse H. Engel, Awni Hannun, "Learning multiscale features directly from
waveforms", Interspeech 2016 (arXiv 1603.09509).

The idea. The length of a filter makes it precise either in time or in frequency, and a spectrogram
has one length for all. So apply several convolutions to the waveform in parallel: short filters
with a short stride, precise in time, and long ones, precise in pitch. Pooling gives all of them the
same frame rate. It is the waveform's counterpart of filters of many shapes.

Only the abstract could be confirmed. It states: the filters are convolutions over the raw waveform,
trained at several scales together; a smaller stride and more filters help, and several scales give
both at a lower cost; in a network for speech recognition this reduced the word error rate by 20.7 %
compared with a network of equal size on spectrograms, on an internal test set. It states no
lengths, strides or widths. So every number in this file is our choice and an option: this network
is inspired by the paper, not a copy of it.

Our choices: three scales of 1, 4 and 40 ms at 16 kHz; a second convolution in each branch; a frame
every 20 ms; batch normalisation; temporal pooling as the back-end, since the paper's recurrent
layers transcribe speech and ours must predict tags. `backend="rnn"` uses recurrent layers.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from zoo.errors import ConfigError
from zoo.layers import backends


def segmentation(*, sample_rate: int = 16000, seconds: float = 3.0) -> dict[str, int]:
    """Consecutive segments of 3 s. Our choice.

    Args:
        sample_rate: in Hz.
        seconds: length of a segment.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    samples = round(seconds * sample_rate)
    return {"sample_rate": sample_rate, "segment": samples, "hop": samples, "pad": 0}


def frontend(
    waveform: keras.KerasTensor,
    *,
    lengths: Sequence[int] = (16, 64, 640),
    strides: Sequence[int] = (8, 32, 160),
    filters: Sequence[int] = (256, 256, 256),
    hop_length: int = 320,
    second_filters: Sequence[int] = (256, 256, 256),
    second_length: int = 3,
) -> dict[str, keras.KerasTensor]:
    """Waveform to feature sequence: one branch per scale.

    Args:
        waveform: (batch, samples).
        lengths: of each branch's filters, in samples.
        strides: of each branch, in samples; each must divide `hop_length`.
        filters: number of filters of each branch.
        hop_length: samples from one frame to the next, common to all branches.
        second_filters: width of each branch's second convolution.
        second_length: of the second convolutions, in frames.

    Returns:
        Stages "branch_<length>" (batch, frames, second_filters), the last of them "frontend":
        (batch, samples // hop_length, sum of second_filters).

    Raises:
        ConfigError: the branches cannot have the same frame rate.
    """
    check(lengths, strides, filters, second_filters, hop_length)
    x = layers.Reshape((-1, 1), name="one_channel")(waveform)  # (batch, 48000, 1)
    stages = {
        f"branch_{length}": branch(x, length, stride, first, second, hop_length, second_length)
        for length, stride, first, second in zip(
            lengths, strides, filters, second_filters, strict=True
        )
    }
    if len(stages) == 1:
        return stages | {"frontend": next(iter(stages.values()))}
    return stages | {"frontend": layers.Concatenate(name="frontend")(list(stages.values()))}


def branch(
    x: keras.KerasTensor,
    length: int,
    stride: int,
    filters: int,
    second: int,
    hop_length: int,
    second_length: int,
) -> keras.KerasTensor:
    """One scale: (batch, samples, 1) -> (batch, samples // hop_length, second).

    The waveform is padded so that every `stride` samples give one frame, with the filter centred on
    them. So the frames of all branches start together and have the same number.

    Args:
        x: (batch, samples, 1).
        length: of the first filters, in samples.
        stride: of the first filters, in samples.
        filters: number of the first filters.
        second: number of the second filters.
        hop_length: samples from one frame to the next.
        second_length: of the second filters, in frames.

    Returns:
        (batch, samples // hop_length, second).
    """
    around = length - stride
    x = layers.ZeroPadding1D((around // 2, around - around // 2), name=f"padded_{length}")(x)
    x = conv_norm(x, filters, length, f"conv1_{length}", strides=stride)
    x = layers.MaxPooling1D(hop_length // stride, name=f"pool_{length}")(x)
    return conv_norm(x, second, second_length, f"conv2_{length}", padding="same")


def conv_norm(
    x: keras.KerasTensor, filters: int, length: int, name: str, **options: Any
) -> keras.KerasTensor:
    """Convolution over time, batch norm, ReLU.

    Args:
        x: (batch, frames, any).
        filters: number of filters.
        length: of a filter, in frames.
        name: of the convolution.
        **options: of `keras.layers.Conv1D`.

    Returns:
        (batch, frames, filters).
    """
    x = layers.Conv1D(filters, length, kernel_initializer="he_uniform", name=name, **options)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def check(
    lengths: Sequence[int],
    strides: Sequence[int],
    filters: Sequence[int],
    second_filters: Sequence[int],
    hop_length: int,
) -> None:
    """Raise ConfigError if the branches do not match each other."""
    counts = [len(numbers) for numbers in (lengths, strides, filters, second_filters)]
    if len(set(counts)) > 1 or not lengths:
        raise ConfigError(
            "lengths, strides, filters and second_filters have "
            f"{', '.join(map(str, counts))} numbers; each needs one number per branch."
        )
    if len(set(lengths)) < len(lengths):
        raise ConfigError(f"lengths is {list(lengths)}; they must differ from each other.")
    for length, stride in zip(lengths, strides, strict=True):
        if hop_length % stride or length < stride:
            raise ConfigError(
                f"a stride of {stride} does not fit: it must divide hop_length ({hop_length}) and "
                f"be at most the filter's length ({length})."
            )


def backend(
    stages: dict[str, keras.KerasTensor],
    *,
    pooling: str = "both",
    dense_units: int = 200,
    dense_dropout: float = 0.5,
) -> dict[str, keras.KerasTensor]:
    """Feature sequence to one vector: the shared temporal pooling.

    Args:
        stages: result of `frontend`.
        pooling: see `zoo.layers.backends.temporal_pooling`.
        dense_units: of the dense layer.
        dense_dropout: before and after the dense layer.

    Returns:
        Stages by name, the last of them "penultimate": (batch, dense_units).
    """
    return backends.temporal_pooling(
        stages["frontend"],
        pooling=pooling,
        dense_units=dense_units,
        dense_dropout=dense_dropout,
    )


CARD = {
    "title": "Learning multiscale features directly from waveforms",
    "authors": ["Zhenyao Zhu", "Jesse H. Engel", "Awni Hannun"],
    "year": 2016,
    "venue": "Interspeech 2016; arXiv 1603.09509",
    "url": "https://arxiv.org/abs/1603.09509",
    "task": "tagging",
    "input": "waveform",
    "domain_knowledge": True,
    "many_shapes": True,
    "shape": "frame-level",
    "filters": "many lengths in the first layer, in parallel",
    "backend": "temporal_pooling",
    "variants": {
        "multiscale": {
            "parameters": 1096602,
            "sample_rate": 16000,
            "segment": 48000,
            "filters": [[16, 8, 256], [64, 32, 256], [640, 160, 256]],
        },
    },
    "stages": {
        "branch_16": "filters of 16 samples (frames, 256)",
        "branch_64": "filters of 64 samples (frames, 256)",
        "branch_640": "filters of 640 samples (frames, 256)",
        "frontend": "the three joined (frames, 768): a frame every 20 ms",
        "max_pool": "maximum over time (768)",
        "mean_pool": "mean over time (768)",
        "pooled": "both, interleaved (1536)",
        "penultimate": "dense layer after its batch normalisation (200)",
        "logits": "one per label",
        "probabilities": "one per label, independent of each other",
    },
    "notes": "inspired by the paper: only its abstract could be confirmed, every number is ours",
}

# The paper's network recognises speech, and only its abstract could be confirmed: all of this is
# our choice.
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
