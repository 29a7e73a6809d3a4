"""Scores with their uncertainty, for `zoo.evaluate` and `zoo.compare`. NumPy only.

A bootstrap resamples the clips with replacement many times, and measures how much a score varies.
Clips of one artist are not independent of each other, so where clips have groups, whole groups are
resampled, and where clips are excerpts of one file, whole files. Instead of copying clips, every
round gives each clip a count, and the ranking of the clips, which never changes, is sorted once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95  # of all confidence intervals
ENOUGH = 0.2  # share of the rounds in which a score must exist
BLOCK = 2**19  # clips x rounds that are computed at once: 2 MB, which fits a processor's cache


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


def with_interval(value: float, rounds: np.ndarray) -> Score:
    """Return a score with the interval that a bootstrap's rounds give it (percentiles).

    Rounds in which the score does not exist (NaN), such as those without a positive clip, do not
    count. Where fewer than `ENOUGH` of them are left, there is no interval: too few clips, or too
    few groups of them, decide on the score.
    """
    exist = rounds[np.isfinite(rounds)]
    if len(exist) == 0 or len(exist) < ENOUGH * len(rounds):
        return Score(float(value))
    low, high = np.quantile(exist, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Score(float(value), float(low), float(high))


def units(groups: Sequence[str]) -> np.ndarray:
    """Number the groups of clips: (clips,) int, equal for clips resampled together.

    Args:
        groups: of each clip, as `Corpus.groups` gives them.
    """
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] for group in groups], dtype="int64")


def resample(unit: np.ndarray, rounds: int, seed: int) -> np.ndarray:
    """Sample the rounds of a bootstrap.

    Args:
        unit: (clips,) from `units`.
        rounds: how many.
        seed: the same gives the same.

    Returns:
        (clips, rounds) float32: how often each clip occurs. No rounds if there are fewer than two
        units, since then there is nothing to vary.
    """
    count = int(unit.max(initial=-1)) + 1
    if count < 2:
        rounds = 0
    random = np.random.default_rng(seed)
    counts = np.empty((count, rounds), "float32")
    for i in range(rounds):
        counts[:, i] = np.bincount(random.integers(count, size=count), minlength=count)
    return counts[unit]


def auc_rounds(
    targets: np.ndarray, scores: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ROC-AUC and the PR-AUC (average precision) of each tag in each resample.

    The same as scikit-learn's `roc_auc_score` and `average_precision_score` of the resampled clips.

    Args:
        targets: (clips, tags), above 0 where a clip has a tag.
        scores: (clips, tags), finite.
        counts: (clips, rounds) from `resample`.

    Returns:
        Two arrays (rounds, tags); NaN where a resample holds only one of the two kinds of clips.
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
    """Return both areas of one tag, (rounds,) each, from clips' counts (clips, rounds)."""
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
    pr[negatives == 0] = np.nan  # as for ROC-AUC: a precision of 1 would mean nothing
    return roc, pr


def mean_of_tags(rounds: np.ndarray) -> np.ndarray:
    """Return the mean over tags, (rounds, tags) -> (rounds,), of those that exist in a round."""
    exist = np.isfinite(rounds)
    number = exist.sum(axis=1)
    total = np.where(exist, rounds, 0).sum(axis=1)
    return np.divide(total, number, out=np.full(len(rounds), np.nan), where=number > 0)


def macro_rounds(rounds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean over tags in each round of a bootstrap.

    A resample may lack all clips that have a rare tag. That tag then counts with its value on all
    clips moved as much as the other tags' values are: left out, an easy or difficult tag would
    shift the mean by its absence.

    Args:
        rounds: (rounds, tags), NaN where a tag does not exist.
        values: (tags,) on all clips.

    Returns:
        (rounds,); NaN where no tag exists.
    """
    return values.mean() + mean_of_tags(rounds - values)


def accuracy_rounds(
    truth: np.ndarray, guess: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy and balanced accuracy (mean recall of the classes present) per resample.

    Args:
        truth: (clips,) number of the class.
        guess: (clips,).
        counts: (clips, rounds).

    Returns:
        Two arrays (rounds,).
    """
    right = counts * (truth == guess)[:, None]
    accuracy = right.sum(axis=0) / counts.sum(axis=0)
    classes = np.unique(truth)
    recalls = np.full((counts.shape[1], len(classes)), np.nan)
    for i, one in enumerate(classes):
        of_class = truth == one
        present = counts[of_class].sum(axis=0)
        np.divide(right[of_class].sum(axis=0), present, out=recalls[:, i], where=present > 0)
    recall = np.array([(guess == truth)[truth == one].mean() for one in classes])
    return accuracy, macro_rounds(recalls, recall)
