"""From scores and labels to ROC-AUC, PR-AUC and accuracy."""

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.corpus import Corpus, Skipped
from zoo.errors import ConfigError
from zoo.evaluation import intervals, metrics
from zoo.evaluation import scores as scoring
from zoo.evaluation.metrics import Score
from zoo.evaluation.records import NO_NEGATIVES, NO_POSITIVES, TagScore
from zoo.evaluation.reports import Evaluation
from zoo.evaluation.scores import Scores

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel


def of_tags(
    model: "AudioModel",
    corpus: Corpus,
    tags: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
    predictions: scoring.Predictions,
    bootstrap: int,
    seed: int,
) -> Evaluation:
    """Return the evaluation of predictions for a corpus; arguments as in `scores.py`."""
    scores = scoring.of_clips(predictions, model.labels, corpus, tags)
    counts = metrics.resample(metrics.units(scores.groups), bootstrap, seed)
    each, skipped, of_each = tag_scores(scores, tags, counts)
    groups = len(set(scores.groups))
    macro = {
        "ROC-AUC": intervals.mean([t.roc_auc for t in each], of_each["ROC-AUC"], groups),
        "PR-AUC": intervals.mean([t.pr_auc for t in each], of_each["PR-AUC"], groups),
    }
    rounds = {name: one.mean(axis=1) for name, one in of_each.items()}
    known = {label for ours, _ in tags.values() for label in ours}
    skipped += [Skipped(x, "the model does not know it") for x in corpus.labels if x not in known]
    confusion = None
    if scores.single_label:
        accuracies, more, confusion = single_label(scores, counts)
        macro, rounds = macro | accuracies, rounds | more
    return Evaluation(
        **record(model, corpus, scores.groups, predictions.seconds, counts.shape[1], seed),
        metrics=macro,
        tags=tuple(each),
        skipped=tuple(skipped),
        classes=scores.tags if scores.single_label else (),
        confusion=confusion,
        failures=predictions.failures,
        scores=scores,
        rounds=rounds,
    )


def tag_scores(
    scores: Scores, tags: dict[str, tuple], counts: np.ndarray
) -> tuple[list[TagScore], list[Skipped], dict[str, np.ndarray]]:
    """Return each tag's scores, the tags that have none, and a bootstrap's rounds of each tag.

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
    unit = metrics.units(scores.groups)
    roc_rounds, pr_rounds = metrics.auc_rounds(targets, values, counts)
    each = []
    for j, i in enumerate(left):
        of = intervals.sample(targets[:, j] > 0, unit)
        roc = float(roc_auc_score(targets[:, j], values[:, j]))
        pr = float(average_precision_score(targets[:, j], values[:, j]))
        each.append(
            TagScore(
                scores.tags[i],
                tags[scores.tags[i]][1],
                int(positives[i]),
                intervals.roc_auc(roc, of, roc_rounds[:, j]),
                intervals.proportion(pr, of, pr_rounds[:, j]),
            )
        )
    return each, skipped, {"ROC-AUC": roc_rounds, "PR-AUC": pr_rounds}


def single_label(
    scores: Scores, counts: np.ndarray
) -> tuple[dict[str, Score], dict[str, np.ndarray], np.ndarray]:
    """Return accuracies of the highest score, their rounds, and the confusion matrix."""
    from sklearn.metrics import confusion_matrix

    truth, guess = scores.targets.argmax(axis=1), scores.values.argmax(axis=1)
    confusion = confusion_matrix(truth, guess, labels=range(len(scores.tags)))
    unit, right = metrics.units(scores.groups), truth == guess
    rounds = metrics.accuracy_rounds(truth, guess, counts)
    recalls = metrics.recall_rounds(truth, guess, counts)

    def share(here: np.ndarray, rounds: np.ndarray) -> Score:
        of = intervals.Sample(int(here.sum()), 0, len(np.unique(unit[here])))
        return intervals.proportion(float(right[here].mean()), of, rounds)

    each = [share(truth == one, recalls[:, i]) for i, one in enumerate(np.unique(truth))]
    accuracies = {
        "accuracy": share(np.ones(len(truth), bool), rounds),
        "balanced accuracy": intervals.mean(each, recalls, len(np.unique(unit))),
    }
    return accuracies, {"accuracy": rounds, "balanced accuracy": recalls.mean(axis=1)}, confusion


def record(
    model: "AudioModel",
    corpus: Corpus,
    groups: tuple[str, ...],
    seconds: np.ndarray,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Return the fields of every evaluation that describe how it was made."""
    from zoo.inference import variables

    unit = "groups" if any(clip.group for clip in corpus.clips) else "files"
    number = len(set(groups))
    return {
        "model": model.name,
        "weights": variables.checksum(model),
        "data": corpus.data,
        "split": corpus.split_name,
        "clips": len(groups),
        "groups": number,
        "drawn": "clips" if number == len(groups) else unit,
        "audio": float(seconds.sum()),
        "seconds": 0.0,
        "command": "",
        "bootstrap": bootstrap,
        "seed": seed,
    }
