"""Typed records of ``weights_manifest.json``: each checkpoint with its sources, terms and scores.

The file is inside the installed package, or at the top level of a checkout. It is checked once, at
the first access. An unknown or missing field, a wrong type or a contradiction is an error that
names the place.
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
    """Base of all records: immutable, without unknown fields."""


class Bundled(_Record, frozen=True, tag_field="kind", tag="bundled"):
    """A native file that is bundled with the package."""

    file: FileName
    sha256: Sha256
    bytes: Count


class Remote(_Record, frozen=True, kw_only=True, tag_field="kind"):
    """A file that must be fetched, and how to convert it.

    Attributes:
        file: its name on a mirror.
        bytes: its size; may be missing only if we never downloaded the file.
        sha256: digest of its content.
        git_blob: git's digest, sha1 of "blob", size and content; for files that could not be
            downloaded when they were listed.
        format: "native" (safetensors with our variable paths) or the reader in
            ``zoo/weights/convert/``.
        member: the part of the file to read.
        adopt: function of the model file that renames the foreign variables to ours.
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
                f"source {self.file!r}: a foreign format needs `adopt`, the native one must not "
                "have it"
            )

    @property
    def identity(self) -> str:
        """Key of the converted file: the digest of the source and how it is read."""
        return " ".join(
            [self.sha256 or f"{self.git_blob}", self.format, self.member, self.adopt or ""]
        )


class PyPI(Remote, frozen=True, tag="pypi"):
    """A file of a release on the Python package index."""

    project: Text
    version: Text


class Url(Remote, frozen=True, tag="url"):
    """A file at a URL."""

    url: HttpUrl


Source = Bundled | PyPI | Url


class Input(_Record, frozen=True):
    """The input of a checkpoint.

    Attributes:
        sample_rate: in Hz.
        segment: length in samples; None for any length.
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
        name: such as "ROC-AUC"; the mean over labels unless stated otherwise.
        value: between 0 and 1.
        data: the corpus.
        split: the part of the corpus, and who defined it.
        clips: number of scored clips; None if the source does not state it.
        kind: "published" by the weights' authors, or "measured" by this project.
        source: where the number is published, or the command that measured it.
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
        architecture: name of the model file.
        default: whether it is the default checkpoint of the architecture.
        options: arguments of the architecture's builder; also "segment", in seconds, and
            "backend", with its arguments, if they differ from the paper's.
        parameters: number of trained parameters, without moving averages and constants.
        labels: in the order of the network's outputs.
        sources: where to load it from, in the order of the attempts.
        input: its sample rate and segment.
        licence: of weights and data.
        authors: who made the weights.
        citation: what to cite when using them.
        provenance: who trained the weights, on which data, and how they were converted.
        status: "verified" against the original, or "not yet loaded" (listed from its description
            only); on the card of a model with other labels or weights, "changed since".
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
    status: Literal["verified", "not yet loaded", "changed since"]
    metrics: tuple[Metric, ...] = ()

    def __post_init__(self) -> None:
        repeated = _repeated(self.labels)
        if repeated:
            raise ValueError(f"labels repeat {', '.join(map(repr, repeated))}")

    @property
    def bundled(self) -> tuple[Bundled, ...]:
        """The sources that are bundled with the package."""
        return tuple(source for source in self.sources if isinstance(source, Bundled))

    @property
    def remote(self) -> tuple[PyPI | Url, ...]:
        """The sources that must be fetched."""
        return tuple(source for source in self.sources if not isinstance(source, Bundled))


class Manifest(_Record, frozen=True):
    """All checkpoints by name."""

    checkpoints: dict[str, Checkpoint]

    def __post_init__(self) -> None:
        for name, checkpoint in self.checkpoints.items():
            if name.split(".")[0] != checkpoint.architecture:
                raise ValueError(
                    f"checkpoint {name!r} has the architecture {checkpoint.architecture!r}, "
                    "but its name states another one"
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
        """Return a checkpoint by name.

        Args:
            name: such as "pons2017.mtt".

        Returns:
            Its record.

        Raises:
            UnknownName: there is no such checkpoint; the message lists all names.
        """
        if name not in self.checkpoints:
            raise UnknownName(
                f"no checkpoint is named {name!r}. There are: {', '.join(self.checkpoints)}."
            )
        return self.checkpoints[name]


@functools.cache
def load() -> Manifest:
    """Read the project's own manifest, once.

    Returns:
        The manifest.

    Raises:
        ConfigError: it is missing or not valid.
    """
    for folder in (PACKAGE, PACKAGE.parent):
        file = folder / FILE_NAME
        if file.is_file():
            return parse(file.read_bytes(), str(file))
    raise ConfigError(f"{FILE_NAME} is neither in {PACKAGE} nor beside it. Reinstall the package.")


def bundled_folder() -> Path:
    """Return the folder of the bundled weights: in the package, or in the checkout."""
    installed = PACKAGE / "bundled"
    return installed if installed.is_dir() else PACKAGE.parent / "weights"


def parse(content: bytes, origin: str) -> Manifest:
    """Read and check a manifest.

    Args:
        content: JSON.
        origin: its file name, for messages.

    Returns:
        The manifest.

    Raises:
        ConfigError: the content is not valid; the message names the field and the reason.
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
                    raise ValueError(f"there is no label list {shared!r}; the manifest has {known}")
                entry = {**entry, "labels": file.labels[shared]}
            checkpoints[name] = msgspec.convert(entry, Checkpoint)
        where = ""
        return Manifest(checkpoints=checkpoints)
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise ConfigError(f"{origin} is not a valid manifest{where}: {error}") from error


class _File(_Record, frozen=True, kw_only=True):
    """The structure of the JSON file; several checkpoints may refer to one list of `labels`."""

    schema: Literal[1]
    labels: dict[str, tuple[Text, ...]] = {}
    checkpoints: dict[CheckpointName, dict[str, Any]]


def _repeated(values: Iterable[str]) -> list[str]:
    """Return the values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]
