"""The two files of a repository on the Hugging Face Hub that are read. Loads no framework."""

import logging
from typing import Any, Literal

import msgspec
import numpy as np
import safetensors
import safetensors.numpy

from zoo.errors import WeightsError
from zoo.registry import lookup
from zoo.registry.cards import Card
from zoo.registry.manifest import Checkpoint
from zoo.utils.version import __version__
from zoo.weights import cache, hub_client
from zoo.weights.hub_client import CONFIG, WEIGHTS, Snapshot

logger = logging.getLogger(__name__)

Plain = None | bool | int | float | str
Value = Plain | list[Plain | list[Plain]]


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of `AudioModel` in a repository: plain values, no objects."""

    architecture: str
    labels: list[str]
    segment: float | None = None
    activation: str = "sigmoid"
    backend: str | None = None
    options: dict[str, Value] = {}
    dtype: str | None = None
    name: str | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The content of config.json.

    Attributes:
        library: marks our repositories.
        format: version of the format; it increases with each incompatible change.
        version: of the package that wrote the file.
        sha256: of the file of weights.
        model: arguments of the untrained network.
        checkpoints: the record of the checkpoint that the weights come from. It is read separately
            and is optional: another version may describe checkpoints differently.
        trained: note on later training by `zoo.train` or `zoo.finetune`.
    """

    library: Literal["music-zoo"]
    format: Literal[1]
    version: str
    sha256: str
    model: Network
    checkpoints: dict[str, Any] = {}
    trained: str = ""


def fetch(url: str) -> tuple[Snapshot, Config, dict[str, np.ndarray]]:
    """Fetch a repository and read its files.

    Args:
        url: "hf://user/repo" or "hf://user/repo@revision".

    Returns:
        Its files, its configuration, and its arrays by Keras variable path.

    Raises:
        ConfigError: not such an address.
        WeightsError: it could not be loaded, or is not a model of the zoo; the message states why.
    """
    snapshot = hub_client.fetch(url)
    config = read_config(snapshot)
    if cache.sha256(snapshot.weights) != config.sha256:
        raise WeightsError(
            f"{WEIGHTS} of {snapshot.url} is not the file that {CONFIG} was written for: the "
            f"sha256 differs. If the download is damaged, delete {snapshot.weights.resolve()} and "
            "load again."
        )
    try:
        tensors = safetensors.numpy.load_file(snapshot.weights)
    except (safetensors.SafetensorError, KeyError) as error:  # KeyError: a dtype that NumPy lacks
        raise WeightsError(f"{WEIGHTS} of {snapshot.url} cannot be read: {error}") from error
    return snapshot, config, tensors


def arguments(config: Config, snapshot: Snapshot) -> dict[str, Any]:
    """Return the arguments of `AudioModel` for the network of a repository.

    Args:
        config: its configuration.
        snapshot: its files.

    Returns:
        The arguments, among them the card.
    """
    return {**msgspec.structs.asdict(config.model), "card": card(config, snapshot).to_dict()}


def read_config(snapshot: Snapshot) -> Config:
    """Read and check config.json.

    Args:
        snapshot: the downloaded files.

    Returns:
        Its content.

    Raises:
        WeightsError: it is not from the zoo, or from an unknown version.
    """
    try:
        config = msgspec.json.decode(snapshot.config.read_bytes(), type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{snapshot.url} is not a model of the zoo, or is newer than version {__version__}: "
            f"{CONFIG}: {error}"
        ) from error
    if config.model.architecture not in lookup.architectures():
        raise WeightsError(
            f"{snapshot.url} has the architecture {config.model.architecture!r}, which music-zoo "
            f"{__version__} does not have; the model was saved with {config.version}."
        )
    return config


def card(config: Config, snapshot: Snapshot) -> Card:
    """Return the card of the loaded model: the origin of its weights, and the commit."""
    try:
        checkpoints = msgspec.convert(config.checkpoints, dict[str, Checkpoint])
    except msgspec.ValidationError as error:
        logger.warning("%s describes its weights in another form: %s", snapshot.url, error)
        checkpoints = {}
    return Card(
        name=config.model.name or snapshot.repo,
        architecture=lookup.architectures()[config.model.architecture],
        checkpoints=checkpoints,
        origin=snapshot.url,
        trained=config.trained,
    )
