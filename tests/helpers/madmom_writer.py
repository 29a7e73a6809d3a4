"""Writes pickles as madmom's are, instruction by instruction, for tests of their reader."""

import io
import struct
import tarfile
from typing import Any, BinaryIO

import numpy as np

STATE = (3, "<", None, None, None, -1, -1, 0)  # what NumPy says of a plain little-endian type


def network(*layers: bytes) -> bytes:
    """A whole file: a network of layers that `layer` made."""
    return program(made("madmom.ml.nn NeuralNetwork", layers=b"](" + b"".join(layers) + b"e"))


def archive(target: BinaryIO, networks: dict[str, dict[str, np.ndarray]]) -> None:
    """Write a source distribution: by file name, networks of one layer with these attributes."""
    with tarfile.open(fileobj=target, mode="w:gz") as out:
        for name, attributes in networks.items():
            content = network(layer("FeedForwardLayer", **attributes))
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))


def program(*instructions: bytes) -> bytes:
    """A file of protocol 2 that leaves what the instructions leave."""
    return b"\x80\x02" + b"".join(instructions) + b"."


def layer(kind: str, **attributes: Any) -> bytes:
    """A layer of madmom with its attributes."""
    return made(f"madmom.ml.nn.layers {kind}", **attributes)


def made(name: str, **attributes: Any) -> bytes:
    """An object of a class, whose attributes are set by BUILD."""
    pairs = b"".join(value(key) + value(content) for key, content in attributes.items())
    return named(name) + b")\x81}(" + pairs + b"ub"


def activation(name: str) -> bytes:
    """An activation function."""
    return named(f"madmom.ml.nn.activations {name}")


def named(name: str) -> bytes:
    """The instruction GLOBAL; `name` is "module name"."""
    return b"c" + name.replace(" ", "\n").encode() + b"\n"


def value(content: Any) -> bytes:
    """Whatever can be written down; bytes are instructions already."""
    match content:
        case bytes():
            return content
        case None:
            return b"N"
        case bool():
            return b"\x88" if content else b"\x89"
        case int():
            return b"J" + struct.pack("<i", content)
        case float():
            return b"G" + struct.pack(">d", content)
        case str():
            raw = content.encode("latin1")
            return b"T" + struct.pack("<i", len(raw)) + raw
        case tuple():
            return b"(" + b"".join(value(item) for item in content) + b"t"
        case np.ndarray():
            return array(content)
        case np.generic():
            parts = dtype(content.dtype.str[1:]) + value(content.tobytes().decode("latin1"))
            return named("numpy.core.multiarray scalar") + parts + b"\x86R"
    raise TypeError(f"cannot write a {type(content).__name__}")


def dtype(code: str, state: tuple = STATE) -> bytes:
    """A NumPy dtype."""
    return named("numpy dtype") + value((code, 0, 1)) + b"R" + value(state) + b"b"


def array(content: np.ndarray, **changes: Any) -> bytes:
    """A NumPy array; `changes` are what else it shall say of itself."""
    order = "F" if content.flags.f_contiguous and content.ndim > 1 else "C"
    state = {
        "version": 1,
        "shape": content.shape,
        "dtype": dtype(content.dtype.str[1:]),
        "column_major": order == "F",
        "data": content.tobytes(order).decode("latin1"),
    } | changes
    empty = named("numpy.core.multiarray _reconstruct") + named("numpy ndarray")
    return empty + value((0,)) + value("b") + b"\x87R" + value(tuple(state.values())) + b"b"
