import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import only_on

import zoo
from zoo import audio
from zoo.audio import Segmentation
from zoo.inference.variables import variables
from zoo.models import pons2017

CLIPS = [
    "TRWJAZW128F42760DD_test",
    "joram-moments_of_clarity-08-solipsism-59-88",
]
MODELS = {"pons2017.mtt": "MTT_musicnn", "pons2017.msd": "MSD_musicnn"}


def trainable(model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    ("variant", "count"),
    [("musicnn", 787_159), ("spectrogram", 5_924_154), ("waveform", 5_377_082)],
)
def test_parameters_are_the_published_networks(variant, count):
    model = zoo.build("pons2017", [f"tag {i}" for i in range(50)], variant=variant)
    assert trainable(model) == count


def test_one_norm_per_channel_is_an_option():
    shared = zoo.build("pons2017", ["a"], variant="waveform")
    own = zoo.build("pons2017", ["a"], variant="waveform", shared_norm=False)
    assert trainable(own) - trainable(shared) == 2 * 2 * (512 - 1)


def test_stages_are_the_named_ones(pons):
    named = [
        "features",
        "frontend",
        "timbral",
        "temporal",
        "cnn1",
        "cnn2",
        "cnn3",
        "mean_pool",
        "max_pool",
        "pooled",
        "penultimate",
        "logits",
        "probabilities",
    ]
    assert set(named) <= set(pons.stages)
    assert set(named) == set(pons.card.architecture.stages)


def test_unknown_variant_lists_the_known_ones():
    with pytest.raises(zoo.ConfigError, match=r"'vgg'.*musicnn, spectrogram, waveform"):
        zoo.build("pons2017", ["a"], variant="vgg")


# --- parity with the original package ---


def best(scores, labels, n=10):
    return [labels[i] for i in np.argsort(-scores)[:n]]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("clip", CLIPS)
def test_taggram_is_the_originals(checkpoint, upstream, name, clip):
    model = checkpoint(name)
    golden = np.load(upstream / "pons2017" / f"{clip}.npz")
    theirs, labels = golden[f"{MODELS[name]}/taggram"], list(golden[f"{MODELS[name]}/tags"])
    ours = model.taggram(upstream / "pons2017" / f"{clip}.mp3", tail=False)
    assert list(model.labels) == labels
    error = np.abs(ours.values - theirs)
    assert error.max() < 5e-3
    assert error.mean() < 5e-4
    assert best(ours.mean(), labels) == best(theirs.mean(axis=0), labels)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(
    "stage",
    ["timbral", "temporal", "cnn1", "cnn2", "cnn3", "mean_pool", "max_pool", "penultimate"],
)
def test_features_are_the_originals(checkpoint, upstream, name, clip, stage):
    model = checkpoint(name)
    golden = np.load(upstream / "pons2017" / f"{clip}.npz")
    theirs = golden[f"{MODELS[name]}/{stage}/first_patch"]
    first = next(
        audio.segments(upstream / "pons2017" / f"{clip}.mp3", 16000, model.segmentation)
    ).samples
    ours = model.stage(stage).predict(first[None], verbose=0)
    ours = ours.reshape(theirs.shape)
    assert np.linalg.norm(ours - theirs) < 0.01 * np.linalg.norm(theirs)


@pytest.mark.parametrize("name", MODELS)
def test_example_clip_is_tagged_as_by_the_original(checkpoint, example, name):
    model = checkpoint(name)
    golden = np.load(zoo_golden(example))
    theirs, labels = golden[f"{MODELS[name]}/taggram"], list(golden[f"{MODELS[name]}/tags"])
    ours = model.taggram(example, tail=False)
    error = np.abs(ours.values - theirs)
    assert error.max() < 5e-3
    assert error.mean() < 5e-4
    assert best(ours.mean(), labels) == best(theirs.mean(axis=0), labels)


def zoo_golden(example):
    return example.parents[2] / "tests" / "golden" / "example_musicnn.npz"


# --- the network alone, against NumPy in double precision from the same weights ---


