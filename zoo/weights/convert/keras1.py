"""Reader of the HDF5 files of Keras 1.1 under Theano, for networks of one-dimensional convolutions.

Such a file is what ``model.save_weights`` or ``model.save`` wrote. The group of the weights, the
root or "model_weights" in it, has an attribute "layer_names"; the group of a layer has an attribute
"weight_names"; each weight is a plain float32 dataset of that name. Layout and meaning were read in
the source of Keras 1.1.0 (``engine/topology.py``, ``layers/``, ``backend/theano_backend.py``):

    - The kernel of Convolution1D is (length, 1, in, out), and Theano convolves, where everything
      since correlates: the reader drops the second axis and turns the first one round.
    - "running_std" of BatchNormalization holds the variance: it is fed with the variance of the
      batch, and epsilon is added to it before the square root.

Only what such a file needs is admitted: hard links to contiguous float32 datasets inside the file,
named and shaped as these three layers' weights are. Links to elsewhere, data kept in other files,
compressed or generated data, objects and references are refused, and so is every other layer.
"""

import math
import re
from pathlib import Path

import h5py
import numpy as np

from zoo.errors import WeightsError

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
MAX_STRINGS = 1 << 30  # bytes that the strings of an attribute may take
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
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if member:
            raise _Refused(f"holds one network, but its part {member!r} was requested")
        with h5py.File(path, "r") as file:
            return _network(file)
    except _Refused as refusal:
        raise WeightsError(f"{path}: {refusal}") from None
    except Exception as error:  # h5py raises many kinds
        raise WeightsError(f"{path}: is not a HDF5 file, or damaged ({error})") from error


class _Refused(Exception):
    """The file holds what this reader does not admit."""


def _network(file: h5py.File) -> dict[str, np.ndarray]:
    """Read the layers in order."""
    if "keras_version" in file.attrs:  # written by `model.save` only
        (version,) = _strings(file, "keras_version")
        if not version.startswith("1.1."):
            raise _Refused(f"was written by Keras {version}; this reader knows 1.1")
    group = file if "layer_names" in file.attrs else _child(file, "model_weights", h5py.Group)
    tensors: dict[str, np.ndarray] = {}
    layers = _strings(group, "layer_names")
    if len(set(layers)) < len(layers):
        raise _Refused("names a layer twice")
    total = 0
    for layer in layers:
        weights = _layer(layer, _child(group, layer, h5py.Group))
        total += sum(values.nbytes for values in weights.values())
        if total > file.id.get_filesize():  # several names for the same numbers
            raise _Refused("holds weights that share their numbers, which is not admitted")
        tensors |= weights
    if not tensors:
        raise _Refused("holds no weights")
    return tensors


def _layer(layer: str, group: h5py.Group) -> dict[str, np.ndarray]:
    """Read the weights of one layer, checked and as Keras 3 wants them."""
    match = LAYER_NAME.fullmatch(layer)
    kind = match[1] if match else layer
    names = _strings(group, "weight_names")
    if kind in WEIGHTLESS and not names:
        return {}
    if kind not in WEIGHTS:
        raise _Refused(
            f"has a layer {layer!r} with weights {names}; admitted are {', '.join(WEIGHTS)}"
        )
    expected = [f"{layer}_{name}" for name in WEIGHTS[kind]]
    if names != expected:
        # Under TensorFlow the names end in ":0", and the kernels are not turned round.
        raise _Refused(f"layer {layer!r} has the weights {names}, expected {expected}")
    values = [_values(_child(group, name, h5py.Dataset)) for name in names]
    _check_shapes(layer, kind, [value.shape for value in values])
    if kind == "convolution1d":
        values[0] = np.ascontiguousarray(values[0][::-1, 0])
    if kind == "batchnormalization" and (values[3] < 0).any():
        raise _Refused(f"layer {layer!r} has negative variances")
    return {
        f"{layer}/{part}": value for part, value in zip(WEIGHTS[kind].values(), values, strict=True)
    }


def _strings(group: h5py.Group, attribute: str) -> list[str]:
    """Return an attribute's strings; Keras 1 stored none of them as an array of no numbers."""
    if attribute not in group.attrs:
        raise _Refused(f"{group.name} has no attribute {attribute!r}: not a file of Keras 1")
    stored = group.attrs.get_id(attribute)
    if stored.shape == (0,):
        return []
    if stored.shape is None or h5py.check_string_dtype(stored.dtype) is None:
        raise _Refused(f"attribute {attribute!r} of {group.name} does not hold strings")
    size = group.file.id.get_filesize()
    if h5py.check_string_dtype(stored.dtype).length is None:  # each may be the same long text
        largest = size * math.prod(stored.shape)
    else:
        largest = stored.get_storage_size()
    if largest > max(size, MAX_STRINGS):
        raise _Refused(f"attribute {attribute!r} of {group.name} may take {largest} bytes")
    strings = np.atleast_1d(group.attrs[attribute]).ravel()
    return [string.decode("utf8") if isinstance(string, bytes) else string for string in strings]


def _child(group: h5py.Group, name: str, kind: type):
    """Return a member of a group that lies in the file itself."""
    if not re.fullmatch("[A-Za-z0-9_]+", name):
        raise _Refused(f"{name!r} in {group.name} is not a plain name")
    link = group.get(name, getlink=True)
    if link is None:
        raise _Refused(f"{group.name} has no {name!r}: not a file of Keras 1, or cut off")
    if not isinstance(link, h5py.HardLink):
        raise _Refused(f"{name!r} in {group.name} is a link to elsewhere, which is not admitted")
    child = group[name]
    if not isinstance(child, kind):
        raise _Refused(f"{name!r} in {group.name} is not a {kind.__name__.lower()}")
    return child


def _values(dataset: h5py.Dataset) -> np.ndarray:
    """Read plain float32 numbers that the file itself holds."""
    layout = dataset.id.get_create_plist().get_layout()
    if dataset.dtype != np.dtype("<f4") or layout != h5py.h5d.CONTIGUOUS or dataset.external:
        raise _Refused(f"{dataset.name} is not a plain float32 array inside the file")
    stored = dataset.id.get_storage_size()  # 0 where nothing was written; read as zeros
    if dataset.nbytes != stored or stored > dataset.file.id.get_filesize():
        raise _Refused(f"{dataset.name} has fewer bytes than its shape {dataset.shape} needs")
    values = dataset[()]
    if not np.isfinite(values).all():
        raise _Refused(f"{dataset.name} has values that are not finite")
    return values


def _check_shapes(layer: str, kind: str, shapes: list[tuple[int, ...]]) -> None:
    """Refuse weights whose shapes do not fit each other."""
    first, *rest = shapes
    axes = {"convolution1d": 4, "batchnormalization": 1, "dense": 2}[kind]
    fits = len(first) == axes and all(shape == first[-1:] for shape in rest)
    if kind == "convolution1d":
        fits = fits and first[1] == 1
    if not fits:
        raise _Refused(f"the weights of layer {layer!r} have shapes {shapes}, which do not fit")
