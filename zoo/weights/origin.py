"""Where the weights of a model come from, and under which licence."""

import msgspec
import numpy as np

from zoo.errors import WeightsError
from zoo.inference.audio_model import AudioModel
from zoo.inference.variables import variables
from zoo.registry import manifest
from zoo.registry.cards import Card
from zoo.registry.manifest import Checkpoint, PyPI
from zoo.weights import fetch


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model's weights come from.

    Attributes:
        checkpoint: name of the zoo's checkpoint that they were, or that they started from.
        record: what the manifest says of that checkpoint.
        unchanged: they are still that checkpoint's, bit by bit.
        hub: the model was loaded from this repository and commit.
    """

    checkpoint: str = ""
    record: Checkpoint | None = None
    unchanged: bool = False
    hub: str = ""


def origin(model: AudioModel, trained: bool = False) -> Origin:
    """Find out where a model's weights come from, and whether they were trained further.

    Args:
        model: loaded or trained.
        trained: it is known that they were; else they are compared with the checkpoint's, which is
            fetched for that if need be.
    """
    content = model.get_config()["card"]
    if content is None:
        return Origin()
    card = Card.from_dict(content)
    if not card.checkpoints:
        return Origin(hub=card.origin)
    (name, record), *_ = card.checkpoints.items()
    return Origin(
        checkpoint=name,
        record=manifest.load().checkpoints.get(name, record),
        unchanged=not trained and is_checkpoint(model, name),
        hub=card.origin,
    )


def is_checkpoint(model: AudioModel, name: str) -> bool:
    """Say whether a model is a checkpoint of the zoo, bit by bit; False where that is unknown."""
    checkpoint = manifest.load().checkpoints.get(name)
    if checkpoint is None or model.labels != checkpoint.labels:
        return False
    try:
        tensors = fetch.tensors(name)
    except WeightsError:
        return False
    ours = variables(model)
    return ours.keys() == tensors.keys() and all(
        np.array_equal(np.asarray(ours[path]), tensors[path]) for path in tensors
    )


def licence_of(came_from: Origin, licence: str | None) -> str | None:
    """Return the licence to state: the one given, else that of the weights' origin, if known."""
    return licence or (came_from.record.licence.weights if came_from.record else None)


def licence_text(came_from: Origin) -> bytes | None:
    """Return the licence that must go with the weights, where the package has its wording.

    LICENSE-NAME.txt is that of the release or the source code repository called NAME.
    """
    remote = came_from.record.remote if came_from.record else ()
    names = [s.project if isinstance(s, PyPI) else s.url for s in remote]
    for file in sorted(manifest.bundled_folder().glob("LICENSE-*.txt")):
        owner = file.stem.removeprefix("LICENSE-")
        if any(owner in name.split("/") for name in names):
            return file.read_bytes()
    return None
