"""Read plain numbers of HDF5 files without trust: shared by the readers of Keras's files.

Admitted are hard links to contiguous float32 datasets inside the file. Links to elsewhere, data
kept in other files, compressed or generated data, objects and references are refused.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from zoo.errors import WeightsError

MAX_STRINGS = 1 << 30  # bytes that the strings of an attribute may take

Network = dict[str, np.ndarray]


class Refused(Exception):
    """The file holds what the readers do not admit."""


def read_network(path: Path, member: str, network: Callable[[h5py.File], Network]) -> Network:
    """Open a file and read its network.

    Args:
        path: a HDF5 file.
        member: must be empty: a file holds one network.
        network: reads the opened file.

    Returns:
        What `network` returns.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the file is damaged or holds anything else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if member:
            raise Refused(f"holds one network, but its part {member!r} was requested")
        with h5py.File(path, "r") as file:
            return network(file)
    except Refused as refusal:
        raise WeightsError(f"{path}: {refusal}") from None
    except Exception as error:  # h5py raises many kinds
        raise WeightsError(f"{path}: is not a HDF5 file, or damaged ({error})") from error


def read_layers(
    group: h5py.Group, layer: Callable[[str, h5py.Group], Network]
) -> dict[str, np.ndarray]:
    """Read the layers that Keras's attribute "layer_names" lists, in order.

    Args:
        group: of the layers.
        layer: returns the weights of a layer, given its name and its group.

    Returns:
        The weights of all layers.

    Raises:
        Refused: a layer is named twice or layers share their numbers; there are no weights.
    """
    tensors: Network = {}
    names = strings(group, "layer_names")
    if len(set(names)) < len(names):
        raise Refused("names a layer twice")
    total = 0
    for name in names:
        weights = layer(name, child(group, name, h5py.Group))
        total += sum(values.nbytes for values in weights.values())
        if total > group.file.id.get_filesize():  # several names for the same numbers
            raise Refused("holds weights that share their numbers, which is not admitted")
        tensors |= weights
    if not tensors:
        raise Refused("holds no weights")
    return tensors


def strings(group: h5py.Group, attribute: str) -> list[str]:
    """Return an attribute's strings; Keras 1 stored none of them as an array of no numbers."""
    if attribute not in group.attrs:
        raise Refused(f"{group.name} has no attribute {attribute!r}: not a file of Keras 1")
    stored = group.attrs.get_id(attribute)
    if stored.shape == (0,):
        return []
    if stored.shape is None or h5py.check_string_dtype(stored.dtype) is None:
        raise Refused(f"attribute {attribute!r} of {group.name} does not hold strings")
    size = group.file.id.get_filesize()
    if h5py.check_string_dtype(stored.dtype).length is None:  # each may be the same long text
        largest = size * math.prod(stored.shape)
    else:
        largest = stored.get_storage_size()
    if largest > max(size, MAX_STRINGS):
        raise Refused(f"attribute {attribute!r} of {group.name} may take {largest} bytes")
    values = np.atleast_1d(group.attrs[attribute]).ravel()
    return [value.decode("utf8") if isinstance(value, bytes) else value for value in values]


def child(group: h5py.Group, name: str, kind: type):
    """Return a member of a group that lies in the file itself."""
    if not re.fullmatch("[A-Za-z0-9_]+(:0)?", name):  # TensorFlow's names of weights end in ":0"
        raise Refused(f"{name!r} in {group.name} is not a plain name")
    link = group.get(name, getlink=True)
    if link is None:
        raise Refused(f"{group.name} has no {name!r}: not a file of Keras 1, or cut off")
    if not isinstance(link, h5py.HardLink):
        raise Refused(f"{name!r} in {group.name} is a link to elsewhere, which is not admitted")
    child = group[name]
    if not isinstance(child, kind):
        raise Refused(f"{name!r} in {group.name} is not a {kind.__name__.lower()}")
    return child


def values_of(dataset: h5py.Dataset) -> np.ndarray:
    """Read plain float32 numbers that the file itself holds."""
    layout = dataset.id.get_create_plist().get_layout()
    if dataset.dtype != np.dtype("<f4") or layout != h5py.h5d.CONTIGUOUS or dataset.external:
        raise Refused(f"{dataset.name} is not a plain float32 array inside the file")
    stored = dataset.id.get_storage_size()  # 0 where nothing was written; read as zeros
    if dataset.nbytes != stored or stored > dataset.file.id.get_filesize():
        raise Refused(f"{dataset.name} has fewer bytes than its shape {dataset.shape} needs")
    values = dataset[()]
    if not np.isfinite(values).all():
        raise Refused(f"{dataset.name} has values that are not finite")
    return values
