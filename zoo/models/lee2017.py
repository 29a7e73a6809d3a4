"""Lee et al. 2017 (SampleCNN): a waveform, filters of two or three samples, and depth.

Paper: Jongpil Lee, Jiyoung Park, Keunhyoung Luke Kim, Juhan Nam, "Sample-level deep convolutional
neural networks for music auto-tagging using raw waveforms", SMC 2017 (arXiv 1703.01789).

The idea. Filters as long as a spectrogram's frame must be trained for every phase of their pattern.
Filters of very few samples, as small as VGG's for pictures, need not: a strided convolution of m
samples, then n blocks, each a convolution of m frames and a max-pooling by m. They reduce m^(n + 1)
samples to one frame. The paper calls this the m^n model; it trained 3^9, with segments of 59,049
samples (2.68 s), on both of its corpora. This is our default.

Sources: the authors' code (github.com/jongpillee/sampleCNN, for 3^9 and 2^13) and the architecture
file of their trained 3^9 network (github.com/jongpillee/sampleCNN_visualization).

Ours:
    - The widths of other depths. Both networks of the authors' code start with two blocks of 128,
      end with one of 512, and have 256 between; we take that rule for every n.
    - `padding`. A convolution of even length cannot be padded evenly: we pad as TensorFlow does,
      (m - 1) // 2 frames before and m // 2 after, on every Keras backend. Theano, in which the
      paper's 2^13 networks were trained, padded the other way round; no such weights were released.
    - Where front-end ends and back-end begins. The paper has one stack; the review has two parts.
      We cut after the deepest block whose frames are at most 2,205 samples (0.1 s) apart: after the
      sixth of 3^9. So a segment has 27 frames, enough for an attention or an RNN as back-end. Pons'
      study (pons2017, "waveform") cut its sample-level front-end at the same 3^7 samples a frame.
      `frontend_blocks` moves the cut; the weights stay the same.
    - `scale`, a factor on all widths, for machines without a GPU. Not in the paper.
    - Longer input. Everything is convolutional, so a longer segment gives more frames at the end.
      Their mean replaces the paper's flattening; for one frame both are equal.

Won et al. 2020 trained this network at 16 kHz, in PyTorch, with one zero around the input of the
strided convolution: `sample_rate=16000, first_padding=1`; the number of parameters is the same.
"""

import re

import keras
import numpy as np
from keras import layers

from zoo.errors import ConfigError, WeightsError

FRAME = 2205  # samples, 0.1 s at 22,050 Hz: the most that a frame of the front-end may cover

# Keras 1.1.0 under Theano, as in the authors' architecture file.
NORM = {"momentum": 0.99, "epsilon": 1e-5}


# --- layers ---


