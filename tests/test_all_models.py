"""Every architecture through the same checks.

`CASES` is the table: a line an architecture and option set, with its number of trainable
parameters: the published networks', or, where no paper or code settles it, what the layers of the
model file add up to. What is heavy runs on small versions; `cheap` and `seconds` make them small.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

import zoo
from zoo.inference.assembly import import_architecture

NONE: Mapping[str, Any] = MappingProxyType({})


class Case(NamedTuple):
    """An architecture with options, and what is known of it."""

    architecture: str
    options: Mapping[str, Any] = NONE
    trainable: int | None = None  # parameters with `labels` outputs; None where nobody says
    cheap: Mapping[str, Any] | None = NONE  # options on top for what is heavy; None: leave it out
    seconds: float | None = 1.0  # of sound in what is heavy; None for the paper's
    labels: int = 50
    learning_rate: float = 3e-3  # less where units would saturate

    def __str__(self) -> str:
        return "-".join([self.architecture, *(str(value) for value in self.options.values())])


CASES = [
    Case("choi2016", {}, 17_365_938, {"width": 0.05}, seconds=3),
    Case("choi2016", {"depth": 3}, None, {"width": 0.05}, seconds=3),
    Case("choi2016", {"depth": 5}, 25_183_026, None),
    Case("choi2016", {"depth": 6}, 27_232_050, None),
    Case("choi2016", {"depth": 7}, 28_283_698, {"width": 0.1}, seconds=3),
    Case("choi2016", {"variant": "won2020"}, 447_732, {"width": 0.5}, seconds=3),
    Case("choi2016", {"variant": "vgg"}, 605_748, {"width": 0.25}, seconds=1.5),
    Case("choi2016", {"variant": "narrow"}, 865_950, {"width": 0.5}, seconds=3),
    Case("choi2016", {"variant": "crnn"}, 396_786, {"width": 0.25}, seconds=3),
    Case("dieleman2014", {}, 114_270, {"window_length": 512, "hop_length": 512}),
    *(
        Case("dieleman2014", {"window_length": w, "hop_length": h, "padding": "valid"}, n, None)
        for w, h, n in [(1024, 512, 186_974), (512, 512, 121_438), (512, 256, 140_638)]
    ),
    Case("dieleman2014", {"padding": "valid"}, 107_870, None),
    *(
        Case(
            "dieleman2014",
            {"input": "spectrogram", "window_length": w, "hop_length": h, "padding": "valid"},
            n,
            None,
        )
        for w, h, n in [(1024, 512, 55_774), (512, 512, 55_774), (512, 256, 74_974)]
    ),
    Case("dieleman2014", {"input": "spectrogram", "padding": "valid"}, 74_974, seconds=3),
    Case("dieleman2014", {"feature_pooling": "l2"}),
    Case("dieleman2014", {"feature_pooling": "max", "pool_size": 4}),
    Case("lee2009", {}, 1_185_650, {"bases": 30}, learning_rate=1e-3),
    Case("lee2009", {"length": 6, "depth": 1}, 144_300 + 45_050, {"bases": 30}),
    Case("lee2009", {"summary": "all"}, 1_185_650 + 45_000, {"bases": 30}),
    Case("lee2017", {}, 1_869_874, {"n": 7}, seconds=None),
    Case("lee2017", {"m": 2, "n": 13}, 1_872_818, {"n": 10}, seconds=None),
    Case("pons2016", {"variant": "black_box"}, 3_275_312, labels=8),
    Case("pons2016", {"variant": "time"}, 7_336, seconds=1.6, labels=8),
    Case("pons2016", {"variant": "frequency"}, 3_368, labels=8),
    Case("pons2016", {"variant": "time_frequency"}, 196_816, seconds=1.6, labels=8),
    Case("pons2017", {}, 787_159),
    Case("pons2017", {"variant": "spectrogram"}, 5_924_154, {"n": 2}),
    Case("pons2017", {"variant": "waveform"}, 5_377_082, seconds=2.5),
    Case("pons2017", {"variant": "won2020"}, 784_300),
    Case("schluter2014", {}, 289_693, labels=1),
    Case("schluter2014", {"variant": "madmom"}, 289_693, labels=1),
    Case("zhu2016", {}, 1_096_602, {"filters": [16] * 3, "second_filters": [32] * 3}),
]
HEAVY = [case for case in CASES if case.cheap is not None]
STEPS = 300


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=str)


def small(case: Case, dtype=None) -> zoo.AudioModel:
    """Build the small version with two labels; frame-wise networks have one."""
    keras.utils.set_random_seed(1)
    frames = zoo.info(case.architecture).architecture.task == "onsets"
    labels, options = ["noise"] if frames else ["noise", "tone"], {**case.options, **case.cheap}
    return zoo.build(case.architecture, labels, segment=case.seconds, dtype=dtype, **options)


def sounds(samples: int) -> np.ndarray:
    """Noise and a tone, twice: (4, samples)."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.2, (2, samples))
    tone = 0.3 * np.sin(0.05 * np.arange(samples) + rng.uniform(0, 6, (2, 1)))
    return np.stack([noise[0], tone[0], noise[1], tone[1]]).astype("float32")


