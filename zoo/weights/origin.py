"""The origin and the licence of a model's weights."""

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
    """The origin of a model's weights.

    Attributes:
        checkpoint: name of the zoo's checkpoint that they come from; "" for none.
        record: its record in the manifest.
        unchanged: whether they equal that checkpoint bit by bit.
        hub: address and commit that the model was loaded from; "" for none.
    """

    checkpoint: str = ""
    record: Checkpoint | None = None
    unchanged: bool = False
    hub: str = ""


def origin(model: AudioModel, trained: bool = False) -> Origin:
    """Return the origin of a model's weights, and whether they were trained further.

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
    """Return whether a model equals a checkpoint bit by bit; False if that is unknown."""
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
    """Return the given licence, else that of the weights' origin, if known."""
    return licence or (came_from.record.licence.weights if came_from.record else None)


def licence_text(came_from: Origin) -> bytes | None:
    """Return the text of the licence that must accompany the weights, if the package has it.

    LICENSE-NAME.txt belongs to the release or the source code repository called NAME.
    """
    remote = came_from.record.remote if came_from.record else ()
    names = [s.project if isinstance(s, PyPI) else s.url for s in remote]
    for file in sorted(manifest.bundled_folder().glob("LICENSE-*.txt")):
        owner = file.stem.removeprefix("LICENSE-")
        if any(owner in name.split("/") for name in names):
            return file.read_bytes()
    return None
