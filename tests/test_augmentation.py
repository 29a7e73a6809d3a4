"""Augmentation: the effect of each layer in numbers, on every backend."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import songs
import tensorflow as tf
from augmentation_effects import decibels, features, sounds, to_numpy
from conftest import only_on

import zoo
from zoo.layers.augmentation import FrequencyMask, Gain, Mixup, Noise, TimeMask
from zoo.training import batches, recipe
from zoo.training.batches import Batches, TrainingOptions

SCRIPT = Path(__file__).parent / "helpers" / "augmentation_effects.py"
WAVEFORM = [Gain, Noise]
FEATURES = [TimeMask, FrequencyMask]


def given(layer) -> np.ndarray:
    return sounds(4) if layer in WAVEFORM else features(4)


@pytest.fixture(scope="module")
def effects(tmp_path_factory):
    """The results of augmentation_effects.py by backend; each runs once."""
    folder, results = tmp_path_factory.mktemp("effects"), {}

    def result(backend: str) -> dict:
        if backend not in results:
            pytest.importorskip(backend)
            path = folder / f"{backend}.json"
            done = subprocess.run(
                [sys.executable, str(SCRIPT), str(path)],
                env={**os.environ, "KERAS_BACKEND": backend},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            results[backend] = json.loads(path.read_text())
        return results[backend]

    return result


backends = pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])


@backends
def test_gain_changes_levels_by_decibels_of_its_range(effects, backend):
    gains = np.array(effects(backend)["gain"])
    assert gains.min() > -6.001
    assert gains.max() < 3.001
    assert gains.min() < -4.5
    assert gains.max() > 1.5  # of 64 sounds, each with its own


@backends
def test_noise_has_a_ratio_of_its_range(effects, backend):
    ratios = np.array(effects(backend)["ratio"])
    assert ratios.min() > 10 - 0.2  # 16,000 samples of noise have their power to 0.05 dB
    assert ratios.max() < 30 + 0.2
    assert ratios.std() > 4  # uniform over 20 dB: 5.8


@backends
def test_masks_are_single_spans_of_at_most_their_width(effects, backend):
    result = effects(backend)
    frames, bands = np.array(result["frames"]), np.array(result["bands"])
    assert (frames.min(), frames.max()) == (0, 20)  # a fifth of 100 frames, less than 30
    assert (bands.min(), bands.max()) == (0, 10)
    assert abs(frames.mean() - 10) < 1.5  # each width from 0 to 20 equally likely
    assert abs(bands.mean() - 5) < 0.8
    assert max(result["runs"]) <= 2  # a span has one beginning and one end


@backends
def test_augmented_network_trains_the_model_and_predicts_the_same(effects, backend):
    result = effects(backend)
    assert result["inference"] == 0
    assert result["change"] > 1e-4
    assert np.isfinite(result["loss"])


@backends
def test_mixup_works_in_a_data_set_of_every_backend(effects, backend):
    targets = np.array(effects(backend)["targets"])
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert ((targets > 0.02) & (targets < 0.98)).any()


@pytest.mark.parametrize("layer", WAVEFORM + FEATURES)
def test_nothing_happens_in_inference(layer):
    x = given(layer)
    np.testing.assert_array_equal(to_numpy(layer()(x)), x)
    np.testing.assert_array_equal(to_numpy(layer()(x, training=False)), x)


@pytest.mark.parametrize("layer", WAVEFORM + FEATURES)
def test_same_seed_gives_the_same_sequence_of_numbers(layer):
    x, one, other = given(layer), layer(seed=5), layer(seed=5)
    first, second = (to_numpy(one(x, training=True)) for _ in range(2))
    np.testing.assert_array_equal(to_numpy(other(x, training=True)), first)
    np.testing.assert_array_equal(to_numpy(other(x, training=True)), second)
    assert (first != second).any()


@pytest.mark.parametrize("layer", [*WAVEFORM, *FEATURES, Mixup])
def test_layer_is_restored_from_its_configuration(layer):
    options = {
        Gain: {"min_db": -1.0, "max_db": 2.0},
        Noise: {"min_snr": 3.0, "max_snr": 4.0},
        TimeMask: {"masks": 3, "width": 5, "fraction": 0.5},
        FrequencyMask: {"masks": 3, "width": 5},
        Mixup: {"alpha": 0.7},
    }[layer]
    saved = keras.saving.serialize_keras_object(layer(**options, seed=9))
    config = keras.saving.deserialize_keras_object(saved).get_config()
    assert options.items() <= config.items()
    assert config["seed"] == 9


def test_an_augmented_network_comes_back_from_its_file(tmp_path):
    model = zoo.build("pons2017", ["a", "b"], variant="spectrogram", n=1)
    layers = [Gain(-1.0, 2.0, seed=1), Noise(3.0, 4.0, seed=2)]
    masks = [TimeMask(3, 5, 0.5, seed=3), FrequencyMask(3, 5, seed=4)]
    network = zoo.augment(model, waveform=layers, features=masks)
    network.save(tmp_path / "augmented.keras")
    again = keras.saving.load_model(tmp_path / "augmented.keras")
    for layer in (*layers, *masks):
        assert again.get_layer(layer.name).get_config() == layer.get_config()
    x = sounds(2)
    np.testing.assert_allclose(again.predict(x), network.predict(x), atol=1e-6)


def options(seed: int, *layers):
    """Options of a training with these layers and this seed."""
    rest = {"class_weight": None, "jit_compile": None, "cache": None, "monitor": "loss"}
    return TrainingOptions(
        batch_size=4, segments=1, augment=layers, seed=seed, drop_remainder=False, progress=False,
        **rest,
    )  # fmt: skip


def mixed(seed: int, epoch: int, layer) -> np.ndarray:
    data = tf.data.Dataset.from_tensors((sounds(4), np.eye(4, dtype="float32")))
    ((x, _),) = options(seed, layer).mixed(data, epoch)
    return x.numpy()


def test_training_keeps_the_seed_that_mixup_was_given():
    np.testing.assert_array_equal(mixed(1, 3, Mixup(seed=9)), mixed(2, 3, Mixup(seed=9)))
    assert (mixed(1, 3, Mixup(seed=9)) != mixed(1, 4, Mixup(seed=9))).any()  # epochs differ
    assert (mixed(1, 3, Mixup(seed=9)) != mixed(1, 3, Mixup(seed=8))).any()
    assert (mixed(1, 3, Mixup()) != mixed(2, 3, Mixup())).any()


def test_training_keeps_the_seeds_that_layers_were_given(tmp_path):
    model = zoo.build("zhu2016", ["noise", "tone"], segment=1.0)
    gain, noise, keras_noise = Gain(seed=123), Noise(), keras.layers.GaussianNoise(0.1, seed=7)
    clips = songs.make(tmp_path / "songs", 2, kinds=("noise", "tone"))
    given = Batches(model, clips, clips, options(5, gain, noise, keras_noise))
    batches.whole("train", given, recipe.of("zhu2016"))
    assert to_numpy(gain.generator.state).tolist() == [123, 0]
    assert to_numpy(keras_noise.seed_generator.state).tolist() == [7, 0]
    assert to_numpy(noise.generator.state)[0] == 5
    dropout = model.get_layer("penultimate").seed_generator.state
    assert to_numpy(dropout)[0] == 5


@pytest.mark.parametrize("layer", WAVEFORM + FEATURES)
def test_half_precision_keeps_its_type_and_computes_in_float32(layer):
    mixed = layer(seed=1, dtype="mixed_bfloat16")
    whole = to_numpy(mixed(given(layer), training=True))
    np.testing.assert_array_equal(to_numpy(layer(seed=1)(given(layer), training=True)), whole)
    half = mixed(keras.ops.cast(given(layer), "bfloat16"), training=True)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"


def test_noise_leaves_silence_silent():
    silence = np.zeros((2, 100), "float32")
    np.testing.assert_array_equal(to_numpy(Noise()(silence, training=True)), silence)


def test_masks_keep_channels_together():
    x = np.stack([features(4), features(4)], axis=3)
    y = to_numpy(TimeMask(2, width=30, seed=1)(x, training=True))
    np.testing.assert_array_equal(y[..., 0], y[..., 1])


# On JAX Keras asks for integers of 64 bits, and gets those of 32.
@pytest.mark.filterwarnings("ignore:(?s).*Explicitly requested dtype int64:UserWarning")
def test_mixup_mixes_sounds_and_targets_by_the_same_share():
    x, y = np.eye(8, dtype="float32"), np.eye(8, dtype="float32")
    mixed, targets = (to_numpy(part) for part in Mixup(1.0, seed=2)(x, y))
    np.testing.assert_allclose(mixed, targets, atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert (np.count_nonzero(targets > 1e-4, axis=1) == 2).sum() > 4  # its own and another's


def test_mixup_of_a_data_set_repeats_itself_with_a_seed():
    data = tf.data.Dataset.from_tensor_slices((sounds(8), np.eye(8, dtype="float32"))).batch(4)
    one, other = (np.stack([y for _, y in data.map(Mixup(1.0, seed=3))]) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@only_on("tensorflow")
@pytest.mark.parametrize("layer", WAVEFORM + FEATURES)
def test_layer_compiles_with_xla(layer):
    x, compiled = given(layer), layer(seed=1)
    compiled.build(x.shape)
    y = tf.function(lambda x: compiled(x, training=True), jit_compile=True)(x)
    assert np.isfinite(y).all()
    assert (to_numpy(y) != x).any()


def test_augmented_network_trains_in_half_precision():
    model = zoo.build("pons2016", ["a", "b"], variant="frequency", dtype="mixed_bfloat16")
    network = zoo.augment(model, [Gain(), Noise()], [TimeMask(), FrequencyMask()])
    network.compile("adam", "binary_crossentropy", run_eagerly=True)
    x = np.random.default_rng(0).normal(0, 0.1, (2, model.segmentation.segment))
    assert np.isfinite(network.train_on_batch(x.astype("float32"), np.eye(2, dtype="float32")))


@pytest.mark.parametrize("architecture", zoo.list_models(trained=False))
def test_every_architecture_can_be_augmented(architecture):
    model = zoo.build(architecture, ["a", "b"])
    masks = [TimeMask(), FrequencyMask()] if "features" in model.stages else []
    network = zoo.augment(model, [Gain()], masks)
    assert network.output_shape == model.output_shape
    own = {id(variable) for variable in network.trainable_variables}
    assert own == {id(variable) for variable in model.trainable_variables}


def test_augmentation_works_in_training_only():
    model = zoo.build("dieleman2014", ["a", "b"], window_length=1024, hop_length=1024)
    network = zoo.augment(model, [Gain(6, 6)], [FrequencyMask(width=30)])
    x = sounds(3).repeat(3, axis=1)
    plain = to_numpy(model(x))
    np.testing.assert_array_equal(to_numpy(network(x, training=False)), plain)
    assert np.abs(to_numpy(network(x, training=True)) - plain).max() > 1e-4


# --- what is refused ---


def test_masks_for_a_network_without_features_are_refused():
    model = zoo.build("lee2017", ["a", "b"], n=5)
    with pytest.raises(zoo.ConfigError, match='lee2017 has no stage "features" to mask'):
        zoo.augment(model, features=[TimeMask()])


def test_mixup_inside_a_network_is_refused():
    model = zoo.build("pons2016", ["a", "b"])
    with pytest.raises(zoo.ConfigError, match=r"dataset.map\(Mixup\(\)\)"):
        zoo.augment(model, waveform=[Mixup()])


def test_object_that_is_not_a_layer_is_refused():
    with pytest.raises(zoo.ConfigError, match=r"class .*Gain.* is no layer"):
        zoo.augment(zoo.build("pons2016", ["a", "b"]), waveform=[Gain])


def test_mask_of_a_waveform_is_refused():
    with pytest.raises(zoo.ConfigError, match=r"TimeMask takes features .* not as waveform="):
        zoo.augment(zoo.build("pons2016", ["a", "b"]), waveform=[TimeMask()])


def test_mask_wider_than_all_bands_is_refused():
    with pytest.raises(zoo.ConfigError, match="width is 51, more than the 50 bands"):
        FrequencyMask(width=51)(features(1))


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (Gain, {"min_db": 3, "max_db": -3}, "min_db is 3 and max_db is -3"),
        (Gain, {"max_db": float("inf")}, "max_db is inf"),
        (Noise, {"min_snr": "loud"}, "min_snr is 'loud'"),
        (Noise, {"max_snr": float("nan")}, "max_snr is nan"),
        (TimeMask, {"masks": 0}, "masks is 0; it must be an integer"),
        (TimeMask, {"fraction": 1.5}, "fraction is 1.5; it must be above 0 and at most 1"),
        (FrequencyMask, {"width": 2.5}, "width is 2.5"),
        (Mixup, {"alpha": 0}, "alpha is 0; it must be a number above 0"),
        (Mixup, {"alpha": True}, "alpha is True"),
    ],
)
def test_argument_out_of_range_is_refused(layer, options, message):
    with pytest.raises(zoo.ConfigError, match=message):
        layer(**options)


def test_levels_are_measured_in_decibels():
    np.testing.assert_allclose(decibels(sounds(2)), -20, atol=0.01)
