"""Find models by name. Nothing in this file loads a framework.

Every file in `zoo/models/` is registered: its `CARD`, a literal, is read without running the file.
Checkpoints come from `weights_manifest.json`.
"""

import ast
import difflib
import fnmatch
import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from zoo.errors import ConfigError, UnknownName
from zoo.registry import exported, manifest, saved
from zoo.registry.cards import FRONT_ENDS, Architecture, Card

MODELS = Path(__file__).parents[1] / "models"


def card_of(config: dict[str, Any], name: str) -> Card:
    """Return the card of a model, in memory or saved.

    The checkpoint that the weights come from stays in it, with its authors and licence. It keeps
    its status and scores only while the model has its name, its labels and no further training.

    Args:
        config: the arguments of `AudioModel`.
        name: of the model.
    """
    content, labels = config["card"], tuple(config["labels"])
    if content:
        card = Card.from_dict(content)
    else:
        card = msgspec.structs.replace(info(config["architecture"]), checkpoints={})
    checkpoints = {
        key: checkpoint
        if (name, labels, card.trained) == (key, checkpoint.labels, "")
        else msgspec.structs.replace(
            checkpoint,
            default=False,
            status="changed since",
            labels=labels,
            parameters=None,
            metrics=(),
        )
        for key, checkpoint in card.checkpoints.items()
    }
    return msgspec.structs.replace(card, name=name, labels=labels, checkpoints=checkpoints)


def is_file_name(name: str | os.PathLike[str]) -> bool:
    """Say whether a name means a saved file or a folder of one, and not a model of the zoo."""
    return saved.is_file_name(name, name in _files() or name in manifest.load().checkpoints)


@functools.cache
def _files() -> dict[str, Path]:
    """Return the model files by the name of their architecture."""
    return {path.stem: path for path in sorted(MODELS.glob("[a-z]*.py"))}


def architectures() -> dict[str, Architecture]:
    """Return every architecture by name, read from the `CARD` of each model file."""
    return {name: architecture(name) for name in _files()}


@functools.cache
def architecture(name: str) -> Architecture:
    """Return one architecture, read from its model file.

    Args:
        name: of a model file that exists.
    """
    return _read(_files()[name])


def _read(path: Path) -> Architecture:
    card = literal(path, "CARD")
    if card is None:
        raise ConfigError(
            f"{path.name} has no CARD. A model file describes its architecture in this literal."
        )
    first: dict[str, Any] = next(iter(card.get("variants", {}).values()), {})
    variants = {name: {**first, **own} for name, own in card.get("variants", {}).items()}
    return msgspec.convert({"name": path.stem, **card, "variants": variants}, Architecture)


def literal(path: Path, name: str) -> dict[str, Any] | None:
    """Return a dictionary that a model file assigns to `name`, without running the file.

    Args:
        path: of the model file.
        name: "CARD" or "TRAINING", assigned to `{...}` or `dict(...)` of literals.

    Returns:
        The dictionary; None if the file does not assign the name.
    """
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            value = node.value
            if isinstance(value, ast.Call) and getattr(value.func, "id", None) == "dict":
                return {str(k.arg): ast.literal_eval(k.value) for k in value.keywords}
            return ast.literal_eval(value)
    return None


def default_checkpoint(architecture: str) -> str | None:
    """Return the name of an architecture's default checkpoint; None if it has none."""
    known = manifest.load().checkpoints.items()
    return next((n for n, c in known if c.architecture == architecture and c.default), None)


