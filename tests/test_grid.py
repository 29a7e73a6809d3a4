"""The review's grid: any front-end, any back-end."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

import zoo
from zoo.inference.assembly import import_architecture, options_of
from zoo.layers import backends
from zoo.registry import cards, lookup

NONE: Mapping[str, Any] = MappingProxyType({})


class Cell(NamedTuple):
    """A front-end of the grid, small where the paper's is too heavy for 5 back-ends in a minute."""

    architecture: str
    seconds: float
    options: Mapping[str, Any] = NONE


FRONT_ENDS = [
    Cell("choi2016", 1.5, {"width": 0.25}),  # 32 filters in the first block, not 128
    Cell("dieleman2014", 1.0),
    Cell("lee2009", 1.0, {"bases": 50}),  # not 300
    Cell("lee2017", 0.5),
    Cell("pons2017", 0.3),
    Cell("schluter2014", 0.2),
    Cell("zhu2016", 0.3, {"filters": [32] * 3, "second_filters": [32] * 3}),  # not 256
]
SMALL = {  # options of the back-ends
    "temporal_pooling": {},
    "attention": {},
    "rnn": {"rnn_units": 8, "rnn_layers": 2},  # not 60 and 3
    "fully_convolutional": {"conv_filters": [8, 16, 16, 16, 32]},  # not 32 to 256
    "mlp": {"dense_units": 20},  # not 200
}


def built(cell: Cell, backend: str) -> zoo.AudioModel:
    options = {**cell.options, **SMALL[backend]}
    return zoo.build(
        cell.architecture, ["a", "b"], segment=cell.seconds, backend=backend, **options
    )


def sounds(samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (2, samples)).astype("float32")


def answer(model: keras.Model, x: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(x, training=False))


def test_grid_holds_the_seven_papers():
    papers = set(zoo.list_models(trained=False)) - {"pons2016"}  # which is pons2017's ancestor
    assert {cell.architecture for cell in FRONT_ENDS} == papers
    assert set(SMALL) == set(backends.BACKENDS)


def test_registry_knows_the_back_ends_and_which_need_a_length():
    assert list(cards.BACKENDS) == list(backends.BACKENDS)
    fixed = [name for name, (length, _) in cards.BACKENDS.items() if length == "fixed"]
    assert fixed == list(backends.FIXED_LENGTH)


@pytest.mark.parametrize("backend", backends.BACKENDS)
@pytest.mark.parametrize("cell", FRONT_ENDS, ids=lambda cell: cell.architecture)
def test_cell_trains_and_comes_back_from_its_file(cell, backend, tmp_path):
    keras.utils.set_random_seed(1)
    model = built(cell, backend)
    x = sounds(model.segmentation.segment)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", run_eagerly=True)
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    model.train_on_batch(x, np.eye(2, dtype="float32"))
    for variable, old in zip(model.trainable_variables, before, strict=True):
        new = keras.ops.convert_to_numpy(variable)
        assert np.isfinite(new).all(), variable.path
        assert (new != old).any(), variable.path

    expected = answer(model, x)
    assert expected.shape == (2, 2)
    model.save(tmp_path / "cell.keras")
    again = zoo.load(tmp_path / "cell.keras")
    assert again.input_shape == model.input_shape
    np.testing.assert_array_equal(answer(again, x), expected)
    if backend not in backends.FIXED_LENGTH:
        assert answer(again, sounds(x.shape[1] * 2)).shape == (2, 2)


# --- options ---


@pytest.mark.parametrize("backend", backends.FIXED_LENGTH)
def test_a_fixed_length_is_the_architectures_own_where_none_is_given(backend):
    model = zoo.build("pons2017", ["a"], backend=backend, variant="spectrogram", n=1)
    assert model.input_shape == (None, model.segmentation.segment) == (None, 240384)
    assert zoo.build("choi2016", ["a"], backend=backend, width=0.05).input_shape == (None, 349440)


def test_a_fixed_length_back_end_refuses_features_of_any_length():
    with pytest.raises(zoo.ConfigError, match="mlp back-end takes one length only; its input is"):
        backends.mlp(keras.Input((None, 3)))


def test_a_fixed_length_is_the_input_shape_and_survives_new_labels():
    model = zoo.build("pons2017", ["a"], segment=1.0, backend="mlp", variant="spectrogram", n=1)
    assert model.input_shape == (None, 16000)
    assert model.with_labels(["b", "c"]).input_shape == (None, 16000)


def test_unknown_back_end_lists_the_known_ones():
    with pytest.raises(zoo.ConfigError, match=r"'lstm'.*temporal_pooling, attention, rnn"):
        zoo.build("pons2017", ["a"], backend="lstm")


def test_unknown_option_lists_those_of_front_end_and_back_end():
    with pytest.raises(zoo.ConfigError, match=r"no option summary; it has .*cell.* n, .*rnn_units"):
        zoo.build("pons2017", ["a"], backend="rnn", summary="all")


def test_options_of_the_papers_back_end_are_not_taken_by_another():
    with pytest.raises(zoo.ConfigError, match="no option shared_norm"):
        zoo.build("pons2017", ["a"], backend="attention", shared_norm=False)


def test_no_option_of_a_back_end_is_also_one_of_a_front_end():
    ours = {name for function in backends.BACKENDS.values() for name in options_of(function)}
    for architecture in lookup.architectures():
        module = import_architecture(architecture)
        theirs = options_of(module.frontend) | options_of(module.segmentation)
        assert ours.isdisjoint(theirs), architecture


