"""Labelled sounds: which files, which excerpts of them, which tags, which splits. No framework."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zoo.data import checks, copies
from zoo.data.clips import Clip, Skipped
from zoo.data.division import divide
from zoo.data.probing import probe
from zoo.errors import AudioError, AudioWarning, ConfigError, UnknownName
from zoo.utils.text import few

MINIMUM = 0.1  # seconds: what is shorter is a click, or a file that was cut off


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
        split_name: the split that these clips are, such as "test"; "" for none.
    """

    name: str
    clips: tuple[Clip, ...]
    labels: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    single_label: bool = False
    skipped: tuple[Skipped, ...] = ()
    split_name: str = ""

    def __post_init__(self) -> None:
        if bad := [x for x in self.labels if not isinstance(x, str) or not x.strip()]:
            raise ConfigError(f"{self.name}: the label {bad[0]!r}, where a word is expected.")
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
    def data(self) -> str:
        """The name of the data that this is, or is a split of: "mtat" of "mtat/test"."""
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
        """What a fair split does not tear apart, for each clip: its group, or else its file."""
        return tuple(clip.group or str(clip.path) for clip in self.clips)

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
        taken = self.take(self.splits[name], f"{self.name}/{name}")
        within = f"{self.split_name}/{name}" if self.split_name else name
        return replace(taken, split_name=within)

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

    def rename(self, tags: Mapping[str, str | None]) -> "Corpus":
        """Return the same clips with other names for some tags.

        Args:
            tags: old name -> new name, or None to drop the tag. Several tags may become one. The
                order of `labels` stays.

        Raises:
            UnknownName: an old name is not among the labels.
        """
        unknown = [tag for tag in tags if tag not in self.labels]
        if unknown:
            raise UnknownName(unknown_tags(self.name, Counter(unknown), self.labels))

        def renamed(names: Iterable[str]) -> tuple[str, ...]:
            changed = (tags.get(name, name) for name in names)
            return tuple(dict.fromkeys(name for name in changed if name is not None))

        clips = tuple(clip._replace(tags=renamed(clip.tags)) for clip in self.clips)
        return replace(self, clips=clips, labels=renamed(self.labels))

    def divide(self, fractions: Mapping[str, float], seed: int = 0) -> "Corpus":
        """Return the same clips with new splits.

        Clips of one group, excerpts of one file, and copies of it stay together. The clips, and
        those of each label, are spread in these proportions as evenly as the groups allow; the same
        seed gives the same splits.

        Args:
            fractions: such as {"train": 0.8, "validation": 0.1, "test": 0.1}; they sum to 1.
            seed: which of many such divisions.

        Raises:
            ConfigError: the fractions do not sum to 1; there are fewer groups than splits; or a
                label that clips have would be missing from "train".
        """
        groups = copies.joined(self.groups, [clip.path for clip in self.clips])
        splits = divide(self.name, self.targets, groups, fractions, self.labels, seed)
        return replace(self, splits=splits)

    def check(self, minimum: float = MINIMUM, progress: bool = True) -> "Corpus":
        """Return the clips whose files are there, can be opened, and are long enough.

        Only headers are read, unless one says that the file is too short, or says nothing.

        Args:
            minimum: seconds that a clip has at least.
            progress: show a bar on a terminal if there are many files.

        Raises:
            AudioError: no clip is left.

        Warns:
            AudioWarning: once, with the number and the first few of the clips that moved to
                `skipped`, and of those that stay and are in doubt: they repeat the same part of the
                same file, their file is a copy of another, or their onsets lie beyond its end.
        """
        checked = self.probed(minimum, progress)
        found = checks.of_files(checked.clips)
        checked.announce(checked.skipped[len(self.skipped) :], doubted=tuple(found))
        return checked

    def probed(self, minimum: float = MINIMUM, progress: bool = True) -> "Corpus":
        """Do what `check` does, but say nothing."""
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
        self, skipped: Sequence[Skipped], stacklevel: int = 3, doubted: Sequence[str] = ()
    ) -> None:
        """Warn once of what was left out and of what is in doubt; raise if nothing is left.

        Args:
            skipped: what was left out.
            stacklevel: of the warning.
            doubted: what else to warn of.
        """
        parts = []
        if skipped:
            named = few((f"{s.name} ({s.reason})" for s in skipped), len(skipped))
            total = len(skipped) + len(self.clips)
            if not self.clips:
                raise AudioError(f"{self.name}: none of {total} clips can be used: {named}.")
            parts.append(f"{len(skipped)} of {total} clips are left out: {named}")
        elif not self.clips:
            raise AudioError(f"{self.name}: a corpus without clips.")
        counts = Counter((c.path, c.start, c.end) for c in self.clips)
        repeated = [Clip(p, (), start, end) for (p, start, end), n in counts.items() if n > 1]
        if repeated:
            named = few((clip.name for clip in repeated), len(repeated))
            parts.append(f"{len(repeated)} clips occur more than once and stay: {named}")
        parts += [*doubted, *checks.of_onsets(self.clips), *checks.of_labels(self.labels)]
        if parts:
            where = " All that is left out is in `corpus.skipped`." if skipped else ""
            warnings.warn(f"{self.name}: {'; '.join(parts)}.{where}", AudioWarning, stacklevel)


def unknown_tags(name: str, tags: Mapping[str, int], labels: Sequence[str]) -> str:
    """Say which tags of a corpus are not among the labels, and which labels there are."""
    return (
        f"{name} has tags that are not among the labels: {', '.join(sorted(tags))}. The labels "
        f"are: {', '.join(labels)}. Give a model these tags with zoo.load(name, labels=[...]), or "
        "rename the tags."
    )
