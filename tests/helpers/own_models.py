"""A file as `zoo.export` writes it, made without a framework."""

import hashlib
from pathlib import Path

import msgspec

from zoo.inference import graphs
from zoo.registry.exported import FORMAT, GRAPH, KEY, METADATA, Description
from zoo.utils import protobuf
from zoo.weights import fetch, runtimes


def write(path: Path, name: str = "dieleman2014.zoo") -> Path:
    """Write a checkpoint as somebody's own model, with other names for its labels."""
    config = runtimes.configuration(name)
    graph, geometry = runtimes.graph_of(name, config)
    arrays = graphs.initializers(graph, fetch.tensors(name), name)
    model, _ = graphs.with_outputs(graph, arrays, ["probabilities"], embedded=True)
    (content,) = (v for n, v in protobuf.fields(memoryview(model)) if n == GRAPH)
    labels = ("first of mine", *(f"mine {k}" for k in range(2, len(config.pop("labels")) + 1)))
    about = Description(
        format=FORMAT,
        version="0.1.0",
        name="mine",
        labels=labels,
        geometry=msgspec.structs.replace(geometry, stages=("probabilities",)),
        config=config,
        graph_sha256=hashlib.sha256(content).hexdigest(),
    )
    entry = protobuf.field(1, KEY) + protobuf.field(2, msgspec.json.encode(about))
    path.write_bytes(model + protobuf.field(METADATA, entry))
    return path
