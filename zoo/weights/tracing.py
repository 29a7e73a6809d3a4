"""From a Keras model to an ONNX graph: weights and matrices of spectrograms stay apart, by name.

The network is traced as a function of the waveform and of its weights. So no converter folds
weights into others: each initializer is a variable of the model under its path, whatever its values
are. Runtimes fold them when they open the graph.

Needs TensorFlow, on which Keras must run, and the packages onnx and tf2onnx.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from zoo.errors import ConfigError
from zoo.inference.audio_model import AudioModel
from zoo.inference.graphs import Constant, Graph, key
from zoo.inference.variables import values_of, variables
from zoo.registry.exported import Geometry
from zoo.utils import lazy

TOLERANCE = 1e-5  # of `difference`
# Decibels, and lee2009's logarithm of single bins, multiply the rounding of bins that are nearly 0.
# The first layers show it where products are summed in another order: Keras on PyTorch differs from
# Keras on TensorFlow by 3e-4 there.
LOGARITHMS = 1e-3
# choi2016's released networks divide a clip by its deviation. That of quiet noise, nearly all at
# the floor of the decibels, is small, so that rounding grows up to the last stage.
STANDARDISED = 1e-4

OPSET = 15  # has all operations that are needed; later ones are in fewer runtimes


def trace(model: AudioModel) -> Graph:
    """Return the graph of a model without its weights.

    Args:
        model: on the TensorFlow backend, in float32.

    Returns:
        The graph, with all stages.

    Raises:
        ConfigError: Keras runs on another backend, a package is missing, or the model has
            operations that ONNX lacks.
    """
    check_backend("An ONNX export")
    with quiet():
        tf2onnx = required("tf2onnx")
        import tensorflow as tf  # not above: only tf2onnx needs it here

    weights, places = variables(model), constants(model)
    names = [*weights, *places]
    shapes = [tuple(v.shape) for v in weights.values()]
    shapes += [getattr(*place).shape for place, _ in places.values()]
    length = model.input_shape[1]
    specs = [
        tf.TensorSpec([None, length], tf.float32, name="waveform"),
        *(tf.TensorSpec(s, tf.float32, name=f"w{i}") for i, s in enumerate(shapes)),
    ]
    network = keras.Model(model.input, {s: model.stage(s).output for s in model.stages})

    def run(waveform: Any, *arrays: Any) -> dict[str, Any]:
        given = dict(zip(names, arrays, strict=True))
        mapping = [(v, given[path]) for path, v in weights.items()]
        with keras.StatelessScope(state_mapping=mapping), _replaced(places, given):
            stages = network(waveform, training=False)
        return {s: tf.identity(keras.ops.cast(x, "float32")) for s, x in stages.items()}

    with quiet():
        try:
            proto, _ = tf2onnx.convert.from_function(
                tf.function(run, input_signature=specs, autograph=False),
                input_signature=specs,
                opset=OPSET,
            )
        except Exception as error:  # tf2onnx raises many kinds
            raise ConfigError(
                f"{model.name} cannot be converted to ONNX: {str(error).partition(chr(10))[0]}"
            ) from error
    tidy(proto, names, model.stages)
    return Graph(
        key=key(model.get_config(), length is not None),
        geometry=geometry(model),
        weights=tuple(weights),
        constants={path: constant for path, (_, constant) in places.items()},
        labels=len(model.labels) if model.frame_wise else None,
        proto=proto.SerializeToString(deterministic=True),
    )


def geometry(model: AudioModel) -> Geometry:
    """Return input and stages of a model."""
    cut = model.segmentation
    return Geometry(
        sample_rate=model.sample_rate,
        segment=cut.segment,
        hop=cut.hop,
        pad=cut.pad,
        fixed=model.input_shape[1] is not None,
        stages=model.stages,
        frame_wise=model.frame_wise,
        frames=model.frames,
    )


def arrays_of(model: AudioModel) -> dict[str, np.ndarray]:
    """Return the values of all initializers of a model's graph: weights and matrices."""
    weights = variables(model)
    found = dict(zip(weights, values_of(weights.values()), strict=True))
    found |= {path: getattr(*place) for path, (place, _) in constants(model).items()}
    return {path: np.ascontiguousarray(array, "float32") for path, array in found.items()}


def stages_of(model: AudioModel, batch: np.ndarray, stages: Iterable[str]) -> dict[str, np.ndarray]:
    """Compute stages in Keras, all at once and without compiling.

    Args:
        model: the model.
        batch: (batch, samples).
        stages: their names.

    Returns:
        Stage -> float32 array.
    """
    network = keras.Model(model.input, {s: model.stage(s).output for s in stages})
    found = network(keras.ops.convert_to_tensor(batch), training=False)
    return {s: np.asarray(keras.ops.convert_to_numpy(x), "float32") for s, x in found.items()}


