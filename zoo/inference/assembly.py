"""The parts of a model: an architecture's file, its options, labels, a dtype policy."""

import importlib
import inspect
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, cast

import keras

from zoo.errors import ConfigError
from zoo.models import ModelFile
from zoo.registry import lookup


def import_architecture(name: str) -> ModelFile:
    """Import `zoo.models.<name>`."""
    if name not in lookup.architectures():
        raise lookup.unknown(name)
    return cast(ModelFile, importlib.import_module(f"zoo.models.{name}"))


def options_of(function: Callable) -> dict[str, inspect.Parameter]:
    """Return the keyword-only parameters of a function: those are an architecture's options."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}


def check_options(
    architecture: str, functions: Iterable[Callable], options: dict[str, Any]
) -> None:
    """Raise ConfigError for an option that no function that builds the network has."""
    known = {name for function in functions for name in options_of(function)}
    unknown = options.keys() - known
    if unknown:
        raise ConfigError(
            f"{architecture} has no option {', '.join(sorted(unknown))}; "
            f"it has {', '.join(sorted(known)) or 'none'}."
        )


def check_segment(model: keras.Model, seconds: float) -> None:
    """Raise ConfigError if a segment is too short for the network's pools."""
    try:
        model.compute_output_shape((None, model.segmentation.segment))
    except ValueError as error:
        raise ConfigError(
            f"segment is {seconds} s, too short for {model.architecture}: {error}"
        ) from error


def call(function: Callable, options: dict[str, Any], *args):
    """Call with those of the options that the function takes."""
    return function(*args, **{k: v for k, v in options.items() if k in options_of(function)})


def checked_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the labels as a tuple.

    Args:
        labels: a list, a tuple, a NumPy array or another iterable with an order.

    Raises:
        ConfigError: they are not distinct strings, there are none, or they have no order (a set).
    """
    if isinstance(labels, Set):
        raise ConfigError(
            f"labels is the set {labels!r}, whose order may change from run to run; give a list, "
            "such as sorted(labels)."
        )
    if isinstance(labels, str | Mapping) or not isinstance(labels, Iterable):
        raise ConfigError(f"labels is {labels!r}; give a list of strings.")
    names = list(labels)
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"labels is {names!r}; give a list of strings.")
    if not names:
        raise ConfigError("labels is empty; give at least one.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(
            f"labels must differ from each other; given twice: {', '.join(sorted(twice))}."
        )
    return tuple(map(str, names))  # NumPy has strings of its own


def xla_is_slow() -> bool:
    """Say whether TensorFlow runs on a CPU, where XLA takes 1.7 times as long as without it."""
    if keras.config.backend() != "tensorflow":
        return False
    return not keras.distribution.list_devices("gpu")


@contextmanager
def at_most(parameters: int) -> Iterator[None]:
    """Build a network of others only as long as it is no larger than the weights that came with it.

    A few bytes of configuration can ask for gigabytes of memory.

    Args:
        parameters: numbers in the file of weights.

    Yields:
        Nothing.

    Raises:
        ConfigError: the network has more.
    """
    made = 0
    add_weight = keras.layers.Layer.add_weight

    def counted(layer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal made
        made += math.prod(shape or ())
        if made > parameters + 100:  # states of random generators are in no file
            raise ConfigError(
                f"this configuration asks for a network of more than the {parameters:,} parameters "
                "that its file of weights has"
            )
        return add_weight(layer, shape, *args, **kwargs)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


@contextmanager
def channels_last() -> Iterator[None]:
    """Build layers with the channels on the last axis, whatever the user's keras.json says."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


