"""Labelled sounds: which files, which excerpts of them, which tags, which splits. No framework."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.errors import ConfigError, UnknownName


class Clip(NamedTuple):
    """A file, or an excerpt of one, and what is known of it."""

    path: Path
    tags: tuple[str, ...] = ()
    start: float = 0.0  # seconds into the file
    end: float | None = None  # seconds into the file; None for its end
    group: str = ""  # artist, album, soundfont: what a fair split does not tear apart
    onsets: tuple[float, ...] | None = None  # seconds after `start` at which notes begin

    @property
    def name(self) -> str:
        """The path, and the excerpt if it is one: what messages and results call the clip."""
        if self.start == 0 and self.end is None:
            return str(self.path)
        return f"{self.path}[{self.start:g}:{'' if self.end is None else f'{self.end:g}'}]"


class Skipped(NamedTuple):
    """A row of a table, or a file, that the corpus leaves out."""

    name: str
    reason: str


@dataclass(frozen=True)
class Corpus:
    """A set of labelled clips.

    Attributes:
        name: for messages and results, such as "mtat" or "mtat/test".
        clips: in a fixed order.
        labels: every tag that counts, in the order of the columns of `targets`.
        splits: name of a split -> indices of its clips; splits may overlap.
        single_label: each clip has exactly one tag (classes), and not any number (tags).
        skipped: what was left out, and why.
    """

    name: str
    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    single_label: bool = False
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        foreign = Counter(tag for clip in self.clips for tag in clip.tags)
        for label in self.labels:
            foreign.pop(label, None)
        if foreign:
            raise UnknownName(unknown_tags(self.name, foreign, self.labels))
        if self.single_label:
            for clip in self.clips:
                if len(clip.tags) != 1:
                    raise ConfigError(
                        f"{self.name}: {clip.name} has the tags {list(clip.tags)}, where exactly "
                        "one is expected; is this a multi-label corpus?"
                    )

    def __len__(self) -> int:
        return len(self.clips)

    def __repr__(self) -> str:
        splits = ", ".join(f"{name} {len(ids)}" for name, ids in self.splits.items())
        return (
            f"Corpus({self.name}: {len(self)} clips, {len(self.labels)} labels, "
            f"{'one' if self.single_label else 'any number'} a clip"
            f"{f'; {splits}' if splits else ''}"
            f"{f'; {len(self.skipped)} skipped' if self.skipped else ''})"
        )

    @property
    def targets(self) -> np.ndarray:
        """(clips, labels) float32: 1 where a clip has a tag, else 0."""
        column = {label: i for i, label in enumerate(self.labels)}
        targets = np.zeros((len(self.clips), len(self.labels)), np.float32)
        for row, clip in enumerate(self.clips):
            targets[row, [column[tag] for tag in clip.tags]] = 1
        return targets

    def split(self, name: str) -> "Corpus":
        """Return the clips of one split.

        Raises:
            UnknownName: with the splits that there are.
        """
        if name not in self.splits:
            raise UnknownName(
                f"{self.name} has no split named {name!r}; it has "
                f"{', '.join(self.splits) or 'none: see Corpus.divide'}."
            )
        return self.take(self.splits[name], f"{self.name}/{name}")

    def take(self, indices: Iterable[int], name: str | None = None) -> "Corpus":
        """Return some of the clips, in the order given, without splits."""
        clips = tuple(self.clips[i] for i in indices)
        return replace(self, name=name or self.name, clips=clips, splits={})

    def with_labels(self, labels: Sequence[str]) -> "Corpus":
        """Return the same clips with the columns of `targets` in a model's order.

        Args:
            labels: at least all that the corpus has; usually `model.labels`.

        Raises:
            UnknownName: the corpus has labels that are not among them; with both lists.
        """
        foreign = Counter({label: 0 for label in self.labels if label not in labels})
        if foreign:
            raise UnknownName(unknown_tags(self.name, foreign, labels))
        return replace(self, labels=tuple(labels))


def unknown_tags(name: str, tags: Mapping[str, int], labels: Sequence[str]) -> str:
    """Say which tags of a corpus are not among the labels, and which labels there are."""
    return (
        f"{name} has tags that are not among the labels: {', '.join(sorted(tags))}. The labels "
        f"are: {', '.join(labels)}. Give a model these tags with zoo.load(name, labels=[...]), or "
        "rename the tags."
    )
