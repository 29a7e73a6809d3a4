import keras
import numpy as np
import pytest
import soundfile

import zoo


@pytest.fixture(scope="module")
def music(example):
    """80 frames of the example, (1, samples) at 44.1 kHz."""
    sound, rate = soundfile.read(example, dtype="float32", start=44100, frames=82944)
    assert rate == 44100
    return sound.reshape(len(sound), -1).mean(axis=1)[None]


@pytest.fixture(scope="module")
def both():
    return zoo.build("pons2016", ["a", "b"])


def essentia_log_mel(sound: np.ndarray) -> np.ndarray:
    """What Essentia 2.1's Windowing, Spectrum and MelBands define, and the authors' logarithm."""
    t = 2 * np.pi * np.arange(2048) / 2047
    window = 0.44959 - 0.49364 * np.cos(t) + 0.05677 * np.cos(2 * t)
    frames = np.lib.stride_tricks.sliding_window_view(sound, 2048)[::1024]
    power = np.abs(np.fft.rfft(frames * window * 2 / window.sum())) ** 2
    edges = np.linspace(0, 1127.01048 * np.log(1 + 22050 / 700), 42)
    bins = 1127.01048 * np.log(1 + np.arange(1025) * 44100 / 2048 / 700)
    rising = (bins[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins[:, None]) / np.diff(edges)[1:]
    bank = np.maximum(0, np.minimum(rising, falling))
    return np.log10(10000 * power @ (bank / bank.sum(axis=0)) + 1)


def stage(model, name, x):
    return keras.ops.convert_to_numpy(model.stage(name)(x, training=False))


def test_features_are_nearly_essentias(both, music):
    ours, theirs = stage(both, "features", music)[0], essentia_log_mel(music[0])
    assert ours.shape == theirs.shape == (80, 40)
    assert theirs.max() > 1  # there is something to compare
    error = np.abs(ours - theirs)
    assert error.mean() < 0.002
    assert error.max() < 0.02


def test_one_mean_and_one_deviation_standardise_all_bands(music):
    model = zoo.build("pons2016", ["a"], variant="time")
    layer, features = model.get_layer("standardised"), stage(model, "features", music)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(features)), features)
    layer.adapt(features)
    values = keras.ops.convert_to_numpy(layer(features))
    assert values.mean() == pytest.approx(0, abs=1e-5)
    assert values.std() == pytest.approx(1, abs=1e-5)
    assert values[..., 0].mean() != pytest.approx(0, abs=0.01)


def test_filters_have_the_papers_shapes(music):
    shapes = {"black_box": (73, 7, 32), "time": (21, 32), "frequency": (80, 9, 32)}
    for variant, shape in {**shapes, "time_frequency": (21, 320)}.items():
        model = zoo.build("pons2016", ["a"], variant=variant)
        assert model.stage("frontend").output_shape == (None, *shape)


def test_sequence_for_other_back_ends_holds_what_the_paper_pools(both, music):
    frontend, pooled = stage(both, "frontend", music), stage(both, "pooled", music)
    np.testing.assert_array_equal(frontend[:, :, :32].reshape(1, -1), pooled[:, : 21 * 32])
    np.testing.assert_array_equal(frontend[:, :, 32:].max(axis=1), pooled[:, 21 * 32 :])


def test_trained_branches_can_start_the_joint_network(both, music):
    for variant, layer in (("time", "long"), ("frequency", "tall")):
        branch = zoo.build("pons2016", ["a", "b"], variant=variant)
        both.get_layer(layer).set_weights(branch.get_layer(layer).get_weights())
        np.testing.assert_array_equal(stage(both, variant, music), stage(branch, variant, music))


def test_longer_excerpts_are_a_longer_segment():
    model = zoo.build("pons2016", ["a"], segment=(249 * 1024 + 2048) / 44100)
    assert model.stage("features").output_shape == (None, 250, 40)


def test_unknown_variant_lists_the_known_ones():
    with pytest.raises(zoo.ConfigError, match=r"'rhythm'.*black_box, time, frequency, time_f"):
        zoo.build("pons2016", ["a"], variant="rhythm")
