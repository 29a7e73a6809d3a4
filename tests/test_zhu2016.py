import numpy as np
import pytest

import zoo
from zoo.models import zhu2016

SMALL = {"filters": (4, 4, 4), "second_filters": (5, 6, 7)}


def build(labels=("a", "b"), **options):
    return zoo.build("zhu2016", labels, **options)


def test_branches_share_one_frame_rate():
    model = build()
    for samples in (48000, 48319, 100_000):
        frames = samples // 320
        for length in (16, 64, 640):
            shape = model.stage(f"branch_{length}").compute_output_shape((1, samples))
            assert shape == (1, frames, 256)
        assert model.stage("frontend").compute_output_shape((1, samples)) == (1, frames, 768)


def test_every_number_is_an_argument():
    model = build(
        lengths=(10, 40),
        strides=(5, 20),
        filters=(3, 4),
        second_filters=(5, 6),
        second_length=5,
        hop_length=100,
        sample_rate=8000,
        seconds=1.0,
        pooling="max",
        dense_units=7,
        dense_dropout=0.1,
    )
    assert model.sample_rate == 8000
    assert model.segmentation.segment == 8000
    assert model.stage("frontend").compute_output_shape((1, 8000)) == (1, 80, 11)
    assert model.stage("penultimate").output_shape == (None, 7)
    shapes = {v.path: tuple(v.shape) for v in model.trainable_variables}
    assert shapes["conv1_10/kernel"] == (10, 1, 3)
    assert shapes["conv2_40/kernel"] == (5, 4, 6)


def test_one_scale_is_a_frame_level_frontend():
    one = {"filters": (4,), "second_filters": (4,)}
    model = build(lengths=(256,), strides=(160,), **one)
    assert model.stage("frontend").compute_output_shape((1, 16000)) == (1, 50, 4)


@pytest.mark.parametrize("length", [16, 64, 640])
def test_a_click_is_found_in_the_same_frame_at_every_scale(length):
    model = build(**SMALL)
    for i in (1, 2):
        layer = model.get_layer(f"conv{i}_{length}")
        layer.set_weights([np.abs(w) for w in layer.get_weights()])
    silence, click = np.zeros((2, 1, 16000), "float32")
    click[0, 20 * 320 + 160] = 1.0  # in the middle of frame 20
    stage = model.stage(f"branch_{length}")
    change = np.abs(stage.predict(click, verbose=0) - stage.predict(silence, verbose=0))
    energy = change[0].sum(axis=1)
    centre = (energy * np.arange(50)).sum() / energy.sum()
    assert abs(centre - 20) < 0.75


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"filters": (4, 4)}, "3, 3, 2, 3 numbers; each needs one number per branch"),
        ({"strides": (8, 32, 150)}, "a stride of 150 does not fit"),
        ({"strides": (20, 32, 160)}, "at most the filter's length .16."),
        ({"lengths": (16, 64, 64)}, "must differ from each other"),
    ],
)
def test_branches_that_do_not_fit_are_refused(options, complaint):
    with pytest.raises(zoo.ConfigError, match=complaint):
        build(**options)


def test_the_card_says_what_could_not_be_confirmed():
    assert "only its abstract could be confirmed" in str(zoo.info("zhu2016"))
    assert "inspired by the paper, not a copy" in " ".join(zhu2016.__doc__.split())


def test_stages_are_the_named_ones():
    assert set(build().stages) == set(zhu2016.CARD["stages"])