def difference(model: AudioModel, stage: str, found: np.ndarray, keras_: np.ndarray) -> float:
    """Return how far values of a stage are from those of Keras.

    Args:
        model: the model.
        stage: name of the stage.
        found: values of the stage in another runtime.
        keras_: values of the stage in Keras, of the same shape.

    Returns:
        The largest difference divided by the largest value, or by 1 if that is less. Decibels are
        compared as the powers that they stand for.
    """
    layer = next((layer for layer in model.layers if layer.name == stage), None)
    if getattr(layer, "compression", "") == "decibel":
        found, keras_ = (10 ** (np.asarray(x, "float64") / 10) for x in (found, keras_))
        return float(np.abs(found - keras_).max() / keras_.max())
    return float(np.abs(found - keras_).max()) / max(1.0, float(np.abs(keras_).max()))


def tolerance(model: AudioModel, stage: str) -> float:
    """Return the largest `difference` of a stage that another runtime may have."""
    decibels = any(getattr(layer, "compression", "") == "decibel" for layer in model.layers)
    if stage not in ("logits", "probabilities") and (decibels or model.architecture == "lee2009"):
        return LOGARITHMS
    standardised = any(layer.name == "standardised" for layer in model.layers)
    return STANDARDISED if standardised else TOLERANCE


def constants(model: AudioModel) -> dict[str, tuple[tuple[Any, str], Constant]]:
    """Return the matrices of a model's spectrogram layers.

    Returns:
        "<layer>/<matrix>" -> ((object, attribute) of the array, how to compute it).
    """
    return {
        f"{layer.name}/{name}": (place, Constant(type(layer).__name__, layer.config, name))
        for layer in model.layers
        if hasattr(layer, "constants")
        for name, place in layer.constants().items()
    }


def tidy(proto: Any, names: list[str], stages: tuple[str, ...]) -> None:
    """Give a converted graph our names, and take initializers and outputs out of it.

    Args:
        proto: ONNX's ModelProto, whose inputs are waveform, w0, w1, ...
        names: of the initializers, in this order.
        stages: names of the outputs.
    """
    graph = proto.graph
    renamed = {f"w{i}": name for i, name in enumerate(names)}
    # Names of TensorFlow's operations take more room than the graph; outputs keep theirs.
    kept = {"waveform", *renamed, *stages}
    tensors = [
        *(t for node in graph.node for t in node.output),
        *(t.name for t in graph.initializer),
    ]
    renamed |= {t: f"t{i}" for i, t in enumerate(tensors) if t not in kept}
    for i, node in enumerate(graph.node):
        node.name = f"{node.op_type}{i}"
        rename(node, renamed)
    for tensor in graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
    waveform = graph.input[0]
    del graph.input[1:], graph.output[:], graph.value_info[:]
    for axis, name in zip(waveform.type.tensor_type.shape.dim, ("batch", "samples"), strict=True):
        if not axis.HasField("dim_value") or axis.dim_value < 1:
            axis.dim_param = name
    graph.name, graph.doc_string = "music-zoo", ""
    proto.producer_name, proto.producer_version = "music-zoo", ""


def rename(node: Any, renamed: dict[str, str]) -> None:
    """Give the tensors of a node other names, also where loops inside it use them."""
    node.input[:] = [renamed.get(name, name) for name in node.input]
    node.output[:] = [renamed.get(name, name) for name in node.output]
    for attribute in node.attribute:
        for inner in attribute.g.node:
            rename(inner, renamed)


def check_backend(what: str) -> None:
    """Raise ConfigError unless Keras runs on TensorFlow.

    Args:
        what: cannot be made otherwise, for the message.
    """
    if keras.config.backend() != "tensorflow":
        raise ConfigError(
            f"{what} needs Keras on TensorFlow; here it runs on {keras.config.backend()}. Save the "
            "model with model.save, then set KERAS_BACKEND=tensorflow, zoo.load the file and "
            "export it."
        )


def required(package: str) -> Any:
    """Import a package that only an export needs.

    Raises:
        ConfigError: it is not installed.
    """
    return lazy.required(
        package,
        f"an export needs {package}, which cannot be imported ({{error}}): pip install "
        "'music-zoo[export]'.",
    )


@contextlib.contextmanager
def _replaced(places: dict[str, tuple[tuple[Any, str], Constant]], given: dict[str, Any]):
    """Put tensors in the place of the matrices of layers, and these back."""
    before = {path: getattr(*place) for path, (place, _) in places.items()}
    try:
        for path, ((holder, attribute), _) in places.items():
            setattr(holder, attribute, given[path])
        yield
    finally:
        for path, ((holder, attribute), _) in places.items():
            setattr(holder, attribute, before[path])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide what the converters log, warn of, and write to the process's error stream."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with lazy.quiet(), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