@contextmanager
def dtype_policy(dtype: Any) -> Iterator[str]:
    """Build layers under a Keras dtype policy, and put the old one back."""
    before = keras.config.dtype_policy()
    policy = keras.dtype_policies.get(dtype) if dtype is not None else before
    keras.config.set_dtype_policy(policy)
    try:
        yield policy.name
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def nothing_shared() -> Iterator[None]:
    """Build layers as if Keras did not read a file at the moment.

    While it reads one, Keras takes objects with the same id() for the same object. An id is given
    again when an object is freed, and a build makes and frees some: a backward layer could become
    the forward layer.

    Yields:
        Nothing.
    """
    from keras.src.backend.common import global_state  # there is no public way

    names = [f"shared_objects/id_to_{kind}_map" for kind in ("obj", "config")]
    before = {name: global_state.get_global_attribute(name) for name in names}
    try:
        for name in names:
            global_state.set_global_attribute(name, None)
        yield
    finally:
        for name, value in before.items():
            global_state.set_global_attribute(name, value)


# --- layers that were changed ---


def layer_configs(model: keras.Model) -> dict[str, dict[str, Any]]:
    """Return the settings of a network's layers, by name, without those of the input."""
    return {
        layer.name: _unshared(layer.get_config())
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }


def _unshared(config: Any) -> Any:
    """Return a configuration without the numbers that Keras gives to objects while it saves."""
    if isinstance(config, dict):
        return {k: _unshared(v) for k, v in config.items() if k != "shared_object_id"}
    return [_unshared(v) for v in config] if isinstance(config, list) else config


def changes(
    given: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the settings that differ from those given, by layer, as JSON can hold them.

    Raises:
        ConfigError: a setting that JSON cannot hold.
    """
    found = {}
    for name, before, after in zip(given, given.values(), now.values(), strict=True):
        changed = {k: v for k, v in after.items() if k not in before or before[k] != v}
        if changed:
            try:
                found[name] = json.loads(json.dumps(changed))
            except TypeError as error:
                raise ConfigError(
                    f"the layer {name} was given {', '.join(changed)}, which no file can hold: "
                    f"{error}. Change it back, or keep the weights alone with save_weights."
                ) from error
    return found


def rebuilt(waveform: Any, stages: dict[str, Any], settings: dict[str, dict[str, Any]]):
    """Return the input and the stages of a network with other settings of its layers.

    Args:
        waveform: its input.
        stages: its stages.
        settings: by layer, as `changes` returns them.

    Raises:
        ConfigError: there is no such layer, or it does not take these settings.
    """
    whole = keras.Model(waveform, stages)
    known = layer_configs(whole)
    if unknown := sorted(settings.keys() - known.keys()):
        raise ConfigError(
            f"layer_settings names {', '.join(unknown)}; the layers are {', '.join(known)}."
        )

    def clone(layer):
        try:
            return type(layer).from_config({**layer.get_config(), **settings.get(layer.name, {})})
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"the layer {layer.name} cannot be made with {settings.get(layer.name)}: {error}"
            ) from error

    whole = keras.models.clone_model(whole, clone_function=clone)
    return whole.input, {stage: whole.output[stage] for stage in stages}  # PyTorch sorts the names


def check_saved(model: keras.Model, layers: Iterable[keras.layers.Layer]) -> None:
    """Raise ConfigError if a file of the model would not load as the same model.

    Args:
        model: to be saved.
        layers: all that Keras would save of it.
    """
    own = {id(layer) for layer in model.layers}
    if foreign := [layer.name for layer in layers if id(layer) not in own]:
        raise ConfigError(
            f"{model.name} was given {', '.join(foreign)}, which is not a part of its network and "
            "which no file of it can hold. Make a keras.Model of both, and save that."
        )
    config = model.get_config()
    if not config.get("layer_settings"):
        return
    again = type(model).from_config(config)
    for ours, theirs in zip(model.layers, again.layers, strict=True):
        if [tuple(v.shape) for v in ours.variables] != [tuple(v.shape) for v in theirs.variables]:
            raise ConfigError(
                f"the weights of the layer {ours.name} were changed after it was built in a manner "
                "that no file can hold. Change it back, or keep the weights alone with "
                "save_weights."
            )
