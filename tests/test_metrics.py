"""What evaluations count with, against scikit-learn and known answers."""

import math

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    roc_auc_score,
)

from zoo.evaluation import metrics
from zoo.evaluation.metrics import Score


def resampled(counts, which):
    """Indices of the clips in a round, each as often as it was resampled."""
    return np.repeat(np.arange(len(counts)), counts[:, which].astype(int))


def labelled(clips, tags, seed=0, digits=8, share=0.2):
    rng = np.random.default_rng(seed)
    targets = (rng.random((clips, tags)) < share).astype("float32")
    return targets, (rng.random((clips, tags)) + 0.3 * targets).round(digits).astype("float32")


@pytest.mark.parametrize("digits", [8, 1])  # one digit: many clips have the same score
def test_areas_are_scikit_learns_in_every_round(digits):
    targets, scores = labelled(150, 4, digits=digits)
    counts = metrics.resample(np.arange(150), 25, seed=1)
    roc, pr = metrics.auc_rounds(targets, scores, counts)
    for r in range(25):
        rows = resampled(counts, r)
        for tag in range(4):
            truth, score = targets[rows, tag], scores[rows, tag]
            assert roc[r, tag] == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
            assert pr[r, tag] == pytest.approx(average_precision_score(truth, score), abs=1e-12)


def test_areas_by_hand():
    targets = np.array([[1], [0], [1], [0]])
    scores = np.array([[0.9], [0.8], [0.8], [0.1]])
    roc, pr = metrics.auc_rounds(targets, scores, np.ones((4, 1), "float32"))
    # of four pairs the positive wins three and ties one; precision 1 at the first, 2/3 at the tie
    assert roc == [[pytest.approx(3.5 / 4)]]
    assert pr == [[pytest.approx((1 + 2 / 3) / 2)]]


def test_areas_do_not_depend_on_the_size_of_the_blocks(monkeypatch):
    targets, scores = labelled(60, 2)
    counts = metrics.resample(np.arange(60), 30, seed=0)
    whole = metrics.auc_rounds(targets, scores, counts)
    monkeypatch.setattr(metrics, "BLOCK", 7 * 60)
    np.testing.assert_array_equal(metrics.auc_rounds(targets, scores, counts), whole)


@pytest.mark.parametrize("truth", [0, 1])
def test_there_is_no_area_for_clips_of_one_kind(truth):
    targets, scores = np.full((5, 1), truth), np.arange(5.0)[:, None]
    areas = metrics.auc_rounds(targets, scores, np.ones((5, 3), "float32"))
    assert np.isnan(areas).all()


def test_a_resample_has_as_many_units_as_there_are_and_keeps_groups_whole():
    unit = metrics.units(["a", "b", "a", "c", "b", "a"])
    assert unit.tolist() == [0, 1, 0, 2, 1, 0]
    counts = metrics.resample(unit, 50, seed=3)
    assert counts.shape == (6, 50)
    np.testing.assert_array_equal(counts[0], counts[2])
    np.testing.assert_array_equal(counts[1], counts[4])
    np.testing.assert_array_equal(counts[[0, 1, 3]].sum(axis=0), np.full(50, 3))


def test_the_same_seed_draws_the_same():
    one, same, other = (metrics.resample(np.arange(9), 4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_single_group_cannot_be_resampled():
    assert metrics.resample(metrics.units(["a", "a", "a"]), 100, seed=0).shape == (3, 0)


def test_an_interval_holds_the_middle_of_the_rounds():
    score = metrics.with_interval(0.5, np.append(np.linspace(0, 1, 1001), [np.nan] * 100))
    assert score == Score(0.5, pytest.approx(0.025), pytest.approx(0.975))
    assert str(score) == "0.5000 [0.0250, 0.9750]"


@pytest.mark.parametrize("rounds", [np.empty(0), np.append(np.ones(10), [np.nan] * 90)])
def test_few_rounds_give_no_interval(rounds):
    score = metrics.with_interval(0.5, rounds)
    assert math.isnan(score.low)
    assert str(score) == "0.5000"


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    # Normal scores whose means are 1 apart: the area is the normal distribution at 1 / sqrt(2).
    truth = 0.5 * (1 + math.erf(0.5))
    rng, covered, trials = np.random.default_rng(0), 0, 150
    for trial in range(trials):
        targets = (np.arange(120) < 40).astype("float32")[:, None]
        scores = rng.normal(size=(120, 1)) + targets
        rounds, _ = metrics.auc_rounds(
            targets, scores, metrics.resample(np.arange(120), 200, trial)
        )
        _, low, high = metrics.with_interval(0.5, rounds[:, 0])
        covered += low <= truth <= high
    assert 0.88 <= covered / trials <= 0.99


def test_clips_of_one_artist_widen_the_interval():
    targets, scores = labelled(60, 1, share=0.5)
    targets, scores = np.repeat(targets, 5, axis=0), np.repeat(scores, 5, axis=0)
    artists = np.repeat(np.arange(60), 5)

    def width(unit):
        rounds, _ = metrics.auc_rounds(targets, scores, metrics.resample(unit, 300, 0))
        return np.ptp(np.quantile(rounds, [0.025, 0.975]))

    assert width(artists) > 1.8 * width(np.arange(300))  # sqrt(5) in theory


def test_a_tag_that_a_round_lacks_does_not_shift_the_mean():
    rounds = np.array([[0.9, 0.5], [0.8, np.nan], [np.nan, np.nan]])
    moved = metrics.macro_rounds(rounds, np.array([0.9, 0.6]))
    np.testing.assert_allclose(moved, [0.7, 0.65, np.nan])


def test_accuracies_are_scikit_learns_in_every_round():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=90)
    guess = np.where(rng.random(90) < 0.6, truth, rng.integers(3, size=90))
    counts = metrics.resample(np.arange(90), 20, seed=0)
    accuracy, balanced = metrics.accuracy_rounds(truth, guess, counts)
    for r in range(20):
        rows = resampled(counts, r)
        assert accuracy[r] == pytest.approx(accuracy_score(truth[rows], guess[rows]))
        assert balanced[r] == pytest.approx(balanced_accuracy_score(truth[rows], guess[rows]))
