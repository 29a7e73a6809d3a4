"""Confidence intervals: inside [0, 1], as wide as the uncertainty, right as often as they say."""

import csv
import math
import sys

import numpy as np
import pytest
from conftest import CHECKOUT
from sklearn.metrics import roc_auc_score

from zoo.evaluation import intervals, metrics
from zoo.evaluation.intervals import Sample
from zoo.evaluation.metrics import Score

sys.path.append(str(CHECKOUT / "benchmarks"))


def of_tag(positive, scores, unit=None, rounds=200):
    """The ROC-AUC of a tag with its interval."""
    unit = np.arange(len(positive)) if unit is None else unit
    counts = metrics.resample(unit, rounds, 0)
    values, _ = metrics.auc_rounds(positive[:, None], scores[:, None], counts)
    area = roc_auc_score(positive, scores)
    return intervals.roc_auc(area, intervals.sample(positive > 0, unit), values[:, 0])


def test_thirteen_clips_with_one_wrong_stay_below_1():
    positive = np.array([1] * 3 + [0] * 10)
    scores = np.array([9, 8, 3, *range(-10, -6), 4, 5, -5, -4, -3, -2], float)
    value, low, high = of_tag(positive, scores)
    assert value == pytest.approx(28 / 30)
    assert 0 < low < value < high <= 1


@pytest.mark.parametrize("clips", [4, 20, 300])
def test_a_perfect_tag_has_an_interval_that_shrinks_with_the_clips(clips):
    positive = np.arange(clips) < clips // 2
    value, low, high = of_tag(positive, positive.astype(float))
    assert value == high == 1
    assert low < 1 - 0.9 / clips  # not of zero width


def test_a_tag_ranked_last_has_an_interval_too():
    positive = np.arange(20) < 5
    value, low, high = of_tag(positive, -positive.astype(float))
    assert value == low == 0
    assert 0.05 < high < 0.5


def test_newcombes_interval_without_a_bootstraps_word():
    # the roots of (.9 - a)^2 = 1.96^2 V(a) with m = n = 10, found on a fine grid
    of = Sample(10, 10, 1)  # one group: only the expected inflation counts, for 10 clips in it
    wide = intervals.roc_auc(0.9, of, np.full(10, 0.9))
    grid = np.linspace(0, 1, 200001)
    formula = grid * (1 - grid) * (1 + 9 * (1 - grid) / (2 - grid) + 9 * grid / (1 + grid)) / 100
    inside = grid[(grid - 0.9) ** 2 <= intervals.Z**2 * of.expected * formula]
    assert wide == Score(
        0.9, pytest.approx(inside[0], abs=1e-5), pytest.approx(inside[-1], abs=1e-5)
    )


def test_a_proportion_of_independent_clips_is_jeffreys():
    # Brown, Cai and DasGupta 2001: quantiles of Beta(x + 1/2, n - x + 1/2)
    from scipy.stats import beta

    right = np.arange(50) < 40
    counts = metrics.resample(np.arange(50), 20000, 0)
    rounds = counts.T @ right / 50
    score = intervals.proportion(0.8, Sample(50, 0, 50), rounds)
    expected = beta.ppf([0.025, 0.975], 40.5, 10.5)
    assert score[1:] == pytest.approx(expected, abs=0.003)


def test_clips_of_one_group_do_not_narrow_an_interval():
    rng = np.random.default_rng(0)
    positive = np.arange(30) < 12
    scores = rng.normal(size=30) + positive
    once = of_tag(positive, scores)
    copies = of_tag(np.repeat(positive, 5), np.repeat(scores, 5), np.repeat(np.arange(30), 5))
    assert copies.value == pytest.approx(once.value)
    assert 0.8 < (copies.high - copies.low) / (once.high - once.low) < 1.2


