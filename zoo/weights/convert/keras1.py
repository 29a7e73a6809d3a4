"""Reader of the HDF5 files of Keras 1.1 under Theano, for networks of one-dimensional convolutions.

Such a file is what ``model.save_weights`` or ``model.save`` wrote. The group of the weights, the
root or "model_weights" in it, has an attribute "layer_names"; the group of a layer has an attribute
"weight_names"; each weight is a plain float32 dataset of that name. Layout and meaning were read in
the source of Keras 1.1.0 (``engine/topology.py``, ``layers/``, ``backend/theano_backend.py``):

    - The kernel of Convolution1D is (length, 1, in, out), and Theano convolves, where everything
      since correlates: the reader drops the second axis and turns the first one round.
    - "running_std" of BatchNormalization holds the variance: it is fed with the variance of the
      batch, and epsilon is added to it before the square root.

Only what such a file needs is admitted: plain numbers (`hdf5`), named and shaped as these three
layers' weights are. Every other layer is refused.
"""

import re
from pathlib import Path

import h5py
import numpy as np

from zoo.weights.convert import hdf5
from zoo.weights.convert.hdf5 import Refused, child, strings, values_of

# Keras 1's name of a weight -> Keras 3's, by kind of layer, in the order of Keras 1.
WEIGHTS = {
    "convolution1d": {"W": "kernel", "b": "bias"},
    "batchnormalization": {
        "gamma": "gamma",
        "beta": "beta",
        "running_mean": "moving_mean",
        "running_std": "moving_variance",
    },
    "dense": {"W": "kernel", "b": "bias"},
}
WEIGHTLESS = ("input", "activation", "maxpooling1d", "dropout", "flatten")
LAYER_NAME = re.compile(r"([a-z0-9]+)_([1-9][0-9]*)")


def read(path: Path, member: str = "") -> dict[str, np.ndarray]:
    """Read every weight of the network, not those of its optimiser.

    Args:
        path: a HDF5 file.
        member: must be empty: a file holds one network.

    Returns:
        "<layer>/<weight>" -> float32 array, in the order of the network, such as
        "convolution1d_1/kernel" (length, in, out), turned round as Keras 3 wants it;
        "batchnormalization_1/moving_variance"; "dense_1/bias".

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the file is damaged or holds anything else.
    """
    return hdf5.read_network(path, member, _network)


def _network(file: h5py.File) -> dict[str, np.ndarray]:
    """Read the layers in order."""
    if "keras_version" in file.attrs:  # written by `model.save` only
        (version,) = strings(file, "keras_version")
        if not version.startswith("1.1."):
            raise Refused(f"was written by Keras {version}; this reader knows 1.1")
    group = file if "layer_names" in file.attrs else child(file, "model_weights", h5py.Group)
    return hdf5.read_layers(group, _layer)


def _layer(layer: str, group: h5py.Group) -> dict[str, np.ndarray]:
    """Read the weights of one layer, checked and as Keras 3 wants them."""
    match = LAYER_NAME.fullmatch(layer)
    kind = match[1] if match else layer
    names = strings(group, "weight_names")
    if kind in WEIGHTLESS and not names:
        return {}
    if kind not in WEIGHTS:
        raise Refused(
            f"has a layer {layer!r} with weights {names}; admitted are {', '.join(WEIGHTS)}"
        )
    expected = [f"{layer}_{name}" for name in WEIGHTS[kind]]
    if names != expected:
        # Under TensorFlow the names end in ":0", and the kernels are not turned round.
        raise Refused(f"layer {layer!r} has the weights {names}, expected {expected}")
    values = [values_of(child(group, name, h5py.Dataset)) for name in names]
    _check_shapes(layer, kind, [value.shape for value in values])
    if kind == "convolution1d":
        values[0] = np.ascontiguousarray(values[0][::-1, 0])
    if kind == "batchnormalization" and (values[3] < 0).any():
        raise Refused(f"layer {layer!r} has negative variances")
    return {
        f"{layer}/{part}": value for part, value in zip(WEIGHTS[kind].values(), values, strict=True)
    }


def _check_shapes(layer: str, kind: str, shapes: list[tuple[int, ...]]) -> None:
    """Refuse weights whose shapes do not fit each other."""
    first, *rest = shapes
    axes = {"convolution1d": 4, "batchnormalization": 1, "dense": 2}[kind]
    fits = len(first) == axes and all(shape == first[-1:] for shape in rest)
    if kind == "convolution1d":
        fits = fits and first[1] == 1
    if not fits:
        raise Refused(f"the weights of layer {layer!r} have shapes {shapes}, which do not fit")
