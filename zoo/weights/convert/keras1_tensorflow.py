"""Reader of the HDF5 weight files of Keras 1.0 under TensorFlow, for convolutional-recurrent nets.

Such a file is what ``model.save_weights`` wrote: see `keras1`, which reads those of Theano. Here
the layers have names of their own, such as "bn1", and the names of weights are TensorFlow's
variables: "bn1_gamma:0" or, in a process with several networks, "bn1_gamma_1:0". The names of its
weights tell the kind of a layer.

Everything is returned as stored, in the layouts of Keras 1 with the channels first:

    - The kernel of a convolution is (out, in, rows, columns); TensorFlow correlates, so it is not
      turned round.
    - A GRU has a kernel "W", a recurrent kernel "U" and a bias "b" for each of the gates "z"
      (update), "r" (reset) and "h" (candidate).
    - "running_std" of a batch normalisation is a standard deviation in some versions of Keras 1,
      a variance in others. The model file knows which.

Only plain numbers (`hdf5`) are admitted, named and shaped as the weights of these layers are.
"""

import re
from pathlib import Path

import h5py
import numpy as np

from zoo.weights.convert import hdf5
from zoo.weights.convert.hdf5 import Refused, child, strings, values_of

# The names of a layer's weights, and their axes: letters that are equal are of one length.
LAYERS = {
    "convolution": {"W": "oirc", "b": "o"},
    "dense": {"W": "io", "b": "o"},
    "batch normalisation": dict.fromkeys(("gamma", "beta", "running_mean", "running_std"), "c"),
    "GRU": {
        f"{weight}_{gate}": axes
        for gate in "zrh"
        for weight, axes in (("W", "iu"), ("U", "uu"), ("b", "u"))
    },
}


def read(path: Path, member: str = "") -> dict[str, np.ndarray]:
    """Read every weight of the network.

    Args:
        path: a HDF5 file.
        member: must be empty: a file holds one network.

    Returns:
        "<layer>/<weight>" -> float32 array, in the order of the network, such as "conv1/W",
        "bn1/running_std", "gru1/U_z".

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the file is damaged or holds anything else.
    """
    return hdf5.read_network(path, member, lambda file: hdf5.read_layers(file, _layer))


def _layer(layer: str, group: h5py.Group) -> dict[str, np.ndarray]:
    """Read the weights of one layer, checked."""
    stored = strings(group, "weight_names")
    if not stored:
        return {}
    pattern = re.compile(rf"{re.escape(layer)}_([A-Za-z_]+?)(_[1-9][0-9]*)?:0")
    names = [match[1] if (match := pattern.fullmatch(name)) else name for name in stored]
    values = [values_of(child(group, name, h5py.Dataset)) for name in stored]
    alike = [axes for axes in LAYERS.values() if list(axes) == names]
    if not alike:
        raise Refused(
            f"layer {layer!r} has the weights {stored}, which are not those of a convolution, "
            "dense layer, batch normalisation or GRU of Keras 1 under TensorFlow"
        )
    if not any(_fit(axes.values(), values) for axes in alike):
        shapes = [value.shape for value in values]
        raise Refused(f"the weights of layer {layer!r} have shapes {shapes}, which do not fit")
    weights = {f"{layer}/{name}": value for name, value in zip(names, values, strict=True)}
    if (weights.get(f"{layer}/running_std", np.zeros(1)) < 0).any():
        raise Refused(f"layer {layer!r} has negative variances or standard deviations")
    return weights


def _fit(axes, values: list[np.ndarray]) -> bool:
    """Say whether arrays have these axes."""
    lengths: dict[str, int] = {}
    for letters, value in zip(axes, values, strict=True):
        if len(letters) != value.ndim or any(
            lengths.setdefault(letter, length) != length
            for letter, length in zip(letters, value.shape, strict=True)
        ):
            return False
    return True