def test_the_mean_of_scores_that_go_together_varies_as_each_does():
    rounds = np.random.default_rng(0).normal(0.8, 0.05, (500, 1))
    scores = [Score(0.8, 0.7, 0.88)] * 4
    together = intervals.mean(scores, np.repeat(rounds, 4, axis=1), 10**6)
    assert together == pytest.approx((0.8, 0.7, 0.88))
    apart = intervals.mean(scores, np.random.default_rng(0).normal(0.8, 0.05, (5000, 4)), 10**6)
    assert apart == pytest.approx((0.8, 0.75, 0.84), abs=0.003)


def test_the_difference_of_two_perfect_models_is_uncertain_and_of_equal_ones_is_not():
    perfect = Score(1.0, 0.8, 1.0)
    score = intervals.difference(perfect, perfect, np.ones(9), np.ones(9), 13)
    assert score == pytest.approx((0, -0.2, 0.2))
    rounds = np.random.default_rng(0).random(100)
    equal = Score(0.5, 0.2, 0.8)
    assert intervals.difference(equal, equal, rounds, rounds, 13) == Score(0, 0, 0)


def test_tags_in_few_groups_have_few_degrees_of_freedom():
    unit = np.repeat(np.arange(60), 5)
    rare, common = unit < 6, unit % 2 == 0
    assert intervals.freedom(rare[:, None], unit) == pytest.approx(5)
    assert intervals.freedom(common[:, None], unit) == pytest.approx(29)
    both = intervals.freedom(np.stack([rare, common], axis=1), unit)
    assert 5 < both < 29
    everyone = np.ones(300, bool)  # cannot be scored
    assert intervals.freedom(np.stack([rare, everyone], axis=1), unit) == pytest.approx(5)
    many = np.stack([np.roll(common, 5 * i) for i in range(10)], axis=1)
    assert intervals.freedom(many, unit) == 59


def test_a_lead_on_tags_in_few_groups_is_less_certain():
    rounds = np.random.default_rng(0).normal(0.9, 0.02, 500)
    one, other = Score(0.9, 0.85, 0.95), Score(0.85, 0.8, 0.9)
    usual = intervals.difference(one, other, rounds, rounds[::-1] - 0.05, 60)
    few = intervals.difference(one, other, rounds, rounds[::-1] - 0.05, 60, 5)
    assert few.low < usual.low < 0.05 < usual.high < few.high


@pytest.mark.parametrize("right", [0, 200, 400])
def test_a_ratio_of_sums_stays_inside(right):
    counts = metrics.resample(np.arange(8), 100, 0)
    each = np.full(8, right // 8)
    rounds = (each @ counts) / (np.full(8, 50) @ counts)
    value, low, high = intervals.ratio(right / 400, 400, 8, rounds)
    assert 0 <= low <= value <= high <= 1
    assert high > low


@pytest.mark.parametrize("make", [intervals.roc_auc, intervals.proportion])
def test_no_bootstrap_gives_no_interval(make):
    score = make(0.7, Sample(3, 4, 3), np.empty(0))
    assert score.value == 0.7
    assert math.isnan(score.low)
    assert str(score) == "0.7000"


def test_the_benchmarks_draws_are_right_about_as_often_as_they_say():
    import coverage_of_intervals as benchmark

    cell = benchmark.Cell("tag", 80, 80, 8, 0.9)
    roc, pr = benchmark.measured(cell, 60)
    column = benchmark.HEADER.index("coverage")
    assert (roc[0], pr[0]) == ("ROC-AUC of a tag", "PR-AUC of a tag")
    assert float(roc[column]) > 0.85
    assert float(pr[column]) > 0.85


def test_the_table_has_what_it_claims():
    path = CHECKOUT / "results" / "interval_coverage.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["clips"] for row in rows} == {"20", "80", "300"}
    assert {row["draws"] for row in rows} == {"1000"}
    assert all(row["below 0 or above 1"] == row["zero width"] == "0" for row in rows)
    tags = [row for row in rows if row["score"].startswith("ROC-AUC")]
    assert len(tags) > 40
    other = [row for row in tags if row["score"].endswith(("heavy tails", "some missed"))]
    assert len(other) == 12
    assert min(float(row["coverage"]) for row in tags if row not in other) >= 0.92
    assert min(float(row["coverage"]) for row in other) >= 0.9  # docs/intervals.md says 90.7
