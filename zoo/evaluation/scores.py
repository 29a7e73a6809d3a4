"""The predictions of a model for every clip of a corpus. All scores are computed from them."""

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zoo.errors import AudioWarning, ConfigError, UnknownName, ZooError
from zoo.evaluation import synonyms
from zoo.utils.files import PathLike, read_npz, replacing
from zoo.utils.progress import bar

if TYPE_CHECKING:
    from zoo.data.corpus import Clip, Corpus, Skipped
    from zoo.inference.audio_model import AudioModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Scores:
    """The prediction of a model for each clip, and the true labels.

    Attributes:
        clips: names of those that could be decoded.
        groups: of each clip, the unit that a bootstrap resamples: its group, or else its file.
        tags: names of the columns.
        values: (clips, tags) float32, the predicted scores.
        targets: (clips, tags) float32, 1 where a clip has a tag.
        single_label: each clip has exactly one of the tags.
    """

    clips: tuple[str, ...]
    groups: tuple[str, ...]
    tags: tuple[str, ...]
    values: np.ndarray
    targets: np.ndarray
    single_label: bool

    def __repr__(self) -> str:
        return f"Scores({len(self.clips)} clips x {len(self.tags)} tags)"

    def take(self, clips: Sequence[int]) -> "Scores":
        """Return the scores of some clips, by index."""
        return Scores(
            tuple(self.clips[i] for i in clips),
            tuple(self.groups[i] for i in clips),
            self.tags,
            self.values[list(clips)],
            self.targets[list(clips)],
            self.single_label,
        )

    def save(self, path: PathLike) -> None:
        """Write a NumPy archive (.npz) that `load` reads; it holds only arrays, no pickles.

        Args:
            path: ends in .npz.

        Raises:
            ConfigError: another ending.
        """
        if Path(path).suffix.lower() != ".npz":
            raise ConfigError(f"cannot save scores as {path}: the name must end in .npz.")
        with replacing(path) as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: PathLike) -> "Scores":
        """Read what `save` wrote.

        Args:
            path: the .npz file.

        Returns:
            The scores.

        Raises:
            FileNotFoundError: no such file.
            ConfigError: the file is something else.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there are no scores at {path}.")
        found = read_npz(path, cls.__dataclass_fields__, "scores")
        clips, groups, tags = (tuple(found[n].tolist()) for n in ("clips", "groups", "tags"))
        single = bool(found["single_label"])
        return cls(clips, groups, tags, found["values"], found["targets"], single)


class Predictions(NamedTuple):
    """The predictions of a model for a corpus."""

    values: np.ndarray  # (clips, labels) float32; NaN where a clip failed
    seconds: np.ndarray  # (clips,) seconds of decoded sound
    failures: "tuple[Skipped, ...]"


def load_model(model: "AudioModel | PathLike") -> "AudioModel":
    """Return the model, loaded if it is a name or a file.

    Raises:
        ConfigError: it is something else.
    """
    from zoo.inference.audio_model import AudioModel
    from zoo.weights.loading import load

    if isinstance(model, str | os.PathLike):
        return load(model)
    if not isinstance(model, AudioModel):
        raise ConfigError(
            f"{type(model).__name__} is not a model of the zoo; expected what zoo.load or "
            "zoo.build returns, or a name of `zoo list`."
        )
    return model


def question(model: "AudioModel", corpus: "Corpus") -> None:
    """Warn if clips of a corpus are those that a model was trained on."""
    from zoo.data.copies import known

    if not model.trained_on:
        return
    number = sum(known([clip.path for clip in corpus.clips], model.trained_on))
    if number:
        warnings.warn(
            f"{model.name} was trained on {number:,} of the {len(corpus):,} clips of "
            f"{corpus.name}: its scores on them will be too optimistic. Use other clips.",
            AudioWarning,
            stacklevel=3,
        )


def matched(
    model: str, labels: Sequence[str], corpus: "Corpus", shared: bool = False
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Find what is scored: tag -> (the corpus's labels, the model's labels) that mean it.

    Args:
        model: its name, for messages.
        labels: the model's.
        corpus: clips and labels.
        shared: leave out what the model does not know, instead of raising.

    Raises:
        UnknownName: the corpus has labels that the model does not know, under any name in
            `zoo.synonyms`; or, with `shared`, not a single one that it knows.
    """
    tags = synonyms.shared(corpus.labels, labels)
    known = {label for ours, _ in tags.values() for label in ours}
    foreign = [label for label in corpus.labels if label not in known]
    if foreign and not (shared and tags):
        raise UnknownName(
            f"{corpus.name} has labels that {model} does not know: {', '.join(foreign)}. Its own "
            f"are: {', '.join(labels)}. "
            + ("" if shared else "shared=True (--shared) scores only what both know. ")
            + "In Python, corpus.rename({...}) gives labels other names."
        )
    return {tag: (ours, theirs) for tag, (ours, theirs) in tags.items()}


