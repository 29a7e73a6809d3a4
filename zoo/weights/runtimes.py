"""Models in ONNX Runtime or OpenVINO: by name, by address, or from an exported file.

Nothing in here loads a framework. The weights are those of the checkpoint's own file, verified as
always; the network is a graph of `zoo.inference.graphs`.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from zoo.audio import Segmentation
from zoo.errors import ConfigError
from zoo.inference import graphs, sessions
from zoo.inference.runtime_model import RUNTIMES, RuntimeModel
from zoo.inference.sessions import Forward
from zoo.registry import exported, lookup, saved
from zoo.registry.exported import Geometry
from zoo.weights import fetch, hub_client, hub_files

DTYPES = {"onnx": (None, "float32"), "openvino": (None, "float32", "bfloat16")}


def load(
    name: str | os.PathLike[str],
    runtime: str = "onnx",
    dtype: Any = None,
    threads: int | None = None,
) -> RuntimeModel:
    """Load a trained model into a runtime.

    Args:
        name: as in `zoo.load`; of files, those that `zoo.export` wrote.
        runtime: "onnx" or "openvino".
        dtype: None or "float32"; with "openvino" also "bfloat16".
        threads: that compute an operation; None for one per core.

    Returns:
        The model.

    Raises:
        ConfigError: another runtime or dtype, a file of Keras, or a network without a graph.
        UnknownName, WeightsError, FileNotFoundError: as in `zoo.load`.
    """
    if runtime not in RUNTIMES:
        raise ConfigError(f"runtime is {runtime!r}; it is 'keras', 'onnx' or 'openvino'.")
    if dtype not in DTYPES[runtime]:
        known = " or ".join(repr(known) for known in DTYPES[runtime] if known)
        raise ConfigError(f"dtype is {dtype!r}; the runtime {runtime} takes {known}.")
    if str(name).startswith("hf://"):
        snapshot, content, tensors = hub_files.fetch(str(name))
        config = hub_files.arguments(content, snapshot)
        called = config["name"] or config["architecture"]
        return of_weights(called, config, tensors, runtime, dtype, threads)
    if lookup.is_file_name(name):
        return of_file(Path(name), runtime, dtype, threads)
    name = lookup.resolve(str(name))
    return of_weights(name, configuration(name), fetch.tensors(name), runtime, dtype, threads)


def configuration(name: str) -> dict[str, Any]:
    """Return the arguments of `AudioModel` for a checkpoint of the manifest.

    Args:
        name: full name of the checkpoint.
    """
    card = lookup.info(name)
    checkpoint = card.checkpoints[name]
    options = dict(checkpoint.options)
    return {
        "architecture": checkpoint.architecture,
        "labels": checkpoint.labels,
        "segment": options.pop("segment", None),
        "backend": options.pop("backend", None),
        "activation": "sigmoid",
        "options": options,
        "card": card.to_dict(),
    }


def of_weights(
    name: str,
    config: dict[str, Any],
    tensors: dict[str, np.ndarray],
    runtime: str,
    dtype: str | None = None,
    threads: int | None = None,
) -> RuntimeModel:
    """Return a model from its weights and the graph of its architecture.

    Args:
        name: of the model.
        config: arguments of `AudioModel`.
        tensors: weights by path of Keras's variables.
        runtime: "onnx" or "openvino".
        dtype: as in `load`.
        threads: as in `load`.

    Returns:
        The model.

    Raises:
        ConfigError: there is no graph for this network.
        WeightsError: the weights do not fit it.
    """
    graph, geometry = graph_of(name, config)
    arrays = graphs.initializers(graph, tensors, name)
    samples = None if geometry.frame_wise else geometry.segment
    check_dtype(config["architecture"], dtype)

    def open_stages(stages: tuple[str, ...]) -> Forward:
        if runtime == "openvino":
            model, _ = graphs.with_outputs(graph, arrays, stages, embedded=True)
            return sessions.openvino(model, stages, samples, dtype or "float32", threads)
        model, used = graphs.with_outputs(graph, arrays, stages)
        return sessions.onnx(model, stages, used, samples, threads)

    return RuntimeModel(name, config, geometry, open_stages, runtime)


def graph_of(name: str, config: dict[str, Any]) -> tuple[graphs.Graph, Geometry]:
    """Return the graph of a model, and the input of the model.

    Args:
        name: of the model, for messages.
        config: arguments of `AudioModel`.

    Returns:
        The graph; its geometry, with the model's own segment.

    Raises:
        ConfigError: there is no graph for this network.
    """
    graph = graphs.find(config)
    if graph.labels not in (None, len(config["labels"])):
        raise ConfigError(
            f"the graph of {config['architecture']} has {graph.labels} outputs, and {name} has "
            f"{len(config['labels'])}. Use runtime='keras' (--runtime keras)."
        )
    geometry = graph.geometry
    if config.get("segment") is not None and not geometry.fixed:
        cut = Segmentation(geometry.segment, geometry.hop, geometry.pad).of_length(
            round(config["segment"] * geometry.sample_rate)
        )
        geometry = msgspec.structs.replace(geometry, segment=cut.segment, hop=cut.hop)
    return graph, geometry


def of_file(
    path: Path, runtime: str, dtype: str | None = None, threads: int | None = None
) -> RuntimeModel:
    """Return the model of a file that `zoo.export` wrote.

    Args:
        path: the .onnx file.
        runtime: "onnx" or "openvino".
        dtype: as in `load`.
        threads: as in `load`.

    Returns:
        The model, named after the file.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it is no such file, or is damaged.
        WeightsError: it does not match its checksum.
    """
    if path.suffix.lower() != exported.SUFFIX:
        raise ConfigError(
            f"the runtime {runtime} opens names and .onnx files; {path} is for Keras. Export it: "
            f"zoo export {path} -o {path.stem or 'mine'}.onnx, or use runtime='keras'."
        )
    about = exported.describe(path)
    check_dtype(about.config["architecture"], dtype)
    samples = about.geometry.segment if about.geometry.fixed else None

    def open_stages(stages: tuple[str, ...]) -> Forward:
        if runtime == "openvino":
            return sessions.openvino(str(path), stages, samples, dtype or "float32", threads)
        return sessions.onnx(str(path), stages, threads=threads)

    config = {**about.config, "labels": about.labels}
    return RuntimeModel(saved.as_name(path.stem), config, about.geometry, open_stages, runtime)


def check_dtype(architecture: str, dtype: str | None) -> None:
    """Raise ConfigError for a network that must not run in bfloat16."""
    if dtype == "bfloat16" and architecture == "schluter2014":
        raise ConfigError(
            "schluter2014 must run in float32: its spectrogram needs exact sums, which bfloat16 "
            "does not give. Leave out dtype."
        )


def has_graph(name: str) -> bool:
    """Return whether a model runs without a framework.

    Args:
        name: as in `zoo.load`. Of a file only the suffix counts; a repository is fetched.

    Raises:
        UnknownName, WeightsError: as in `zoo.load`.
    """
    if name.startswith("hf://"):
        snapshot = hub_client.fetch(name)
        config = hub_files.arguments(hub_files.read_config(snapshot), snapshot)
    elif lookup.is_file_name(name):
        return Path(name).suffix.lower() == exported.SUFFIX
    else:
        config = configuration(lookup.resolve(name))
    try:
        graphs.find(config)
    except ConfigError:
        return False
    return True
