"""Zhu, Engel and Hannun 2016: learned filters of several lengths over the same waveform.

Paper: Zhenyao Zhu, Jesse H. Engel, Awni Hannun, "Learning multiscale features directly from
waveforms", Interspeech 2016 (arXiv 1603.09509).

The idea. A filter can be precise in time or in frequency, as its length decides, and a spectrogram
decides once for all of them. So let several convolutions read the waveform side by side: short
filters with a short stride, which tell when; long ones, which tell at what pitch; and bring all of
them to one frame rate by pooling. It is the waveform's counterpart of filters of many shapes.

Only the abstract could be confirmed. It says that the filters are convolutions over the raw
waveform, learned at several scales at once; that a smaller stride and more filters help, and that
several scales are the cheaper way to have both; and that, in a network for speech recognition, this
took 20.7 % off the word error rate of a network of equal size on spectrograms, on an internal test
set. It gives no lengths, strides or widths. Every number in here is therefore our choice and an
argument: this network is inspired by the paper, not a copy of it.

Our choices: three scales of 1, 4 and 40 ms at 16 kHz; a second convolution in each branch; a frame
every 20 ms; batch normalisation; temporal pooling behind it, since the paper's own recurrent layers
write out speech and ours must name tags. `backend="rnn"` puts recurrent layers there.
"""

from collections.abc import Sequence

from keras import layers

from zoo.errors import ConfigError
from zoo.layers import backends


def segmentation(*, sample_rate: int = 16000, seconds: float = 3.0) -> dict[str, int]:
    """What the network hears at once: 3 s, one segment after the other. Our choice.

    Args:
        sample_rate: in Hz.
        seconds: length of a segment.
    """
    samples = round(seconds * sample_rate)
    return {"sample_rate": sample_rate, "segment": samples, "hop": samples, "pad": 0}


def frontend(
    waveform,
    *,
    lengths: Sequence[int] = (16, 64, 640),
    strides: Sequence[int] = (8, 32, 160),
    filters: Sequence[int] = (256, 256, 256),
    hop_length: int = 320,
    second_filters: Sequence[int] = (256, 256, 256),
    second_length: int = 3,
) -> dict:
    """Waveform to feature sequence: one branch a scale.

    Args:
        waveform: (batch, samples).
        lengths: of each branch's filters, in samples.
        strides: of each branch, in samples; each must divide `hop_length`.
        filters: how many each branch has.
        hop_length: samples from one frame to the next, common to all branches.
        second_filters: width of each branch's second convolution.
        second_length: of the second convolutions, in frames.

    Returns:
        Stages "branch_<length>" (batch, frames, second_filters), the last of them "frontend":
        (batch, samples // hop_length, sum of second_filters).

    Raises:
        ConfigError: branches that cannot be brought to one frame rate.
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
    x, length: int, stride: int, filters: int, second: int, hop_length: int, second_length: int
):
    """One scale: (batch, samples, 1) -> (batch, samples // hop_length, second).

    The waveform is padded so that there is a frame for every `stride` samples, with its filter
    centred on them. So the frames of all branches begin together and are equally many.
    """
    around = length - stride
    x = layers.ZeroPadding1D((around // 2, around - around // 2), name=f"padded_{length}")(x)
    x = conv_norm(x, filters, length, f"conv1_{length}", strides=stride)
    x = layers.MaxPooling1D(hop_length // stride, name=f"pool_{length}")(x)
    return conv_norm(x, second, second_length, f"conv2_{length}", padding="same")


def conv_norm(x, filters: int, length: int, name: str, **options):
    """Convolution over time, batch norm, ReLU."""
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
    """Raise ConfigError if the branches do not fit each other."""
    counts = [len(numbers) for numbers in (lengths, strides, filters, second_filters)]
    if len(set(counts)) > 1 or not lengths:
        raise ConfigError(
            "lengths, strides, filters and second_filters have "
            f"{', '.join(map(str, counts))} numbers; each needs one number a branch."
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
    stages: dict, *, pooling: str = "both", dense_units: int = 200, dense_dropout: float = 0.5
) -> dict:
    """Feature sequence to one vector: the shared temporal pooling.

    Args:
        stages: what `frontend` returned.
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
    "filters": "many lengths in the first layer, side by side",
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
# ours.
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
