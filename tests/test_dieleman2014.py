import librosa
import numpy as np
import pytest

import zoo
from zoo.models import dieleman2014
from zoo.models.dieleman2014 import SETTINGS, FeaturePooling

LABELS = [f"tag {i}" for i in range(50)]


def trainable(model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def build(window_length=256, hop_length=256, labels=LABELS, **options):
    return zoo.build(
        "dieleman2014", labels, window_length=window_length, hop_length=hop_length, **options
    )


@pytest.mark.parametrize(
    ("setting", "spectrogram", "raw_32", "raw_128"),
    [
        ((1024, 512), 55_774, 63_998, 186_974),
        ((512, 512), 55_774, 47_614, 121_438),
        ((512, 256), 74_974, 66_814, 140_638),
        ((256, 256), 74_974, 58_622, 107_870),
    ],
)
def test_parameters_are_those_of_unpadded_convolutions(setting, spectrogram, raw_32, raw_128):
    assert trainable(build(*setting, padding="valid", input="spectrogram")) == spectrogram
    assert trainable(build(*setting, padding="valid", filters=32)) == raw_32
    assert trainable(build(*setting, padding="valid")) == raw_128


@pytest.mark.parametrize(
    ("setting", "frames", "spectrogram", "waveform"),
    [
        ((1024, 1024), 46, 52_574, 183_774),
        ((1024, 512), 92, 62_174, 193_374),
        ((512, 512), 93, 62_174, 127_838),
        ((512, 256), 186, 81_374, 147_038),
        ((256, 256), 187, 81_374, 114_270),
    ],
)
def test_every_setting_of_table_1_can_be_built(setting, frames, spectrogram, waveform):
    assert setting in SETTINGS
    for name, count in (("spectrogram", spectrogram), ("waveform", waveform)):
        model = build(*setting, input=name)
        assert trainable(model) == count
        assert model.stage("features").output_shape == (None, frames, 128)


@pytest.mark.parametrize("name", ["spectrogram", "waveform"])
def test_unpadded_convolutions_cannot_have_a_long_hop(name):
    with pytest.raises(zoo.ConfigError, match=r"nothing is left of 46 frames.*padding='same'"):
        build(1024, 1024, input=name, padding="valid")
    long_enough = build(1024, 1024, input=name, padding="valid", segment=6.0)
    assert long_enough.stage("frontend").output_shape == (None, 3, 32)


def test_windows_of_3_seconds_follow_each_other():
    model = build()
    assert model.sample_rate == 16000
    assert (model.segmentation.segment, model.segmentation.hop) == (48000, 48000)
    assert model.input_shape == (None, 48000)


def test_spectrogram_is_the_log_of_128_mel_bands():
    model = build(512, 256, ["a"], input="spectrogram")
    clip = np.random.default_rng(0).normal(0, 0.1, 48000).astype("float32")
    mel = librosa.feature.melspectrogram(
        y=clip, sr=16000, n_fft=512, hop_length=256, n_mels=128, center=False
    )
    ours = model.stage("features").predict(clip[None], verbose=0)[0]
    np.testing.assert_allclose(ours, np.log(1 + 10000 * mel.T), atol=1e-4)


# --- feature pooling ---


@pytest.mark.parametrize("kind", ["max", "l2"])
@pytest.mark.parametrize("size", [2, 4])
def test_pooling_keeps_the_filters_and_lowers_the_features(kind, size):
    plain, pooled = build(), build(feature_pooling=kind, pool_size=size)
    assert pooled.get_layer("conv0").filters == 128
    assert pooled.stage("features").output_shape == (None, 187, 128 // size)
    assert trainable(plain) - trainable(pooled) == 8 * 32 * (128 - 128 // size)


def test_neighbouring_filters_are_pooled():
    x = np.array([[[3.0, -4.0, 1.0, 0.0]]], "float32")
    np.testing.assert_array_equal(FeaturePooling("max", 2)(x), [[[3, 1]]])
    np.testing.assert_allclose(FeaturePooling("l2", 2)(x), [[[5, 1]]], rtol=1e-6)
    np.testing.assert_allclose(FeaturePooling("l2", 4)(x), [[[26**0.5]]], rtol=1e-6)
    np.testing.assert_allclose(FeaturePooling("l2", 2, square_root=False)(x), [[[25, 1]]])


def test_l2_pools_linear_outputs_and_max_pools_rectified_ones():
    clip = np.random.default_rng(0).normal(0, 0.1, (1, 48000)).astype("float32")
    for kind, mean_is_zero in (("max", True), ("l2", False)):
        model = build(labels=["a"], feature_pooling=kind)
        model.get_layer("conv0").bias.assign(np.full(128, -10.0))  # all outputs far below 0
        features = model.stage("features").predict(clip, verbose=0)
        assert (features.mean() == 0) == mean_is_zero


def test_silence_does_not_break_l2_pooling():
    model = build(labels=["a"], feature_pooling="l2")
    model.compile("sgd", "binary_crossentropy", run_eagerly=False)
    model.train_on_batch(np.zeros((2, 48000), "float32"), np.ones((2, 1), "float32"))
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"input": "mfcc"}, "input is 'mfcc'.*'waveform', 'spectrogram'"),
        ({"padding": "full"}, "'same', 'valid'"),
        ({"feature_pooling": "mean"}, "None, 'max', 'l2'"),
        ({"feature_pooling": "max", "pool_size": 3}, "must divide the 128 filters"),
        ({"feature_pooling": "max", "input": "spectrogram"}, "needs input='waveform'"),
    ],
)
def test_what_the_network_does_not_have_is_refused(options, complaint):
    with pytest.raises(zoo.ConfigError, match=complaint):
        build(**options)


# --- the network against NumPy in double precision ---


def in_numpy(clip, w, padding):
    """(samples,) -> probabilities, with filters of 256 samples."""
    frames = clip.reshape(-1, 256)[: len(clip) // 256]
    x = np.maximum(frames @ w["conv0/kernel"][:, 0] + w["conv0/bias"], 0)
    for name in ("conv1", "conv2"):
        if padding == "same":
            x = np.pad(x, [(3, 4), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(x, 8, axis=0)  # (frames, in, 8)
        x = np.einsum("fik,kio->fo", windows, w[f"{name}/kernel"]) + w[f"{name}/bias"]
        x = np.maximum(x, 0)
        x = x[: len(x) // 4 * 4].reshape(-1, 4, 32).max(axis=1)
    x = np.maximum(x.reshape(-1) @ w["penultimate/kernel"] + w["penultimate/bias"], 0)
    return 1 / (1 + np.exp(-(x @ w["logits/kernel"] + w["logits/bias"])))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_network_is_the_arithmetic_of_the_paper(padding):
    model = build(padding=padding)
    clip = np.random.default_rng(0).normal(0, 1, 48000).astype("float32")
    weights = {v.path: np.asarray(v.numpy(), "float64") for v in model.variables}
    expected = in_numpy(clip[: 187 * 256].astype("float64"), weights, padding)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(model.predict(clip[None], verbose=0)[0], expected, atol=1e-5)


def test_stages_are_the_named_ones():
    assert set(build().stages) == set(dieleman2014.CARD["stages"])
