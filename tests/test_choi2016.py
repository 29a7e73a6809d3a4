import keras
import numpy as np
import pytest

import zoo
from zoo import audio
from zoo.layers.mel import taper
from zoo.weights.convert import torch as torch_reader

LABELS = [f"tag {i}" for i in range(50)]
CLIPS = ["TRWJAZW128F42760DD_test", "joram-moments_of_clarity-08-solipsism-59-88"]
VGG = {"choi2016.vgg_mtt": "MTT_vgg", "choi2016.vgg_msd": "MSD_vgg"}
WON = {
    "choi2016.mtt_won2020": "mtat",
    "choi2016.msd_won2020": "msd",
    "choi2016.jamendo_won2020": "jamendo",
}


def trainable(model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


# --- the networks ---


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"depth": 3}, 10_138_674),  # our own, not the paper's
        ({"depth": 4}, 17_365_938),
        ({"depth": 5}, 25_183_026),
        ({"depth": 6}, 27_232_050),
        ({"depth": 7}, 28_283_698),
        ({"variant": "won2020"}, 447_732),
        ({"variant": "vgg"}, 605_748),
    ],
)
def test_parameters_are_those_of_the_networks(options, count):
    assert trainable(zoo.build("choi2016", LABELS, **options)) == count


@pytest.mark.parametrize("depth", [3, 4, 5, 6, 7])
def test_29_seconds_are_1366_frames_and_become_one_point(depth):
    model = zoo.build("choi2016", ["a"], depth=depth, width=0.01)
    assert model.segmentation.segment == pytest.approx(29.12 * model.sample_rate)
    assert model.stage("features").output_shape == (None, 1366, 96)
    last = f"block{depth}"
    assert model.stage(last).output_shape[1:3] == (1, 1)


def test_default_is_the_fcn_4():
    assert zoo.build("choi2016", ["a"], width=0.1).stages == (
        *("features", "frontend", "block2", "block3", "block4"),
        *("penultimate", "logits", "probabilities"),
    )


def test_width_is_a_factor_on_the_filters():
    model = zoo.build("choi2016", ["a"], width=0.25)
    assert model.stage("frontend").output_shape[-1] == 32
    assert model.stage("penultimate").output_shape == (None, 512)


@pytest.mark.parametrize("options", [{"depth": 4}, {"depth": 7}, {"variant": "won2020"}])
def test_weights_keep_their_shapes_where_a_shorter_segment_is_heard(options):
    whole = zoo.build("choi2016", ["a"], width=0.1, **options)
    short = zoo.build("choi2016", ["a"], width=0.1, segment=3.0, **options)
    short.set_weights(whole.get_weights())
    assert short.stage("penultimate").output_shape == whole.stage("penultimate").output_shape


def test_another_length_than_the_networks_is_refused():
    model = zoo.build("choi2016", ["a"], variant="vgg", width=0.1)
    with pytest.raises(ValueError, match="shape"):
        model(np.zeros((1, 60000), "float32"))


@pytest.mark.parametrize("backend", ["attention", "temporal_pooling"])
def test_first_block_goes_with_back_ends_of_any_length(backend):
    model = zoo.build("choi2016", ["a"], backend=backend, width=0.1)
    for samples in (24000, 36000):
        assert model(np.zeros((1, samples), "float32")).shape == (1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "vggish"}, "'vggish'.*fcn, won2020, vgg, narrow, crnn"),
        ({"depth": 8}, "depth is 8.*3, 4, 5, 6, 7"),
    ],
)
def test_an_unknown_network_is_answered_with_the_known_ones(options, message):
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.build("choi2016", ["a"], **options)


# --- vgg: parity with the package musicnn ---


def best(scores, labels, n=10):
    return [labels[i] for i in np.argsort(-scores)[:n]]


def assert_taggram(model, clip, golden, network):
    theirs, labels = golden[f"{network}/taggram"], list(golden[f"{network}/tags"])
    ours = model.taggram(clip, tail=False)
    assert list(model.labels) == labels
    error = np.abs(ours.values - theirs)
    assert error.max() < 5e-3
    assert error.mean() < 5e-4
    assert best(ours.mean(), labels) == best(theirs.mean(axis=0), labels)


@pytest.mark.parametrize("name", VGG)
@pytest.mark.parametrize("clip", CLIPS)
def test_vgg_gives_the_originals_taggram(checkpoint, upstream, name, clip):
    golden = np.load(upstream / "pons2017" / f"{clip}.npz")
    assert_taggram(checkpoint(name), upstream / "pons2017" / f"{clip}.mp3", golden, VGG[name])