def targets(shape: tuple[int, ...]) -> np.ndarray:
    """What `sounds` are, in the shape of a network's output: a label a clip, or each frame."""
    noise = np.array([1, 0, 1, 0], "float32")
    if len(shape) == 2:
        return np.stack([noise, 1 - noise], axis=1)
    return np.broadcast_to(noise[:, None, None], shape)


def answer(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """What a network says, without the minutes that compiling all of them takes."""
    return keras.ops.convert_to_numpy(model(x, training=False))


class Trained(NamedTuple):
    """A small version with what its training left behind."""

    case: Case
    model: zoo.AudioModel
    x: np.ndarray
    before: list[np.ndarray]  # trainable weights
    after_one_step: list[np.ndarray]
    losses: list[float]


@pytest.fixture(scope="module", params=HEAVY, ids=str)
def trained(request) -> Trained:
    """A small version, trained on four clips until its loss is a tenth, or for `STEPS` steps."""
    case = request.param
    model = small(case)
    x = sounds(model.segmentation.segment)
    y = targets(answer(model, x).shape)
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    model.compile(keras.optimizers.Adam(case.learning_rate), "binary_crossentropy")
    losses = [float(model.train_on_batch(x, y))]
    after_one_step = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    while losses[-1] > losses[0] / 10 and len(losses) < STEPS:
        losses.append(float(model.train_on_batch(x, y)))
    return Trained(case, model, x, before, after_one_step, losses)


def test_every_architecture_is_in_the_table():
    assert {case.architecture for case in CASES} == set(zoo.list_models(trained=False))


def test_every_stage_of_a_card_is_a_stage_of_a_network():
    for architecture in zoo.list_models(trained=False):
        cases = [case for case in HEAVY if case.architecture == architecture]
        models = [zoo.build(architecture, ["a"], **case.options) for case in cases]
        stages = set().union(*(model.stages for model in models))
        assert set(zoo.info(architecture).architecture.stages) <= stages


def test_no_two_layers_are_saved_under_one_name():
    for architecture in zoo.list_models(trained=False):
        import_architecture(architecture)
    waiting, ours = [keras.layers.Layer], set()
    while waiting:
        found = waiting.pop().__subclasses__()
        waiting += found
        ours |= {kind for kind in found if kind.__module__.startswith("zoo.")}
    names = [keras.saving.get_registered_name(kind) for kind in ours]
    assert sorted(names) == sorted(f"zoo>{kind.__name__}" for kind in ours)
    assert len(set(names)) == len(names)


@every([case for case in CASES if case.trainable is not None])
def test_number_of_parameters_is_the_known_one(case):
    model = zoo.build(case.architecture, [f"{i}" for i in range(case.labels)], **case.options)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == case.trainable


def test_loss_falls_under_a_tenth(trained):
    assert trained.losses[-1] <= trained.losses[0] / 10, trained.losses


def test_one_step_moves_every_weight_and_leaves_it_finite(trained):
    names = [v.path for v in trained.model.trainable_variables]
    for name, before, after in zip(names, trained.before, trained.after_one_step, strict=True):
        assert np.isfinite(after).all(), name
        assert (after != before).any(), name


def test_every_stage_has_its_name_and_shape(trained):
    model = trained.model
    for name in model.stages:
        stage = model.stage(name)
        values = answer(stage, trained.x)
        assert np.isfinite(values).all(), name
        expected = stage.output_shape
        assert len(values.shape) == len(expected), name
        for size, known in zip(values.shape, expected, strict=True):
            assert known in (None, size), name
    assert {"frontend", "penultimate", "logits", "probabilities"} <= set(model.stages)


def test_a_longer_clip_is_taken_or_refused(trained):
    model, length = trained.model, trained.x.shape[1]
    longer = sounds(length + length // 2)
    if model.input_shape[1] is not None:  # of fixed length, and says so
        assert model.input_shape[1] == length
        with pytest.raises(ValueError, match="shape"):
            model(longer)
        return
    short, long = answer(model, trained.x), answer(model, longer)
    if len(short.shape) == 2:
        assert short.shape == long.shape == (4, len(model.labels))
    else:  # frame-wise
        assert long.shape[1] == pytest.approx(1.5 * short.shape[1], abs=2)


def test_saved_model_answers_bit_for_bit_the_same(trained, tmp_path):
    model = trained.model
    expected = answer(model, trained.x)
    model.save(tmp_path / "model.keras")
    again = zoo.load(tmp_path / "model.keras")
    assert again.get_config() == {**model.get_config(), "name": "model"}
    np.testing.assert_array_equal(answer(again, trained.x), expected)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(answer(copy, trained.x), expected)


def test_mixed_precision_gives_finite_float32(trained):
    model = small(trained.case, dtype="mixed_bfloat16")
    assert model.get_layer("logits").compute_dtype == "bfloat16"
    model.set_weights(trained.model.get_weights())
    values = answer(model, trained.x)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def test_own_labels_keep_the_length_and_the_back_end(trained):
    mine = trained.model.with_labels(["a"])
    assert mine.input_shape == trained.model.input_shape
    assert mine.segmentation == trained.model.segmentation
    np.testing.assert_array_equal(
        answer(mine.stage("penultimate"), trained.x),
        answer(trained.model.stage("penultimate"), trained.x),
    )
