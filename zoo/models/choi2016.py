"""Choi et al. 2016: small square filters in many layers, down to one point.

Paper: Keunwoo Choi, György Fazekas, Mark Sandler, "Automatic tagging using deep convolutional
neural networks", ISMIR 2016 (arXiv 1606.00298).

The idea. Treat the mel spectrogram of a whole clip as a picture, with a stack of 3x3 convolutions
and max-pooling as in networks for images: the shapes contain no knowledge of music. The pooling
sizes reduce 29.12 s to one point; all its channels go to the output.
In Pons' review the first layer is the front-end, "small rectangular filters", and the stack over
the whole input is the fully-convolutional back-end of fixed length. Here the front-end is the
first block, convolution to pooling, and the back-end the other blocks.

We could read the authors' slides (github.com/keunwoochoi/music-auto_tagging-keras), not the paper.
Shapes are time x frequency. Variants:
    "fcn" (default): the paper's, 1366 frames of 96 bands at 12 kHz; a block is convolution, batch
        norm, ReLU, max-pooling, dropout of .5. The sources of each `depth`:
        4 (default): the widths are from the slides, the pooling sizes from an open
            re-implementation (MindSpore's). They give 341 x 48, 68 x 12, 8 x 4 and 1 x 1, which
            differs slightly from our memory of the paper. Zero padding and the place of the dropout
            are from memory.
        5: the slides give the first and the last width, 128 and 2048; those between are from
            memory. The pooling sizes are those of a narrower network that the authors released.
        6, 7: one and two more convolutions of 1x1 with 1024 filters; from memory, uncertain.
        3: we know neither the paper's widths nor its pooling sizes. Ours are our own choice.
    "won2020": five narrower blocks without dropout between them, at 16 kHz, and a batch norm of the
        spectrogram; segments of 29 s. Won et al., "Evaluation of CNN-based automatic music tagging
        models", SMC 2020 (arXiv 2006.00751); read from their code and weights,
        github.com/minzwon/sota-music-tagging-models.
    "vgg": a descendant that Jordi Pons trained and released in the package musicnn 0.1.0: blocks of
        equal width on musicnn's spectrogram of 3 s; batch norm follows ReLU. The first pooling has
        a window of 4 x 1 and a stride of 2 x 2, so it drops every second band instead of pooling
        two. The weights were trained with it.
    "narrow": the network that the first author released in that repository: FCN-5 with 32 to 256
        filters and ELU in place of ReLU. Read from its weights; the code beside them at last has
        other widths.
    "crnn": the authors' next network, released there too: Choi, Fazekas, Sandler, Cho,
        "Convolutional recurrent neural networks for music classification" (arXiv 1609.04243), which
        we could not read. Four blocks are the front-end; two GRU layers of 32 units over the 15
        frames that remain are the back-end. Its rates of dropout are those of the last code; they
        were .5 in the code of the time.

The "fcn" spectrogram is in decibels.

"narrow" and "crnn" share an input that their repository does not explain:
    - Its example code takes decibels of the *squared* mel power, no lower than 80 dB below the
      clip's maximum. That is 40 dB of power.
    - It feeds these to the networks as they are, mean -29 and standard deviation 16. But the
      running mean of the first batch norm is about 0 and its "running_std" about 1. So we infer
      that the networks were trained on standardised spectrograms, and standardise each clip. (The
      authors may have used constants of the data set, which nobody published.)
    - That batch norm has a value for each frame. So these networks take one length only, and
      "crnn" pads 37 frames of zeros on either side to reach 1440.
    - The "running_std" are standard deviations, sqrt(variance + 1e-6), as Keras 1.0.6 stores them
      under Theano: those of the padding are sqrt(1e-6). The same version under TensorFlow, and
      later ones, take them for variances.
With spectrograms as they are and the stored values as variances, "crnn" gives the scores that the
repository prints (`tests/test_choi2016_released.py`). What we load is the corrected reading. The
repository prints no scores of the "narrow" weights, and we have no recordings of the Million Song
Dataset, so that no score of either could be measured again.

The paper has only one length. With a shorter `segment`, a pooling window that is larger than its
input shrinks to it, so that the weights keep their shapes (our choice; not those of the batch norm
of "narrow" and "crnn"). A longer one gives several points, which all go to the output.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from zoo.errors import ConfigError
from zoo.layers.spectrograms import LogMelSpectrogram
from zoo.models import _renaming

VARIANTS = ("fcn", "won2020", "vgg", "narrow", "crnn")


class Net(NamedTuple):
    """The parts of one of the networks. Pairs are (frames, bands)."""

    geometry: dict[str, int]  # result of `segmentation`
    spectrogram: dict[str, Any]  # arguments of LogMelSpectrogram
    widths: tuple[int, ...]  # filters of each block
    pools: tuple[tuple[int, int], ...]  # window and stride of each block's max-pooling
    dropout: float  # between blocks
    norm: dict[str, float]  # of all batch norms
    first_stride: tuple[int, int] | None = None  # of the first pooling; None for the window
    norm_of_input: str = ""  # the spectrogram's batch norm: "whole", "frames" or none
    relu_first: bool = False  # before the batch norm
    elu: bool = False  # in place of ReLU
    standardised: bool = False  # whether the spectrogram is the released networks'
    padding: int = 0  # frames of zeros on either side of the spectrogram
    frontend_blocks: int = 1  # blocks that are the front-end
    recurrent: int = 0  # units of the two GRU layers behind the blocks; 0 for none
    last_dropout: float = 0.5  # before the head


FIVE = ((4, 2), (4, 2), (4, 2), (5, 3), (4, 4))
POINT = (1, 1)
FCN = {
    3: ((128, 512, 2048), ((8, 4), (10, 4), (16, 6))),
    4: ((128, 384, 768, 2048), ((4, 2), (5, 4), (8, 3), (8, 4))),
    5: ((128, 256, 512, 1024, 2048), FIVE),
    6: ((128, 256, 512, 1024, 2048, 1024), (*FIVE, POINT)),
    7: ((128, 256, 512, 1024, 2048, 1024, 1024), (*FIVE, POINT, POINT)),
}
KERAS = {"momentum": 0.99, "epsilon": 1e-3}  # Keras 3's and TensorFlow 1's defaults
KERAS1 = {"momentum": 0.9, "epsilon": 1e-6}  # Keras 1.0.6's defaults
TORCH = {"momentum": 0.9, "epsilon": 1e-5}


def network(variant: str, depth: int = 4) -> Net:
    """Return the parts of a network.

    Args:
        variant: one of `VARIANTS`.
        depth: of "fcn", 3 to 7.

    Returns:
        Its parts.

    Raises:
        ConfigError: there is no such variant or depth.
    """
    if variant == "fcn":
        if depth not in FCN:
            known = ", ".join(map(str, FCN))
            raise ConfigError(f"depth is {depth!r}; fcn of choi2016 has {known}.")
        return Net(
            # The segments are those of the authors' example code; the norms' options are ours.
            {"sample_rate": 12000, "segment": 349440, "hop": 349440, "pad": 0},
            {"sample_rate": 12000, "compression": "decibel", "centre": True},
            *FCN[depth],
            dropout=0.5,
            norm=KERAS,
        )
    if variant == "won2020":
        return Net(
            {"sample_rate": 16000, "segment": 464000, "hop": 464000, "pad": 0},
            {"scale": "htk", "area_norm": False, "compression": "decibel", "centre": True},
            (64, 128, 128, 128, 64),
            FIVE,
            dropout=0.0,
            norm=TORCH,
            norm_of_input="whole",
        )
    if variant == "vgg":
        return Net(
            # As musicnn in `pons2017`: patches of 187 frames, cut from a centred spectrogram.
            {"sample_rate": 16000, "segment": 48128, "hop": 47872, "pad": 256},
            {},
            (128,) * 5,
            ((4, 1), (2, 2), (2, 2), (2, 2), (4, 4)),
            dropout=0.25,
            norm=KERAS,
            first_stride=(2, 2),
            norm_of_input="whole",
            relu_first=True,
        )
    if variant in ("narrow", "crnn"):
        crnn = variant == "crnn"
        return Net(
            {"sample_rate": 12000, "segment": 349440, "hop": 349440, "pad": 0},
            {"sample_rate": 12000, "compression": "none", "centre": True},
            (64, 128, 128, 128) if crnn else (32, 128, 128, 192, 256),
            ((2, 2), (3, 3), (4, 4), (4, 4)) if crnn else FIVE,
            dropout=0.1 if crnn else 0.5,
            norm=KERAS1,
            norm_of_input="frames",
            elu=True,
            standardised=True,
            padding=37 if crnn else 0,
            frontend_blocks=4 if crnn else 1,
            recurrent=32 if crnn else 0,
            last_dropout=0.3 if crnn else 0.5,
        )
    raise ConfigError(f"variant is {variant!r}; choi2016 has {', '.join(VARIANTS)}.")


# --- the layers of the released networks ---


@keras.saving.register_keras_serializable("zoo")
class SquaredDecibels(layers.Layer):
    """Decibels of the square of a mel spectrogram: (batch, frames, bands), the same shape.

    max(10 log10(max(x ** 2, 1e-10)), maximum of the clip - 80), as librosa 0.4's `logamplitude`
    computes it for the authors' example code. Always float32.
    """

    compression = "decibel"  # as in `LogMelSpectrogram`

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, mel):
        x = 20.0 * ops.log10(ops.maximum(mel, 1e-5))
        return ops.maximum(x, ops.max(x, axis=(1, 2), keepdims=True) - 80.0)


@keras.saving.register_keras_serializable("zoo")
class Standardised(layers.Layer):
    """Subtract the mean of a clip and divide by its standard deviation: (batch, frames, bands).

    A constant clip, such as digital silence, becomes 0 (our choice). Always float32.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, x):
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(x), axis=(1, 2), keepdims=True))
        return x / ops.maximum(deviation, 1e-3)


