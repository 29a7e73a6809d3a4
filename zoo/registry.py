"""Which models there are. Nothing in here loads a framework.

A file in `zoo/models/` is registered by being there: its `CARD`, a literal, is read without running
the file. Checkpoints come from `weights_manifest.json`.
"""

import ast
import difflib
import fnmatch
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from zoo.errors import ConfigError, UnknownName
from zoo.weights import manifest
from zoo.weights.manifest import Checkpoint

MODELS = Path(__file__).parent / "models"


# The review's front-ends, by the filters of the first layer, and its back-ends, by the length of
# sound that they take. The second part of each back-end is whose it is in the review.
FRONT_ENDS = ("minimal filters", "one filter shape", "many filter shapes")
BACKENDS = {
    "temporal_pooling": ("any", "Dieleman 2014, Pons 2017"),
    "attention": ("any", "Raffel 2016"),
    "rnn": ("any", "Vogl 2017"),
    "fully_convolutional": ("fixed", "Choi 2016"),
    "mlp": ("fixed", "Schlüter and Böck 2014"),
}


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the networks that a model file can build, in numbers. The tests count them again.

    Attributes:
        options: arguments of `zoo.build` that give it; none for the default.
        parameters: how many are trained, with as many outputs as `Architecture.labels` says.
        sample_rate: in Hz.
        segment: samples that are heard at once.
        plane: (frames, bands) of the spectrogram that the first layer sees; None for a waveform.
        bands: what the second axis of the plane is.
        filters: of the first layer, a shape each: (frames, bands, count); on a waveform (samples,
            stride, count).
        over_mean: (frames, count) of those that see the mean over all bands.
    """

    options: dict[str, Any] = {}
    parameters: int
    sample_rate: int
    segment: int
    plane: tuple[int, int] | None = None
    bands: str = "bands"
    filters: list[tuple[int, int, int]]
    over_mean: list[tuple[int, int]] = []


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model file says of itself in its `CARD`.

    Attributes:
        input: "waveform" or "spectrogram": what the default network's first layer sees.
        domain_knowledge: whether the shape of its filters follows from knowledge of audio.
        many_shapes: whether there are several shapes side by side.
        shape: what the review calls them, such as "vertical".
        filters: the same in a sentence.
        backend: the paper's, by its name in `zoo.backends`.
        stages: what each is.
        variants: the networks of the file by name, the default first.
        labels: how many outputs the parameters of the variants are counted with.
        notes: what one must know before using it.
    """

    name: str
    title: str
    authors: list[str]
    year: int
    venue: str
    url: str
    task: str
    input: str
    domain_knowledge: bool
    many_shapes: bool = False
    shape: str = ""
    filters: str
    backend: str
    stages: dict[str, str]
    variants: dict[str, Variant] = {}
    labels: int = 50
    notes: str = ""

    @property
    def front_end(self) -> str:
        """Its row in the review's grid, one of `FRONT_ENDS`."""
        return FRONT_ENDS[1 + self.many_shapes if self.domain_knowledge else 0]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An architecture and its checkpoints: what `zoo.info` returns and what a model carries.

    Attributes:
        name: of the architecture or the checkpoint.
        architecture: what its model file says.
        checkpoints: those there are, or the one that a model's weights come from.
        origin: the commit that a model was loaded from, "hf://user/repo@<commit>"; "" for others.
        trained: what the weights learned since, by `zoo.train` or `zoo.finetune`; "" for nothing.
    """

    name: str
    architecture: Architecture
    checkpoints: dict[str, Checkpoint]
    origin: str = ""
    trained: str = ""

    def to_dict(self) -> dict:
        """Return the card as plain dictionaries, lists, strings and numbers."""
        return msgspec.json.decode(msgspec.json.encode(self))

    @classmethod
    def from_dict(cls, content: dict) -> "Card":
        """Read back what `to_dict` returned."""
        return msgspec.convert(content, cls)

    def __str__(self) -> str:
        from zoo import text  # which imports this module

        return text.card(self)

    __repr__ = __str__


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


def grid(names: Iterable[str]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Sort architectures as the review does.

    Returns:
        For each of `FRONT_ENDS`, for "waveform" and "spectrogram": names by the shape of their
        filters.
    """
    sorted_in: dict[str, dict[str, dict[str, list[str]]]] = {
        row: {"waveform": {}, "spectrogram": {}} for row in FRONT_ENDS
    }
    for name in names:
        a = architectures()[name]
        sorted_in[a.front_end][a.input].setdefault(a.shape, []).append(name)
    return sorted_in


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