def convolve(x, kernel, bias):
    """(time, freq) with (t, f, filters) -> valid convolution (time', freq', filters)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2])
    return np.tensordot(windows, kernel, axes=2) + bias


def numpy_musicnn(logmel, w):
    """The graph of musicnn 0.1.0 in NumPy, one patch (frames, 96) -> probabilities."""

    def relu_norm(x, name):
        x = np.maximum(x, 0)
        scale = w[f"{name}/gamma"] / np.sqrt(w[f"{name}/moving_variance"] + 1e-3)
        return (x - w[f"{name}/moving_mean"]) * scale + w[f"{name}/beta"]

    scale = w["input_norm/gamma"] / np.sqrt(w["input_norm/moving_variance"] + 1e-3)
    x = (logmel - w["input_norm/moving_mean"]) * scale + w["input_norm/beta"]
    frontend = []
    for name in ("timbral_38", "timbral_67", "temporal_128", "temporal_64", "temporal_32"):
        kernel = w[f"{name}/conv/kernel"][:, :, 0]
        length = len(kernel)
        padded = np.pad(x, [((length - 1) // 2, length // 2), (0, 0)])
        y = relu_norm(convolve(padded, kernel, w[f"{name}/conv/bias"]), f"{name}/norm")
        frontend.append(y.max(axis=1))
    features = [np.concatenate(frontend, axis=1)]
    x = features[0]
    for i in (1, 2, 3):
        kernel = w[f"cnn{i}_conv/kernel"]
        padded = np.pad(x, [(3, 3), (0, 0)])
        y = convolve(padded, kernel, w[f"cnn{i}_conv/bias"])[:, 0]
        y = relu_norm(y, f"cnn{i}_conv_norm")
        x = y if i == 1 else y + x
        features.append(x)
    x = np.concatenate(features, axis=1)
    x = np.stack([x.max(axis=0), x.mean(axis=0)], axis=1).reshape(-1)
    scale = w["pooled_norm/gamma"] / np.sqrt(w["pooled_norm/moving_variance"] + 1e-3)
    x = (x - w["pooled_norm/moving_mean"]) * scale + w["pooled_norm/beta"]
    x = relu_norm(x @ w["dense/kernel"] + w["dense/bias"], "dense_norm")
    return 1 / (1 + np.exp(-(x @ w["logits/kernel"] + w["logits/bias"])))


def test_network_is_the_arithmetic_of_the_original_graph(pons, example):
    cut = Segmentation(48128, 47872, 256)
    first = next(audio.segments(example, 16000, cut)).samples
    logmel = pons.stage("features").predict(first[None], verbose=0)[0].astype("float64")
    weights = {p: np.asarray(v.numpy(), dtype="float64") for p, v in variables(pons).items()}
    weights = {k: v for k, v in weights.items() if not k.startswith("seed")}
    expected = numpy_musicnn(logmel, weights)
    np.testing.assert_allclose(pons.predict(first[None], verbose=0)[0], expected, atol=1e-5)


@only_on("tensorflow")
@pytest.mark.parametrize("kernel_size", [(7, 38), (64, 1)])
def test_gradients_of_the_input_normalisation_are_those_of_the_plain_layers(kernel_size):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 20, 40, 1)).astype("float32")
    norm, filters = pons2017.InputNorm(), pons2017.PooledFilters(5, kernel_size)
    plain = keras.layers.BatchNormalization()
    for layer in (norm, plain):
        layer.build(x.shape)
        layer.gamma.assign([0.7])
        layer.beta.assign([0.4])
    filters.build(x.shape[:3])
    weights = random.normal(size=(2, 20, 5)).astype("float32")

    def gradients(own, run):
        variables = [own.gamma, own.beta, filters.conv.kernel]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(run() * weights)
        return loss, tape.gradient(loss, [v.value for v in variables])

    def ours():
        normalised, scale, offset = norm(x, training=True)
        return filters(normalised[..., 0], scale, offset, training=True)

    loss, found = gradients(norm, ours)
    same, expected = gradients(
        plain, lambda: filters(plain(x, training=True)[..., 0], training=True)
    )
    np.testing.assert_allclose(loss, same, rtol=1e-5)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(b).max())


# --- tall filters ---


@pytest.mark.parametrize("height", [1, 38, 67, 95, 96])
def test_extreme_responses_are_those_of_the_convolution(height):
    rng = np.random.default_rng(height)
    x = rng.uniform(0, 5, (2, 20, 96, 1)).astype("float32")
    kernel = rng.normal(0, 0.1, (7, height, 1, 70)).astype("float32")  # more than one group
    found = pons2017.extreme_responses(x, kernel, smallest=True)
    assert pons2017.extreme_responses(x, kernel).shape == (2, 14, 1, 70)
    every = keras.ops.conv(x, kernel, data_format="channels_last")
    expected = keras.ops.stack([keras.ops.max(every, axis=2), keras.ops.min(every, axis=2)], axis=2)
    largest = float(keras.ops.max(keras.ops.abs(every)))
    np.testing.assert_allclose(found, expected, atol=2e-6 * largest)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_tall_convolution_keeps_the_maximum_behind_a_normalisation(dtype):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 5, (2, 20, 96, 1)).astype("float32")
    conv = pons2017.TallConv2D(9, (7, 67), dtype=dtype)
    scale = rng.normal(0, 1, 9)  # some are negative
    every, few = (
        keras.ops.convert_to_numpy(keras.ops.cast(conv(x, training=training), "float32"))
        for training in (True, False)
    )
    assert every.shape == (2, 14, 30, 9)
    assert few.shape[2] == (2 if pons2017.by_spectra(conv) else 30)
    assert pons2017.by_spectra(conv) == (dtype == "float32" and keras.backend.backend() != "jax")
    expected, found = (np.maximum(y * scale, 0).max(axis=2) for y in (every, few))
    np.testing.assert_allclose(found, expected, atol=1e-5)
