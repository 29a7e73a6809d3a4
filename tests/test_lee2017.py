import keras1_writer
import numpy as np
import pytest

import zoo
from zoo.errors import ConfigError
from zoo.models import lee2017
from zoo.registry import lookup, manifest
from zoo.weights import cache, fetch

LABELS = [f"tag {i}" for i in range(50)]


def trainable(model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def shapes(model) -> dict[str, tuple]:
    return {v.path: tuple(v.shape) for v in model.variables if "seed" not in v.path}


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 1_869_874),
        ({"m": 2, "n": 13}, 1_872_818),
        ({"sample_rate": 16000, "first_padding": 1}, 1_869_874),
    ],
)
def test_parameters_are_those_of_the_authors_networks(options, count):
    assert trainable(zoo.build("lee2017", LABELS, **options)) == count


def test_network_of_the_million_song_dataset_is_narrower():
    model = zoo.build("lee2017", LABELS, width=256, dropout=0.0)
    assert model.count_params() == 1_467_186  # moving statistics included


def test_half_as_many_filters_everywhere():
    model = zoo.build("lee2017", ["a"], scale=0.5)
    for stage, width in (("conv0", 64), ("pool1", 64), ("pool6", 128), ("conv10", 256)):
        assert model.stage(stage).output_shape[-1] == width
    with pytest.raises(ConfigError, match="scale is 0"):
        zoo.build("lee2017", ["a"], scale=0)


@pytest.mark.parametrize(
    ("m", "n", "samples"), [(3, 9, 59049), (2, 13, 16384), (4, 6, 16384), (5, 5, 15625)]
)
def test_a_segment_becomes_one_frame(m, n, samples):
    model = zoo.build("lee2017", ["a"], m=m, n=n)
    assert (model.segmentation.segment, model.segmentation.hop) == (samples, samples)
    assert model.stage(f"pool{n}").compute_output_shape((1, samples)) == (1, 1, 512)


def test_frames_are_those_of_the_papers_table():
    model = zoo.build("lee2017", ["a"])
    for i in range(1, 10):
        width = 128 if i < 3 else 512 if i == 9 else 256
        shape = model.stage(f"pool{i}").compute_output_shape((1, 59049))
        assert shape == (1, 3 ** (9 - i), width)


def test_two_samples_more_are_padded_as_won_did():
    model = zoo.build("lee2017", ["a"], sample_rate=16000, first_padding=1)
    assert model.stage("conv0").compute_output_shape((1, 59049)) == (1, 19683, 128)
    assert model.sample_rate == 16000


@pytest.mark.parametrize(("n", "filters"), [(1, [512]), (2, [128, 512]), (5, [128, 128, 256, 256])])
def test_widths_of_any_depth(n, filters):
    assert lee2017.widths(n, 512) == [*filters, 512][:n]


@pytest.mark.parametrize("option", [{"m": 1}, {"n": 0}, {"frontend_blocks": 10}])
def test_impossible_depths_are_refused(option):
    with pytest.raises(zoo.ConfigError, match=r"m >= 2 and n >= 1|there are 9 blocks"):
        zoo.build("lee2017", ["a"], **option)


# --- front-end and back-end ---


@pytest.mark.parametrize(("m", "n", "frames"), [(3, 9, 27), (2, 13, 8), (4, 6, 16)])
def test_a_frame_of_the_frontend_covers_at_most_a_tenth_of_a_second(m, n, frames):
    model = zoo.build("lee2017", ["a"], m=m, n=n)
    samples = model.segmentation.segment
    assert model.stage("frontend").compute_output_shape((1, samples)) == (1, frames, 256)
    assert samples / frames <= 0.1 * 22050


def test_the_cut_changes_no_weight_and_no_output():
    clip = np.random.default_rng(0).normal(0, 1, (1, 243)).astype("float32")
    models = [
        zoo.build("lee2017", ["a"], n=4, width=8, frontend_blocks=blocks) for blocks in (0, 2, 4)
    ]
    assert shapes(models[0]) == shapes(models[1]) == shapes(models[2])
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
        np.testing.assert_array_equal(
            model.predict(clip, verbose=0), models[0].predict(clip, verbose=0)
        )


def test_another_backend_sees_many_frames():
    model = zoo.build("lee2017", ["a"], backend="attention")
    assert model.stage("attention").compute_output_shape((1, 59049)) == (1, 27, 1)


def test_longer_sounds_give_more_frames_and_their_mean():
    model = zoo.build("lee2017", ["a"], n=3, width=8)
    clip = np.random.default_rng(0).normal(0, 1, (1, 5 * 81)).astype("float32")
    frames = model.stage("conv4").predict(clip, verbose=0)
    assert frames.shape == (1, 5, 8)
    np.testing.assert_allclose(
        model.stage("penultimate").predict(clip, verbose=0), frames.mean(axis=1), atol=1e-6
    )


