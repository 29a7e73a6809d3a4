"""The recipe of lee2009's weights: its draws, its folded head, and its weights."""

import csv
from pathlib import Path

import numpy as np
import pytest
import recipe_modules
import soundfile

import zoo

TOP = Path(__file__).parent.parent
RECIPE = TOP / "recipes" / "lee2009"
CLIPS = TOP / "examples" / "clips"


@pytest.fixture(scope="module")
def recipe():
    """Import a module of the recipe."""
    with recipe_modules.of("lee2009") as module:
        yield module


@pytest.fixture(scope="module")
def listed() -> tuple[list[str], list[str]]:
    """Genres and artists of the genre test set."""
    with (TOP / "recipes" / "genre_test" / "tracks.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["genre"] for row in rows], [row["artist"] or row["package"] for row in rows]


# --- few labels ---


def test_no_draw_has_an_artist_in_training_and_in_the_test(recipe, listed):
    genres, artists = listed
    for draw in recipe("draws").draws(genres, artists, 200):
        trained = {artists[i] for part in draw.train for i in part}
        assert not trained & {artists[i] for i in draw.test}


def test_every_draw_trains_five_tracks_of_each_class_and_tests_each(recipe, listed):
    genres, artists = listed
    draws = recipe("draws")
    names = draws.classes(genres, artists)
    assert names == ["electronic", "ambient", "classical", "metal"]
    for draw in draws.draws(genres, artists, 50):
        assert [[genres[i] for i in part] for part in draw.train] == [[n] * 5 for n in names]
        assert len({i for part in draw.train for i in part}) == 20
        assert {genres[i] for i in draw.test} == set(names)


def test_draws_are_repeatable_and_differ_by_seed(recipe, listed):
    draws = recipe("draws").draws
    assert draws(*listed, 5) == draws(*listed, 5)
    assert draws(*listed, 5) != draws(*listed, 5, seed=1)


def test_a_class_of_one_artist_is_left_out(recipe):
    genres, artists = ["a"] * 7 + ["b"] * 7, ["x"] * 7 + ["y"] * 6 + ["z"]
    assert recipe("draws").classes(genres, artists) == ["b"]


def test_accuracy_is_one_where_classes_lie_apart_and_counts_classes_alike(recipe):
    accuracy = recipe("fewshot").accuracy
    y = np.array(["a"] * 30 + ["b"] * 10)
    x = np.where(y == "a", 1.0, -1.0)[:, None] + np.random.default_rng(0).normal(0, 0.1, (40, 4))
    train = np.arange(40) % 2 == 0
    assert accuracy(x, y, train, ~train) == 1
    wrong = x.copy()
    wrong[30:] = x[:10]  # all of b looks like a, but not in training
    wrong[train] = x[train]
    assert accuracy(wrong, y, train, ~train) == 0.5


# --- excerpts and head ---


def test_excerpts_are_spread_over_a_file_and_short_ones_padded(recipe, tmp_path):
    excerpts = recipe("excerpts")
    ramp = np.linspace(0, 0.5, 20 * 16000)
    soundfile.write(tmp_path / "ramp.wav", ramp, 16000)
    found = excerpts.cut(tmp_path / "ramp.wav", 3)
    assert found.shape == (3, excerpts.SAMPLES)
    starts = found[:, 0] / 32767
    np.testing.assert_allclose(starts, [0, starts[2] / 2, starts[2]], atol=1e-3)
    soundfile.write(tmp_path / "short.wav", ramp[:16000], 16000)
    short = excerpts.cut(tmp_path / "short.wav", 1)
    assert short.shape == (1, excerpts.SAMPLES)
    assert not short[0, 16000:].any()


def test_outputs_are_kept_track_by_track(recipe, tmp_path):
    excerpts = recipe("excerpts")
    sounds = [np.full((n, 4), 8000 * n, "int16") for n in (1, 2, 1)]
    seen = []

    def network(x):
        seen.append(len(x))
        return x[:, :2]

    first = excerpts.outputs("net", network, ["a", "b"], sounds[:2], tmp_path)
    again = excerpts.outputs("net", network, ["a", "b", "c"], sounds, tmp_path)
    assert seen == [3, 1]
    assert first.shape == (3, 2)
    np.testing.assert_array_equal(again[:3], first)


def test_folding_the_standardisation_into_the_head_is_exact(recipe):
    rng = np.random.default_rng(0)
    x, kernel, bias = rng.normal(3, 2, (5, 8)), rng.normal(size=(8, 4)), rng.normal(size=4)
    mean, scale = rng.normal(size=8), rng.uniform(0.01, 2, 8)
    folded, shifted = recipe("head").last_layer.fold(kernel, bias, mean, scale)
    np.testing.assert_allclose(x @ folded + shifted, (x - mean) / scale @ kernel + bias, rtol=1e-10)


# --- the bundled weights ---


@pytest.mark.parametrize("name", ["lee2009.zoo_unsupervised", "lee2009.zoo"])
def test_its_whitening_and_filters_are_learned(name):
    model, fresh = zoo.load(name), zoo.build("lee2009", ["a"])
    for path in ("whitened/kernel", "crbm1/kernel", "crbm2/kernel"):
        learned, made = (
            np.asarray(next(v for v in m.variables if v.path == path)) for m in (model, fresh)
        )
        assert np.abs(learned - made).max() > 0.01, path


def test_teachers_changed_the_filters_and_not_the_whitening():
    without, taught = (
        {v.path: np.asarray(v) for v in zoo.load(name).variables}
        for name in ("lee2009.zoo_unsupervised", "lee2009.zoo")
    )
    np.testing.assert_array_equal(taught["whitened/kernel"], without["whitened/kernel"])
    for name in ("crbm1/kernel", "crbm1/hidden_bias", "crbm2/kernel", "crbm2/hidden_bias"):
        assert np.abs(taught[name] - without[name]).max() > 1e-3, name
