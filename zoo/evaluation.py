"""How good a model is on a corpus: `zoo.evaluate`.

corpus = zoo.data.load("mtat", "/data/magnatagatune", split="test")
result = zoo.evaluate("pons2017", corpus)
result                                      # a table, with 95 % confidence intervals
result.metrics["ROC-AUC"].value             # the mean over tags
result.to_csv("tags.csv"); result.plot("tags.png"); result.scores.save("scores.npz")
"""

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo import metrics, scoring, tables
from zoo.data.corpus import Corpus, Skipped
from zoo.errors import ConfigError
from zoo.files import PathLike, table
from zoo.metrics import Score
from zoo.scoring import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.model import AudioModel

NO_POSITIVES = "no clip has it"
NO_NEGATIVES = "every clip has it"


class TagScore(NamedTuple):
    """How well a model finds one tag."""

    tag: str
    labels: tuple[str, ...]  # of the model, that mean the tag
    positives: int  # clips that have the tag
    roc_auc: Score
    pr_auc: Score  # average precision; a model that guesses gets the share of positives


class ClipOnsets(NamedTuple):
    """How well a model finds the onsets of one clip."""

    clip: str
    onsets: int  # that there are
    found: int  # that the model gave
    right: int  # of those, within the window of one that there is, each counted once

    @property
    def precision(self) -> float:
        """Share of what was found that is right; 0 if nothing was found, as in mir_eval."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of what there is that was found."""
        return self.right / self.onsets if self.onsets else 0.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.right / (self.onsets + self.found) if self.right else 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """How good a model is on a corpus.

    Attributes:
        model: its name.
        weights: SHA-256 of its weights, as `zoo.loading.checksum` computes it.
        data: name of the corpus.
        split: of the corpus; "" if it has no splits.
        clips: how many were scored.
        groups: how many groups they fall into: what a bootstrap draws.
        drawn: what those groups are: "clips", "files" or "groups".
        audio: seconds of sound heard.
        seconds: that it took, decoding included.
        command: what was called.
        bootstrap: rounds of the bootstrap.
        seed: of the bootstrap.
        metrics: "ROC-AUC" and "PR-AUC", means over tags; of single-label corpora also "accuracy"
            and "balanced accuracy" of the highest score; of onsets "F", "precision" and "recall"
            over all clips together.
        tags: for each tag that can be scored; none for onsets.
        skipped: tags that cannot be scored, and why; and those of the corpus that were left out.
        classes: of single-label corpora, names of the rows and columns of `confusion`.
        confusion: (classes, classes) clips: a row for each truth, a column for each answer.
        onsets: for each clip; none for tags.
        failures: clips that could not be heard, and why.
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

    def __repr__(self) -> str:
        return tables.evaluation(self)

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

    def to_csv(self, path: PathLike | None = None) -> str:
        """Return a row for all together and one for each tag, or clip with onsets; write it.

        Every row says model, data, split and number of clips, so that tables can be joined.
        """
        return table(tables.evaluation_csv(self), path)

    def plot(self, path: PathLike | None = None) -> "Figure":
        """Draw the tags' scores with their intervals, of single-label corpora the confusion too.

        Args:
            path: save here too; .png, .pdf or .svg.
        """
        from zoo import charts

        return charts.evaluation(self, path)


def evaluate(
    model: "AudioModel | PathLike",
    corpus: Corpus,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    batch_size: int = 16,
    cache: PathLike | None = None,
    progress: bool = False,
    shared: bool = False,
) -> Evaluation:
    """Measure how good a model is on a corpus.

    A clip's score is the mean over its segments, each weighted by the audio it adds. ROC-AUC and
    PR-AUC (average precision) are scikit-learn's, for each tag, and their mean over tags. A tag
    that no clip has, or every clip, has neither; it is skipped and named. Of a single-label corpus
    the tag with the highest score is the answer. Labels that differ but mean the same, see
    `zoo.synonyms`, are matched.

    A model that judges frames is measured by the onsets it finds: precision, recall and F of
    mir_eval, where an onset is right within 25 ms (Schlüter and Böck 2014).

    Args:
        model: what `zoo.load` returns, or a name or file that it takes.
        corpus: what `zoo.data.load` returns, such as one split of it.
        bootstrap: rounds; 0 for no confidence intervals. Whole groups of clips are drawn.
        seed: of the bootstrap.
        batch_size: segments that go through the network at once.
        cache: folder for decoded sound, see `zoo.data.segments`.
        progress: show a bar on stderr.
        shared: score only the tags that both model and corpus know, instead of raising.

    Raises:
        UnknownName: the corpus has labels that the model does not know; with both lists.
        ConfigError: an argument that does not fit; no tag can be scored; no clip has onsets.
        ZooError: no clip could be heard.
    """
    begin = time.perf_counter()
    model = scoring.loaded(model)
    check(corpus, bootstrap, batch_size)
    if model.frame_wise:
        from zoo import onset_scores

        found = onset_scores.hear(model, corpus, progress)
        result = onset_scores.of_onsets(model, corpus, found, bootstrap, seed)
    else:
        tags = scoring.matched(model.name, model.labels, corpus, shared)
        heard = scoring.hear(model, corpus, batch_size, cache, progress)
        result = of_tags(model, corpus, tags, heard, bootstrap, seed)
    command = f"zoo.evaluate({model.name!r}, {corpus.name!r}, bootstrap={bootstrap}, seed={seed})"
    return replace(result, seconds=time.perf_counter() - begin, command=command)


def of_tags(
    model: "AudioModel",
    corpus: Corpus,
    tags: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
    heard: scoring.Heard,
    bootstrap: int,
    seed: int,
) -> Evaluation:
    """Return the evaluation of what a model made of a corpus; arguments as in `scoring`."""
    scores = scoring.scores(heard, model.labels, corpus, tags)
    counts = scores.draw(bootstrap, seed)
    each, skipped, rounds = tag_scores(scores, tags, counts)
    macro = {
        name: metrics.with_interval(sum(s.value for s in found) / len(each), rounds[name])
        for name, found in (
            ("ROC-AUC", [t.roc_auc for t in each]),
            ("PR-AUC", [t.pr_auc for t in each]),
        )
    }
    known = {label for ours, _ in tags.values() for label in ours}
    skipped += [Skipped(x, "the model does not know it") for x in corpus.labels if x not in known]
    confusion = None
    if scores.single_label:
        answers, more, confusion = single_label(scores, counts)
        macro, rounds = macro | answers, rounds | more
    return Evaluation(
        **record(model, corpus, scores.groups, heard.seconds, counts.shape[1], seed),
        metrics=macro,
        tags=tuple(each),
        skipped=tuple(skipped),
        classes=scores.tags if scores.single_label else (),
        confusion=confusion,
        failures=heard.failures,
        scores=scores,
        rounds=rounds,
    )


def tag_scores(
    scores: Scores, tags: dict[str, tuple], counts: np.ndarray
) -> tuple[list[TagScore], list[Skipped], dict[str, np.ndarray]]:
    """Return each tag's scores, the tags that have none, and the means of a bootstrap's rounds.

    Raises:
        ConfigError: no tag has both clips that have it and clips that do not.
    """
    from sklearn.metrics import (  # type: ignore[import-untyped]
        average_precision_score,
        roc_auc_score,
    )

    positives = (scores.targets > 0).sum(axis=0)
    skipped = [
        Skipped(tag, NO_POSITIVES if number == 0 else NO_NEGATIVES)
        for tag, number in zip(scores.tags, positives, strict=True)
        if number in (0, len(scores.clips))
    ]
    left = [i for i, n in enumerate(positives) if 0 < n < len(scores.clips)]
    if not left:
        reasons = "; ".join(f"{s.name}: {s.reason}" for s in skipped[:5])
        raise ConfigError(
            f"no tag can be scored: each needs clips that have it and clips that do not. {reasons}."
        )
    targets, values = scores.targets[:, left], scores.values[:, left]
    roc_rounds, pr_rounds = metrics.auc_rounds(targets, values, counts)
    each = [
        TagScore(
            scores.tags[i],
            tags[scores.tags[i]][1],
            int(positives[i]),
            metrics.with_interval(roc_auc_score(targets[:, j], values[:, j]), roc_rounds[:, j]),
            metrics.with_interval(
                average_precision_score(targets[:, j], values[:, j]), pr_rounds[:, j]
            ),
        )
        for j, i in enumerate(left)
    ]
    rounds = {
        "ROC-AUC": metrics.macro_rounds(roc_rounds, np.array([t.roc_auc.value for t in each])),
        "PR-AUC": metrics.macro_rounds(pr_rounds, np.array([t.pr_auc.value for t in each])),
    }
    return each, skipped, rounds


def single_label(
    scores: Scores, counts: np.ndarray
) -> tuple[dict[str, Score], dict[str, np.ndarray], np.ndarray]:
    """Return accuracies of the highest score, their rounds, and the confusion matrix."""
    from sklearn.metrics import accuracy_score, confusion_matrix

    truth, guess = scores.targets.argmax(axis=1), scores.values.argmax(axis=1)
    confusion = confusion_matrix(truth, guess, labels=range(len(scores.tags)))
    present = confusion.sum(axis=1) > 0
    recall = np.diag(confusion)[present] / confusion.sum(axis=1)[present]
    values = {"accuracy": accuracy_score(truth, guess), "balanced accuracy": recall.mean()}
    rounds = dict(zip(values, metrics.accuracy_rounds(truth, guess, counts), strict=True))
    answers = {name: metrics.with_interval(values[name], rounds[name]) for name in values}
    return answers, rounds, confusion


def record(
    model: "AudioModel",
    corpus: Corpus,
    groups: tuple[str, ...],
    heard: np.ndarray,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Return what every evaluation says of where its numbers come from."""
    data, _, split = corpus.name.rpartition("/") if "/" in corpus.name else (corpus.name, "", "")
    from zoo import loading

    drawn = "groups" if any(clip.group for clip in corpus.clips) else "files"
    number = len(set(groups))
    return {
        "model": model.name,
        "weights": loading.checksum(model),
        "data": data,
        "split": split,
        "clips": len(groups),
        "groups": number,
        "drawn": "clips" if number == len(groups) else drawn,
        "audio": float(heard.sum()),
        "seconds": 0.0,
        "command": "",
        "bootstrap": bootstrap,
        "seed": seed,
    }


def check(corpus: Corpus, bootstrap: int, batch_size: int) -> None:
    """Raise before the work if an argument does not fit."""
    if not isinstance(corpus, Corpus):
        raise ConfigError(
            f"corpus is a {type(corpus).__name__}; expected what zoo.data.load, from_folder or "
            "from_table returns."
        )
    if not len(corpus):
        raise ConfigError(f"{corpus.name} has no clips.")
    if bootstrap < 0 or batch_size < 1:
        raise ConfigError(
            f"bootstrap is {bootstrap} and batch_size {batch_size}; at least 0 and at least 1."
        )


def plain(score: Score) -> dict[str, float | None]:
    """Return a score for JSON, which knows no NaN."""
    return {k: None if np.isnan(v) else v for k, v in score._asdict().items()}
