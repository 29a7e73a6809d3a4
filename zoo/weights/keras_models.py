"""Models in Keras: trained ones by name, file or address, and untrained ones."""

import contextlib
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import h5py
import keras

from zoo.errors import ConfigError, ZooError
from zoo.inference.audio_model import AudioModel
from zoo.inference.variables import assign
from zoo.inference.weight_values import check_finite
from zoo.registry import exported, lookup, saved
from zoo.weights import fetch, hub, runtimes

MAX_GROWTH = 10  # of a saved model when it is loaded


def load(name: str | os.PathLike[str], dtype: Any = None) -> AudioModel:
    """Load a trained model into Keras.

    Args:
        name: as in `zoo.load`.
        dtype: a Keras dtype policy; None for the model's own.

    Returns:
        The model.

    Raises:
        UnknownName, WeightsError, FileNotFoundError: as in `zoo.load`.
    """
    if str(name).startswith("hf://"):
        return hub.load(str(name), dtype)
    if lookup.is_file_name(name):
        return load_file(Path(name), dtype)
    return load_checkpoint(lookup.resolve(str(name)), dtype)


def load_file(path: Path, dtype: Any = None) -> AudioModel:
    """Load a file of `model.save`, or the folder of a training; the file names the model."""
    if path.suffix.lower() == exported.SUFFIX:
        raise ConfigError(
            f"{path} is an ONNX file, which Keras cannot read. Leave out runtime, or give 'onnx'."
        )
    path, name = saved.find(path)
    check_size(path)
    saved.read_config(path)  # refuses a file that is no model of the zoo
    # The format of .h5 files knows classes by their bare names.
    try:
        model = keras.saving.load_model(path, custom_objects={"AudioModel": AudioModel})
    except (ZooError, MemoryError):
        raise
    except Exception as error:  # Keras and h5py raise many kinds
        raise ConfigError(
            f"{path} cannot be loaded: it is damaged, or was saved by another version "
            f"({type(error).__name__}: {str(error)[:300]})."
        ) from error
    check_finite(((v.path, v) for v in model.weights), str(path))
    model.name = name
    model.trained_on = trained_on(path)
    if dtype is None:
        return model
    copy = AudioModel(**{**model.get_config(), "dtype": dtype})
    copy.set_weights(model.get_weights())
    copy.trained_on = model.trained_on
    return copy


def check_size(path: Path) -> None:
    """Refuse a saved model that would take far more memory than the file has bytes.

    Keras does not compress; a small file of gigabytes of zeros is an attack or a mistake.

    Raises:
        ConfigError: it is larger when it is unpacked than `MAX_GROWTH` allows, or no such file.
    """
    try:
        with contextlib.ExitStack() as opened:
            archived, numbers = 0, []
            file: IO[bytes] = opened.enter_context(path.open("rb"))
            if path.suffix not in saved.HDF5:
                archive = opened.enter_context(zipfile.ZipFile(file))
                archived = sum(entry.file_size for entry in archive.infolist())
                if archived <= MAX_GROWTH * path.stat().st_size and (bad := archive.testzip()):
                    raise ValueError(f"the checksum of {bad} differs")
                file = opened.enter_context(archive.open("model.weights.h5"))
            if archived <= MAX_GROWTH * path.stat().st_size:
                weights = opened.enter_context(h5py.File(file, "r"))
                weights.visititems(lambda _, item: numbers.append(getattr(item, "nbytes", 0)))
    except Exception as error:  # zipfile and h5py raise many kinds
        raise ConfigError(
            f"{path} is not a saved Keras model, or is damaged or cut off ({error})."
        ) from error
    if max(archived, sum(numbers)) > MAX_GROWTH * path.stat().st_size:
        raise ConfigError(
            f"{path} has {path.stat().st_size:,} bytes, but its content would take "
            f"{max(archived, sum(numbers)):,}, more than {MAX_GROWTH} times as much; refused."
        )


def trained_on(path: Path) -> frozenset[str]:
    """Return the record of the files that a model was trained on, from its training folder."""
    settings = path.with_name("settings.json")
    if path.name != "model.keras" or not settings.is_file():
        return frozenset()
    try:
        return frozenset(json.loads(settings.read_bytes()).get("trained_on", ()))
    except (AttributeError, TypeError, ValueError):
        return frozenset()  # the model does not depend on it


def load_checkpoint(name: str, dtype: Any = None) -> AudioModel:
    """Load a checkpoint of the manifest by its full name."""
    model = AudioModel(**runtimes.configuration(name), dtype=dtype, name=name)
    assign(model, fetch.tensors(name), name)
    return model


def build(
    name: str,
    labels: Iterable[str],
    *,
    segment: float | None = None,
    activation: str = "sigmoid",
    backend: str | None = None,
    dtype: Any = None,
    **options: Any,
) -> AudioModel:
    """Build an untrained model.

    Args:
        name: an architecture of `zoo.list_models(trained=False)`.
        labels: output names, in order.
        segment: seconds of audio that the network takes at once; None for the paper's.
        activation: "sigmoid" for tags, "softmax" for classes.
        backend: "temporal_pooling", "attention", "rnn", "fully_convolutional" or "mlp", see
            `zoo.layers.backends`; None for the paper's. The last two take one length
            only: `segment`, or else the architecture's own.
        dtype: a Keras dtype policy.
        **options: of the architecture, such as `variant="waveform"` for pons2017, and of the
            back-end, such as `cell="lstm"` for "rnn".

    Returns:
        The model, with random weights.

    Raises:
        UnknownName: with the nearest names.
        ConfigError: an option that neither the architecture nor the back-end has; lists those
            that they have. Or labels that are not distinct strings in an order.

    Examples:
        >>> import zoo
        >>> model = zoo.build("pons2017", ["jazz", "rock"], variant="spectrogram")
        >>> model.output_shape
        (None, 2)
        >>> model = zoo.build("pons2017", ["jazz", "rock"], backend="attention", per_feature=True)
        >>> model.stage("attention").output_shape
        (None, None, 561)
    """
    return AudioModel(name, labels, segment, activation, backend, options, dtype=dtype)