@keras.saving.register_keras_serializable("zoo")
def hard_sigmoid(x):
    """Return Keras 1's hard sigmoid, .2 x + .5 cut to 0 and 1; that of Keras 3 is x / 6 + .5."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


# --- the network ---


def segmentation(*, variant: str = "fcn") -> dict[str, int | bool]:
    """Segments of a fixed length.

    fcn, narrow, crnn: 29.12 s at 12 kHz, which is 1366 frames. won2020: 29 s at 16 kHz, 1813
    frames. vgg: 3 s at 16 kHz, 187 frames.

    Args:
        variant: as in `frontend`.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    return {**network(variant).geometry, "fixed": True}


def frontend(
    waveform: keras.KerasTensor, *, variant: str = "fcn", depth: int = 4, width: float = 1.0
) -> dict[str, keras.KerasTensor]:
    """Waveform to the output of the first block; of the fourth for crnn.

    Args:
        waveform: (batch, samples); 16 kHz for "won2020" and "vgg", else 12 kHz.
        variant: one of "fcn", "won2020", "vgg", "narrow", "crnn".
        depth: of "fcn", 3 to 7.
        width: factor on the number of filters of every block. According to the authors'
            slides, a narrow network of 32 to 256 filters has about the same score.

    Returns:
        Stages by name, the last of them "frontend": (batch, frames, bands, channels).

    Raises:
        ConfigError: there is no such variant or depth; the length is not fixed, for "narrow" and
            "crnn".
    """
    net = network(variant, depth)
    if net.norm_of_input == "frames" and waveform.shape[1] is None:
        raise ConfigError(
            f"variant {variant!r} of choi2016 has a batch norm with a value for each frame, so it "
            'takes one length only; give backend="mlp" or "fully_convolutional", or no backend.'
        )
    if net.standardised:
        mel = LogMelSpectrogram(**net.spectrogram, name="mel")(waveform)
        features = SquaredDecibels(name="features")(mel)
        x = Standardised(name="standardised")(features)
    else:
        x = features = LogMelSpectrogram(**net.spectrogram, name="features")(waveform)
    x = layers.Reshape((-1, 96, 1), name="one_channel")(x)  # (batch, 1366, 96, 1)
    if net.padding:
        x = layers.ZeroPadding2D((net.padding, 0), name="padding")(x)  # (batch, 1440, 96, 1)
    if net.norm_of_input:
        axis = 1 if net.norm_of_input == "frames" else -1
        x = layers.BatchNormalization(axis, **net.norm, name="input_norm")(x)
    *blocks, last = stack(x, range(1, net.frontend_blocks + 1), net, width).items()
    return {"features": features, **dict(blocks), "frontend": last[1]}


