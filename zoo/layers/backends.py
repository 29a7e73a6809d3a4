"""The five back-ends of the review: from a sequence of feature vectors to one vector.

`zoo.build(name, labels, backend="attention")` combines any of them with any front-end.

| name | length | after |
|---|---|---|
| temporal_pooling | any | Pons et al. 2017 |
| attention | any | Raffel 2016 |
| rnn | any | Vogl et al. 2017 (the review dates it 2018) |
| fully_convolutional | fixed | Choi et al. 2016 |
| mlp | fixed | Schlüter and Böck 2014 |

Each is a function of the front-end's output, (batch, frames, channels) or (batch, frames, bands,
channels), and returns named stages, the last of them "penultimate": (batch, units). Its
keyword-only arguments are options of `zoo.build`.

To make them interchangeable, all but the fully convolutional stack end like the released network of
Pons (musicnn 0.1.0): dropout, a dense layer of 200 ReLU units, batch normalisation, dropout. The
same end for the other papers is our choice.
"""

from collections.abc import Callable, Sequence

import keras
from keras import layers, ops

from zoo.errors import ConfigError

POOLINGS = ("max", "mean", "both", "autopool")
CELLS = {"gru": layers.GRU, "lstm": layers.LSTM}


@keras.saving.register_keras_serializable("zoo")
class AutoPool(layers.Layer):
    """Weighted mean over time, (batch, frames, channels) -> (batch, channels).

    A channel's weights are the softmax over time of alpha times itself. The trainable scalar alpha
    starts at 0, which gives the mean; with growing alpha the result approaches the maximum (as in
    musicnn's training code, github.com/jordipons/musicnn-training).
    """

    def build(self, input_shape):
        self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

    def call(self, x):
        weights = ops.softmax(ops.cast(self.alpha * x, "float32"), axis=1)
        return ops.sum(ops.cast(weights, x.dtype) * x, axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2])


# --- any length ---


