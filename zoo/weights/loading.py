"""Loading models by name, file or address, in Keras or in another runtime. Loads no framework."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from zoo.errors import ConfigError
from zoo.registry import exported, lookup
from zoo.registry.lookup import is_file_name
from zoo.utils.lazy import framework_errors
from zoo.weights import fetch, runtimes

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel
    from zoo.inference.runtime_model import RuntimeModel

logger = logging.getLogger(__name__)

__all__ = ["is_file_name", "load"]


@overload
def load(
    name: str | os.PathLike[str],
    labels: Iterable[str] | None = None,
    *,
    dtype: Any = None,
    activation: str | None = None,
    runtime: Literal["keras"] | None = None,
) -> "AudioModel": ...
@overload
def load(
    name: str | os.PathLike[str],
    labels: None = None,
    *,
    dtype: str | None = None,
    activation: None = None,
    runtime: Literal["onnx", "openvino"],
) -> "RuntimeModel": ...
@overload
def load(
    name: str | os.PathLike[str],
    labels: Iterable[str] | None = None,
    *,
    dtype: Any = None,
    activation: str | None = None,
    runtime: str,
) -> "AudioModel | RuntimeModel": ...
def load(
    name: str | os.PathLike[str],
    labels: Iterable[str] | None = None,
    *,
    dtype: Any = None,
    activation: str | None = None,
    runtime: str | None = None,
) -> "AudioModel | RuntimeModel":
    """Load a trained model.

    Args:
        name: an architecture ("pons2017", its default weights), a checkpoint ("pons2017.msd"), a
            file that `model.save` wrote ("mine.keras", "mine.h5"), a folder that `zoo.train` or
            `zoo.finetune` wrote, or a repository on the Hugging Face Hub ("hf://user/repo",
            "hf://user/repo@revision"). A file of `zoo.export` ("mine.onnx") needs no framework.
        labels: your own tags, in the order of the output: everything but the head keeps its
            weights, the head is fresh.
        dtype: a Keras dtype policy; "mixed_bfloat16" is faster on processors that have it. With
            runtime="openvino": "float32" or "bfloat16".
        activation: with `labels`: "sigmoid" for tags (the default), "softmax" for classes.
        runtime: "keras"; "onnx" for ONNX Runtime or "openvino" for OpenVINO, which load no
            framework, start at once and predict, but do not train; "auto" for ONNX Runtime where
            the model can run there, else Keras. None for Keras, and for ONNX Runtime if the name is
            an .onnx file.

    Returns:
        The model, ready to use: an `AudioModel`, which is a `keras.Model`; of another runtime a
        `RuntimeModel`, with the same methods `tag`, `taggram`, `embed`, `onsets` and `stream`.

    Raises:
        UnknownName: with the nearest names.
        WeightsError: the weights could not be loaded; the message lists what was tried.
        FileNotFoundError: no such saved file.
        ConfigError: a runtime that is not installed or cannot run the model; or arguments that do
            not fit together.

    Examples:
        >>> import zoo
        >>> model = zoo.load("pons2017")
        >>> len(model.labels)
        50
    """
    if not isinstance(name, str | os.PathLike):
        raise ConfigError(f"load takes a name or a path; given was a {type(name).__name__}.")
    if activation is not None and labels is None:
        raise ConfigError("activation is for a fresh head: give labels too.")
    if runtime is None:
        runtime = "onnx" if Path(name).suffix.lower() == exported.SUFFIX else "keras"
    if runtime == "auto":
        plain = labels is None and dtype is None
        runtime = "onnx" if plain and runtimes.has_graph(str(name)) else "keras"
    if runtime == "keras":
        model: Any = in_keras(name, labels, dtype, activation)
    elif labels is not None:
        raise ConfigError(
            f"labels gives the model a fresh head, which must be trained; {runtime} cannot train. "
            "Leave out runtime."
        )
    else:
        model = runtimes.load(name, runtime, dtype)
    if not str(name).startswith("hf://") and not is_file_name(name):
        announce(lookup.resolve(str(name)))
    return model


def in_keras(
    name: str | os.PathLike[str],
    labels: Iterable[str] | None,
    dtype: Any,
    activation: str | None,
) -> "AudioModel":
    """Load a model into Keras; the arguments are those of `load`.

    Raises:
        ConfigError: Keras or its backend is not installed.
    """
    with framework_errors():
        # Not above: a model in another runtime needs no framework.
        from zoo.inference.assembly import checked_labels
        from zoo.weights import keras_models
    labels = None if labels is None else checked_labels(labels)
    model = keras_models.load(name, dtype)
    return model if labels is None else model.with_labels(labels, activation or "sigmoid")


def announce(name: str) -> None:
    """Log authors and licence of a checkpoint; a restricted licence is a warning."""
    checkpoint = lookup.info(name).checkpoints[name]
    restricted = "NC" in checkpoint.licence.weights
    logger.log(
        logging.WARNING if restricted else logging.INFO,
        "%s%s",
        fetch.about(name, checkpoint),
        ": not for commercial use" if restricted else "",
    )