def list_models(
    pattern: str = "*",
    task: str | None = None,
    licence: str | None = None,
    trained: bool = True,
) -> list[str]:
    """List the models that can be loaded or built.

    Args:
        pattern: shell pattern for names, such as "pons*" or "*.mtt"; without *, ? and [ a part of
            the name, such as "pons".
        task: "tagging" or "onsets"; None for all.
        licence: shell pattern for the licence of the weights, such as "MIT" or "CC*"; None for all.
        trained: True for checkpoints; False for architectures, which `zoo.build` takes.

    Returns:
        Sorted names.

    Raises:
        ConfigError: `licence` is given with trained=False.

    Examples:
        >>> import zoo
        >>> zoo.list_models("pons2017.m?d")
        ['pons2017.msd']
    """
    known = architectures()
    if not set(pattern) & set("*?["):
        pattern = f"*{pattern}*"
    if not trained:
        if licence is not None:
            raise ConfigError(
                "licence is the licence of weights; with trained=False there are no weights."
            )
        found = {name: name for name in known}
    else:
        found = {
            name: checkpoint.architecture
            for name, checkpoint in manifest.load().checkpoints.items()
            if licence is None or fnmatch.fnmatch(checkpoint.licence.weights, licence)
        }
    return sorted(
        name
        for name, architecture in found.items()
        if fnmatch.fnmatch(name, pattern) and (task is None or known[architecture].task == task)
    )


def grid(names: Iterable[str]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Sort architectures as the review does.

    Args:
        names: of architectures.

    Returns:
        Row of `FRONT_ENDS` -> "waveform" or "spectrogram" -> shape of the filters -> names.
    """
    sorted_in: dict[str, dict[str, dict[str, list[str]]]] = {
        row: {"waveform": {}, "spectrogram": {}} for row in FRONT_ENDS
    }
    for name in names:
        a = architectures()[name]
        sorted_in[a.front_end][a.input].setdefault(a.shape, []).append(name)
    return sorted_in


def info(name: str | os.PathLike[str]) -> Card:
    """Return the card of an architecture with all its checkpoints, of one checkpoint, or of a file.

    Args:
        name: "pons2017", "pons2017.mtt", a file that `model.save` wrote ("mine.keras") or
            `zoo.export` ("mine.onnx"), or a folder that `zoo.train` or `zoo.finetune` wrote.

    Returns:
        The card; printing it shows all its fields.

    Raises:
        UnknownName: there is no such model; the message suggests the nearest names.
        FileNotFoundError: there is no such file.
        ConfigError: the file is not a model of the zoo.
    """
    if is_file_name(name):
        path = Path(name)
        if path.suffix.lower() == exported.SUFFIX:
            about = exported.describe(path)
            return card_of({**about.config, "labels": about.labels}, saved.as_name(path.stem))
        path, called = saved.find(name)
        return card_of(saved.read_config(path), called)
    name = str(name)
    checkpoints = manifest.load().checkpoints
    if name in checkpoints:
        own = {name: checkpoints[name]}
        return Card(name=name, architecture=architecture(own[name].architecture), checkpoints=own)
    if name not in _files():
        raise unknown(name)
    own = {key: c for key, c in checkpoints.items() if c.architecture == name}
    return Card(name=name, architecture=architecture(name), checkpoints=own)


def resolve(name: str) -> str:
    """Return the checkpoint of a name: "pons2017" -> "pons2017.mtt".

    Args:
        name: of an architecture or a checkpoint.

    Returns:
        The name of the checkpoint.

    Raises:
        UnknownName: no such architecture or checkpoint, or an architecture without weights.
    """
    if name in manifest.load().checkpoints:
        return name
    if name not in _files():
        raise unknown(name)
    default = default_checkpoint(name)
    if default is None:
        own = ", ".join(sorted(info(name).checkpoints)) or "none yet"
        raise UnknownName(
            f"{name} has no default weights; its checkpoints: {own}. "
            f"zoo.build({name!r}, labels=[...]) builds it untrained."
        )
    return default


def unknown(name: str) -> UnknownName:
    """Return the error for a name that does not exist, with the nearest existing names."""
    names = [*_files(), *manifest.load().checkpoints]
    if name in names:
        architecture = manifest.load().checkpoints[name].architecture
        return UnknownName(
            f"{name!r} is a checkpoint, where an architecture is expected, such as "
            f"{architecture!r}. zoo.load and zoo.finetune take checkpoints."
        )
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`zoo list` shows all."
    return UnknownName(f"no model is named {name!r}. {hint}")
