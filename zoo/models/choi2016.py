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

The "fcn" spectrogram is in decibels. Example code of the authors, for that narrower network, takes
decibels of the squared power, which is twice as much; a batch norm follows either way. We do not
offer that network: its weights are bound to how Keras 1.0.6 computed batch norms.

The paper has only one length. With a shorter `segment`, a pooling window that is larger than its
input shrinks to it, so that the weights keep their shapes (our choice). A longer one gives several
points, which all go to the output.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from zoo.errors import ConfigError
from zoo.layers.spectrograms import LogMelSpectrogram
from zoo.models import _renaming

VARIANTS = ("fcn", "won2020", "vgg")


class Net(NamedTuple):
    """The parts of one of the networks. Pairs are (frames, bands)."""

    geometry: dict[str, int]  # result of `segmentation`
    spectrogram: dict[str, Any]  # arguments of LogMelSpectrogram
    widths: tuple[int, ...]  # filters of each block
    pools: tuple[tuple[int, int], ...]  # window and stride of each block's max-pooling
    first_stride: tuple[int, int] | None  # of the first pooling; None for the window
    dropout: float  # between blocks
    norm: dict[str, float]  # of all batch norms
    norm_of_input: bool  # whether the spectrogram has a batch norm
    relu_first: bool  # before the batch norm


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
            first_stride=None,
            dropout=0.5,
            norm=KERAS,
            norm_of_input=False,
            relu_first=False,
        )
    if variant == "won2020":
        return Net(
            {"sample_rate": 16000, "segment": 464000, "hop": 464000, "pad": 0},
            {"scale": "htk", "area_norm": False, "compression": "decibel", "centre": True},
            (64, 128, 128, 128, 64),
            FIVE,
            first_stride=None,
            dropout=0.0,
            norm=TORCH,
            norm_of_input=True,
            relu_first=False,
        )
    if variant == "vgg":
        return Net(
            # As musicnn in `pons2017`: patches of 187 frames, cut from a centred spectrogram.
            {"sample_rate": 16000, "segment": 48128, "hop": 47872, "pad": 256},
            {},
            (128,) * 5,
            ((4, 1), (2, 2), (2, 2), (2, 2), (4, 4)),
            first_stride=(2, 2),
            dropout=0.25,
            norm=KERAS,
            norm_of_input=True,
            relu_first=True,
        )
    raise ConfigError(f"variant is {variant!r}; choi2016 has {', '.join(VARIANTS)}.")


# --- the network ---


def segmentation(*, variant: str = "fcn") -> dict[str, int | bool]:
    """Segments of a fixed length.

    fcn: 29.12 s at 12 kHz, which is 1366 frames. won2020: 29 s at 16 kHz, 1813 frames. vgg: 3 s at
    16 kHz, 187 frames.

    Args:
        variant: as in `frontend`.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.
    """
    return {**network(variant).geometry, "fixed": True}


def frontend(
    waveform: keras.KerasTensor, *, variant: str = "fcn", depth: int = 4, width: float = 1.0
) -> dict[str, keras.KerasTensor]:
    """Waveform to the output of the first block.

    Args:
        waveform: (batch, samples); 12 kHz for "fcn", else 16 kHz.
        variant: one of "fcn", "won2020", "vgg".
        depth: of "fcn", 3 to 7.
        width: factor on the number of filters of every block. According to the authors'
            slides, a narrow network of 32 to 256 filters has about the same score.

    Returns:
        Stages by name, the last of them "frontend": (batch, frames, bands, channels).

    Raises:
        ConfigError: there is no such variant or depth.
    """
    net = network(variant, depth)
    features = LogMelSpectrogram(**net.spectrogram, name="features")(waveform)  # (.., 1366, 96)
    x = layers.Reshape((-1, 96, 1), name="one_channel")(features)
    if net.norm_of_input:
        x = layers.BatchNormalization(**net.norm, name="input_norm")(x)
    return {"features": features, "frontend": block(x, 1, net, width)}


def backend(
    stages: dict[str, keras.KerasTensor],
    *,
    variant: str = "fcn",
    depth: int = 4,
    width: float = 1.0,
) -> dict[str, keras.KerasTensor]:
    """The other blocks; their output is one point (vgg: two) with the channels of the last block.

    Args:
        stages: result of `frontend`.
        variant: as in `frontend`.
        depth: as in `frontend`.
        width: as in `frontend`.

    Returns:
        Stages by name, the last of them "penultimate": (batch, units).
    """
    net = network(variant, depth)
    x, blocks = stages["frontend"], {}
    for i in range(2, len(net.widths) + 1):
        if net.dropout:
            x = layers.Dropout(net.dropout, name=f"block{i - 1}_dropout")(x)
        x = blocks[f"block{i}"] = block(x, i, net, width)
    x = layers.Flatten(name="flat")(x)
    return {**blocks, "penultimate": layers.Dropout(0.5, name="penultimate")(x)}


def block(x: keras.KerasTensor, number: int, net: Net, width: float) -> keras.KerasTensor:
    """Convolution, batch norm, ReLU and max-pooling: (batch, frames, bands, channels), smaller.

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
    relu = layers.ReLU(name=f"{name}_relu")
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
        "fcn, depth 3": {
            "options": {"depth": 3},
            "parameters": 10138674,
            "sample_rate": 12000,
            "segment": 349440,
            "plane": [1366, 96],
            "filters": [[3, 3, 128]],
        },
        "fcn, depth 5": {
            "options": {"depth": 5},
            "parameters": 25183026,
            "sample_rate": 12000,
            "segment": 349440,
            "plane": [1366, 96],
            "filters": [[3, 3, 128]],
        },
        "fcn, depth 6": {
            "options": {"depth": 6},
            "parameters": 27232050,
            "sample_rate": 12000,
            "segment": 349440,
            "plane": [1366, 96],
            "filters": [[3, 3, 128]],
        },
        "fcn, depth 7": {
            "options": {"depth": 7},
            "parameters": 28283698,
            "sample_rate": 12000,
            "segment": 349440,
            "plane": [1366, 96],
            "filters": [[3, 3, 128]],
        },
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
            "filters": [[3, 3, 128]],
        },
    },
    "notes": (
        "fcn has a depth: 4 is the best documented, 5 less so, 6 and 7 are uncertain, and 3 is our "
        "own, not the paper's. won2020 and vgg are descendants, whose weights are published."
    ),
    "stages": {
        "features": "log-mel spectrogram (frames, 96)",
        "frontend": "first block: 3x3 filters, pooled (frames, bands, channels)",
        "block2": "second block, pooled (frames, bands, channels)",
        "block3": "third block",
        "block4": "fourth block",
        "block5": "fifth block",
        "block6": "1x1 filters (depth 6 and 7 of fcn)",
        "block7": "1x1 filters (depth 7 of fcn)",
        "penultimate": "the last block as one vector",
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
