"""Validation: what a network predicts of whole clips while it is trained, and its scores."""

import numpy as np

from zoo.data.corpus import Corpus
from zoo.errors import AudioError, ConfigError
from zoo.evaluation.metrics import auc_rounds, mean_of_tags

HIGHEST_WEIGHT = 10.0  # of a rare class: more would let a few clips drive the network
TINY = 1e-7  # as in Keras's own cross-entropies


def class_weights(corpus: Corpus, how: str | None) -> dict[int, float] | None:
    """Return what a clip of each class counts in the loss, so that all classes count the same.

    The weight of a class is the number of clips over the number of classes and over the number of
    its clips: 1 for all where all are equally frequent; at most `HIGHEST_WEIGHT`.

    Clips with several tags have no weights. To weigh a tag's positives would raise the scores of
    rare tags, which then are no longer probabilities, and would hardly change how clips rank, which
    is what ROC-AUC and PR-AUC measure; the papers do without it, too.

    Args:
        corpus: the clips to learn from, its labels in the model's order.
        how: "balanced", or None for no weights.

    Raises:
        ConfigError: another `how`.
    """
    if how not in ("balanced", None):
        raise ConfigError(f"class_weight is {how!r}; it is 'balanced' or None.")
    if how is None or not corpus.single_label or len(corpus.labels) < 2:
        return None
    counts = corpus.targets.sum(axis=0)
    fair = len(corpus) / np.count_nonzero(counts)
    return {
        i: float(min(fair / n, HIGHEST_WEIGHT)) if n else 1.0 for i, n in enumerate(counts.tolist())
    }


def measures(
    probabilities: np.ndarray,
    targets: np.ndarray,
    single_label: bool,
    activation: str,
    weights: dict[int, float] | None,
) -> dict[str, float]:
    """Score clips: the loss as in training, and accuracy or macro ROC-AUC.

    Args:
        probabilities: (clips, labels); NaN for clips that could not be decoded, which do not count.
        targets: (clips, labels), 0 or 1.
        single_label: whether each clip has exactly one label: then accuracy is the score.
        activation: of the model.
        weights: of the classes, as in training.

    Raises:
        AudioError: not one clip could be decoded.
    """
    predicted = np.isfinite(probabilities).all(axis=1)
    if not predicted.any():
        raise AudioError("not one clip of the validation could be decoded; the log says why.")
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
        score = {"val_roc_auc": float(mean_of_tags(areas)[0])}
    return {"val_loss": float(losses.mean()), **score}
