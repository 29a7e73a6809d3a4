"""The typed view of ``weights_manifest.json``: each checkpoint, its origin, terms and scores.

The file lies beside the package's modules when the package is installed, and at the top level of a
checkout. It is checked once, when it is first asked for: a field that is unknown, missing or of the
wrong type is an error that names its place, and so is a manifest that contradicts itself.
"""

import functools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from zoo.errors import ConfigError, UnknownName

PACKAGE = Path(__file__).resolve().parents[1]
FILE_NAME = "weights_manifest.json"

Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
GitBlob = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{40}\Z")]
FileName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._+-]*\Z")]  # never a path
ModuleName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]*\Z")]
CheckpointName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9]*\.[a-z0-9_]+\Z")]
HttpUrl = Annotated[str, msgspec.Meta(pattern=r"\Ahttps?://\S+\Z")]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(gt=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all records: immutable, and strict about its fields."""


class Bundled(_Record, frozen=True, tag_field="kind", tag="bundled"):
    """A native file that travels with the package."""

    file: FileName
    sha256: Sha256
    bytes: Count


class Remote(_Record, frozen=True, kw_only=True, tag_field="kind"):
    """A file that must be fetched, and how its content becomes ours.

    Attributes:
        file: the name under which a mirror holds it.
        bytes: its size; may be left out only where it was never seen.
        sha256: digest of its content.
        git_blob: digest that git gives it, sha1 of "blob", size and content; for files
            that could not be downloaded when they were listed.
        format: "native" (safetensors with our variable paths) or the reader in
            ``zoo/weights/convert/``.
        member: what the reader shall read inside the file.
        adopt: function of the architecture's file that names the foreign variables as ours.
    """

    file: FileName
    bytes: Count | None = None
    sha256: Sha256 | None = None
    git_blob: GitBlob | None = None
    format: ModuleName = "native"
    member: str = ""
    adopt: ModuleName | None = None

    def __post_init__(self) -> None:
        if self.sha256 is None and self.git_blob is None:
            raise ValueError(
                f"source {self.file!r} has neither sha256 nor git_blob: it could not be verified"
            )
        if (self.format == "native") != (self.adopt is None):
            raise ValueError(
                f"source {self.file!r}: a foreign format needs `adopt`, the native one has none"
            )

    @property
    def identity(self) -> str:
        """What the converted file depends on: the source's content and the way it is read."""
        return " ".join(
            [self.sha256 or f"{self.git_blob}", self.format, self.member, self.adopt or ""]
        )


class PyPI(Remote, frozen=True, tag="pypi"):
    """A file of a release on the Python package index."""

    project: Text
    version: Text


class Url(Remote, frozen=True, tag="url"):
    """A file at an address."""

    url: HttpUrl


Source = Bundled | PyPI | Url


class Input(_Record, frozen=True):
    """What a checkpoint listens to.

    Attributes:
        sample_rate: in Hz.
        segment: samples that one prediction hears; None if any length will do.
        description: the features, in words.
    """

    sample_rate: Count
    segment: Count | None
    description: Text


class Licence(_Record, frozen=True):
    """Terms of the weights (an SPDX identifier where there is one) and of their training data."""

    weights: Text
    data: Text


class Metric(_Record, frozen=True, kw_only=True):
    """One score of a checkpoint.

    Attributes:
        name: such as "ROC-AUC"; mean over labels unless it says otherwise.
        value: between 0 and 1.
        data: the corpus.
        split: which part of it, by whose list.
        clips: number of clips scored; None where the source does not say.
        kind: "published" by the weights' authors, or "measured" by this project.
        source: where the number stands, or the command that gave it.
    """

    name: Text
    value: Fraction
    data: Text
    split: Text
    clips: Count | None = None
    kind: Literal["published", "measured"]
    source: Text


class Checkpoint(_Record, frozen=True, kw_only=True):
    """One set of trained weights.

    Attributes:
        architecture: the model file that it fits.
        default: whether the architecture's bare name means this one.
        options: arguments of the architecture's builder, and "segment", in seconds, and "backend",
            with its arguments, where they are not the paper's.
        parameters: how many of its numbers were trained; others are moving averages, constants.
        labels: in the order of the network's outputs.
        sources: where it can be had, in the order in which they are tried.
        input: what it listens to.
        licence: of weights and data.
        authors: who made the weights.
        citation: what to cite when using them.
        provenance: who trained them on what, and how they got here.
        status: "verified" against the original, or "not yet loaded" (listed from its description
            alone).
        metrics: published and measured scores.
    """

    architecture: ModuleName
    default: bool = False
    options: dict[str, Any] = {}
    parameters: Count | None = None
    labels: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    sources: Annotated[tuple[Source, ...], msgspec.Meta(min_length=1)]
    input: Input
    licence: Licence
    authors: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    citation: Text
    provenance: Text
    status: Literal["verified", "not yet loaded"]
    metrics: tuple[Metric, ...] = ()

    def __post_init__(self) -> None:
        repeated = _repeated(self.labels)
        if repeated:
            raise ValueError(f"labels repeat {', '.join(map(repr, repeated))}")

    @property
    def bundled(self) -> tuple[Bundled, ...]:
        """The sources that travel with the package."""
        return tuple(source for source in self.sources if isinstance(source, Bundled))

    @property
    def remote(self) -> tuple[PyPI | Url, ...]:
        """The sources that must be fetched."""
        return tuple(source for source in self.sources if not isinstance(source, Bundled))


class Manifest(_Record, frozen=True):
    """Every checkpoint by its name."""

    checkpoints: dict[str, Checkpoint]

    def __post_init__(self) -> None:
        for name, checkpoint in self.checkpoints.items():
            if name.split(".")[0] != checkpoint.architecture:
                raise ValueError(
                    f"checkpoint {name!r} is of architecture {checkpoint.architecture!r}, "
                    "but its name says otherwise"
                )
        repeated = _repeated(c.architecture for c in self.checkpoints.values() if c.default)
        if repeated:
            raise ValueError(f"more than one default checkpoint of {', '.join(repeated)}")
        contents = {
            (s.file, s.sha256 or s.git_blob) for c in self.checkpoints.values() for s in c.remote
        }
        repeated = _repeated(file for file, _ in contents)
        if repeated:
            raise ValueError(
                f"different sources share the file name {', '.join(repeated)}; "
                "a mirror cannot hold both"
            )

    def checkpoint(self, name: str) -> Checkpoint:
        """Return the checkpoint of that name.

        Raises:
            UnknownName: if there is none; the message lists those there are.
        """
        if name not in self.checkpoints:
            raise UnknownName(
                f"no checkpoint is named {name!r}. There are: {', '.join(self.checkpoints)}."
            )
        return self.checkpoints[name]


@functools.cache
def load() -> Manifest:
    """Read the project's own manifest, once.

    Raises:
        ConfigError: if it is missing or does not fit the schema.
    """
    for folder in (PACKAGE, PACKAGE.parent):
        file = folder / FILE_NAME
        if file.is_file():
            return parse(file.read_bytes(), str(file))
    raise ConfigError(f"{FILE_NAME} is neither in {PACKAGE} nor beside it. Reinstall the package.")


def bundled_folder() -> Path:
    """Return where the weights that travel with the package lie: inside it, or in the checkout."""
    installed = PACKAGE / "bundled"
    return installed if installed.is_dir() else PACKAGE.parent / "weights"


def parse(content: bytes, origin: str) -> Manifest:
    """Read and check a manifest.

    Args:
        content: JSON.
        origin: where it comes from, for messages.

    Raises:
        ConfigError: naming the field that does not fit, and why.
    """
    where = ""
    try:
        file = msgspec.json.decode(content, type=_File)
        checkpoints = {}
        for name, entry in file.checkpoints.items():
            where = f" (checkpoint {name})"
            if isinstance(shared := entry.get("labels"), str):
                if shared not in file.labels:
                    known = ", ".join(file.labels) or "no list"
                    raise ValueError(f"there are no labels {shared!r}; the manifest has {known}")
                entry = {**entry, "labels": file.labels[shared]}
            checkpoints[name] = msgspec.convert(entry, Checkpoint)
        where = ""
        return Manifest(checkpoints=checkpoints)
    except ValueError as error:  # msgspec's errors are of that kind
        raise ConfigError(f"{origin} is not a valid manifest{where}: {error}") from error


class _File(_Record, frozen=True, kw_only=True):
    """The outline of the JSON file; `labels` holds lists that several checkpoints refer to."""

    schema: Literal[1]
    labels: dict[str, tuple[Text, ...]] = {}
    checkpoints: dict[CheckpointName, dict[str, Any]]


def _repeated(values: Iterable[str]) -> list[str]:
    """Return the values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]
