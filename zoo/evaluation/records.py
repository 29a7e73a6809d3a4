"""The plain numbers of evaluations and comparisons; `reports.py` prints and draws them."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from zoo.data.corpus import Skipped
from zoo.evaluation.metrics import Score
from zoo.evaluation.scores import Scores

NO_POSITIVES = "no clip has it"
NO_NEGATIVES = "every clip has it"


class TagScore(NamedTuple):
    """How well a model predicts one tag."""

    tag: str
    labels: tuple[str, ...]  # of the model, that mean the tag
    positives: int  # clips that have the tag
    roc_auc: Score
    pr_auc: Score  # average precision; a model that guesses gets the share of positives


class ClipOnsets(NamedTuple):
    """How well a model finds the onsets of one clip."""

    clip: str
    onsets: int  # annotated
    found: int  # predicted by the model
    right: int  # predicted within the window of an annotated one, each counted once

    @property
    def precision(self) -> float:
        """Share of the predicted onsets that are right; 0 if there are none, as in mir_eval."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the annotated onsets that were found."""
        return self.right / self.onsets if self.onsets else 0.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / (self.onsets + self.found) if self.right else 0.0


def plain(score: Score) -> dict[str, float | None]:
    """Return a score for JSON, which has no NaN."""
    return {k: None if np.isnan(v) else v for k, v in score._asdict().items()}


@dataclass(frozen=True, eq=False, repr=False)
class EvaluationRecord:
    """How good a model is on a corpus.

    Attributes:
        model: its name.
        weights: SHA-256 of its weights, as `zoo.inference.variables.checksum` computes it.
        data: name of the corpus.
        split: of the corpus; "" if it has no splits.
        clips: how many were scored.
        groups: how many groups they fall into: the units of the bootstrap.
        drawn: unit that a bootstrap resamples: "clips", "files" or "groups".
        audio: seconds of sound.
        seconds: duration of the evaluation, decoding included.
        command: the call.
        bootstrap: rounds of the bootstrap.
        seed: of the bootstrap.
        metrics: "ROC-AUC" and "PR-AUC", means over tags; of single-label corpora also "accuracy"
            and "balanced accuracy" of the highest score; of onsets "F", "precision" and "recall"
            over all clips together.
        tags: for each tag that can be scored; none for onsets.
        skipped: tags that cannot be scored, and why; and those of the corpus that were left out.
        classes: of single-label corpora, names of the rows and columns of `confusion`.
        confusion: (classes, classes) clips: a row for each true class, a column for each
            predicted one.
        onsets: for each clip; none for tags.
        failures: clips that could not be decoded, and why.
        scores: of every clip; None for onsets.
        rounds: metric -> (bootstrap,), its value in each round, NaN where it has none. Two models'
            rounds belong together if clips and seed are the same.
    """

    model: str
    weights: str
    data: str
    split: str
    clips: int
    groups: int
    drawn: str
    audio: float
    seconds: float
    command: str
    bootstrap: int
    seed: int
    metrics: dict[str, Score]
    tags: tuple[TagScore, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    classes: tuple[str, ...] = ()
    confusion: np.ndarray | None = None
    onsets: tuple[ClipOnsets, ...] = ()
    failures: tuple[Skipped, ...] = ()
    scores: Scores | None = None
    rounds: dict[str, np.ndarray] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the clips' scores as lists, strings and numbers, fit for JSON."""
        record = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("metrics", "tags", "confusion", "onsets", "scores", "rounds")
        }
        record["skipped"] = {s.name: s.reason for s in self.skipped}
        record["failures"] = {s.name: s.reason for s in self.failures}
        record["classes"] = list(self.classes)
        record["metrics"] = {name: plain(score) for name, score in self.metrics.items()}
        record["tags"] = {
            t.tag: {
                "labels": list(t.labels),
                "positives": t.positives,
                "ROC-AUC": plain(t.roc_auc),
                "PR-AUC": plain(t.pr_auc),
            }
            for t in self.tags
        }
        record["confusion"] = None if self.confusion is None else self.confusion.tolist()
        record["onsets"] = [
            {**o._asdict(), "precision": o.precision, "recall": o.recall, "F": o.f_measure}
            for o in self.onsets
        ]
        return record


@dataclass(frozen=True, eq=False)
class Entry:
    """One model of a comparison.

    Attributes:
        model: its name in tables.
        parameters: how many numbers were trained.
        size: of its weights on the disk, in bytes.
        licence: of the weights; "" if none is known.
        evaluation: on the shared tags.
        published: metric -> score that its authors published for the same data and split.
        speed: seconds of sound that the network processes in a second, without decoding.
        relative: its speed divided by that of the first model.
    """

    model: str
    parameters: int
    size: int
    licence: str
    evaluation: EvaluationRecord
    published: dict[str, float]
    speed: float
    relative: float


class Difference(NamedTuple):
    """By how much one model is better than another, with the interval of a paired bootstrap."""

    model: str
    other: str
    metric: str
    score: Score

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.score.low > 0 or self.score.high < 0


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonRecord:
    """Several models on the same clips and the same tags.

    Attributes:
        data: name of the corpus.
        split: of the corpus.
        clips: how many all models could score.
        entries: a model each, in the order given.
        tags: those compared -> for the corpus and for each model the labels that mean the tag.
        left_out: why labels are not compared -> the labels.
        differences: for each pair of models and each metric.
        command: the call.
        seconds: duration of the comparison.
    """

    data: str
    split: str
    clips: int
    entries: tuple[Entry, ...]
    tags: dict[str, tuple[tuple[str, ...], ...]]
    left_out: dict[str, tuple[str, ...]]
    differences: tuple[Difference, ...]
    command: str
    seconds: float

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(self.entries[0].evaluation.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the clips' scores, fit for JSON."""
        return {
            "data": self.data,
            "split": self.split,
            "clips": self.clips,
            "command": self.command,
            "seconds": self.seconds,
            "tags": {tag: [list(labels) for labels in lists] for tag, lists in self.tags.items()},
            "left out": {reason: list(labels) for reason, labels in self.left_out.items()},
            "models": [{**vars(e), "evaluation": e.evaluation.to_dict()} for e in self.entries],
            "differences": [
                {"model": d.model, "other": d.other, "metric": d.metric, **plain(d.score)}
                for d in self.differences
            ],
        }
