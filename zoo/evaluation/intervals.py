"""Confidence intervals (95 %) that stay inside [0, 1]. NumPy, and SciPy's distributions.

Scores near 1 of few clips are what makes intervals difficult: a bootstrap of 13 clips that are all
ranked right never gives another value, and a tag with two clips hardly varies in it. So a score's
interval is computed from a formula for the variance that a score has at each possible true value,
and the bootstrap says only how far the data's variance is from the formula's:

- ROC-AUC: the true areas whose distance from the measured one is at most 1.96 standard errors, by
  the variance of Newcombe (2006), "Confidence intervals for an effect size measure based on the
  Mann-Whitney statistic. Part 2", Statistics in Medicine 25:559-573, method 5.
- accuracy, recall, precision, F and PR-AUC: the interval of Jeffreys for a binomial proportion,
  see Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion", Statistical
  Science 16:101-133. For PR-AUC the number of trials is that of the clips with the tag, as in
  Boyd, Eng and Page (2013), "Area under the precision-recall curve", ECML PKDD.
- In both, the variance is multiplied by `inflation`: the bootstrap's, over groups of clips, in
  proportion to the formula's. Few groups tell little about it, so it is drawn towards a value for
  groups whose clips are alike. Survey statistics call this an effective sample size: Korn and
  Graubard (1998), Survey Methodology 24:193-201.
- means over tags: the method of variance estimates recovery, Zou and Donner (2008), Statistics in
  Medicine 27:1693-1702, with the correlations of the tags in the bootstrap.
- Means and F use Student's t distribution for the number of groups, as Korn and Graubard do.
- differences of two models: percentiles of a paired bootstrap, expanded as in Hesterberg (2015),
  "What teachers should know about the bootstrap", The American Statistician 69:371-386. A mean over
  tags has fewer degrees of freedom than there are groups, since most tags lie in few of them:
  Satterthwaite (1946), "An approximate distribution of estimates of variance components",
  Biometrics Bulletin 2:110-114.

`benchmarks/coverage_of_intervals.py` measures how often these intervals hold the true value.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zoo.evaluation.metrics import Score

LEVEL = 0.95  # of all intervals
Z = 1.959963984540054  # the normal distribution's quantile for it
PRIOR = 10  # groups that the expected inflation is worth
ALIKE = 0.5  # correlation of the clips of a group that is expected


class Sample(NamedTuple):
    """The clips that a score was computed from.

    Attributes:
        positives: clips with the tag; of accuracies all clips.
        negatives: the other clips; 0 for accuracies.
        groups: the independent ones that decide: those with a clip that has the tag, or those with
            a clip that has it not, whichever are fewer.
    """

    positives: int
    negatives: int
    groups: int

    @property
    def expected(self) -> float:
        """The inflation that is expected before the bootstrap says more."""
        fewer = min(self.positives, self.negatives) if self.negatives else self.positives
        return 1 + ALIKE * max(fewer / self.groups - 1, 0)


def sample(positive: np.ndarray, unit: np.ndarray) -> Sample:
    """Count the clips and groups behind a tag's score.

    Args:
        positive: (clips,) bool, whether a clip has the tag.
        unit: (clips,) number of its group, from `metrics.units`.

    Returns:
        The counts.
    """
    with_it, without = (unit[positive == kind] for kind in (True, False))
    side = with_it if len(with_it) <= len(without) else without
    return Sample(len(with_it), len(without), len(np.unique(side)))


def roc_auc(value: float, of: Sample, rounds: np.ndarray) -> Score:
    """Return a ROC-AUC with its interval.

    Args:
        value: the area, in [0, 1].
        of: the clips.
        rounds: (rounds,) its values in a bootstrap; none for no interval.

    Returns:
        The score; without bounds where there are no rounds.
    """
    if not len(rounds):
        return Score(float(value))
    m, n = of.positives, of.negatives

    def variance(area: float) -> float:  # Newcombe 2006, method 5
        mean = (m + n) / 2 - 1
        spread = 1 + mean * (1 - area) / (2 - area) + mean * area / (1 + area)
        return area * (1 - area) * spread / (m * n)

    factor = Z * Z * inflation(variance(value), of, rounds)

    def beyond(area: float) -> bool:
        return (area - value) ** 2 > factor * variance(area)

    return Score(float(value), _border(beyond, 0.0, value), _border(beyond, 1.0, value))


def proportion(value: float, of: Sample, rounds: np.ndarray) -> Score:
    """Return an accuracy, recall or PR-AUC with its interval.

    Args:
        value: in [0, 1].
        of: the clips; `positives` is the number of trials.
        rounds: as in `roc_auc`.

    Returns:
        The score; without bounds where there are no rounds.
    """
    if not len(rounds):
        return Score(float(value))
    trials = of.positives / inflation(value * (1 - value) / of.positives, of, rounds)
    return _jeffreys(value, trials)


def ratio(value: float, trials: int, groups: int, rounds: np.ndarray) -> Score:
    """Return a ratio of sums over clips, such as F of onsets, with its interval.

    Args:
        value: in [0, 1].
        trials: its denominator, such as the number of onsets.
        groups: the independent ones. With all or none right they are what counts as a trial.
        rounds: as in `roc_auc`.

    Returns:
        The score; without bounds where there are no rounds.
    """
    if not len(rounds):
        return Score(float(value))
    variance = np.var(rounds) * (groups + 1) / (groups - 1)
    most = max(trials, 1)
    found = value * (1 - value) / variance if variance > 0 else min(groups, most)
    return _jeffreys(value, min(found, most) / _wider(groups - 1) ** 2)


def mean(scores: Sequence[Score], rounds: np.ndarray, groups: int) -> Score:
    """Return the mean of scores with its interval (method of variance estimates recovery).

    Args:
        scores: of each tag.
        rounds: (rounds, tags) their values in the same bootstrap.
        groups: the independent ones that were drawn.

    Returns:
        The mean; without bounds if a score has none.
    """
    values, low, high = np.array(scores, "float64").T
    value = float(values.mean())
    if not len(rounds) or groups < 2 or not np.isfinite(low).all():
        return Score(value)
    varies = rounds.std(axis=0) > 1e-12
    together = np.eye(len(values))  # a tag that does not vary is taken as independent of others
    if varies.sum() > 1:
        together[np.ix_(varies, varies)] = np.corrcoef(rounds[:, varies], rowvar=False)
    down, up = (values - low) / len(values), (high - values) / len(values)
    below, above = (_wider(groups - 1) * math.sqrt(max(d @ together @ d, 0.0)) for d in (down, up))
    return Score(value, max(value - below, 0.0), min(value + above, 1.0))


def difference(
    one: Score,
    other: Score,
    rounds: np.ndarray,
    paired: np.ndarray,
    groups: int,
    free: float | None = None,
) -> Score:
    """Return the first score minus the second, with its interval.

    Args:
        one: of the first model.
        other: of the second model on the same clips.
        rounds: (rounds,) of the first model's bootstrap.
        paired: (rounds,) of the second model's, with the same weights of the clips.
        groups: the independent ones.
        free: degrees of freedom, from `freedom` for a mean over tags; None for `groups` - 1.

    Returns:
        The difference, in [-1, 1]; without bounds where there are no rounds.
    """
    value = one.value - other.value
    if not len(rounds) or groups < 2:
        return Score(value)
    if np.ptp(rounds) < 1e-12 and np.ptp(paired) < 1e-12:  # both are perfect, say
        low = value - math.hypot(one.value - one.low, other.high - other.value)
        return Score(value, low, value + math.hypot(one.high - one.value, other.value - other.low))
    from scipy.special import ndtr  # type: ignore[import-untyped]  # loaded when used

    wider = _wider(groups - 1 if free is None else free)
    z = Z * wider * math.sqrt((groups + 1) / (groups - 1))
    low, high = np.quantile(rounds - paired, [ndtr(-z), ndtr(z)], method="weibull")
    return Score(value, float(min(low, value)), float(max(high, value)))


def freedom(positive: np.ndarray, unit: np.ndarray) -> float:
    """Return the degrees of freedom of a mean over tags, by the groups that decide each.

    Args:
        positive: (clips, tags) bool, whether a clip has the tag.
        unit: (clips,) number of its group, from `metrics.units`.

    Returns:
        At most the number of groups - 1; tags that all or no clips have do not count.
    """
    tags = [column for column in positive.T if 0 < column.sum() < len(column)]
    groups = np.array([sample(column, unit).groups for column in tags])
    variances = 1 / groups
    free = variances.sum() ** 2 / (variances**2 / np.maximum(groups - 1, 0.5)).sum()
    return float(min(free, len(np.unique(unit)) - 1))


def inflation(formula: float, of: Sample, rounds: np.ndarray) -> float:
    """Return by how much a score varies more than a formula for independent clips says.

    Args:
        formula: the variance at the measured value; 0 where it is 0 or 1.
        of: the clips.
        rounds: (rounds,) of the bootstrap.

    Returns:
        The bootstrap's variance in proportion to the formula's, drawn towards `of.expected` as if
        `PRIOR` groups had told that.
    """
    if of.groups < 2 or formula <= 0:
        return of.expected
    small = (of.groups + 1) / (of.groups - 1)  # a bootstrap's variance is too small by this
    found = np.var(rounds) * small / formula
    return float((of.groups * found + PRIOR * of.expected) / (of.groups + PRIOR))


def _wider(free: float) -> float:
    """Return Student's quantile for degrees of freedom in proportion to the normal one."""
    from scipy.special import stdtrit  # loaded when used

    return float(stdtrit(free, (1 + LEVEL) / 2)) / Z


def _jeffreys(value: float, trials: float) -> Score:
    from scipy.special import betaincinv  # loaded when used

    right = value * trials
    a, b = right + 0.5, trials - right + 0.5
    low = 0.0 if value <= 0 else float(betaincinv(a, b, (1 - LEVEL) / 2))
    high = 1.0 if value >= 1 else float(betaincinv(a, b, (1 + LEVEL) / 2))
    return Score(float(value), min(low, value), max(high, value))


def _border(beyond: Callable[[float], bool], end: float, value: float) -> float:
    """Return the value nearest to `end` that is not `beyond`, by halving the way 60 times."""
    if not beyond(end):
        return end
    outside, inside = end, float(value)
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if beyond(middle) else (outside, middle)
    return inside
