"""Scores and their bootstrap, for `zoo.evaluate` and `zoo.compare`. NumPy only.

A bootstrap gives the clips other weights many times, and measures how much a score varies. Clips of
one artist are not independent of each other, so where clips have groups, a whole group has one
weight, and where clips are excerpts of one file, a whole file. The ranking of the clips, which
never changes, is sorted once.

It is the Bayesian bootstrap of Rubin (1981), The Annals of Statistics 9:130-134: weights are drawn
from the uniform distribution over all that have the same sum. Drawing clips with replacement gives
about the same variation, but leaves out all clips of a rare tag in many rounds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BLOCK = 2**18  # clips x rounds that are computed at once: 2 MB, which fits a processor's cache


class Score(NamedTuple):
    """A number with its confidence interval (95 %); without a bootstrap the bounds are NaN."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "-"
        if np.isnan(self.low):
            return f"{self.value:.4f}"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def units(groups: Sequence[str]) -> np.ndarray:
    """Number the groups of clips: (clips,) int, equal for clips resampled together.

    Args:
        groups: of each clip, as `Corpus.groups` gives them.
    """
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] for group in groups], dtype="int64")


def resample(unit: np.ndarray, rounds: int, seed: int) -> np.ndarray:
    """Draw the weights of a bootstrap.

    Args:
        unit: (clips,) from `units`.
        rounds: how many.
        seed: the same gives the same.

    Returns:
        (clips, rounds) float64: the weight of each clip, more than 0; those of the groups sum to
        their number. No rounds if there are fewer than two groups, since then there is nothing to
        vary.
    """
    count = int(unit.max(initial=-1)) + 1
    if count < 2:
        rounds = 0
    drawn = np.random.default_rng(seed).standard_exponential((rounds, count))
    return (drawn * (count / drawn.sum(axis=1, keepdims=True))).T[unit]


def auc_rounds(
    targets: np.ndarray, scores: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ROC-AUC and the PR-AUC (average precision) of each tag in each round.

    The same as scikit-learn's `roc_auc_score` and `average_precision_score` with these weights.

    Args:
        targets: (clips, tags), above 0 where a clip has a tag.
        scores: (clips, tags), finite.
        counts: (clips, rounds) weights, as `resample` gives them.

    Returns:
        Two arrays (rounds, tags); NaN where a tag has only one of the two kinds of clips.
    """
    clips, rounds = counts.shape
    roc, pr = np.empty((2, rounds, targets.shape[1]))
    size = max(1, BLOCK // max(clips, 1))
    for start in range(0, rounds, size):
        block = np.ascontiguousarray(counts[:, start : start + size])
        for tag in range(targets.shape[1]):
            found = _auc(targets[:, tag] > 0, scores[:, tag], block)
            roc[start : start + size, tag], pr[start : start + size, tag] = found
    return roc, pr


def _auc(positive: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> tuple:
    """Return both areas of one tag, (rounds,) each, from clips' weights (clips, rounds)."""
    if not positive.any():
        return np.nan, np.nan
    order = np.argsort(-scores, kind="stable")
    positive, scores, counts = positive[order], scores[order], counts[order]
    # Clips of equal score form a tie. Only ties with a positive clip in them add to either area.
    first = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
    last = np.append(first[1:], len(scores))
    inside = np.add.reduceat(positive.astype("int64"), first)
    first, last, inside = first[inside > 0], last[inside > 0], inside[inside > 0]
    hits = np.add.reduceat(counts[positive], np.cumsum(inside) - inside).astype("float64")
    true = np.cumsum(hits, axis=0)  # (ties, rounds): positives down to the end of each tie
    cuts = np.unique(np.concatenate([[0], first, last[last < len(scores)]]))
    pieces = np.add.reduceat(counts, cuts).astype("float64")
    above = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(pieces, axis=0)])
    before, through = above[np.searchsorted(cuts, first)], above[np.searchsorted(cuts, last)]
    positives, negatives = true[-1], above[-1] - true[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        # negatives below a positive count 1, those in its tie 1/2
        below = negatives - (before + through - 2 * true + hits) / 2
        roc = (hits * below).sum(axis=0) / (positives * negatives)
        precision = np.divide(true, through, out=np.zeros_like(true), where=through > 0)
        pr = (hits * precision).sum(axis=0) / positives
        roc, pr = np.clip(roc, 0, 1), np.clip(pr, 0, 1)  # sums of weights are rounded
    pr[negatives == 0] = np.nan  # as for ROC-AUC: a precision of 1 would mean nothing
    return roc, pr


def recall_rounds(truth: np.ndarray, guess: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the recall of each class in each round; their mean is the balanced accuracy.

    Args:
        truth: (clips,) number of the class.
        guess: (clips,) number of the predicted class.
        counts: (clips, rounds) weights, as `resample` gives them.

    Returns:
        (rounds, classes) of the classes that clips have, in their order.
    """
    right = counts * (truth == guess)[:, None]
    of_class = [truth == one for one in np.unique(truth)]
    recalls = [right[here].sum(axis=0) / counts[here].sum(axis=0) for here in of_class]
    return np.stack(recalls, axis=1)


def accuracy_rounds(truth: np.ndarray, guess: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the accuracy in each round.

    Args:
        truth: as in `recall_rounds`.
        guess: as in `recall_rounds`.
        counts: as in `recall_rounds`.

    Returns:
        (rounds,).
    """
    return (counts * (truth == guess)[:, None]).sum(axis=0) / counts.sum(axis=0)
