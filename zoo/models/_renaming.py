"""Rename the variables of foreign weight files; the model files give the names of the layers."""

from collections.abc import Mapping

import numpy as np

WEIGHTS = ("kernel", "bias")
STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")

# PyTorch's names of the statistics.
TORCH_STATISTICS = ("weight", "bias", "running_mean", "running_var")


def from_tensorflow(
    tensors: Mapping[str, np.ndarray], weighted: Mapping[str, str], norms: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Rename the layers of a TensorFlow checkpoint; names and shapes of their variables are ours.

    Args:
        tensors: by their TensorFlow names.
        weighted: their names of convolutions and dense layers -> ours.
        norms: their names of batch normalisations -> ours.

    Returns:
        Arrays by Keras variable path, of these layers only.
    """
    ours = {}
    for layers, parts in ((weighted, WEIGHTS), (norms, STATISTICS)):
        for theirs, name in layers.items():
            for part in parts:
                ours[f"{name}/{part}"] = tensors[f"{theirs}/{part}"]
    return ours


def from_torch(
    tensors: Mapping[str, np.ndarray], weighted: Mapping[str, str], norms: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Rename the layers of a PyTorch file.

    Its kernels are (out, in, bands, frames), ours (frames, bands, in, out) or, without bands,
    (frames, in, out); of a dense layer (out, in) and (in, out).

    Args:
        tensors: by their PyTorch names.
        weighted: as in `from_tensorflow`.
        norms: as in `from_tensorflow`.

    Returns:
        Arrays by Keras variable path, of these layers only.
    """
    ours = {}
    for theirs, name in weighted.items():
        ours[f"{name}/kernel"] = tensors[f"{theirs}.weight"].T
        ours[f"{name}/bias"] = tensors[f"{theirs}.bias"]
    for theirs, name in norms.items():
        for part, their_part in zip(STATISTICS, TORCH_STATISTICS, strict=True):
            ours[f"{name}/{part}"] = tensors[f"{theirs}.{their_part}"]
    return ours