def of_clips(
    predictions: Predictions, labels: Sequence[str], corpus: "Corpus", tags: Mapping[str, tuple]
) -> Scores:
    """Return the scores of the clips that could be decoded, in the columns of `tags`.

    Of a single-label corpus, clips whose label is not among the tags are left out: no prediction
    for them could be right.

    Raises:
        ZooError: no clip is left.
    """
    targets = synonyms.merged(
        corpus.targets, corpus.labels, {t: ours for t, (ours, _) in tags.items()}
    )
    values = synonyms.merged(
        predictions.values, labels, {t: theirs for t, (_, theirs) in tags.items()}
    )
    keep = np.isfinite(values).all(axis=1)
    if corpus.single_label:
        keep &= targets.any(axis=1)
    if not keep.any():
        reasons = "; ".join(f"{f.name}: {f.reason}" for f in predictions.failures[:3])
        raise ZooError(f"{corpus.name}: no clip is left to score. {reasons}")
    whole = Scores(
        tuple(clip.name for clip in corpus.clips),
        tuple(corpus.groups),
        tuple(tags),
        values,
        targets,
        corpus.single_label,
    )
    return whole.take(np.flatnonzero(keep).tolist())


def predict(
    model: "AudioModel",
    corpus: "Corpus",
    batch_size: int = 16,
    cache: PathLike | None = None,
    progress: bool = False,
) -> Predictions:
    """Run every clip of a corpus through a network, in batches that go across clips.

    A clip's score is the mean over its segments, each weighted by the seconds of audio that no
    earlier segment covered.

    Args:
        model: a tagger: one prediction per clip, not per frame.
        corpus: its clips; its labels do not matter here.
        batch_size: segments that go through the network at once.
        cache: folder for decoded sound, see `zoo.data.segments`; None to decode.
        progress: show a bar on stderr.
    """
    from zoo.data.pipeline import dataset
    from zoo.inference import prediction

    values = np.full((len(corpus), len(model.labels)), np.nan)
    seconds = np.zeros(len(corpus))
    batches = dataset.segments(corpus, model, batch_size=batch_size, cache=cache)
    try:
        with bar(f"{model.name} on {corpus.name}", len(corpus), progress) as advance:
            shown = advancing(batches.as_numpy_iterator(), advance)
            predicted, clips, fresh = prediction.predict_batches(model, shown, batch_size)
        values = prediction.clip_means(predicted, clips, fresh, len(corpus))
        np.add.at(seconds, clips, fresh)
    except Exception:
        # If no clip at all can be decoded, the pipeline raises; `of_clips` reports it.
        if len(dataset.failures(batches)) < len(corpus):
            raise
    failures = list(dataset.failures(batches))
    failed = {failure.name for failure in failures}
    for i, clip in enumerate(corpus.clips):
        if clip.name in failed:
            values[i] = np.nan  # also the segments before the failure
        elif not np.isfinite(values[i]).all():
            failures.append(skip(clip, "the prediction is not finite"))
    return Predictions(values.astype("float32"), seconds, tuple(failures))


def advancing(batches: Iterable[tuple], advance: Callable[..., None]) -> Iterator[tuple]:
    """Yield batches of (waveform, clip, ...) again, and report how many more clips were started."""
    begun = 0
    for batch in batches:
        yield batch
        last = int(batch[1].max()) + 1
        advance(last - begun)
        begun = last


def skip(clip: "Clip", reason: str) -> "Skipped":
    """Log that a clip is skipped, and return its entry in the list of failures."""
    from zoo.data.corpus import Skipped

    reason = reason.removeprefix(f"{clip.path}: ")
    logger.warning("%s is skipped: %s", clip.name, reason)
    return Skipped(clip.name, reason)
