"""What a model predicts: small frozen objects with names and times, to print, save and plot.

This module needs NumPy only; matplotlib is imported when a plot is requested.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ConfigError, UnknownName
from zoo.utils.files import PathLike, read_npz, replacing, write_csv
from zoo.utils.frames import dataframe, html_table

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from zoo.audio import Source


@dataclass(frozen=True, eq=False)
class _Result:
    """What all results share: equality that looks into arrays, and a form for JSON."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = [field.name for field in fields(self)]
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as lists, strings and Python floats, fit for JSON."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in content.items():
            if isinstance(value, np.ndarray):
                content[name] = value.tolist()
            elif isinstance(value, tuple):
                content[name] = list(value)
        return content

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False, repr=False)
class Tags(_Result):
    """The scores of a whole clip. Iterating gives (label, score) pairs, best first.

    Args:
        scores: (labels,) float32, all of them, in the order of `labels`.
        labels: the model's output names.
        top: how many are shown, iterated over, written and plotted; None for all.
        source: path of the audio file, or "array".
        model: name of the model.

    Raises:
        ConfigError: scores and labels do not fit together, or `top` is below 1.

    Examples:
        >>> tags = Tags([0.1, 0.9, 0.4], ("rock", "piano", "solo"), 2, "song.mp3", "pons2017.mtt")
        >>> tags
        Tags of song.mp3 by pons2017.mtt
        piano  0.900
        solo   0.400
    """

    scores: np.ndarray
    labels: tuple[str, ...]
    top: int | None
    source: str
    model: str

    def __post_init__(self):
        scores = _array("scores", self.scores, "float32", ("labels",))
        self._set(scores=scores, labels=_labels(self.labels, scores.shape[0]))
        if self.top is not None and self.top < 1:
            raise ConfigError(f"top is {self.top}; it is at least 1, or None for all.")

    def __iter__(self) -> Iterator[tuple[str, float]]:
        for i in best(self.scores, self.top):
            yield self.labels[i], float(self.scores[i])

    def __len__(self) -> int:
        return len(self.labels) if self.top is None else min(self.top, len(self.labels))

    def __getitem__(self, label: str) -> float:
        """Return the score of a label, also of one that is not shown."""
        if not isinstance(label, str):
            raise ConfigError(
                f"tags[{label!r}]: give the name of a label, such as {self.labels[0]!r}."
            )
        check_label(self.model, label, self.labels)
        return float(self.scores[self.labels.index(label)])

    def _repr_html_(self) -> str:
        return html_table(("label", "score"), ((n, f"{s:.3f}") for n, s in self), _head(self))

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return the `top` labels with their scores, best first.

        Returns:
            A data frame with the columns label and score.

        Raises:
            ConfigError: pandas is not installed.
        """
        return dataframe({"label": [n for n, _ in self], "score": [s for _, s in self]})

    def __repr__(self) -> str:
        width = max(len(label) for label, _ in self)
        rows = [f"{label:<{width}}  {score:.3f}" for label, score in self]
        return "\n".join([_head(self), *rows])

    def to_dict(self) -> dict[str, float]:
        """Return label -> score for the `top` labels, best first."""
        return dict(self)

    def to_csv(self, path: PathLike | None = None) -> str:
        """Return the `top` labels as a table (label, score), best first; write it to `path`.

        Args:
            path: a CSV file to write; None for none.

        Returns:
            The table as CSV.
        """
        return write_csv([("label", "score"), *((label, f"{s:.6f}") for label, s in self)], path)

    def plot(
        self,
        path: PathLike | None = None,
        *,
        figsize: tuple[float, float] | None = None,
        ax: "Axes | None" = None,
    ) -> "Figure":
        """Draw the `top` labels as bars.

        Args:
            path: save the figure here; .png, .pdf or .svg. None for a figure to show.
            figsize: width and height in inches; None for what fits.
            ax: draw into these axes of a figure of yours.

        Returns:
            The figure.

        Raises:
            ConfigError: unknown suffix.
            FileNotFoundError: the folder of `path` does not exist.
        """
        from zoo.inference import plots

        return plots.tags(dict(self), path, self.source, self.model, figsize, ax)


@dataclass(frozen=True, eq=False, repr=False)
class Taggram(_Result):
    """Scores over time: a row a segment, a column a label.

    Args:
        values: (segments, labels) float32.
        times: (segments,) start of each segment, seconds into the clip, ascending.
        seconds: (segments,) seconds of the clip that no earlier segment covered: the weight of the
            row. The last segment may overlap the one before, so that the end of the clip
            is covered.
        labels: the model's output names.
        source: path of the audio file, or "array".
        model: name of the model.

    Raises:
        ConfigError: the shapes do not fit together.
    """

    values: np.ndarray
    times: np.ndarray
    seconds: np.ndarray
    labels: tuple[str, ...]
    source: str
    model: str

    def __post_init__(self):
        values = _array("values", self.values, "float32", ("segments", "labels"))
        times, seconds = _clock(self.times, self.seconds, len(values))
        labels = _labels(self.labels, values.shape[1])
        self._set(values=values, times=times, seconds=seconds, labels=labels)

    def __repr__(self) -> str:
        ((tag, score),) = self.tags(1)
        return f"{_summary(self, 'labels')}, best {tag} {score:.3f}"

    def mean(self) -> np.ndarray:
        """Return the mean over the clip, (labels,) float32: each segment weighs its fresh audio."""
        return np.average(self.values, axis=0, weights=self.seconds).astype("float32")

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return a row a segment: time, seconds, and a column for each label.

        Returns:
            The data frame.

        Raises:
            ConfigError: pandas is not installed.
        """
        scores = {label: self.values[:, i] for i, label in enumerate(self.labels)}
        return dataframe({"time": self.times, "seconds": self.seconds, **scores})

    def _repr_html_(self) -> str:
        names = [label for label, _ in self.tags(5)]
        columns = [self.labels.index(name) for name in names]
        rows = [
            (f"{time:.2f}", *(f"{score:.3f}" for score in row))
            for time, row in zip(self.times[:20], self.values[:20, columns], strict=True)
        ]
        more = f"; the first 20 segments and the best {len(names)} labels"
        return html_table(("time (s)", *names), rows, repr(self) + more)

    def tags(self, top: int | None = 10) -> Tags:
        """Return the scores of the whole clip, the mean over its segments.

        Args:
            top: how many labels the result shows; None for all.

        Returns:
            `Tags` with scores (labels,).
        """
        return Tags(self.mean(), self.labels, top, self.source, self.model)

    def to_csv(self, path: PathLike | None = None) -> str:
        """Return a table with columns time, seconds and the labels; write it to `path` if given.

        Args:
            path: a CSV file to write; None for none.

        Returns:
            The table as CSV, a row for each segment.
        """
        rows = [
            (f"{t:.3f}", f"{s:.3f}", *(f"{v:.6f}" for v in row))
            for t, s, row in zip(self.times, self.seconds, self.values, strict=True)
        ]
        return write_csv([("time", "seconds", *self.labels), *rows], path)

    def plot(
        self,
        path: PathLike | None = None,
        top: int = 15,
        labels: Sequence[str] | None = None,
        vmax: float = 1.0,
        *,
        sound: "Source | None" = None,
        figsize: tuple[float, float] | None = None,
        ax: "Axes | None" = None,
    ) -> "Figure":
        """Draw the scores over time, a row a label, the best on top.

        Args:
            path: save the figure here; .png, .pdf or .svg. None for a figure to show.
            top: how many labels, by their mean over the clip.
            labels: these instead, in this order.
            vmax: score at the dark end of the colour scale, which starts at 0. It is the same for
                every song, so that two pictures compare; take less where all scores are low.
            sound: the audio, as in `AudioModel.tag`; its spectrogram is drawn above, on the same
                time axis. None for no spectrogram.
            figsize: width and height in inches; None for what fits.
            ax: draw into these axes of a figure of yours.

        Returns:
            The figure.

        Raises:
            ConfigError: unknown suffix, `top` below 1, `vmax` not above 0, or no label at all.
            UnknownName: a label that the model does not have.
            FileNotFoundError: the folder of `path` does not exist.
        """
        from zoo.inference import plots

        if not vmax > 0:
            raise ConfigError(f"vmax is {vmax}; it must be more than 0.")
        columns = self._columns(top, labels)
        names = [self.labels[i] for i in columns]
        values = self.values[:, columns]
        return plots.taggram(
            *(values, self.times, self.seconds, names, path, self.source, self.model, vmax),
            figsize,
            ax,
            sound,
        )

    def _columns(self, top: int, labels: Sequence[str] | None) -> list[int]:
        if labels is None:
            labels = [label for label, _ in self.tags(top)]
        elif isinstance(labels, str) or not labels:
            raise ConfigError(f"labels is {labels!r}; give a list of labels.")
        for label in labels:
            check_label(self.model, label, self.labels)
        return [self.labels.index(label) for label in labels]


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(_Result):
    """The output of a stage of the network for each segment of a clip.

    Args:
        values: (segments, units), or (segments, frames, channels) where the stage has a time axis;
            float32, the last axis is the units or channels.
        times: (segments,) start of each segment in seconds, ascending.
        seconds: (segments,) seconds of the clip that no earlier segment covered.
        stage: the name of the stage.
        source: path of the audio file, or "array".
        model: name of the model.

    Raises:
        ConfigError: the shapes do not fit together.
    """

    values: np.ndarray
    times: np.ndarray
    seconds: np.ndarray
    stage: str
    source: str
    model: str

    def __post_init__(self):
        values = _array("values", self.values, "float32", ("segments", "...", "units"))
        times, seconds = _clock(self.times, self.seconds, len(values))
        self._set(values=values, times=times, seconds=seconds)

    def __repr__(self) -> str:
        return _summary(self, self.stage)

    def mean(self) -> np.ndarray:
        """Return one vector for the clip, (units,) float32: the mean over frames and segments.

        Each segment weighs the seconds of audio that it adds.
        """
        vectors = self.values.mean(axis=tuple(range(1, self.values.ndim - 1)), dtype="float64")
        return np.average(vectors, axis=0, weights=self.seconds).astype("float32")

    def save(self, path: PathLike) -> None:
        """Write a NumPy archive (.npz) that `load` reads; it holds only arrays, no pickles.

        Args:
            path: ends in .npz.

        Raises:
            ConfigError: another ending.
        """
        if Path(path).suffix.lower() != ".npz":
            raise ConfigError(f"cannot save an embedding as {path}: the name must end in .npz.")
        with replacing(path) as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: PathLike) -> "Embedding":
        """Read what `save` wrote.

        Args:
            path: the .npz file.

        Returns:
            The embedding.

        Raises:
            FileNotFoundError: no such file.
            ConfigError: the file is something else.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no embedding at {path}.")
        names = [field.name for field in fields(cls)]
        found: list[Any] = list(read_npz(path, names, "an embedding").values())
        return cls(*found[:3], *map(str, found[3:]))


@dataclass(frozen=True, eq=False, repr=False)
class Onsets(_Result):
    """Where notes begin.

    Args:
        times: (onsets,) in seconds, ascending; may be empty.
        activation: (frames,) float32, the network's output, from the start of the clip on.
        frame_rate: frames a second.
        source: path of the audio file, or "array".
        model: name of the model.

    Raises:
        ConfigError: a wrong shape, times that do not ascend, or a frame rate that is not positive.
    """

    times: np.ndarray
    activation: np.ndarray
    frame_rate: float
    source: str
    model: str

    def __post_init__(self):
        times = _array("times", self.times, "float64", ("onsets",), empty=True)
        activation = _array("activation", self.activation, "float32", ("frames",))
        if np.any(np.diff(times) < 0):
            raise ConfigError("times of onsets must ascend; sort them.")
        if not self.frame_rate > 0:
            raise ConfigError(f"frame_rate is {self.frame_rate}; it must be above 0.")
        self._set(times=times, activation=activation, frame_rate=float(self.frame_rate))

    def __len__(self) -> int:
        return len(self.times)

    def __bool__(self) -> bool:
        return True  # a result without onsets is a result too

    def __repr__(self) -> str:
        seconds = len(self.activation) / self.frame_rate
        return f"{_head(self)}: {len(self)} in {seconds:.1f} s"

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return the times.

        Returns:
            A data frame with the column time, in seconds.

        Raises:
            ConfigError: pandas is not installed.
        """
        return dataframe({"time": self.times})

    def to_csv(self, path: PathLike | None = None) -> str:
        """Return a time in seconds a line, and write them to `path` if given.

        There is no header, so `mir_eval.io.load_events`, Audacity (as labels) and
        `zoo.data.from_onsets` can read the file.

        Args:
            path: a text file to write; None for none.

        Returns:
            The lines.
        """
        return write_csv([(f"{t:.3f}",) for t in self.times], path)

    def plot(
        self,
        path: PathLike | None = None,
        sound: "Source | None" = None,
        *,
        start: float = 0.0,
        end: float | None = None,
        figsize: tuple[float, float] | None = None,
        ax: "Axes | None" = None,
    ) -> "Figure":
        """Draw activation and onsets over time.

        Args:
            path: save the figure here; .png, .pdf or .svg. None for a figure to show.
            sound: the audio, a file or an (array, sample_rate) pair; its spectrogram is drawn
                below. None for no spectrogram.
            start: where the picture begins, in seconds.
            end: where it ends; None for 10 s after the start, or the end of a sound that is little
                longer. The title says what is shown.
            figsize: width and height in inches; None for what fits.
            ax: draw into these axes of a figure of yours.

        Returns:
            The figure.
        """
        from zoo.inference import plots

        times, activation = self.times, self.activation
        return plots.onsets(
            *(times, activation, self.frame_rate, path, sound, self.source, self.model),
            start,
            end,
            figsize,
            ax,
        )

    def to_wav(self, path: PathLike, sound: "Source | None" = None) -> None:
        """Write the sound with a click at each onset, to check the onsets by ear.

        Args:
            path: ends in .wav; 44.1 kHz, mono, 16 bits. Clicks have .4 of full scale, and the sound
                .6 of its own level, so that nothing is clipped.
            sound: the audio, a file or an (array, sample_rate) pair; None for the file `source`.

        Raises:
            ConfigError: another ending.
            FileNotFoundError: `source` is not, or is no longer, a file.
        """
        from zoo.inference import clicks

        clicks.write(self.times, path, self.source if sound is None else sound)


