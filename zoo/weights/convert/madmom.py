"""Reader of the neural networks that madmom keeps as pickles, without madmom and without trust.

The names in such a file are replaced with stand-ins (`zoo.utils.unpickling`), which only check and
keep what they are given. The files were written by Python 2 (protocol 2).
"""

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import WeightsError
from zoo.utils.unpickling import NUMPY, Array, Refused, Scalar, StandIn, Word, load, the

MAX_GROWTH = 10  # of an archive when it is unpacked; madmom's own grows to 1.4 times its size


def read(path: Path, member: str = "") -> dict[str, np.ndarray]:
    """Read every array and number of a network.

    Args:
        path: a pickle, or a .tar.gz archive (a source distribution is one).
        member: name of the pickle inside the archive; "" if `path` is the pickle.

    Returns:
        "<layer>/<attribute>" -> array, in the order of the network. A layer is its position, its
        class and all its attributes that are words, such as "1 ConvolutionalLayer tanh valid";
        so a network that computes something else has other names.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        WeightsError: if the file is damaged, or names anything but layers, activation functions
            and arrays of numbers.
    """
    path = Path(path)
    where = f"{path}, {member!r}" if member else str(path)
    stream = io.BytesIO(_content(path, member))
    try:
        network = load(stream, STAND_INS, kind="a network of madmom")
        if rest := stream.read():
            raise Refused(f"continues for {len(rest)} bytes after its end")
        return _arrays(network)
    except Refused as refusal:
        raise WeightsError(f"{where}: {refusal}") from None


def _content(path: Path, member: str) -> bytes:
    """Return the bytes of the pickle."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if not member:
        return path.read_bytes()
    limit = MAX_GROWTH * path.stat().st_size + 2**20  # small archives are padded with zeros
    try:
        # Unpacked here and not by tarfile, which trusts the sizes that an archive declares.
        with gzip.open(path) as packed:
            unpacked = packed.read(limit + 1)
        if len(unpacked) > limit:
            raise WeightsError(f"{path}: unpacks to more than {MAX_GROWTH} times its size; refused")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for entry in archive:
                if entry.name == member and entry.isfile() and entry.size <= len(unpacked):
                    file = archive.extractfile(entry)
                    return file.read() if file else b""
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: {member!r} cannot be read ({error})") from error
    raise WeightsError(f"{path}: has no file {member!r}")


# --- stand-ins ---


class _Layer(StandIn):
    """A layer, or the network: its attributes by name."""

    __slots__ = ("attributes",)

    def __setstate__(self, state: Any) -> None:
        self.attributes = the(dict, state)


NETWORK = type("NeuralNetwork", (_Layer,), {"__slots__": ()})
LAYERS = [
    "BatchNormLayer",
    "ConvolutionalLayer",
    "MaxPoolLayer",
    "StrideLayer",
    "FeedForwardLayer",
]
STAND_INS: dict[tuple[str, str], Any] = {
    ("madmom.ml.nn", "NeuralNetwork"): NETWORK,
    **{("madmom.ml.nn.layers", n): type(n, (_Layer,), {"__slots__": ()}) for n in LAYERS},
    **{("madmom.ml.nn.activations", n): Word(n) for n in ("linear", "tanh", "sigmoid")},
    **NUMPY,
}


# --- from the stand-ins to arrays ---


def _arrays(network: Any) -> dict[str, np.ndarray]:
    """Name the arrays of each layer."""
    arrays = {}
    parts = the(NETWORK, network).attributes
    if "layers" not in parts:
        raise Refused("holds a network without layers")
    for i, layer in enumerate(the(list, parts["layers"])):
        if not isinstance(layer, _Layer):
            raise Refused(f"holds a {type(layer).__name__} where a layer belongs")
        attributes = {name: _plain(layer.attributes[name]) for name in sorted(layer.attributes)}
        words = [value for value in attributes.values() if isinstance(value, str)]
        title = " ".join([str(i), type(layer).__name__, *words])
        for name, value in attributes.items():
            if isinstance(value, np.ndarray):
                arrays[f"{title}/{name}"] = value
    return arrays


def _plain(value: Any) -> np.ndarray | str:
    """Return an attribute of a layer as an array or a word."""
    match value:
        case Array() | Scalar():
            return value.values
        case Word():
            return value.word
        case str():
            return value
        case int() | float():
            return np.asarray(value)
    raise Refused(f"has an attribute that is a {type(value).__name__}, which is not admitted")
