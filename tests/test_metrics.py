"""What evaluations count with, against scikit-learn and known answers."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    roc_auc_score,
)

from zoo.evaluation import metrics


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
        for tag in range(4):
            truth, score, weight = targets[:, tag], scores[:, tag], counts[:, r]
            area = roc_auc_score(truth, score, sample_weight=weight)
            precision = average_precision_score(truth, score, sample_weight=weight)
            assert roc[r, tag] == pytest.approx(area, abs=1e-12)
            assert pr[r, tag] == pytest.approx(precision, abs=1e-12)


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
    np.testing.assert_allclose(metrics.auc_rounds(targets, scores, counts), whole, rtol=1e-12)


@pytest.mark.parametrize("truth", [0, 1])
def test_there_is_no_area_for_clips_of_one_kind(truth):
    targets, scores = np.full((5, 1), truth), np.arange(5.0)[:, None]
    areas = metrics.auc_rounds(targets, scores, np.ones((5, 3), "float32"))
    assert np.isnan(areas).all()


def test_the_clips_of_a_group_have_one_weight_and_groups_sum_to_their_number():
    unit = metrics.units(["a", "b", "a", "c", "b", "a"])
    assert unit.tolist() == [0, 1, 0, 2, 1, 0]
    counts = metrics.resample(unit, 50, seed=3)
    assert counts.shape == (6, 50)
    np.testing.assert_array_equal(counts[0], counts[2])
    np.testing.assert_array_equal(counts[1], counts[4])
    np.testing.assert_allclose(counts[[0, 1, 3]].sum(axis=0), np.full(50, 3))
    assert (counts > 0).all()  # no tag loses all its clips


def test_the_same_seed_draws_the_same():
    one, same, other = (metrics.resample(np.arange(9), 4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_single_group_cannot_be_resampled():
    assert metrics.resample(metrics.units(["a", "a", "a"]), 100, seed=0).shape == (3, 0)


def test_clips_of_one_artist_widen_the_interval():
    targets, scores = labelled(60, 1, share=0.5)
    targets, scores = np.repeat(targets, 5, axis=0), np.repeat(scores, 5, axis=0)
    artists = np.repeat(np.arange(60), 5)

    def width(unit):
        rounds, _ = metrics.auc_rounds(targets, scores, metrics.resample(unit, 300, 0))
        return np.ptp(np.quantile(rounds, [0.025, 0.975]))

    assert width(artists) > 1.8 * width(np.arange(300))  # sqrt(5) in theory


def test_accuracies_are_scikit_learns_in_every_round():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=90)
    guess = np.where(rng.random(90) < 0.6, truth, rng.integers(3, size=90))
    counts = metrics.resample(np.arange(90), 20, seed=0)
    accuracy = metrics.accuracy_rounds(truth, guess, counts)
    recalls = metrics.recall_rounds(truth, guess, counts)
    assert recalls.shape == (20, 3)
    for r in range(20):
        given = {"y_true": truth, "y_pred": guess, "sample_weight": counts[:, r]}
        assert accuracy[r] == pytest.approx(accuracy_score(**given))
        assert recalls[r].mean() == pytest.approx(balanced_accuracy_score(**given))