def check_label(model: str, label: str, labels: Sequence[str]) -> None:
    """Return a message about a label that a model does not have, with the nearest that it has."""
    if label not in labels:
        near = ", ".join(difflib.get_close_matches(label, labels, cutoff=0.5) or labels[:10])
        raise UnknownName(f"{model} has no label {label!r}; it has, for instance, {near}.")


def best(scores: np.ndarray, top: int | None) -> np.ndarray:
    """Return the indices of the `top` highest scores, best first, equal ones in their order."""
    return np.argsort(-scores, kind="stable")[:top]


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else a == b


def _array(
    name: str, values: Any, dtype: str, axes: tuple[str, ...], empty: bool = False
) -> np.ndarray:
    """Return a read-only view of an array with these axes; "..." stands for any number of axes."""
    array = np.asarray(values, dtype=dtype).view()
    fits = array.ndim >= len(axes) - 1 if "..." in axes else array.ndim == len(axes)
    if not fits or (array.size == 0 and not empty):
        shape = f"({', '.join(axes)}{',' * (len(axes) == 1)})"
        raise ConfigError(f"{name} has shape {array.shape}; expected {shape}, not empty.")
    array.flags.writeable = False
    return array


def _labels(labels: Sequence[str], count: int) -> tuple[str, ...]:
    if isinstance(labels, str) or len(labels) != count or len(set(labels)) != count:
        raise ConfigError(
            f"{count} scores need as many different labels; given {len(labels)}: {labels!r}."
        )
    return tuple(labels)


def _clock(times: Any, seconds: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    times = _array("times", times, "float64", ("segments",))
    seconds = _array("seconds", seconds, "float64", ("segments",))
    if len(times) != count or len(seconds) != count:
        raise ConfigError(
            f"{count} segments need as many times and seconds; given {len(times)} and "
            f"{len(seconds)}."
        )
    if np.any(np.diff(times) < 0) or np.any(seconds < 0) or not seconds.sum() > 0:
        raise ConfigError(f"times must ascend and seconds be positive; given {times}, {seconds}.")
    return times, seconds


def _head(result: Any) -> str:
    return f"{type(result).__name__} of {result.source} by {result.model}"


def _summary(result: Any, of: str) -> str:
    segments, *shape = result.values.shape
    sizes = " x ".join(map(str, shape))
    return f"{_head(result)}: {segments} segments x {sizes} {of}, {result.seconds.sum():.1f} s"