def conv_norm(
    x: keras.KerasTensor, filters: int, length: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    """Unpadded convolution over time, batch norm, ReLU.

    Args:
        x: (batch, frames, any).
        filters: number of filters.
        length: of a filter, in frames.
        name: of the convolution.
        strides: in frames.

    Returns:
        (batch, fewer frames, filters).
    """
    conv = layers.Conv1D(filters, length, strides, kernel_initializer="he_uniform", name=name)
    x = layers.BatchNormalization(**NORM, name=f"{name}_norm")(conv(x))
    return layers.ReLU(name=f"{name}_relu")(x)


def block(x: keras.KerasTensor, filters: int, m: int, i: int) -> keras.KerasTensor:
    """The i-th block, "conv<i>" and "pool<i>": (batch, frames, any) -> (.., frames / m, filters).

    The convolution keeps the length.

    Args:
        x: (batch, frames, any).
        filters: number of filters.
        m: length of a filter and of the pooling, in frames.
        i: number of the block, from 1.

    Returns:
        (batch, frames / m, filters).
    """
    x = layers.ZeroPadding1D(((m - 1) // 2, m // 2), name=f"conv{i}_pad")(x)
    x = conv_norm(x, filters, m, f"conv{i}")
    return layers.MaxPooling1D(m, name=f"pool{i}")(x)


# --- front-end ---


def segmentation(*, m: int = 3, n: int = 9, sample_rate: int = 22050) -> dict[str, int]:
    """Consecutive segments of m^(n + 1) samples.

    The authors cut their clips of 29 s into 10 such segments and average the scores.

    Args:
        m: samples per filter, and the factor of every pooling.
        n: number of blocks.
        sample_rate: in Hz; 22,050 in the paper.

    Returns:
        As `ModelFile.segmentation` defines it, in samples.

    Raises:
        ConfigError: there is no such m^n model.
    """
    check(m, n)
    samples = m ** (n + 1)
    return {"sample_rate": sample_rate, "segment": samples, "hop": samples, "pad": 0}


def frontend(
    waveform: keras.KerasTensor,
    *,
    m: int = 3,
    n: int = 9,
    width: int = 512,
    scale: float = 1.0,
    first_padding: int = 0,
    frontend_blocks: int | None = None,
) -> dict[str, keras.KerasTensor]:
    """Waveform to feature sequence: the strided convolution and the first blocks.

    Args:
        waveform: (batch, samples).
        m: samples per filter, and the factor of every pooling.
        n: number of blocks, front-end and back-end together.
        width: filters of the last block and the last convolution. The authors' network of the
            Million Song Dataset, used for MIREX 2017, has 256.
        scale: factor on the number of filters of every layer, including `width`; not in the
            paper. With .5 a quarter of the arithmetic remains.
        first_padding: zeros before and after the waveform; 0 in the paper, 1 in Won's.
        frontend_blocks: number of blocks in the front-end; see the top of this file.

    Returns:
        Stages "conv0", "pool1", ..., the last of them "frontend": (batch, frames, channels).

    Raises:
        ConfigError: there is no such m^n model, or `scale` or `frontend_blocks` is out of range.
    """
    x = layers.Reshape((-1, 1), name="one_channel")(waveform)  # (batch, 59049, 1)
    if first_padding:
        x = layers.ZeroPadding1D(first_padding, name="conv0_pad")(x)
    x = conv_norm(x, scaled(128, scale), m, "conv0", strides=m)  # (batch, 19683, 128)
    stages = {"conv0": x}
    depth = front_depth(m, n, frontend_blocks)
    for i, filters in enumerate(widths(n, width, scale)[:depth], start=1):
        x = stages[f"pool{i}"] = block(x, filters, m, i)  # (batch, m^(n - i), filters)
    return stages | {"frontend": x}


def check(m: int, n: int) -> None:
    """Raise ConfigError if there is no such m^n model."""
    if m < 2 or n < 1:
        raise ConfigError(f"m is {m} and n is {n}; an m^n model has m >= 2 and n >= 1.")


def widths(n: int, width: int, scale: float = 1.0) -> list[int]:
    """Return the filters of the n blocks: 128, 128, 256, ..., 256, `width`, times `scale`."""
    return [scaled(w, scale) for w in [*[128, 128, *[256] * (n - 3)][: n - 1], width]]


def scaled(filters: int, scale: float) -> int:
    """Return the number of filters of a scaled layer; raise ConfigError for a bad scale."""
    if scale <= 0:
        raise ConfigError(f"scale is {scale}; it multiplies all widths and must be above 0.")
    return max(1, round(scale * filters))


def front_depth(m: int, n: int, frontend_blocks: int | None) -> int:
    """Return the number of blocks in the front-end; raise ConfigError if it is out of range."""
    check(m, n)
    if frontend_blocks is None:
        return max((i for i in range(n + 1) if m ** (i + 1) <= FRAME), default=0)
    if not 0 <= frontend_blocks <= n:
        raise ConfigError(f"frontend_blocks is {frontend_blocks}; there are {n} blocks.")
    return frontend_blocks


# --- back-end ---


def backend(
    stages: dict[str, keras.KerasTensor],
    *,
    m: int = 3,
    n: int = 9,
    width: int = 512,
    scale: float = 1.0,
    dropout: float = 0.5,
    frontend_blocks: int | None = None,
) -> dict[str, keras.KerasTensor]:
    """Feature sequence to one vector: the other blocks, and a convolution over one frame.

    Args:
        stages: result of `frontend`.
        m: as in `frontend`.
        n: as in `frontend`.
        width: as in `frontend`.
        scale: as in `frontend`.
        dropout: before the head; the authors' network of the Million Song Dataset has none.
        frontend_blocks: as in `frontend`.

    Returns:
        Stages "pool7", ..., "conv10", "pooled", the last of them "penultimate": (batch, width).
    """
    x, rest = stages["frontend"], {}
    depth = front_depth(m, n, frontend_blocks)
    for i, filters in enumerate(widths(n, width, scale)[depth:], start=depth + 1):
        x = rest[f"pool{i}"] = block(x, filters, m, i)  # (batch, m^(n - i), filters)
    last = f"conv{n + 1}"
    rest[last] = conv_norm(x, scaled(width, scale), 1, last)  # (batch, 1, 512)
    rest["pooled"] = layers.GlobalAveragePooling1D(name="pooled")(rest[last])  # (batch, 512)
    return rest | {"penultimate": layers.Dropout(dropout, name="penultimate")(rest["pooled"])}


# --- published weights ---


def from_keras1(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the variables of the authors' Keras 1 files as this file does.

    Keras numbered its layers from 1 in the order of the network: convolution1d_1 with
    batchnormalization_1 is conv0 with conv0_norm, and so on; dense_1 is the head.

    Args:
        tensors: result of `zoo.weights.convert.keras1.read`.

    Returns:
        Arrays by Keras variable path.

    Raises:
        WeightsError: the file has a tensor that this network lacks.
    """
    kinds = {"convolution1d": "conv{}", "batchnormalization": "conv{}_norm"}
    ours = {}
    for name, tensor in tensors.items():
        layer, _, part = name.partition("/")
        kind, _, number = layer.rpartition("_")
        if layer == "dense_1":
            ours[f"logits/{part}"] = tensor
        elif kind in kinds and re.fullmatch("[1-9][0-9]*", number):
            ours[f"{kinds[kind].format(int(number) - 1)}/{part}"] = tensor
        else:
            raise WeightsError(f"the file has {name}; SampleCNN has no such variable.")
    return ours


CARD = {
    "title": "Sample-level deep convolutional neural networks for music auto-tagging using raw "
    "waveforms",
    "authors": ["Jongpil Lee", "Jiyoung Park", "Keunhyoung Luke Kim", "Juhan Nam"],
    "year": 2017,
    "venue": "SMC 2017; arXiv 1703.01789",
    "url": "https://arxiv.org/abs/1703.01789",
    "task": "tagging",
    "input": "waveform",
    "domain_knowledge": False,
    "shape": "sample-level",
    "filters": "minimal: 3 samples, then 3 frames in every layer",
    "backend": "fully_convolutional",
    "variants": {
        "3^9": {
            "parameters": 1869874,
            "sample_rate": 22050,
            "segment": 59049,
            "filters": [[3, 3, 128]],
        },
        "2^13": {
            "options": {"m": 2, "n": 13},
            "parameters": 1872818,
            "segment": 16384,
            "filters": [[2, 2, 128]],
        },
    },
    "stages": {
        "conv0": "strided convolution (19683, 128)",
        "pool1": "first convolution and pooling (6561, 128)",
        "pool2": "second (2187, 128)",
        "pool3": "third (729, 256)",
        "pool4": "fourth (243, 256)",
        "pool5": "fifth (81, 256)",
        "pool6": "sixth (27, 256)",
        "frontend": "the same as pool6: a frame every 0.1 s",
        "pool7": "seventh (9, 256)",
        "pool8": "eighth (3, 256)",
        "pool9": "ninth (1, 512)",
        "conv10": "convolution over one frame (1, 512)",
        "pooled": "mean over time; the paper's segment has one frame (512)",
        "penultimate": "the same, with dropout in training (512)",
        "logits": "one per label",
        "probabilities": "one per label, independent of each other",
    },
    "notes": "m and n set another depth; widths other than those of 3^9 and 2^13 follow our rule",
}

# The authors' code (github.com/jongpillee/sampleCNN): SGD with Nesterov momentum, batches of 23,
# five rates from .01 down to .000016, each a fifth of the one before and kept until the validation
# loss has not improved for 3 epochs. Three things differ there: an epoch has all 10 segments of a
# clip (`zoo.train(..., segments=10)`), each stage starts from the best weights so far, and the
# rate is also divided by 1 + updates / 1,000,000. Five stages without any gain are 15 epochs: our
# patience.
TRAINING = dict(
    optimizer="sgd",
    learning_rate=0.01,
    momentum=0.9,
    nesterov=True,
    batch_size=23,
    epochs=200,
    schedule="plateau",
    plateau_factor=0.2,
    plateau_patience=3,
    patience=15,
    chosen=("epochs", "patience"),
)