def temporal_pooling(
    x, *, pooling: str = "both", dense_units: int = 200, dense_dropout: float = 0.5
) -> dict:
    """Maximum and mean over time, after Pons et al. 2017.

    Args:
        x: (batch, frames, channels) or (batch, frames, bands, channels).
        pooling: "max", "mean", "both", or "autopool" (see `AutoPool`). "both" interleaves them,
            max0, mean0, max1, mean1, ..., as the authors' code does.
        dense_units: of the dense layer.
        dense_dropout: before and after the dense layer.

    Returns:
        Stages "max_pool" and "mean_pool" if computed, "pooled", "penultimate": (batch, units).

    Raises:
        ConfigError: there is no such pooling.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"pooling is {pooling!r}; it is one of {', '.join(POOLINGS)}.")
    x = sequence(x)
    stages = {}
    if pooling in ("max", "both"):
        stages["max_pool"] = layers.GlobalMaxPooling1D(name="max_pool_layer")(x)
    if pooling in ("mean", "both"):
        stages["mean_pool"] = layers.GlobalAveragePooling1D(name="mean_pool")(x)
    if pooling == "autopool":
        stages["pooled"] = AutoPool(name="pooled")(x)
    elif pooling == "both":
        pairs = ops.stack(list(stages.values()), axis=-1)  # (batch, channels, 2)
        stages["pooled"] = layers.Flatten(name="pooled")(pairs)
    else:
        stages["pooled"] = stages[f"{pooling}_pool"]
    return stages | dense_end(stages["pooled"], dense_units, dense_dropout)


def attention(
    x,
    *,
    attention_units: int | None = None,
    per_feature: bool = False,
    dense_units: int = 200,
    dense_dropout: float = 0.5,
) -> dict:
    """Feed-forward attention, after Raffel 2016 (thesis, chapter 6).

    e_t = v^T tanh(W h_t + b); the weights are the softmax of e over time; the result is the
    weighted sum of the frames h_t. W is square in the thesis. Its dense layers, 2 of 2048 units
    and an embedding of 128, are for matching audio with scores and are not here.

    Args:
        x: (batch, frames, channels) or (batch, frames, bands, channels).
        attention_units: rows of W; None for as many as channels.
        per_feature: one weight per channel instead of one per frame: a convolution over 3 frames
            with as many outputs as channels replaces v and W, as in
            github.com/jordipons/musicnn-training, without its optional position code.
        dense_units: of the dense layer.
        dense_dropout: before and after the dense layer.

    Returns:
        Stages "attention", the weights: (batch, frames, 1), or (batch, frames, channels) with
        `per_feature`; "pooled"; "penultimate".
    """
    x = sequence(x)
    channels = x.shape[-1]
    if per_feature:
        energy = layers.Conv1D(channels, 3, padding="same", name="attention_energy")(x)
    else:
        hidden = layers.Dense(attention_units or channels, "tanh", name="attention_hidden")(x)
        energy = layers.Dense(1, use_bias=False, name="attention_energy")(hidden)
    weights = layers.Softmax(axis=1, dtype="float32", name="attention_layer")(energy)
    weighted = layers.Multiply(name="weighted")([weights, x])  # (batch, frames, channels)
    pooled = ops.sum(weighted, axis=1)  # (batch, channels)
    stages = {"attention": weights, "pooled": pooled}
    return stages | dense_end(pooled, dense_units, dense_dropout)


def rnn(
    x,
    *,
    cell: str = "gru",
    rnn_units: int = 60,
    rnn_layers: int = 3,
    bidirectional: bool = True,
    dense_units: int = 200,
    dense_dropout: float = 0.5,
) -> dict:
    """Recurrent layers; their last state is the output.

    The defaults are the three bidirectional GRU layers of 60 units of Vogl et al. 2017, who label
    every frame. The last state (of either direction) represents the clip, as in Choi's CRNN (2 GRU
    layers of 32 units, one direction; `variant="crnn"` of choi2016, whose weights are published)
    and in musicnn's training code (2 LSTM layers of 512, one direction).

    Args:
        x: (batch, frames, channels) or (batch, frames, bands, channels).
        cell: "gru" or "lstm".
        rnn_units: per layer and direction.
        rnn_layers: number of layers.
        bidirectional: whether each layer also runs backwards.
        dense_units: of the dense layer.
        dense_dropout: before and after the dense layer.

    Returns:
        Stages "rnn1", "rnn2", ... (batch, frames, units) of all layers but the last, "pooled",
        "penultimate": (batch, units).

    Raises:
        ConfigError: there is no such cell.
    """
    if cell not in CELLS:
        raise ConfigError(f"cell is {cell!r}; it is one of {', '.join(CELLS)}.")
    x = sequence(x)
    stages = {}
    for i in range(1, rnn_layers + 1):
        name = "pooled" if i == rnn_layers else f"rnn{i}"
        # The inner layer's name is part of its weights' path; Keras would number it.
        inner = cell if bidirectional else name
        layer = CELLS[cell](rnn_units, return_sequences=i < rnn_layers, name=inner)
        x = layers.Bidirectional(layer, name=name)(x) if bidirectional else layer(x)
        stages[name] = x
    return stages | dense_end(x, dense_units, dense_dropout)


# --- fixed length ---


def fully_convolutional(
    x, *, conv_filters: Sequence[int] = (32, 128, 128, 192, 256), conv_dropout: float = 0.5
) -> dict:
    """Convolutions and pools down to one point, after Choi et al. 2016; no dense layer.

    A block is a convolution (3 x 3, or 3 over a front-end without a frequency axis; zero-padded),
    batch normalisation, ReLU, max-pooling; one dropout at the end, instead of the paper's
    one after each block. The widths are those of the CNN that the authors released. `pool_sizes`
    gives the pools: for the paper's 1366 frames they are 4, 4, 4, 5, 4 as in that CNN.

    Args:
        x: (batch, frames, channels) or (batch, frames, bands, channels), frames fixed.
        conv_filters: width of each block.
        conv_dropout: after the last block.

    Returns:
        Stages "stack1", "stack2", ..., "penultimate": (batch, conv_filters[-1]).

    Raises:
        ConfigError: the length of `x` is not fixed.
    """
    *lengths, _ = fixed_shape(x, "fully_convolutional")  # frames, or frames and bands
    conv, pool = (
        (layers.Conv1D, layers.MaxPooling1D)
        if len(lengths) == 1
        else (layers.Conv2D, layers.MaxPooling2D)
    )
    pools = zip(*(pool_sizes(length, len(conv_filters)) for length in lengths), strict=True)
    stages = {}
    for i, (filters, size) in enumerate(zip(conv_filters, pools, strict=True), start=1):
        x = conv(filters, 3, padding="same", name=f"stack{i}_conv")(x)
        x = layers.BatchNormalization(name=f"stack{i}_norm")(x)
        x = layers.ReLU(name=f"stack{i}_relu")(x)
        x = stages[f"stack{i}"] = pool(size, name=f"stack{i}")(x)
    x = layers.Flatten(name="pooled")(x)
    return stages | {"penultimate": layers.Dropout(conv_dropout, name="penultimate")(x)}


def mlp(x, *, dense_units: int = 200, dense_dropout: float = 0.5) -> dict:
    """Flatten, then a dense layer, after Schlüter and Böck 2014.

    Theirs has 256 sigmoid units and the same dropout before both dense layers.

    Args:
        x: (batch, frames, channels) or (batch, frames, bands, channels), frames fixed.
        dense_units: of the dense layer.
        dense_dropout: before and after the dense layer.

    Returns:
        Stages "pooled", the flat vector; "penultimate": (batch, units).

    Raises:
        ConfigError: the length of `x` is not fixed.
    """
    fixed_shape(x, "mlp")
    flat = layers.Flatten(name="pooled")(x)
    return {"pooled": flat} | dense_end(flat, dense_units, dense_dropout)


# --- what they share ---


def sequence(x):
    """Join bands and channels: (batch, frames, bands, channels) -> (batch, frames, .. x ..)."""
    if len(x.shape) == 3:
        return x
    return layers.Reshape((-1, x.shape[2] * x.shape[3]), name="bands_joined")(x)


def dense_end(x, units: int, dropout: float) -> dict:
    """Dropout, dense, batch normalisation, dropout: (batch, any) -> "penultimate": (.., units)."""
    x = layers.Dropout(dropout, name="dense_dropout")(x)
    x = layers.Dense(units, activation="relu", name="dense_layer")(x)
    x = layers.BatchNormalization(name="dense_norm")(x)
    return {"penultimate": layers.Dropout(dropout, name="penultimate")(x)}


def fixed_shape(x, backend: str) -> tuple[int, ...]:
    """Return the shape without the batch; raise ConfigError if the length is not fixed."""
    if None in x.shape[1:]:
        raise ConfigError(
            f"the {backend} back-end takes one length only; its input is {tuple(x.shape)}, "
            "without a fixed length."
        )
    return tuple(x.shape[1:])


def pool_sizes(length: int, blocks: int) -> list[int]:
    """Return pool sizes, as equal as possible, that reduce a length to 1.

    Args:
        length: of the input.
        blocks: number of pools.

    Returns:
        The sizes.

    >>> pool_sizes(1366, 5)
    [4, 4, 4, 5, 4]
    """
    sizes = []
    for left in range(blocks, 0, -1):
        sizes.append(round(length ** (1 / left)))
        length //= sizes[-1]
    return sizes


BACKENDS: dict[str, Callable[..., dict]] = {
    function.__name__: function
    for function in (temporal_pooling, attention, rnn, fully_convolutional, mlp)
}
FIXED_LENGTH = ("fully_convolutional", "mlp")


def named(name: str) -> Callable[..., dict]:
    """Return a back-end by its name; raise ConfigError for an unknown one."""
    if name not in BACKENDS:
        raise ConfigError(f"backend is {name!r}; it is one of {', '.join(BACKENDS)}.")
    return BACKENDS[name]
