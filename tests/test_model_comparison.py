"""The published checkpoints hear what is played in the rendered clips of examples/clips.

The numbers below are those of ``zoo.evaluate(name, clips, bootstrap=0, shared=True)`` on all 63
clips with TensorFlow 2.21, Keras 3.15 and soxr 1.0 on a CPU. Music and tags were fixed before. The
clips are rendered, and few: the numbers guard each checkpoint against regressions and rank nothing.
"""

import os
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from conftest import CHECKOUT, UPSTREAM
from sklearn.metrics import roc_auc_score

import zoo
from zoo import data


class Known(NamedTuple):
    """Tags that all checkpoints of one training set find, and how well each does at least."""

    tags: str
    roc_auc: float


# At least 0.05 below the worst that was measured for one of the tags.
MTT = Known("ambient cello choir flute indian metal piano quiet rock sitar techno", 0.90)
MSD = Known("ambient country dance metal rock", 0.81)
JAMENDO = Known("dance guitar metal rock techno", 0.90)

# Mean ROC-AUC over the tags that a checkpoint shares with the clips: 27 of MagnaTagATune's, 7 of
# the Million Song Dataset's, 13 of MTG-Jamendo's.
MEASURED = {
    "pons2017.mtt": (0.963, MTT),
    "choi2016.vgg_mtt": (0.969, MTT),
    "choi2016.mtt_won2020": (0.924, MTT),
    "pons2017.mtt_won2020": (0.947, MTT),
    "pons2017.msd": (0.871, MSD),
    "choi2016.vgg_msd": (0.818, MSD),
    "choi2016.msd_won2020": (0.854, MSD),
    "pons2017.jamendo_won2020": (0.870, JAMENDO),
    "choi2016.jamendo_won2020": (0.914, JAMENDO),
}
# The three backends give the same numbers to five decimals. Noise of 1e-4 on every score, which is
# what the tests of the backends allow, moves them by 0.0012 at most, noise of 1 % by 0.0024.
MARGIN = 0.01


def assert_hears(name, roc_auc):
    """Raise AssertionError if the tags' ROC-AUCs (tag -> value) are not those of a checkpoint."""
    measured, known = MEASURED[name]
    assert np.mean(list(roc_auc.values())) > measured - MARGIN
    low = {tag: roc_auc[tag] for tag in known.tags.split() if roc_auc[tag] < known.roc_auc}
    assert not low


def each(scores, targets=None, values=None):
    targets = scores.targets if targets is None else targets
    values = scores.values if values is None else values
    return {
        tag: roc_auc_score(targets[:, i], values[:, i])
        for i, tag in enumerate(scores.tags)
        if 0 < targets[:, i].sum() < len(targets)
    }


@pytest.fixture(scope="module")
def clips():
    return data.from_table(CHECKOUT / "examples" / "clips" / "clips.csv")


@pytest.fixture(scope="module")
def evaluate(clips):
    def of(model) -> "zoo.Evaluation":
        with warnings.catch_warnings():
            # The networks that hear 29 s say of each clip that it is shorter and is repeated.
            warnings.simplefilter("ignore", zoo.AudioWarning)
            return zoo.evaluate(model, clips, bootstrap=0, shared=True)

    return of


@pytest.fixture(scope="module")
def evaluation(checkpoint, evaluate):
    """Evaluate a checkpoint once."""
    done = {}

    def of(name: str) -> "zoo.Evaluation":
        if name not in done:
            done[name] = evaluate(won2020(name) if "won2020" in name else checkpoint(name))
        return done[name]

    return of


def won2020(name):
    """Load a checkpoint of Won et al., from a file beside the project if it lies there."""
    folder = UPSTREAM / name.partition(".")[0]
    with pytest.MonkeyPatch.context() as patch:
        if folder.is_dir() and "ZOO_MIRROR" not in os.environ:
            patch.setenv("ZOO_MIRROR", str(folder))
        try:
            return zoo.load(name)
        except zoo.WeightsError as error:
            pytest.skip(f"{name} could not be fetched: {error}")


def test_clips_are_those_that_were_measured(clips):
    assert len(clips) == 63
    assert {len(clips.split(name)) for name in ("train", "test")} == {31, 32}
    assert not clips.skipped


def test_no_tune_is_played_by_both_soundfonts(clips):
    tunes = [
        {clip.group.partition("/")[2] for clip in clips.split(name).clips}
        for name in ("train", "test")
    ]
    assert not set.intersection(*tunes)


def test_clips_are_small_enough_to_travel():
    files = (CHECKOUT / "examples" / "clips").iterdir()
    assert sum(file.stat().st_size for file in files) <= 2_000_000


@pytest.mark.parametrize("name", MEASURED)
def test_checkpoint_hears_what_is_played(evaluation, name):
    result = evaluation(name)
    assert not result.failures
    assert_hears(name, {tag.tag: tag.roc_auc.value for tag in result.tags})


@pytest.mark.parametrize("name", MEASURED)
def test_no_chance_order_of_the_clips_comes_near(evaluation, name):
    scores = evaluation(name).scores
    rng = np.random.default_rng(0)
    for _ in range(20):
        roc_auc = each(scores, targets=rng.permutation(scores.targets))
        assert np.mean(list(roc_auc.values())) < MEASURED[name][0] - 5 * MARGIN


# --- the assertion has teeth: defects that were made on purpose fail it ---


@pytest.mark.parametrize("name", MEASURED)
def test_tags_out_of_order_are_noticed(evaluation, name):
    scores = evaluation(name).scores
    with pytest.raises(AssertionError):
        assert_hears(name, each(scores, values=np.roll(scores.values, 1, axis=1)))


@pytest.mark.parametrize("name", ["pons2017.mtt", "choi2016.mtt_won2020"])
def test_shuffled_mel_bands_are_noticed(evaluate, name):
    model = zoo.load(name)
    features = model.get_layer("features")
    order = np.random.default_rng(0).permutation(features.filterbank.shape[1])
    features.filterbank = features.filterbank[:, order]
    assert_fails(name, evaluate(model))


def test_an_untrained_network_is_noticed(evaluate):
    trained = zoo.load("pons2017.mtt")
    assert_fails("pons2017.mtt", evaluate(zoo.build("pons2017", trained.labels)))


def assert_fails(name, result):
    with pytest.raises(AssertionError):
        assert_hears(name, {tag.tag: tag.roc_auc.value for tag in result.tags})
