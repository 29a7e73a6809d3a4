"""lee2009: the network, and its training without labels."""

import itertools

import keras
import numpy as np
import pytest

import zoo
from zoo import audio
from zoo.layers.spectrograms import LogSpectrogram
from zoo.models.lee2009 import (
    ConvolutionalRBM,
    PCAWhitening,
    ProbabilisticMaxPooling,
    SegmentNormalization,
    StatisticsPooling,
)
from zoo.training import cdbn


def array(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


def machine(filters=4, length=3, channels=5, pool=3, sigma=0.2, seed=0) -> ConvolutionalRBM:
    """An RBM with random weights, large enough to matter."""
    rbm = ConvolutionalRBM(filters, length, pool, sigma)
    rbm.build((None, None, channels))
    rng = np.random.default_rng(seed)
    rbm.kernel.assign(rng.normal(0, 0.1, (length, channels, filters)))
    rbm.hidden_bias.assign(rng.normal(-0.1, 0.05, filters))
    return rbm


def spectra(shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, shape).astype("float32")


@pytest.fixture(scope="module")
def clips(example) -> np.ndarray:
    """The example clip in segments of a second, (segments, samples) at 16 kHz."""
    cut = audio.Segmentation(16000, 16000)
    return np.stack([s.samples for s in audio.segments(example, 16000, cut)])


# --- the layers ---


def test_spectrogram_is_the_logarithm_of_magnitudes_under_a_symmetric_hamming_window():
    sound = np.random.default_rng(0).normal(0, 0.1, 1600)
    ours = array(LogSpectrogram()(sound[None].astype("float32")))[0]
    frames = np.lib.stride_tricks.sliding_window_view(sound, 320)[::160]
    magnitude = np.abs(np.fft.rfft(frames * np.hamming(320)))
    np.testing.assert_allclose(ours, np.log(1e-5 + magnitude) - np.log(1e-5), atol=2e-4)


def test_spectrogram_of_silence_is_zero():
    np.testing.assert_array_equal(array(LogSpectrogram()(np.zeros((1, 1600), "float32"))), 0)


def test_segment_has_mean_0_and_rms_1_whatever_its_level(clips):
    spectrogram = array(LogSpectrogram()(clips[:3]))
    x = array(SegmentNormalization()(spectrogram * [[[1]], [[5]], [[0.1]]] + 3))
    np.testing.assert_allclose(x.mean(axis=(1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(np.square(x).mean(axis=(1, 2)), 1, atol=1e-4)


def test_whitening_decorrelates_up_to_its_offset():
    rng = np.random.default_rng(0)
    frames = rng.normal(0, 1, (500, 12)) @ rng.normal(0, 1, (12, 12)) + rng.normal(0, 1, 12)
    layer = PCAWhitening(n_components=7, offset=3.0)
    layer.build((None, None, 12))
    eigenvalues = layer.fit([frames[:200].reshape(2, 100, 12), frames[200:]])
    x = array(layer(frames.astype("float32")))
    moments = x.T @ x / len(x)
    np.testing.assert_allclose(moments, np.diag(eigenvalues / (eigenvalues + 3)), atol=1e-4)
    assert (np.diff(eigenvalues) < 0).all()
    assert x.mean(axis=0).max() > 0.1  # the mean is not taken away


def test_unwhitening_gives_back_what_lies_in_the_components():
    frames = np.random.default_rng(0).normal(0, 1, (50, 12))
    layer = PCAWhitening(n_components=12)
    layer.build((None, 12))
    layer.fit([frames])
    np.testing.assert_allclose(layer.unwhiten(layer(frames)), frames, atol=1e-4)


def test_whitening_without_frames_is_refused():
    layer = PCAWhitening(n_components=2)
    layer.build((None, 4))
    with pytest.raises(zoo.ConfigError, match="there are no frames to fit"):
        layer.fit([])


def test_a_block_and_all_off_are_one_distribution():
    rbm, x = machine(), spectra((2, 14, 5))
    p = array(rbm(x))  # 12 hidden positions: 4 blocks of 3
    response = array(rbm.response(x)) / 0.2**2
    for clip, block, unit in itertools.product(range(2), range(4), range(4)):
        energies = response[clip, 3 * block : 3 * block + 3, unit].astype("float64")
        weights = np.exp(np.clip(energies, -20, 20))
        expected = weights / (1 + weights.sum())
        np.testing.assert_allclose(p[clip, 3 * block : 3 * block + 3, unit], expected, atol=1e-5)


def test_pooled_probability_is_that_of_not_all_off():
    rbm, x = machine(), spectra((2, 14, 5))
    energies = np.clip(array(rbm.response(x)) / 0.2**2, -20, 20).reshape(2, 4, 3, 4)
    off = 1 / (1 + np.exp(energies.astype("float64")).sum(axis=2))
    np.testing.assert_allclose(array(ProbabilisticMaxPooling(3)(rbm(x))), 1 - off, atol=1e-5)


@pytest.mark.parametrize(("bias", "pooled"), [(-1e3, 0.0), (1e3, 1.0), (0.0, 0.75)])
def test_pooling_reaches_its_limits_and_stays_finite(bias, pooled):
    rbm = machine()
    rbm.kernel.assign(np.zeros(rbm.kernel.shape))
    rbm.hidden_bias.assign(np.full(4, bias))
    p = array(ProbabilisticMaxPooling(3)(rbm(spectra((1, 14, 5)))))
    np.testing.assert_allclose(p, pooled, atol=1e-6)


def test_response_is_a_correlation_and_reconstruction_its_transpose():
    rbm, v = machine(), spectra((1, 14, 5))
    h = spectra((1, 12, 4), seed=1)
    rbm.hidden_bias.assign(np.zeros(4))
    kernel = array(rbm.kernel)
    expected = [np.einsum("tc,tcf->f", v[0, i : i + 3], kernel) for i in range(12)]
    np.testing.assert_allclose(array(rbm.response(v))[0], expected, atol=1e-5)
    down = array(rbm.reconstruct(h))
    assert down.shape == v.shape
    np.testing.assert_allclose((down * v).sum(), (h[0] * expected).sum(), rtol=1e-4)


def test_frames_that_fill_no_block_are_dropped():
    assert array(machine()(spectra((1, 16, 5)))).shape == (1, 12, 4)
    assert machine().compute_output_shape((None, 16, 5)) == (None, 12, 4)


def test_statistics_are_mean_maximum_and_deviation_over_time():
    x = spectra((2, 9, 3))
    expected = np.concatenate([x.mean(axis=1), x.max(axis=1), x.std(axis=1)], axis=1)
    np.testing.assert_allclose(array(StatisticsPooling()(x)), expected, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        SegmentNormalization(),
        PCAWhitening(n_components=3, offset=2.0),
        ConvolutionalRBM(filters=6, length=2, pool=2, sigma=0.4),
        ProbabilisticMaxPooling(2),
        StatisticsPooling(),
        LogSpectrogram(n_fft=400, hop_length=200, window="hann", symmetric=False, floor=1e-4),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_makes_the_same_layer_again(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = spectra((2, 1200) if isinstance(layer, LogSpectrogram) else (2, 12, 8))
    first, second = layer(x), again(x)
    again.set_weights(layer.get_weights())
    second = again(x)
    np.testing.assert_array_equal(array(first), array(second))


# --- the network ---


def weights_of(model, name: str) -> dict[str, int]:
    layer = model.get_layer(name)
    return {v.name: int(np.prod(v.shape)) for v in layer.variables}


@pytest.mark.parametrize(
    ("length", "first", "second"), [(6, 144_000, 540_000), (10, 240_000, 900_000)]
)
def test_parameters_are_those_of_the_paper(length, first, second):
    model = zoo.build("lee2009", ["a"], length=length)
    assert weights_of(model, "crbm1") == {"kernel": first, "hidden_bias": 300, "visible_bias": 80}
    assert weights_of(model, "crbm2") == {"kernel": second, "hidden_bias": 300, "visible_bias": 300}
    trained = {v.path for v in model.trainable_variables}
    assert {"crbm1/visible_bias", "whitened/kernel"}.isdisjoint(trained)


def test_stages_of_3_seconds_have_the_shapes_that_the_card_draws():
    model = zoo.build("lee2009", ["a"], bases=12)
    x = np.zeros((1, model.segmentation.segment), "float32")
    shapes = {name: array(model.stage(name)(x)).shape[1:] for name in model.stages}
    assert shapes["features"] == shapes["normalised"] == (299, 161)
    assert shapes["whitened"] == (299, 80)
    assert (shapes["crbm1"], shapes["pool1"]) == ((288, 12), (96, 12))
    assert (shapes["crbm2"], shapes["pool2"]) == ((87, 12), (29, 12))
    assert shapes["frontend"] == (29, 12)
    assert shapes["penultimate"] == (36,)


def test_silence_stays_finite_in_every_stage():
    model = zoo.build("lee2009", ["a", "b"], bases=12)
    x = np.zeros((2, 16000), "float32")
    for name in model.stages:
        assert np.isfinite(array(model.stage(name)(x))).all(), name


def test_level_of_a_sound_hardly_matters(clips):
    model = zoo.build("lee2009", ["a"], bases=12)
    loud, quiet = (array(model.stage("whitened")(clips[:1] * gain)) for gain in (1, 0.5))
    assert np.abs(loud - quiet).mean() < 0.05 * np.abs(loud).mean()


def test_summary_of_all_layers_joins_them():
    model = zoo.build("lee2009", ["a"], bases=12, summary="all")
    assert model.stage("penultimate").output_shape == (None, 72)


@pytest.mark.parametrize("options", [{"depth": 0}, {"summary": "both"}, {"n_components": 200}])
def test_an_option_that_cannot_be_is_refused(options):
    with pytest.raises(zoo.ConfigError, match=str(next(iter(options.values())))):
        zoo.build("lee2009", ["a"], **options)


def test_a_segment_that_is_too_short_is_refused():
    with pytest.raises(zoo.ConfigError, match="crbm2 needs 12 frames"):
        zoo.build("lee2009", ["a"], segment=0.3)


# --- training without labels ---


def correlation(v: np.ndarray, p: np.ndarray, length: int) -> np.ndarray:
    """<v * p>: (length, channels, filters), a mean over hidden positions."""
    rows = [np.einsum("htc,htf->cf", v[:, i : i + p.shape[1]], p) for i in range(length)]
    return np.stack(rows) / (p.shape[0] * p.shape[1])


@pytest.mark.parametrize("with_bias", [False, True])
def test_one_step_is_the_rule_of_contrastive_divergence(with_bias):
    rbm, v0 = machine(), spectra((1, 14, 5))
    kernel, bias = array(rbm.kernel), array(rbm.hidden_bias)
    rbm.visible_bias.assign(np.linspace(-0.1, 0.1, 5))
    cd = cdbn.ContrastiveDivergence(rbm, with_bias=with_bias)
    p0 = array(rbm(v0))
    cd.random.state.assign(array(keras.random.SeedGenerator(7).state))
    v1 = array(rbm.reconstruct(cd.sample(p0))) + with_bias * array(rbm.visible_bias)
    p1 = array(rbm(v1))
    expected = {
        "kernel": correlation(v0, p0, 3) - correlation(v1, p1, 3) - 0.01 * kernel,
        "hidden_bias": (p0 - p1).mean(axis=(0, 1)) - 5 * (p0.mean(axis=(0, 1)) - 0.05),
        "visible_bias": (v0 - v1).mean(axis=(0, 1)),
    }
    logs = cd.epoch(v0, rate=0.1, momentum=0.5, seed=7)
    before = {"kernel": kernel, "hidden_bias": bias, "visible_bias": np.linspace(-0.1, 0.1, 5)}
    for name, gradient in expected.items():
        after = array(getattr(rbm, name))
        np.testing.assert_allclose(after, before[name] + 0.1 * gradient, atol=1e-5, err_msg=name)
    assert logs["mean_activation"] == pytest.approx(p0.mean(), rel=1e-4)
    assert logs["reconstruction_error"] == pytest.approx(np.square(v0 - v1).mean(), rel=1e-4)


def test_samples_follow_their_probabilities_and_share_no_block():
    cd = cdbn.ContrastiveDivergence(machine(), seed=3)
    p = np.tile(np.array([0.1, 0.5, 0.15], "float32")[None, :, None], (1, 3000, 4))
    states = array(cd.sample(p))
    assert set(np.unique(states)) == {0.0, 1.0}
    blocks = states.reshape(3000, 3, 4)
    assert blocks.sum(axis=1).max() == 1
    np.testing.assert_allclose(blocks.mean(axis=(0, 2)), [0.1, 0.5, 0.15], atol=0.02)


def planted(segments: int) -> np.ndarray:
    """Sounds in which one of two chords, or nothing, comes every tenth of a second."""
    rng = np.random.default_rng(0)
    t = np.arange(1600) / 16000
    chords = [sum(np.sin(2 * np.pi * f * t) for f in fs) for fs in ((300, 900), (500, 2500))]
    shapes = np.stack([*chords, 0 * t]) * np.exp(-10 * t)
    sounds = shapes[rng.integers(0, 3, (segments, 10))].reshape(segments, -1)
    return (0.1 * sounds + rng.normal(0, 1e-3, sounds.shape)).astype("float32")


def small(**options) -> zoo.AudioModel:
    keras.utils.set_random_seed(0)
    options = {"bases": 20, "length": 6, "n_components": 30, **options}
    return zoo.build("lee2009", ["a"], segment=1, **options)


def pretrain(model, sounds, **options) -> cdbn.History:
    options = {"epochs": (6, 4), "updates": 20, "learning_rate": 0.1, **options}
    return cdbn.pretrain(model, sounds, progress=False, **options)


@pytest.fixture(scope="module")
def planted_history():
    return pretrain(small(), planted(20))


def falls_and_settles(history: cdbn.History) -> None:
    for name in ("crbm1", "crbm2"):
        error, mean = (np.array(history[name][key]) for key in cdbn.MEASURES)
        assert error[-1] < 0.85 * error[0], (name, error)
        away = np.abs(mean - 0.05)
        assert away[-1] < 0.5 * away[0], (name, mean)


def test_error_falls_and_activation_nears_its_target_on_planted_sounds(planted_history):
    falls_and_settles(planted_history)


def test_error_falls_and_activation_nears_its_target_on_the_example(clips):
    falls_and_settles(pretrain(small(), clips, epochs=4))


def test_training_is_repeatable(planted_history):
    again = pretrain(small(), planted(20))
    for name in ("crbm1", "crbm2"):
        for key in cdbn.MEASURES:
            np.testing.assert_allclose(again[name][key], planted_history[name][key], rtol=1e-3)


def test_training_changes_all_but_the_head():
    model = small()
    before = {v.path: array(v) for v in model.variables}
    pretrain(model, planted(10), epochs=1)
    changed = {v.path for v in model.variables if (array(v) != before[v.path]).any()}
    kept = {"logits/kernel", "logits/bias"}
    assert changed == set(before) - kept


def test_files_and_int16_give_what_arrays_give(example, clips):
    cut = {"epochs": (1, 1), "updates": 4}
    from_file = pretrain(small(), example, **cut)
    from_array = pretrain(small(), clips, **cut)
    from_int16 = pretrain(small(), np.round(clips * 32768).astype("int16"), **cut)
    assert from_file == from_array
    for key in cdbn.MEASURES:
        assert from_int16["crbm1"][key] == pytest.approx(from_array["crbm1"][key], rel=0.05)


def test_interrupted_training_resumes(tmp_path):
    sounds, path = planted(10), tmp_path / "state.npz"
    first, whole = small(), small()
    pretrain(first, sounds, epochs=(3, 0), checkpoint=path)
    second = small()
    history = pretrain(second, sounds, epochs=(3, 2), checkpoint=path)
    np.testing.assert_array_equal(
        array(second.get_layer("crbm1").kernel), array(first.get_layer("crbm1").kernel)
    )
    expected = pretrain(whole, sounds, epochs=(3, 2))
    for name in ("crbm1", "crbm2"):
        for key in cdbn.MEASURES:
            np.testing.assert_allclose(history[name][key], expected[name][key], rtol=1e-3)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    pretrain(small(), planted(4), epochs=0, checkpoint=path)
    with pytest.raises(zoo.ConfigError, match="another model"):
        pretrain(small(bases=10), planted(4), checkpoint=path)


def test_a_learning_rate_that_is_too_high_is_an_error():
    with np.errstate(all="ignore"), pytest.raises(zoo.TrainingError, match="lower one"):
        pretrain(small(), planted(10), learning_rate=1e6)


def test_only_lee2009_in_float32_is_trained(clips):
    with pytest.raises(zoo.ConfigError, match="for lee2009"):
        cdbn.pretrain(zoo.build("lee2017", ["a"], n=5), clips)
    with pytest.raises(zoo.ConfigError, match="float32"):
        cdbn.pretrain(zoo.build("lee2009", ["a"], dtype="mixed_bfloat16"), clips)


def test_sounds_of_a_wrong_shape_are_refused(clips):
    with pytest.raises(zoo.ConfigError, match="segments, samples"):
        cdbn.pretrain(small(), clips[0])


def test_progress_is_shown_on_standard_error(capsys):
    cdbn.pretrain(small(), planted(5), epochs=1, updates=2)
    shown = capsys.readouterr()
    assert "crbm1" in shown.err
    assert "mean activation" in shown.err
    assert shown.out == ""