def backend(
    stages: dict[str, keras.KerasTensor],
    *,
    variant: str = "fcn",
    depth: int = 4,
    width: float = 1.0,
) -> dict[str, keras.KerasTensor]:
    """The other blocks; their output is one point (vgg: two) with the channels of the last block.

    crnn: two GRU layers; the output is the last state of the second.

    Args:
        stages: result of `frontend`.
        variant: as in `frontend`.
        depth: as in `frontend`.
        width: as in `frontend`.

    Returns:
        Stages by name, the last of them "penultimate": (batch, units).
    """
    net = network(variant, depth)
    x = stages["frontend"]
    found = stack(x, range(net.frontend_blocks + 1, len(net.widths) + 1), net, width)
    x = list(found.values())[-1] if found else x
    if net.recurrent:
        x = layers.Dropout(net.dropout, name=f"block{len(net.widths)}_dropout")(x)
        x = layers.Reshape((x.shape[1], -1), name="sequence")(x)  # (batch, 15, 128)
        found["rnn1"] = gru(net.recurrent, "rnn1", return_sequences=True)(x)  # (batch, 15, 32)
        x = gru(net.recurrent, "rnn2", return_sequences=False)(found["rnn1"])  # (batch, 32)
    else:
        x = layers.Flatten(name="flat")(x)
    return {**found, "penultimate": layers.Dropout(net.last_dropout, name="penultimate")(x)}