def test_a_segment_too_short_for_one_frame_is_refused():
    with pytest.raises(zoo.ConfigError, match=r"segment is 2\.0 s, too short for lee2017"):
        zoo.build("lee2017", ["a"], segment=2.0)


# --- the network against NumPy in double precision ---


def in_numpy(clip, w, m, n):
    """(samples,) -> probabilities: an even kernel has one frame less before than after."""

    def conv_norm_relu(windows, name):
        y = np.einsum("fik,kio->fo", windows, w[f"{name}/kernel"]) + w[f"{name}/bias"]
        scale = w[f"{name}_norm/gamma"] / np.sqrt(w[f"{name}_norm/moving_variance"] + 1e-5)
        y = (y - w[f"{name}_norm/moving_mean"]) * scale + w[f"{name}_norm/beta"]
        return np.maximum(y, 0)

    x = conv_norm_relu(clip.reshape(-1, 1, m), "conv0")
    for i in range(1, n + 1):
        x = np.pad(x, [((m - 1) // 2, m // 2), (0, 0)])
        x = conv_norm_relu(np.lib.stride_tricks.sliding_window_view(x, m, axis=0), f"conv{i}")
        x = x.reshape(-1, m, x.shape[1]).max(axis=1)
    x = conv_norm_relu(x[:, :, None], f"conv{n + 1}").mean(axis=0)
    return 1 / (1 + np.exp(-(x @ w["logits/kernel"] + w["logits/bias"])))


@pytest.mark.parametrize(("m", "n"), [(2, 4), (3, 3), (4, 2)])
def test_network_is_the_arithmetic_of_the_paper(m, n):
    model = zoo.build("lee2017", LABELS, m=m, n=n)
    rng = np.random.default_rng(0)
    for v in model.variables:
        if "norm" in v.path:
            v.assign(rng.uniform(0.5, 2, v.shape))
    clip = rng.normal(0, 1, m ** (n + 1)).astype("float32")
    weights = {v.path: np.asarray(v.numpy(), "float64") for v in model.variables}
    expected = in_numpy(clip.astype("float64"), weights, m, n)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(model.predict(clip[None], verbose=0)[0], expected, atol=1e-5)


# --- the authors' weights ---


@pytest.mark.parametrize("name", ["lee2017.mtt", "lee2017.msd"])
def test_checkpoints_have_a_network_to_go_into(name):
    checkpoint = zoo.info(name).checkpoints[name]
    file = keras1_writer.sample_cnn(9, **({"width": 256} if name == "lee2017.msd" else {}))
    theirs = {
        f"{layer}/{part}": value for layer, parts in file.items() for part, value in parts.items()
    }
    model = zoo.build("lee2017", checkpoint.labels, **checkpoint.options)
    assert len(shapes(model)) == len(theirs)
    assert model.count_params() == sum(value.size for value in theirs.values())
    assert checkpoint.status == "not yet loaded"
    assert len(checkpoint.labels) == 50


def test_a_file_of_the_same_layout_is_fetched_and_loaded(tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    real = manifest.load().checkpoint("lee2017.msd")
    (source,) = real.sources
    layers = keras1_writer.sample_cnn(9, width=256, dropout=False)
    blob = cache.git_blob(keras1_writer.write(mirror / source.file, layers, whole_model=True))
    stand_in = manifest.Url(
        url=source.url, file=source.file, git_blob=blob, format=source.format, adopt=source.adopt
    )
    entry = {f: getattr(real, f) for f in real.__struct_fields__} | {"sources": (stand_in,)}
    catalogue = manifest.Manifest(checkpoints={"lee2017.msd": manifest.Checkpoint(**entry)})
    model = zoo.build("lee2017", real.labels, **real.options)
    zoo.inference.variables.assign(model, fetch.tensors("lee2017.msd", catalogue), "lee2017.msd")
    variance = model.get_layer("conv10_norm").moving_variance
    np.testing.assert_array_equal(variance, layers["batchnormalization_11"]["running_std"])
    last = np.asarray(model.get_layer("conv9").kernel)
    np.testing.assert_array_equal(last, layers["convolution1d_10"]["W"][::-1, 0])


def test_tags_are_in_the_order_of_the_authors_lists():
    ours = manifest.load().checkpoints
    musicnn, lee = ours["pons2017.mtt"].labels, ours["lee2017.mtt"].labels
    assert set(musicnn) == set(lee)
    assert musicnn[:47] == lee[:47]
    assert lee[47:] == ("female voice", "metal", "choral")
    assert ours["lee2017.msd"].labels == ours["pons2017.msd"].labels


def test_the_bare_name_means_our_weights_and_the_authors_are_not_yet_loaded():
    assert lookup.resolve("lee2017") == "lee2017.zoo"
    assert "not yet loaded" in str(zoo.info("lee2017"))


def test_stages_are_the_named_ones():
    assert set(zoo.build("lee2017", ["a"]).stages) == set(lee2017.CARD["stages"])
