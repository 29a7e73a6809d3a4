"""Validation during training: loss and scores of whole clips."""

import math

import numpy as np

from zoo.data.corpus import Corpus
from zoo.errors import AudioError, ConfigError
from zoo.evaluation.metrics import auc_rounds

HIGHEST_WEIGHT = 10.0  # of a rare class: with more, a few clips would dominate the loss
TINY = 1e-7  # as in Keras's own cross-entropies


def class_weights(corpus: Corpus, how: str | None) -> dict[int, float] | None:
    """Return weights with which all classes count the same in the loss.

    The weight of a class is clips / classes / clips of the class, so 1 if all classes are equally
    frequent. It is at most `HIGHEST_WEIGHT`.

    Clips with several tags get no weights. Weights would raise the scores of rare tags, which then
    would not be probabilities, and would hardly change ROC-AUC and PR-AUC, which depend on the
    order of the clips. The papers use none either.

    Args:
        corpus: training clips, its labels in the model's order.
        how: "balanced", or None for no weights.

    Returns:
        Index of a class -> weight of its clips; None for no weights.

    Raises:
        ConfigError: `how` has another value.
    """
    if how not in ("balanced", None):
        raise ConfigError(f"class_weight is {how!r}; it is 'balanced' or None.")
    if how is None or not corpus.single_label or len(corpus.labels) < 2:
        return None
    counts = corpus.targets.sum(axis=0)
    mean = len(corpus) / np.count_nonzero(counts)
    return {
        i: float(min(mean / n, HIGHEST_WEIGHT)) if n else 1.0 for i, n in enumerate(counts.tolist())
    }


def measures(
    probabilities: np.ndarray,
    targets: np.ndarray,
    single_label: bool,
    activation: str,
    weights: dict[int, float] | None,
) -> dict[str, float]:
    """Compute the loss, as in training, and accuracy or macro ROC-AUC.

    Args:
        probabilities: (clips, labels); NaN for clips that could not be decoded, which are ignored.
        targets: (clips, labels), 0 or 1.
        single_label: whether each clip has exactly one label; then the score is accuracy.
        activation: of the model.
        weights: of the classes, as in training.

    Returns:
        "val_loss", and "val_accuracy" or "val_roc_auc".

    Raises:
        AudioError: no clip could be decoded.
    """
    predicted = np.isfinite(probabilities).all(axis=1)
    if not predicted.any():
        raise AudioError("no validation clip could be decoded; the log lists the reasons.")
    p = np.clip(probabilities[predicted].astype("float64"), TINY, 1 - TINY)
    y = targets[predicted]
    if activation == "softmax":
        losses = -(y * np.log(p)).sum(axis=1)
    else:
        losses = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1)
    if weights is not None:
        losses = losses * np.array([weights[i] for i in y.argmax(axis=1)])
    if single_label:
        score = {"val_accuracy": float((p.argmax(axis=1) == y.argmax(axis=1)).mean())}
    else:
        areas, _ = auc_rounds(y, p, np.ones((len(y), 1), "float32"))
        known = areas[np.isfinite(areas)]
        score = {"val_roc_auc": float(known.mean()) if len(known) else math.nan}
    return {"val_loss": float(losses.mean()), **score}