def stack(x: keras.KerasTensor, numbers: range, net: Net, width: float) -> dict:
    """Blocks with dropout between them and, but for the first block, before them.

    Args:
        x: (batch, frames, bands, channels).
        numbers: of the blocks, from 1.
        net: parts of the network.
        width: factor on the number of filters.

    Returns:
        Output by block, "block1" and so on: (batch, frames, bands, channels).
    """
    found = {}
    for i in numbers:
        if i > 1 and net.dropout:
            x = layers.Dropout(net.dropout, name=f"block{i - 1}_dropout")(x)
        x = found[f"block{i}"] = block(x, i, net, width)
    return found


def gru(units: int, name: str, return_sequences: bool) -> keras.layers.RNN:
    """Return a GRU layer as Keras 1 had it: the reset comes before the recurrent product.

    Args:
        units: of the state.
        name: of the layer.
        return_sequences: return every frame's state and not only the last.

    Returns:
        The layer: (batch, frames, channels) to (batch, frames, units) or (batch, units).
    """
    # The cell's name is part of its weights' path; Keras would number it.
    cell = layers.GRUCell(
        units, recurrent_activation=hard_sigmoid, reset_after=False, name=f"{name}_cell"
    )
    # Unrolled, since its 15 steps are always 15: plain operations can be exported anywhere.
    return layers.RNN(cell, return_sequences=return_sequences, unroll=True, name=name)


def block(x: keras.KerasTensor, number: int, net: Net, width: float) -> keras.KerasTensor:
    """Convolution, batch norm, ReLU or ELU, max-pooling: (batch, frames, bands, channels), smaller.

    Args:
        x: (batch, frames, bands, channels).
        number: of the block, from 1.
        net: parts of the network.
        width: factor on the number of filters.

    Returns:
        (batch, fewer frames, fewer bands, filters).
    """
    name, pool = f"block{number}", net.pools[number - 1]
    filters = max(1, round(width * net.widths[number - 1]))
    kernel = 1 if pool == POINT else 3
    x = layers.Conv2D(filters, kernel, padding="same", name=f"{name}_conv")(x)
    relu = layers.ELU(name=f"{name}_elu") if net.elu else layers.ReLU(name=f"{name}_relu")
    norm = layers.BatchNormalization(**net.norm, name=f"{name}_norm")
    x = norm(relu(x)) if net.relu_first else relu(norm(x))
    if pool == POINT:
        return x
    plane = x.shape[1:3]  # frames are unknown for a back-end that takes any length
    window = [size if n is None else min(size, n) for size, n in zip(pool, plane, strict=True)]
    strides = net.first_stride if number == 1 else None
    return layers.MaxPooling2D(window, strides, name=f"{name}_pool")(x)


# --- published weights ---