@pytest.mark.parametrize("name", VGG)
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_blocks_of_vgg_are_the_originals_pools(checkpoint, upstream, name, clip, number):
    model = checkpoint(name)
    golden = np.load(upstream / "pons2017" / f"{clip}.npz")
    theirs = golden[f"{VGG[name]}/pool{number}/first_patch"]
    mp3 = upstream / "pons2017" / f"{clip}.mp3"
    first = next(audio.segments(mp3, 16000, model.segmentation)).samples
    stage = model.stage("frontend" if number == 1 else f"block{number}")
    ours = stage.predict(first[None], verbose=0).reshape(theirs.shape)
    assert np.linalg.norm(ours - theirs) < 0.01 * np.linalg.norm(theirs)


@pytest.mark.parametrize("name", VGG)
def test_vgg_tags_the_example_clip_as_the_original_does(checkpoint, example, name):
    golden = np.load(example.parents[2] / "tests" / "golden" / "example_musicnn.npz")
    assert_taggram(checkpoint(name), example, golden, VGG[name])


# --- won2020: parity with PyTorch ---


@pytest.fixture(scope="module")
def won2020(upstream):
    """Load a checkpoint of Won et al. from the files that are held beside the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_MIRROR", str(upstream / "choi2016"))
        patch.setenv("ZOO_OFFLINE", "1")
        yield zoo.load


@pytest.mark.parametrize("name", WON)
def test_won2020_gives_pytorchs_probabilities(won2020, upstream, name):
    reference = np.load(upstream / "choi2016" / "fcn_reference.npz")
    ours = won2020(name).predict(reference["input_16k"][None], verbose=0)[0]
    np.testing.assert_allclose(ours, reference[f"sota_fcn_{WON[name]}__noise"], atol=1e-4)


@pytest.mark.parametrize("name", WON)
def test_won2020_gives_the_originals_outputs_for_the_example_clip(checkpoint, example, name):
    golden = np.load(example.parents[2] / "tests" / "golden" / "example_won2020.npz")
    clip = audio.load(example, 16000)[None, :464000]
    for stage in ("penultimate", "probabilities"):
        ours = checkpoint(name).stage(stage).predict(clip, verbose=0)[0]
        expected = golden[f"{name}/{stage}"]
        assert np.linalg.norm(ours - expected) < 1e-4 * np.linalg.norm(expected), stage
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)  # of the last: probabilities


@pytest.mark.parametrize("data", WON.values())
def test_spectrogram_stored_with_won2020_is_ours(upstream, data):
    stored = torch_reader.read(upstream / "choi2016" / f"sota_{data}_fcn.pth")
    layer = zoo.build("choi2016", ["a"], variant="won2020").get_layer("features")
    assert layer.filterbank.shape == (257, 96)
    bank = stored["spec.mel_scale.fb"]
    ours = np.concatenate([bank[0::2], bank[1::2]])  # even bins, then odd ones
    np.testing.assert_allclose(layer.filterbank, ours, atol=2e-5)
    window = taper(512)
    np.testing.assert_allclose(window, stored["spec.spectrogram.window"], atol=1e-6)


def test_won2020_hears_a_piano(won2020, example):
    assert "piano" in list(won2020("choi2016.mtt_won2020").tag(example).to_dict())[:2]
    found = list(won2020("choi2016.jamendo_won2020").tag(example).to_dict())[:2]
    assert set(found) == {"genre---classical", "instrument---piano"}


# --- the catalogue ---


def test_bare_name_means_a_checkpoint_under_a_permissive_licence():
    card = zoo.info("choi2016")
    (default,) = (c for c in card.checkpoints.values() if c.default)
    assert default.licence.weights in ("Apache-2.0", "ISC", "MIT")
    ours = {"choi2016.zoo", "choi2016.zoo_3s"}
    authors = {"choi2016.msd", "choi2016.crnn_msd"}  # tests/test_choi2016_released.py
    assert {*VGG, *WON, *ours, *authors} == set(card.checkpoints)


def test_every_checkpoint_fits_the_seconds_its_network_hears():
    for name, checkpoint in zoo.info("choi2016").checkpoints.items():
        model = zoo.build("choi2016", checkpoint.labels, **{**checkpoint.options, "width": 0.05})
        assert model.segmentation.segment == checkpoint.input.segment, name
        assert keras.ops.shape(model.output)[1] == 50
