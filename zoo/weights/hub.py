"""Models on the Hugging Face Hub: `zoo.load("hf://user/repo@revision")` and `zoo.push`.

Our repositories contain ``model.safetensors`` (variable path -> array), ``config.json`` (the
network's options, and the sha256 of the weights), ``labels.json`` and ``README.md``. Only the first
two are read. Neither format can contain code. `config.json` may contain only plain values and names
of architectures in this package: no code of a repository is run.
"""

import hashlib
import json
import logging
from typing import Any, Literal

import msgspec
import safetensors
import safetensors.numpy

from zoo.errors import ConfigError, WeightsError, ZooError
from zoo.inference.audio_model import AudioModel
from zoo.inference.variables import assign, values_of, variables
from zoo.registry import lookup
from zoo.registry.cards import Card
from zoo.registry.manifest import Checkpoint
from zoo.utils.version import __version__
from zoo.weights import cache, hub_client, model_card, network, origin
from zoo.weights.hub_client import CONFIG, WEIGHTS, Address, Snapshot

LABELS, README = "labels.json", "README.md"

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


# --- load ---


def load(url: str, dtype: Any = None) -> AudioModel:
    """Load a model from the hub; `zoo.load` calls this.

    Args:
        url: "hf://user/repo" or "hf://user/repo@revision".
        dtype: a Keras dtype policy; None for the repository's.

    Returns:
        The model.

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
    arguments = msgspec.structs.asdict(config.model)
    arguments["card"] = card(config, snapshot).to_dict()
    if dtype is not None:
        arguments["dtype"] = dtype
    try:
        model = AudioModel(**arguments)
    except (ZooError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{CONFIG} of {snapshot.url}, written by music-zoo {config.version}, does not make a "
            f"network with this version, {__version__}: {error}"
        ) from error
    assign(model, tensors, snapshot.url)
    logger.info("%s is %s", url, snapshot.url)
    return model


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


# --- push ---


def push(
    model: AudioModel,
    url: str,
    private: bool = False,
    message: str | None = None,
    licence: str | None = None,
) -> str:
    """Upload a model to the Hugging Face Hub: weights, configuration, labels and a model card.

    All files are uploaded in one commit, or none. A missing repository is created; other files in
    it stay. The token is that of HF_TOKEN or of `hf auth login`.

    Args:
        model: from `zoo.load` or `zoo.build`.
        url: "hf://user/repo".
        private: create a private repository. Then nothing is uploaded to an existing public one.
        message: of the commit.
        licence: of the weights, such as "MIT"; None for that of their checkpoint.

    Returns:
        "hf://user/repo@commit", which always loads what was uploaded.

    Raises:
        ConfigError: not a model of the zoo, or not such an address.
        WeightsError: the upload failed; the message states why.
    """
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    address = hub_client.parse(url)
    if address.revision is not None:
        raise ConfigError(
            f"{url} names a revision; give hf://{address.repo}; an upload creates a revision."
        )
    if not isinstance(model, AudioModel):
        raise ConfigError(f"push takes a model of the zoo, not a {type(model).__name__}.")
    if variable := network.offline():
        raise WeightsError(f"{variable} is set, which forbids the network; unset it to upload.")
    files = contents(model, address.repo, licence)
    hub, repo = hub_client.client(), address.repo
    with hub_client.explained(address):
        try:
            public = not hub.model_info(repo, timeout=hub_client.TIMEOUT).private
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            hub.create_repo(repo, private=private, exist_ok=True)
            public = False
        if private and public:
            raise WeightsError(f"{address} exists and is public: nothing was uploaded.")
        done = hub.create_commit(
            repo,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=message or f"Upload {model.name} with music-zoo {__version__}",
        )
    pinned = str(Address(repo, done.oid))
    logger.info("uploaded %s to %s", model.name, pinned)
    return pinned


def contents(model: AudioModel, repo: str, licence: str | None = None) -> dict[str, bytes]:
    """Return the files of a repository.

    Args:
        model: the model to upload.
        repo: "user/name".
        licence: as in `push`.

    Returns:
        File name -> content.

    Raises:
        ConfigError: the model has an option that is not a plain value.
    """
    ours = variables(model)
    weights = safetensors.numpy.save(dict(zip(ours, values_of(ours.values()), strict=True)))
    arguments = published(model)
    described = arguments.pop("card") or {}
    config = {
        "library": "music-zoo",
        "format": 1,
        "version": __version__,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "model": arguments,
        "checkpoints": described.get("checkpoints", {}),
        "trained": described.get("trained", ""),
    }
    try:
        msgspec.convert(config, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{model.name} could not be read back from {CONFIG}: {error}") from error
    came_from = origin.origin(model)
    files = {
        CONFIG: json.dumps(config, indent=2, ensure_ascii=False).encode(),
        WEIGHTS: weights,
        LABELS: json.dumps(model.labels, indent=2, ensure_ascii=False).encode(),
        README: model_card.readme(model, repo, licence).encode(),
    }
    wording = origin.licence_text(came_from)
    return files if wording is None else {**files, "LICENSE": wording}


def published(model: AudioModel) -> dict[str, Any]:
    """Return the arguments of a model without what is frozen, which a repository does not say.

    Raises:
        ConfigError: layers have other settings, such as int8 weights, that it cannot say.
    """
    arguments = model.get_config()
    arguments.pop("trainable", None)
    settings = arguments.pop("layer_settings", {})
    changed = [name for name, values in settings.items() if values.keys() - {"trainable"}]
    if changed:
        raise ConfigError(
            f"the layers {', '.join(changed)} of {model.name} have other settings than its "
            "architecture gives, which a repository of the hub cannot hold. Upload the model as it "
            "was built, or share the file that model.save writes."
        )
    return arguments
