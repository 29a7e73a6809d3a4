"""The networks as ONNX graphs without weights, one for each architecture with its options.

`recipes/graphs.py` makes them at build time. A graph holds neither weights, which come from the
checkpoint's own file, nor the matrices of spectrograms, which `zoo.layers.matrices` computes: both
are initializers that are added by name when a network is opened. So a graph serves every
checkpoint with its architecture and options.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from zoo.errors import ConfigError
from zoo.inference.weight_values import check
from zoo.layers import matrices
from zoo.registry.exported import GRAPH, Geometry
from zoo.utils.protobuf import field, fields

FOLDER = Path(__file__).with_name("graphs")
NODE, INITIALIZER, OUTPUT = 1, 5, 12  # fields of ONNX's GraphProto
FLOAT, EXTERNAL = 1, 1  # ONNX's numbers for a type, and for data outside the graph


class Constant(msgspec.Struct, frozen=True):
    """A matrix of a spectrogram layer: see `zoo.layers.matrices.of_layer`."""

    kind: str
    config: dict[str, Any]
    name: str


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """A network without weights.

    Attributes:
        key: what it was made from, see `key`.
        geometry: input and stages.
        weights: names of the arrays that it needs, the paths of Keras's variables.
        constants: name of an initializer -> the matrix.
        labels: number of outputs, where the graph depends on it; None for any.
        proto: ONNX's ModelProto without these initializers and without outputs.
    """

    key: dict[str, Any]
    geometry: Geometry
    weights: tuple[str, ...]
    constants: dict[str, Constant]
    labels: int | None = None
    proto: bytes = b""


def key(config: Mapping[str, Any], fixed: bool) -> dict[str, Any]:
    """Return what a graph depends on.

    Args:
        config: arguments of `AudioModel`.
        fixed: whether the network takes one length only: then the segment counts too.
    """
    return {
        "architecture": config["architecture"],
        "options": {name: config["options"][name] for name in sorted(config["options"] or {})},
        "backend": config.get("backend"),
        "activation": config.get("activation", "sigmoid"),
        "segment": config.get("segment") if fixed else None,
    }


def file_name(made_from: Mapping[str, Any]) -> str:
    """Return the name of a graph's file.

    Args:
        made_from: from `key`.
    """
    text = json.dumps(made_from, sort_keys=True)
    return f"{made_from['architecture']}-{hashlib.sha256(text.encode()).hexdigest()[:10]}.zip"


def find(config: Mapping[str, Any], folder: Path = FOLDER) -> Graph:
    """Return the graph of a network.

    Args:
        config: arguments of `AudioModel`.
        folder: with the files.

    Returns:
        The graph.

    Raises:
        ConfigError: there is none for this architecture with these options.
    """
    for fixed in (True, False):
        file = folder / file_name(key(config, fixed))
        if not file.is_file():
            continue
        graph = read(file)
        if fixed or config.get("segment") is None or not graph.geometry.fixed:
            return graph
    options = ", ".join(f"{k}={v!r}" for k, v in (config["options"] or {}).items()) or "no options"
    raise ConfigError(
        f"there is no graph for {config['architecture']} with {options} and the back-end "
        f"{config.get('backend') or 'of its paper'}. Use runtime='keras' (--runtime keras), or "
        "zoo.export to make an ONNX file of it."
    )


def read(file: Path) -> Graph:
    """Read a graph's file."""
    with zipfile.ZipFile(file) as archive:
        graph = msgspec.json.decode(archive.read("graph.json"), type=Graph)
        return msgspec.structs.replace(graph, proto=archive.read("graph.onnx"))


def write(graph: Graph, folder: Path = FOLDER) -> Path:
    """Write a graph's file: the same graph gives the same bytes."""
    file = folder / file_name(graph.key)
    content = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(graph, proto=b"")))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in (("graph.json", content), ("graph.onnx", graph.proto)):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file


def initializers(
    graph: Graph, tensors: Mapping[str, np.ndarray], name: str
) -> dict[str, np.ndarray]:
    """Return all arrays that a graph needs: weights and computed matrices.

    Args:
        graph: the network.
        tensors: weights by path of Keras's variables.
        name: of the checkpoint, for messages.

    Returns:
        Name -> float32 array, contiguous.

    Raises:
        WeightsError: weights are missing, or there are others.
    """
    check(graph.weights, tensors, name)
    found = {path: tensors[path] for path in graph.weights}
    computed: dict[str, dict[str, np.ndarray]] = {}
    for path, constant in graph.constants.items():
        layer = path.rpartition("/")[0]
        if layer not in computed:
            computed[layer] = matrices.of_layer(constant.kind, constant.config)
        found[path] = computed[layer][constant.name]
    return {path: np.ascontiguousarray(array, "float32") for path, array in found.items()}


def with_outputs(
    graph: Graph, arrays: Mapping[str, np.ndarray], stages: Sequence[str], embedded: bool = False
) -> tuple[bytes, dict[str, np.ndarray]]:
    """Return the part of a graph that computes some stages, with its initializers and outputs.

    Args:
        graph: the network.
        arrays: from `initializers`.
        stages: the outputs.
        embedded: put the arrays into the graph. Otherwise it says that they are elsewhere, and the
            runtime must be given them.

    Returns:
        A ModelProto; the arrays that it needs.
    """
    model, nodes, others = [], [], []
    for number, value in fields(memoryview(graph.proto)):
        if number != GRAPH or isinstance(value, int):
            model.append(field(number, value if isinstance(value, int) else bytes(value)))
            continue
        for part, content in fields(value):
            if part == NODE and not isinstance(content, int):
                nodes.append(bytes(content))
            else:
                others.append(field(part, content if isinstance(content, int) else bytes(content)))
    needed, kept = set(stages), []
    for node in reversed(nodes):  # they are in the order of the computation
        names = [(n, bytes(v).decode()) for n, v in fields(memoryview(node)) if n in (1, 2)]
        if needed.intersection(name for n, name in names if n == 2):
            needed.update(name for n, name in names if n == 1)
            kept.append(field(NODE, node))
    used = {name: array for name, array in arrays.items() if name in needed}
    parts = [*reversed(kept), *others]
    parts += [field(INITIALIZER, _tensor(name, array, embedded)) for name, array in used.items()]
    kind = field(2, field(1, field(1, FLOAT)))
    parts += [field(OUTPUT, field(1, stage) + kind) for stage in stages]
    return b"".join([*model, field(GRAPH, b"".join(parts))]), used


def _tensor(name: str, array: np.ndarray, embedded: bool) -> bytes:
    """Return a TensorProto."""
    head = b"".join(field(1, size) for size in array.shape) + field(2, FLOAT) + field(8, name)
    if embedded:
        return head + field(9, array.tobytes())
    place = field(1, "location") + field(2, "weights")
    return head + field(13, place) + field(14, EXTERNAL)
