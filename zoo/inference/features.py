"""X and y for scikit-learn: one vector for each clip of a corpus, with labels and splits."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np

from zoo.errors import AudioError, AudioWarning, ConfigError
from zoo.inference.results import Embedding
from zoo.utils.files import PathLike, escaped, read_npz, replacing
from zoo.utils.lazy import required
from zoo.utils.text import few

if TYPE_CHECKING:
    import pandas

SUFFIXES = (".npz", ".parquet")


class Clips(Protocol):
    """A `zoo.data.Corpus`: clips, labels and splits."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def clips(self) -> tuple[Any, ...]:
        """Of type `zoo.data.Clip`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns of `targets`."""

    @property
    def splits(self) -> Mapping[str, tuple[int, ...]]:
        """Name of a split -> numbers of its clips."""

    @property
    def single_label(self) -> bool:
        """Whether each clip has exactly one tag."""

    @property
    def split_name(self) -> str:
        """The split that these clips are."""

    @property
    def targets(self) -> np.ndarray:
        """(clips, labels) of 0 and 1."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each clip."""


@dataclass(frozen=True, eq=False, repr=False)
class Features:
    """One vector for each clip of a corpus, with what is known of the clip.

    Attributes:
        X: (clips, dimensions) float32: the mean over each clip's segments and frames.
        y: (clips,) int64, the index of the clip's class in `labels`; where clips can have several
            tags (clips, labels) int64 of 0 and 1.
        labels: names of the classes or tags.
        paths: of each clip, its file.
        start: (clips,) float64, where it begins in the file, in seconds.
        end: (clips,) float64, where it ends; NaN for the end of the file.
        split: of each clip, such as "train"; "" for none.
        groups: of each clip, such as its artist; its file where the corpus has no groups.
        stage: of the network.
        model: its name.
        skipped: clips that could not be decoded and are left out, with reasons.
    """

    X: np.ndarray
    y: np.ndarray
    labels: tuple[str, ...]
    paths: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    split: tuple[str, ...]
    groups: tuple[str, ...]
    stage: str
    model: str
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        kind = "classes" if self.y.ndim == 1 else "tags"
        left = f"; {len(self.skipped)} skipped" if self.skipped else ""
        return (
            f"Features({len(self)} clips x {self.X.shape[1]} dimensions of {self.stage} by "
            f"{self.model}; {len(self.labels)} {kind}{left})"
        )

    def take(self, split: str) -> "Features":
        """Return the clips of one split.

        Args:
            split: such as "train".

        Returns:
            The clips of that split.

        Raises:
            ConfigError: no clip is in that split.
        """
        here = [i for i, name in enumerate(self.split) if name == split]
        if not here:
            there = ", ".join(dict.fromkeys(filter(None, self.split))) or "none"
            raise ConfigError(f"no clip is in the split {split!r}; there are: {there}.")
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("X", "y", "start", "end"):
            content[name] = content[name][here]
        for name in ("paths", "split", "groups"):
            content[name] = tuple(content[name][i] for i in here)
        return Features(**content)

    def columns(self) -> dict[str, list[Any]]:
        """Return the clips as columns: path, start, end, split, group, label or labels.

        Returns:
            Name -> values, one for each clip. `label` is the class; `labels` the list of tags.
        """
        columns: dict[str, list[Any]] = {
            "path": list(self.paths),
            "start": self.start.tolist(),
            "end": [None if np.isnan(t) else t for t in self.end.tolist()],
            "split": list(self.split),
            "group": list(self.groups),
        }
        if self.y.ndim == 1:
            columns["label"] = [self.labels[i] if i >= 0 else None for i in self.y]
        else:
            columns["labels"] = [[self.labels[j] for j in np.flatnonzero(row)] for row in self.y]
        return columns

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return a row a clip: the columns of `columns`, then the dimensions x0, x1, ...

        Returns:
            The data frame.

        Raises:
            ConfigError: pandas is not installed.
        """
        from zoo.utils.frames import dataframe

        vectors = {f"x{i}": self.X[:, i] for i in range(self.X.shape[1])}
        return dataframe(self.columns() | vectors)

    def save(self, path: PathLike) -> None:
        """Write a table: a NumPy archive that `load` reads, or a Parquet file.

        Args:
            path: ends in .npz; or in .parquet, with the columns of `columns` and `x`, a list of
                numbers.

        Raises:
            ConfigError: another ending; or pyarrow is not installed, which Parquet needs.
        """
        suffix = check(path)
        if suffix == ".npz":
            with replacing(path) as file:
                arrays: Any = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
                np.savez(file, **arrays)
            return
        advice = (
            f"{path}: a Parquet file needs pyarrow: pip install 'music-zoo[batch]'. Or give a name "
            "that ends in .npz."
        )
        pa, parquet = (required(name, advice) for name in ("pyarrow", "pyarrow.parquet"))
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(self.X.ravel()), self.X.shape[1])
        columns = {name: pa.array(_utf8(values)) for name, values in self.columns().items()}
        labels = escaped("\n".join(self.labels))
        about = {"model": self.model, "stage": self.stage, "labels": labels}
        columns["end"] = columns["end"].cast(pa.float64())
        table = pa.table(columns | {"x": vectors}).replace_schema_metadata(about)
        with replacing(path) as file:
            parquet.write_table(table, file)

    @classmethod
    def load(cls, path: PathLike) -> "Features":
        """Read the .npz file that `save` wrote.

        Args:
            path: the file.

        Returns:
            The features.

        Raises:
            FileNotFoundError: no such file.
            ConfigError: the file is something else.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there are no features at {path}.")
        names = [field.name for field in fields(cls)]
        found: dict[str, Any] = read_npz(path, names, "features")
        for name in ("labels", "paths", "split", "groups", "skipped"):
            found[name] = tuple(map(str, found[name]))
        return cls(**found | {name: str(found[name]) for name in ("stage", "model")})


