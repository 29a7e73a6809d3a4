"""Models on the Hugging Face Hub: `zoo.load("hf://user/repo@revision")` and `zoo.push`.

Our repositories contain ``model.safetensors`` (variable path -> array), ``config.json`` (the
network's options, and the sha256 of the weights), ``labels.json`` and ``README.md``. Only the first
two are read. Neither format can contain code. `config.json` may contain only plain values and names
of architectures in this package: no code of a repository is run.
"""

import hashlib
import json
import logging
from typing import Any

import msgspec
import safetensors
import safetensors.numpy

from zoo.errors import ConfigError, WeightsError, ZooError
from zoo.inference.assembly import at_most
from zoo.inference.audio_model import AudioModel
from zoo.inference.variables import assign, values_of, variables
from zoo.utils.version import __version__
from zoo.weights import hub_client, hub_files, model_card, network, origin
from zoo.weights.hub_client import CONFIG, WEIGHTS, Address

LABELS, README = "labels.json", "README.md"

logger = logging.getLogger(__name__)

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
    snapshot, config, tensors = hub_files.fetch(url)
    arguments = hub_files.arguments(config, snapshot)
    if dtype is not None:
        arguments["dtype"] = dtype
    try:
        with at_most(sum(array.size for array in tensors.values())):
            model = AudioModel(**arguments)
    except (ZooError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{CONFIG} of {snapshot.url}, written by music-zoo {config.version}, does not make a "
            f"network with this version, {__version__}: {error}"
        ) from error
    assign(model, tensors, snapshot.url)
    logger.info("%s is %s", url, snapshot.url)
    return model


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
        msgspec.convert(config, hub_files.Config)
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
