"""Labelled clips: files, excerpts, tags and splits. Loads no framework."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from zoo.data import checks, copies
from zoo.data.clips import Clip, Skipped
from zoo.data.division import divide
from zoo.data.probing import probe
from zoo.errors import AudioError, AudioWarning, ConfigError, UnknownName
from zoo.utils.files import escaped
from zoo.utils.frames import dataframe, html_table
from zoo.utils.text import few

if TYPE_CHECKING:
    import pandas

MINIMUM = 0.1  # seconds: a shorter file is a click, or was cut off


@dataclass(frozen=True)
class Corpus:
    """A set of labelled clips.

    Attributes:
        name: for messages and results, such as "mtat" or "mtat/test"; of a file's or folder's name,
            bytes that are not UTF-8 are escaped.
        clips: in a fixed order.
        labels: all tags, in the order of the columns of `targets`.
        splits: name of a split -> indices of its clips; splits may overlap.
        single_label: whether each clip has exactly one tag (its class), or any number of tags.
        skipped: rows and files that were left out, with reasons.
        split_name: the split that these clips are, such as "test"; "" for none.

    Raises:
        ConfigError: a label is empty; a clip of a single-label corpus has not exactly one tag.
        UnknownName: clips have tags that are not among the labels.
    """

    name: str
    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    single_label: bool = False
    skipped: tuple[Skipped, ...] = ()
    split_name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", escaped(self.name))
        if bad := [x for x in self.labels if not isinstance(x, str) or not x.strip()]:
            raise ConfigError(f"{self.name}: the label {bad[0]!r}; expected a word.")
        foreign = {tag for clip in self.clips for tag in clip.tags}.difference(self.labels)
        if foreign:
            raise UnknownName(unknown_tags(self.name, foreign, self.labels))
        if self.single_label:
            for clip in self.clips:
                if len(clip.tags) != 1:
                    raise ConfigError(
                        f"{self.name}: {clip.name} has the tags {list(clip.tags)}; expected "
                        "exactly one. If clips can have several tags, give single_label=False."
                    )

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: "slice | Sequence[int] | np.ndarray | str") -> "Corpus": ...
    def __getitem__(self, index: Any) -> "Clip | Corpus":
        """Return a clip by its number; a corpus by a slice, numbers, a mask, or a split's name."""
        if isinstance(index, str):
            return self.split(index)
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        if isinstance(index, Integral):
            return self.clips[int(index)]
        chosen = np.asarray(index)
        if chosen.dtype == bool and chosen.shape == (len(self),):
            return self.take(np.flatnonzero(chosen).tolist())
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise ConfigError(
                f"corpus[{index!r}]: expected the number of a clip, a slice, a list of numbers, a "
                f"mask of {len(self)} clips, or the name of a split."
            )
        return self.take(chosen.tolist())

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return a row a clip: path, start, end, tags (a list), split, group.

        Returns:
            The data frame.

        Raises:
            ConfigError: pandas is not installed.
        """
        return dataframe(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        split_of = {i: name for name, ids in reversed(list(self.splits.items())) for i in ids}
        return {
            "path": [str(clip.path) for clip in self.clips],
            "start": [clip.start for clip in self.clips],
            "end": [clip.end for clip in self.clips],
            "tags": [list(clip.tags) for clip in self.clips],
            "split": [split_of.get(i, self.split_name) for i in range(len(self))],
            "group": list(self.groups),
        }

    def _repr_html_(self) -> str:
        columns = self[:10]._columns() | {"split": self._columns()["split"][:10]}
        columns["tags"] = [", ".join(tags) for tags in columns["tags"]]
        more = "; the first 10 clips" if len(self) > 10 else ""
        return html_table(list(columns), zip(*columns.values(), strict=True), repr(self) + more)

    def __repr__(self) -> str:
        splits = ", ".join(f"{name} {len(ids)}" for name, ids in self.splits.items())
        return (
            f"Corpus({self.name}: {len(self)} clips, {len(self.labels)} labels, "
            f"{'one' if self.single_label else 'any number'} a clip"
            f"{f'; {splits}' if splits else ''}"
            f"{f'; {len(self.skipped)} skipped' if self.skipped else ''})"
        )

    @property
    def data(self) -> str:
        """The name without the split: "mtat" of "mtat/test"."""
        return self.name.removesuffix(f"/{self.split_name}") if self.split_name else self.name

    @property
    def targets(self) -> np.ndarray:
        """(clips, labels) float32: 1 where a clip has a tag, else 0."""
        column = {label: i for i, label in enumerate(self.labels)}
        targets = np.zeros((len(self.clips), len(self.labels)), np.float32)
        for row, clip in enumerate(self.clips):
            targets[row, [column[tag] for tag in clip.tags]] = 1
        return targets

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each clip, or else its file; a group is never divided between splits."""
        return tuple(clip.group or str(clip.path) for clip in self.clips)

    def split(self, name: str) -> "Corpus":
        """Return the clips of one split.

        Args:
            name: such as "train".

        Returns:
            A corpus without splits.

        Raises:
            UnknownName: there is no such split; the message lists the splits.
        """
        if name not in self.splits:
            known = ", ".join(self.splits) or (
                f"none. In Python, Corpus.divide makes them; on the command line, leave out #{name}"
            )
            raise UnknownName(f"{self.name} has no split named {name!r}; it has {known}.")
        taken = self.take(self.splits[name], f"{self.name}/{name}")
        within = f"{self.split_name}/{name}" if self.split_name else name
        return replace(taken, split_name=within)

    def take(self, indices: Iterable[int], name: str | None = None) -> "Corpus":
        """Return some of the clips.

        Args:
            indices: of the clips, in the wanted order.
            name: of the new corpus; None keeps the name.

        Returns:
            A corpus without splits.
        """
        clips = tuple(self.clips[i] for i in indices)
        return replace(self, name=name or self.name, clips=clips, splits={})

    def with_labels(self, labels: Sequence[str]) -> "Corpus":
        """Return the same clips with the columns of `targets` in a model's order.

        Args:
            labels: all of the corpus and perhaps more; usually `model.labels`.

        Returns:
            The new corpus.

        Raises:
            UnknownName: the corpus has other labels; the message has both lists.
        """
        foreign = [label for label in self.labels if label not in labels]
        if foreign:
            raise UnknownName(unknown_tags(self.name, foreign, labels))
        return replace(self, labels=tuple(labels))

    def rename(self, tags: Mapping[str, str | None]) -> "Corpus":
        """Return the same clips with other names for some tags.

        Args:
            tags: old name -> new name, or None to drop the tag. Several tags may become one. The
                order of `labels` stays.

        Returns:
            The new corpus.

        Raises:
            UnknownName: an old name is not among the labels.
        """
        unknown = [tag for tag in tags if tag not in self.labels]
        if unknown:
            raise UnknownName(unknown_tags(self.name, unknown, self.labels))

        def renamed(names: Iterable[str]) -> tuple[str, ...]:
            changed = (tags.get(name, name) for name in names)
            return tuple(dict.fromkeys(name for name in changed if name is not None))

        clips = tuple(clip._replace(tags=renamed(clip.tags)) for clip in self.clips)
        return replace(self, clips=clips, labels=renamed(self.labels))

    def divide(self, fractions: Mapping[str, float], seed: int = 0) -> "Corpus":
        """Return the same clips with new splits.

        Clips of one group, excerpts of one file, and copies of a file stay together. All clips, and
        the clips of each label, are divided in these proportions as closely as the groups allow.
        The same seed gives the same splits.

        Args:
            fractions: such as {"train": 0.8, "validation": 0.1, "test": 0.1}; they sum to 1.
            seed: of the random order of the groups.

        Returns:
            A corpus with these splits.

        Raises:
            ConfigError: the fractions do not sum to 1; there are fewer groups than splits; or
                "train" would have no clip of a label.
        """
        groups = copies.joined(self.groups, [clip.path for clip in self.clips])
        splits = divide(self.name, self.targets, groups, fractions, self.labels, seed)
        return replace(self, splits=splits)

    def check(self, minimum: float = MINIMUM, progress: bool = True) -> "Corpus":
        """Return the clips whose files exist, can be opened, and are long enough.

        Only headers are read, unless the header gives no length or one that is too short.

        Args:
            minimum: shortest clip, in seconds.
            progress: show a progress bar on a terminal if there are many files.

        Returns:
            A corpus whose `skipped` has the other clips.

        Raises:
            AudioError: no clip is left.

        Warns:
            AudioWarning: once, about skipped clips, and about clips that are repeated, whose file
                is a copy of another, or with onsets beyond the end; with the first few of each.
        """
        checked = self.probed(minimum, progress)
        found = checks.of_files(checked.clips)
        checked.announce(checked.skipped[len(self.skipped) :], problems=tuple(found))
        return checked

    def probed(self, minimum: float = MINIMUM, progress: bool = True) -> "Corpus":
        """Do what `check` does, without warning or error.

        Args:
            minimum: shortest clip, in seconds.
            progress: show a progress bar on a terminal if there are many files.

        Returns:
            A corpus whose `skipped` has the other clips.
        """
        reasons = probe([(c.path, c.start, c.end) for c in self.clips], minimum, progress)
        if not any(reasons):
            return self
        new = np.cumsum([not reason for reason in reasons]) - 1  # old index -> new index
        return replace(
            self,
            clips=tuple(c for c, reason in zip(self.clips, reasons, strict=True) if not reason),
            splits={
                name: tuple(int(new[i]) for i in ids if not reasons[i])
                for name, ids in self.splits.items()
            },
            skipped=self.skipped
            + tuple(Skipped(self.clips[i].name, r) for i, r in enumerate(reasons) if r),
        )

    def announce(
        self, skipped: Sequence[Skipped], stacklevel: int = 3, problems: Sequence[str] = ()
    ) -> None:
        """Warn once about skipped clips and other problems.

        Args:
            skipped: clips, rows and files that were left out.
            stacklevel: of the warning.
            problems: other parts of the warning, from `checks`.

        Raises:
            AudioError: no clip is left.
        """
        parts = []
        if skipped:
            named = few((f"{s.name} ({s.reason})" for s in skipped), len(skipped))
            total = len(skipped) + len(self.clips)
            if not self.clips:
                raise AudioError(f"{self.name}: none of {total} clips can be used: {named}.")
            parts.append(f"{len(skipped)} of {total} clips are left out: {named}")
        elif not self.clips:
            raise AudioError(f"{self.name}: the corpus has no clips.")
        counts = Counter((c.path, c.start, c.end) for c in self.clips)
        repeated = [Clip(p, (), start, end) for (p, start, end), n in counts.items() if n > 1]
        if repeated:
            named = few((clip.name for clip in repeated), len(repeated))
            parts.append(f"{len(repeated)} clips occur more than once and are kept: {named}")
        parts += [*problems, *checks.of_onsets(self.clips), *checks.of_labels(self.labels)]
        if parts:
            where = " `corpus.skipped` lists all that were left out." if skipped else ""
            warnings.warn(f"{self.name}: {'; '.join(parts)}.{where}", AudioWarning, stacklevel)


def unknown_tags(name: str, tags: Iterable[str], labels: Sequence[str]) -> str:
    """Return a message about tags that are not among the labels.

    Args:
        name: of the corpus.
        tags: the unknown tags.
        labels: the known ones.

    Returns:
        The message.
    """
    return (
        f"{name} has tags that are not among the labels: {', '.join(sorted(tags))}. The labels "
        f"are: {', '.join(labels)}. Give a model these tags with zoo.load(name, labels=[...]), or "
        "rename the tags."
    )