def from_musicnn(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the variables of a vgg checkpoint of musicnn 0.1.0 as this file does.

    TensorFlow 1 numbered the batch norms in the order of creation, that of the input first.

    Args:
        tensors: by their TensorFlow names; the optimiser's are ignored.

    Returns:
        Arrays by Keras variable path.
    """
    weighted, norms = {"dense": "logits"}, {"batch_normalization": "input_norm"}
    for i in range(1, 6):
        weighted[f"{i}CNN"] = f"block{i}_conv"
        norms[f"batch_normalization_{i}"] = f"block{i}_norm"
    return _renaming.from_tensorflow(tensors, weighted, norms)


def from_won2020(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the tensors of an FCN of Won et al. 2020 as this file does.

    The stored window and mel filters equal those of our spectrogram layer and are ignored.

    Args:
        tensors: by their PyTorch names.

    Returns:
        Arrays by Keras variable path.
    """
    weighted, norms = {"dense": "logits"}, {"spec_bn": "input_norm"}
    for i in range(1, 6):
        weighted[f"layer{i}.conv"] = f"block{i}_conv"
        norms[f"layer{i}.bn"] = f"block{i}_norm"
    return _renaming.from_torch(tensors, weighted, norms)


def from_keras1(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the weights of the released networks, narrow or crnn, as this file does.

    "running_std" holds sqrt(variance + 1e-6), see the top of this file.

    Args:
        tensors: what `zoo.weights.convert.keras1_tensorflow` reads.

    Returns:
        Arrays by Keras variable path.
    """
    recurrent = "gru1/W_z" in tensors
    ours = {
        "logits/kernel": tensors["output/W"],
        "logits/bias": tensors["output/b"],
        **_norm_of_keras1(tensors, "bn_0_freq", "input_norm"),
    }
    for i in range(1, (4 if recurrent else 5) + 1):
        ours[f"block{i}_conv/kernel"] = tensors[f"conv{i}/W"].T  # (out, in, bands, frames)
        ours[f"block{i}_conv/bias"] = tensors[f"conv{i}/b"]
        ours |= _norm_of_keras1(tensors, f"bn{i}", f"block{i}_norm")
    for i in (1, 2) if recurrent else ():
        for theirs, part in (("W", "kernel"), ("U", "recurrent_kernel"), ("b", "bias")):
            gates = [tensors[f"gru{i}/{theirs}_{gate}"] for gate in "zrh"]
            ours[f"rnn{i}/rnn{i}_cell/{part}"] = np.concatenate(gates, axis=-1)
    return ours


def _norm_of_keras1(tensors: dict[str, np.ndarray], theirs: str, name: str) -> dict:
    """Return the weights of a batch norm."""
    variance = tensors[f"{theirs}/running_std"].astype("float64") ** 2 - KERAS1["epsilon"]
    return {
        f"{name}/gamma": tensors[f"{theirs}/gamma"],
        f"{name}/beta": tensors[f"{theirs}/beta"],
        f"{name}/moving_mean": tensors[f"{theirs}/running_mean"],
        f"{name}/moving_variance": np.maximum(variance, 0).astype("float32"),
    }


CARD = {
    "title": "Automatic tagging using deep convolutional neural networks",
    "authors": ["Keunwoo Choi", "György Fazekas", "Mark Sandler"],
    "year": 2016,
    "venue": "ISMIR 2016; arXiv 1606.00298",
    "url": "https://arxiv.org/abs/1606.00298",
    "task": "tagging",
    "input": "spectrogram",
    "domain_knowledge": False,
    "shape": "small rectangles",
    "filters": "small rectangles, 3x3 in every layer",
    "backend": "fully_convolutional",
    "variants": {
        "fcn": {
            "parameters": 17365938,
            "sample_rate": 12000,
            "segment": 349440,
            "plane": [1366, 96],
            "filters": [[3, 3, 128]],
        },
        "fcn, depth 3": {"options": {"depth": 3}, "parameters": 10138674},
        "fcn, depth 5": {"options": {"depth": 5}, "parameters": 25183026},
        "fcn, depth 6": {"options": {"depth": 6}, "parameters": 27232050},
        "fcn, depth 7": {"options": {"depth": 7}, "parameters": 28283698},
        "won2020": {
            "options": {"variant": "won2020"},
            "parameters": 447732,
            "sample_rate": 16000,
            "segment": 464000,
            "plane": [1813, 96],
            "filters": [[3, 3, 64]],
        },
        "vgg": {
            "options": {"variant": "vgg"},
            "parameters": 605748,
            "sample_rate": 16000,
            "segment": 48128,
            "plane": [187, 96],
        },
        "narrow": {"options": {"variant": "narrow"}, "parameters": 865950, "filters": [[3, 3, 32]]},
        "crnn": {"options": {"variant": "crnn"}, "parameters": 396786, "filters": [[3, 3, 64]]},
    },
    "notes": (
        "fcn has a depth: 4 is the best documented, 5 less so, 6 and 7 are uncertain, and 3 is our "
        "own, not the paper's. narrow and crnn are networks that the first author released; "
        "won2020 and vgg are descendants, whose weights are published."
    ),
    "stages": {
        "features": "log-mel spectrogram (frames, 96)",
        "block1": "first block (crnn)",
        "frontend": "first block (crnn: the fourth), pooled (frames, bands, channels)",
        "block2": "second block, pooled (frames, bands, channels)",
        "block3": "third block",
        "block4": "fourth block",
        "block5": "fifth block",
        "block6": "1x1 filters (depth 6 and 7 of fcn)",
        "block7": "1x1 filters (depth 7 of fcn)",
        "rnn1": "first recurrent layer (crnn) (frames, units)",
        "penultimate": "the last block as one vector; of crnn the last state",
        "logits": "one per label",
        "probabilities": "one per label, independent of each other",
    },
}

# The slides only state that later runs took 480 epochs (on the Million Song Dataset). Adam is from
# memory; the rest is our choice.
TRAINING = dict(
    optimizer="adam",
    learning_rate=1e-3,
    batch_size=16,
    epochs=480,
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