def _utf8(value: Any) -> Any:
    """Return a column with text that Parquet can hold."""
    if isinstance(value, list):
        return [_utf8(part) for part in value]
    return escaped(value) if isinstance(value, str) else value


def check(path: PathLike) -> str:
    """Return the suffix of a table's name, before any work.

    Args:
        path: of the table.

    Returns:
        One of `SUFFIXES`.

    Raises:
        ConfigError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"cannot save features as {path}: the name must end in .npz or .parquet.")
    return suffix


def is_corpus(sounds: Any) -> TypeGuard[Clips]:
    """Say whether this is a corpus, and not one sound or a list of them."""
    return all(hasattr(sounds, name) for name in ("clips", "labels", "targets", "splits"))


def of_corpus(corpus: Clips, results: Iterable[Embedding | Exception]) -> Features:
    """Return the vectors of a corpus's clips, with their labels, splits and groups.

    Args:
        corpus: the clips.
        results: of each clip, in order: its embedding, or why it has none.

    Returns:
        The features. Clips that could not be decoded are left out.

    Raises:
        AudioError: no clip is left.

    Warns:
        AudioWarning: once, of clips that are left out.
    """
    vectors, kept, skipped = [], [], []
    stage = model = ""
    for i, (clip, result) in enumerate(zip(corpus.clips, results, strict=True)):
        if isinstance(result, Exception):
            skipped.append(f"{clip.name}: {str(result).removeprefix(f'{clip.path}: ')}")
            continue
        vectors.append(result.mean())
        kept.append(i)
        stage, model = result.stage, result.model
    named = few(skipped, len(skipped))
    if not kept:
        raise AudioError(f"{corpus.name}: no clip could be decoded. {named}")
    if skipped:
        warnings.warn(
            f"{corpus.name}: {len(skipped)} of {len(corpus.clips)} clips are left out: {named}",
            AudioWarning,
            stacklevel=4,
        )
    split_of = {i: name for name, ids in reversed(list(corpus.splits.items())) for i in ids}
    clips, groups, targets = corpus.clips, corpus.groups, corpus.targets[kept]
    return Features(
        X=np.stack(vectors),
        y=targets.argmax(axis=1) if corpus.single_label else targets.astype("int64"),
        labels=corpus.labels,
        paths=tuple(str(clips[i].path) for i in kept),
        start=np.array([clips[i].start for i in kept], "float64"),
        end=np.array([np.nan if (e := clips[i].end) is None else e for i in kept], "float64"),
        split=tuple(split_of.get(i, corpus.split_name) for i in kept),
        groups=tuple(groups[i] for i in kept),
        stage=stage,
        model=model,
        skipped=tuple(skipped),
    )
