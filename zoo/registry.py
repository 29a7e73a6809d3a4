"""Which models there are. Nothing in here loads a framework.

A file in `zoo/models/` is registered by being there: its `CARD`, a literal, is read without running
the file. Checkpoints come from `weights_manifest.json`.
"""

import ast
import difflib
import fnmatch
import functools
from pathlib import Path

import msgspec

from zoo.errors import ConfigError, UnknownName
from zoo.weights import manifest
from zoo.weights.manifest import Checkpoint

MODELS = Path(__file__).parent / "models"


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model file says of itself in its `CARD`."""

    name: str
    title: str
    authors: list[str]
    year: int
    venue: str
    url: str
    task: str
    input: str  # "waveform" or "spectrogram"
    domain_knowledge: bool
    filters: str
    backend: str
    stages: dict[str, str]
    variants: list[str] = []
    notes: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An architecture and its checkpoints: what `zoo.info` returns and what a model carries.

    `origin` is the commit that a model was loaded from, "hf://user/repo@<commit>"; "" for others.
    """

    name: str
    architecture: Architecture
    checkpoints: dict[str, Checkpoint]
    origin: str = ""

    def to_dict(self) -> dict:
        """Return the card as plain dictionaries, lists, strings and numbers."""
        return msgspec.json.decode(msgspec.json.encode(self))

    @classmethod
    def from_dict(cls, content: dict) -> "Card":
        """Read back what `to_dict` returned."""
        return msgspec.convert(content, cls)

    def __str__(self) -> str:
        a = self.architecture
        knowledge = "domain knowledge" if a.domain_knowledge else "no domain knowledge"
        lines = [
            f"{self.name}: {a.title}",
            f"  {', '.join(a.authors)}, {a.year}. {a.venue}. {a.url}",
            f"  task       {a.task}",
            f"  front-end  {a.input}; {knowledge}; {a.filters}",
            f"  back-end   {a.backend}",
        ]
        if self.origin:
            lines.append(f"  origin     {self.origin}")
        if a.variants:
            lines.append(f"  variants   {', '.join(a.variants)}")
        if a.notes:
            lines.append(f"  notes      {a.notes}")
        lines.append("  stages")
        width = max(len(stage) for stage in a.stages)
        lines += [f"    {stage:<{width}}  {what}" for stage, what in a.stages.items()]
        for name, checkpoint in self.checkpoints.items():
            lines += ["", *describe(name, checkpoint)]
        return "\n".join(lines)

    __repr__ = __str__


def describe(name: str, checkpoint: Checkpoint) -> list[str]:
    """Return the lines in which a person reads of a checkpoint."""
    lines = [
        f"  checkpoint {name}" + (" (default)" if checkpoint.default else ""),
        f"    weights by  {', '.join(checkpoint.authors)}; licence {checkpoint.licence.weights}",
        f"    data        {checkpoint.licence.data}",
        f"    provenance  {checkpoint.provenance}",
        f"    status      {checkpoint.status}",
        f"    cite        {checkpoint.citation}",
        f"    labels      {len(checkpoint.labels)}: {', '.join(checkpoint.labels)}",
    ]
    for m in checkpoint.metrics:
        lines.append(f"    {m.kind:<10}  {m.name} {m.value:.4f} on {m.data}, {m.split}; {m.source}")
    return lines


@functools.cache
def architectures() -> dict[str, Architecture]:
    """Return every architecture by name, read from the `CARD` of each model file."""
    return {path.stem: _read(path) for path in sorted(MODELS.glob("[a-z]*.py"))}


def _read(path: Path) -> Architecture:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "CARD":
            card = ast.literal_eval(node.value)
            return msgspec.convert({"name": path.stem, **card}, Architecture)
    raise ConfigError(f"{path.name} has no CARD. A model file says what it is in one literal.")


def default_checkpoint(architecture: str) -> str | None:
    """Return the checkpoint that an architecture's bare name means; None if it has none."""
    for name, checkpoint in manifest.load().checkpoints.items():
        if checkpoint.architecture == architecture and checkpoint.default:
            return name
    return None


def list_models(
    pattern: str = "*",
    task: str | None = None,
    licence: str | None = None,
    trained: bool = True,
) -> list[str]:
    """List what can be loaded, or built.

    Args:
        pattern: shell pattern for names, such as "pons*" or "*.mtt".
        task: "tagging" or "onsets"; None for all.
        licence: shell pattern for the licence of the weights, such as "MIT" or "CC*"; None for all.
        trained: True for checkpoints; False for architectures, which `zoo.build` takes.

    Returns:
        Sorted names.

    >>> import zoo
    >>> zoo.list_models("pons2017.m?d")
    ['pons2017.msd']
    """
    known = architectures()
    if not trained:
        if licence is not None:
            raise ConfigError("licence is that of weights; with trained=False there are none.")
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


def info(name: str) -> Card:
    """Return the card of an architecture with all its checkpoints, or of one checkpoint.

    Args:
        name: "pons2017" or "pons2017.mtt".

    Raises:
        UnknownName: with the nearest names.
    """
    checkpoints = manifest.load().checkpoints
    if name in checkpoints:
        chosen = {name: checkpoints[name]}
        return Card(
            name=name,
            architecture=architectures()[checkpoints[name].architecture],
            checkpoints=chosen,
        )
    architecture = architectures().get(name)
    if architecture is None:
        raise unknown(name)
    own = {key: c for key, c in checkpoints.items() if c.architecture == name}
    return Card(name=name, architecture=architecture, checkpoints=own)


def resolve(name: str) -> str:
    """Return the checkpoint that a name means: "pons2017" -> "pons2017.mtt".

    Raises:
        UnknownName: no such architecture or checkpoint, or an architecture without weights.
    """
    if name in manifest.load().checkpoints:
        return name
    if name not in architectures():
        raise unknown(name)
    default = default_checkpoint(name)
    if default is None:
        own = ", ".join(sorted(info(name).checkpoints)) or "none yet"
        raise UnknownName(
            f"{name} has no default weights; its checkpoints: {own}. "
            f"zoo.build({name!r}, labels=[...]) gives it untrained."
        )
    return default


def unknown(name: str) -> UnknownName:
    """Return the error for a name that does not exist, with the nearest ones that do."""
    names = [*architectures(), *manifest.load().checkpoints]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(names)}."
    return UnknownName(f"no model is named {name!r}. {hint}")