@pytest.mark.parametrize(
    ("backend", "options", "message"),
    [
        (backends.temporal_pooling, {"pooling": "median"}, "'median'.*max, mean, both, autopool"),
        (backends.rnn, {"cell": "rwkv"}, "'rwkv'.*gru, lstm"),
    ],
)
def test_unknown_value_lists_the_known_ones(backend, options, message):
    with pytest.raises(zoo.ConfigError, match=message):
        backend(keras.Input((None, 4)), **options)


# --- what each back-end computes ---


@pytest.fixture
def frames() -> np.ndarray:
    """Two sequences of 9 frames, 6 channels."""
    return np.random.default_rng(1).normal(0, 1, (2, 9, 6)).astype("float32")


def network(backend, shape=(None, 6), **options) -> keras.Model:
    x = keras.Input(shape)
    return keras.Model(x, backend(x, **options))


def run(model: keras.Model, x: np.ndarray) -> dict[str, np.ndarray]:
    values = model(x, training=False)
    return {name: keras.ops.convert_to_numpy(value) for name, value in values.items()}


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the second axis."""
    x = np.exp(x - x.max(axis=1, keepdims=True))
    return x / x.sum(axis=1, keepdims=True)


def test_both_poolings_are_interleaved(frames):
    pooled = run(network(backends.temporal_pooling), frames)["pooled"]
    np.testing.assert_allclose(pooled[:, 0::2], frames.max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(pooled[:, 1::2], frames.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_one_pooling_is_that_one(frames, pooling):
    pooled = run(network(backends.temporal_pooling, pooling=pooling), frames)["pooled"]
    np.testing.assert_allclose(pooled, getattr(frames, pooling)(axis=1), atol=1e-6)


def test_autopool_goes_from_mean_to_maximum(frames):
    model = network(backends.temporal_pooling, pooling="autopool")
    layer = model.get_layer("pooled")
    np.testing.assert_allclose(run(model, frames)["pooled"], frames.mean(axis=1), atol=1e-6)
    layer.alpha.assign(1.5)
    expected = (softmax(1.5 * frames) * frames).sum(axis=1)
    np.testing.assert_allclose(run(model, frames)["pooled"], expected, atol=1e-5)
    layer.alpha.assign(1000.0)
    np.testing.assert_allclose(run(model, frames)["pooled"], frames.max(axis=1), atol=1e-3)


def test_attention_is_raffels_formula(frames):
    model = network(backends.attention)
    w, b = model.get_layer("attention_hidden").get_weights()
    (v,) = model.get_layer("attention_energy").get_weights()
    assert w.shape == (6, 6)
    weights = softmax(np.tanh(frames @ w + b) @ v)  # (2, 9, 1)
    stages = run(model, frames)
    np.testing.assert_allclose(stages["attention"], weights, atol=1e-6)
    np.testing.assert_allclose(stages["pooled"], (weights * frames).sum(axis=1), atol=1e-6)


def test_attention_per_feature_weighs_each_channel_on_its_own(frames):
    stages = run(network(backends.attention, per_feature=True), frames)
    weights = stages["attention"]
    assert weights.shape == frames.shape
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(stages["pooled"], (weights * frames).sum(axis=1), atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_rnn_hears_the_first_frame_and_the_last(frames, cell, bidirectional):
    model = network(backends.rnn, cell=cell, bidirectional=bidirectional, rnn_units=5, rnn_layers=2)
    pooled = run(model, frames)["pooled"]
    assert pooled.shape == (2, 10 if bidirectional else 5)
    for frame in (0, -1):
        changed = frames.copy()
        changed[:, frame] += 3
        assert (np.abs(run(model, changed)["pooled"] - pooled) > 1e-7).any(axis=1).all()


def test_weights_of_an_rnn_have_the_same_names_in_every_model():
    first, second = ([v.path for v in network(backends.rnn).variables] for _ in range(2))
    assert [name for name in first if "gru" in name] == [name for name in second if "gru" in name]
    assert "rnn1/forward_gru/gru_cell/kernel" in first


def test_stack_takes_bands_for_an_axis_and_leaves_one_point():
    model = network(backends.fully_convolutional, (50, 12, 6), conv_filters=[4, 5])
    assert model.get_layer("stack1_conv").kernel.shape == (3, 3, 6, 4)
    assert model.output["stack2"].shape == (None, 1, 1, 5)
    assert model.output["penultimate"].shape == (None, 5)


def test_pools_of_choi_are_found_again():
    assert backends.pool_sizes(1366, 5) == [4, 4, 4, 5, 4]


@pytest.mark.parametrize("blocks", [1, 3, 5])
def test_pools_leave_one_frame_of_any_length(blocks):
    for length in [*range(1, 300), 4321]:
        left = length
        for size in backends.pool_sizes(length, blocks):
            left //= size
        assert left == 1


def test_bands_are_joined_to_channels(frames):
    maps = np.random.default_rng(2).normal(0, 1, (2, 9, 3, 4)).astype("float32")
    pooled = run(network(backends.temporal_pooling, (None, 3, 4), pooling="max"), maps)["pooled"]
    np.testing.assert_array_equal(pooled, maps.max(axis=1).reshape(2, 12))
