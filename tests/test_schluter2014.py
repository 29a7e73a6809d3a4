import json

import keras
import numpy as np
import pytest

import zoo
from zoo import audio
from zoo.inference.variables import variables
from zoo.layers.mel import snapped_mel_filterbank
from zoo.layers.spectrograms import MultiResolutionLogMel
from zoo.models import schluter2014


@pytest.fixture(scope="module")
def paper():
    keras.utils.set_random_seed(0)
    return zoo.build("schluter2014", ["onset"])


def noise(samples, level=0.1):
    return np.random.default_rng(0).normal(0, level, samples).astype("float32")


@pytest.mark.parametrize("variant", ["paper", "madmom"])
def test_parameters_are_the_papers(variant):
    model = zoo.build("schluter2014", ["onset"], variant=variant)
    counts = {path: int(np.prod(v.shape)) for path, v in variables(model).items()}
    assert counts["conv1/kernel"] + counts["conv1/bias"] == 640
    assert counts["conv2/kernel"] + counts["conv2/bias"] == 1_820
    assert counts["dense/kernel"] + counts["dense/bias"] == 286_976
    assert counts["logits/kernel"] + counts["logits/bias"] == 257
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 289_693


@pytest.mark.parametrize("samples", [1, 440, 441, 442, 15 * 441, 44100])
def test_clip_of_any_length_has_an_output_every_10_ms(paper, samples):
    frames = -(-samples // 441)
    assert paper.predict(noise(samples)[None], verbose=0).shape == (1, frames, 1)


def test_stages_have_the_papers_shapes(paper):
    x = noise(15 * 441)[None]
    shapes = {name: paper.stage(name)(x).shape for name in paper.stages}
    assert shapes == {
        "features": (1, 15, 80, 3),
        "pool1": (1, 15 + 8, 26, 10),
        "frontend": (1, 15 + 6, 8, 20),
        "penultimate": (1, 15, 256),
        "logits": (1, 15, 1),
        "probabilities": (1, 15, 1),
    }


def test_output_is_the_papers_dense_layer_on_blocks_of_seven_frames(paper):
    x = noise(30 * 441)[None]
    maps = keras.ops.convert_to_numpy(paper.stage("frontend")(x))[0]
    weights = {path: keras.ops.convert_to_numpy(v) for path, v in variables(paper).items()}
    blocks = np.stack([maps[i : i + 7].reshape(-1) for i in range(len(maps) - 6)])  # (30, 1120)
    hidden = blocks @ weights["dense/kernel"].reshape(1120, 256) + weights["dense/bias"]
    hidden = 1 / (1 + np.exp(-hidden))
    logits = hidden @ weights["logits/kernel"] + weights["logits/bias"]
    ours = keras.ops.convert_to_numpy(paper.stage("logits")(x))[0]
    np.testing.assert_allclose(ours, logits, atol=1e-5)


def test_half_of_the_inputs_of_both_dense_layers_are_dropped(paper):
    rates = {layer.name: layer.rate for layer in paper.layers if "rate" in layer.get_config()}
    assert rates == {"dense_dropout": 0.5, "penultimate": 0.5}


def test_unknown_variant_lists_the_known_ones():
    with pytest.raises(zoo.ConfigError, match=r"'elu'.*paper, madmom"):
        zoo.build("schluter2014", ["onset"], variant="elu")


def test_constants_of_standardisation_are_taken_from_data_and_not_trained():
    model = zoo.build("schluter2014", ["onset"])
    features = keras.ops.convert_to_numpy(model.stage("features")(noise(44100)[None]))
    layer = model.get_layer("standardise")
    layer.adapt(features)
    found = keras.ops.convert_to_numpy(layer(features))
    np.testing.assert_allclose(found.mean(axis=(0, 1)), 0, atol=1e-3)
    np.testing.assert_allclose(found.std(axis=(0, 1)), 1, atol=1e-3)
    assert not layer.trainable_variables


# --- parity with madmom ---


@pytest.fixture(scope="module")
def madmom(checkpoint):
    return checkpoint("schluter2014.madmom")


def test_activations_are_those_that_madmom_stores(madmom, upstream):
    stored = np.load(upstream / "madmom" / "sample.onsets_cnn.npz")
    found = madmom.onsets(upstream / "madmom" / "sample.wav")
    assert found.frame_rate == stored["fps"]
    np.testing.assert_allclose(found.activation, stored["activations"], rtol=0, atol=1e-5)


def test_detections_are_exactly_madmoms(madmom, upstream):
    theirs = np.loadtxt(upstream / "madmom" / "sample.cnn_onset_detector.txt")
    found = madmom.onsets(upstream / "madmom" / "sample.wav")
    np.testing.assert_array_equal(np.round(found.times, 3), theirs)


def test_detections_are_the_onsets_that_a_person_heard(madmom, upstream):
    reference = np.loadtxt(upstream / "madmom" / "sample.onsets")
    found = madmom.onsets(upstream / "madmom" / "sample.wav").times
    assert len(found) == len(reference)
    assert np.abs(found - reference).max() < 0.025  # the paper's tolerance


def test_example_clip_has_madmoms_activations_and_onsets(madmom, example):
    golden = np.load(example.parents[2] / "tests" / "golden" / "example_madmom.npz")
    found = madmom.onsets(example)
    np.testing.assert_allclose(found.activation, golden["activation"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(np.round(found.times, 3), np.round(golden["onsets"], 3))


def test_checkpoint_says_its_terms_and_is_no_default(madmom):
    card = zoo.info("schluter2014.madmom").checkpoints["schluter2014.madmom"]
    assert card.licence.weights == "CC-BY-NC-SA-4.0"
    assert not card.default
    assert "tanh network of 2013" in card.provenance
    assert zoo.load("schluter2014").name == "schluter2014.zoo"


def test_fresh_head_keeps_the_rest(madmom):
    model = madmom.with_labels(["attack"])
    for name in ("standardise", "conv1", "conv2", "dense_layer"):
        for ours, theirs in zip(
            model.get_layer(name).weights, madmom.get_layer(name).weights, strict=True
        ):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


# --- the spectrograms ---


def reference(sound, size):
    """One log-mel spectrogram by NumPy's FFT in float64."""
    frames = -(-len(sound) // 441)
    padded = np.concatenate([np.zeros(size // 2), sound, np.zeros(size)])
    cut = np.stack([padded[i * 441 : i * 441 + size] for i in range(frames)])
    spectrum = np.abs(np.fft.rfft(cut * np.hanning(size) * 32768 / 32767)[:, : size // 2])
    return np.log(spectrum @ snapped_mel_filterbank(44100, size, 80, 27.5, 16000) + 2.0**-52)


def log_mels(sound, **options):
    return keras.ops.convert_to_numpy(MultiResolutionLogMel(**options)(sound[None]))[0]


@pytest.fixture(scope="module")
def music(example):
    """Five seconds of the example, in 16 bits."""
    return np.round(audio.load(example, 44100)[:220500] * 32768).astype("float32") / 32768


@pytest.mark.parametrize("channel", range(3))
def test_spectrograms_are_exact_on_music_down_to_its_quietest_bands(music, channel):
    theirs = reference(music, (2048, 1024, 4096)[channel])
    np.testing.assert_allclose(log_mels(music)[:, :, channel], theirs, rtol=0, atol=2e-4)


def test_channels_come_in_the_order_asked_for(music):
    ours = log_mels(music, frame_sizes=(1024, 2048, 4096))
    np.testing.assert_allclose(ours, log_mels(music)[:, :, [1, 0, 2]], atol=1e-6)


def test_digital_silence_is_the_logarithm_of_what_is_added():
    np.testing.assert_allclose(log_mels(np.zeros(4410, "float32")), np.log(2.0**-52), rtol=1e-6)


def test_samples_are_cut_to_16_bits_as_by_a_cast(music):
    between = music + np.sign(music) * np.float32(0.9 / 32768)
    np.testing.assert_allclose(log_mels(between), log_mels(music), atol=1e-5)
    assert np.abs(log_mels(between, sixteen_bit=False) - log_mels(music)).max() > 0.1


@pytest.mark.parametrize("size", [1024, 2048, 4096])
def test_filters_lie_on_bins_and_sum_to_one(size):
    bank = snapped_mel_filterbank(44100, size, 80, 27.5, 16000)
    np.testing.assert_allclose(bank.sum(axis=0), 1)
    audible = np.flatnonzero(bank.any(axis=1)) * 44100 / size
    assert 27.5 - 22050 / size < audible[0] < 27.5 + 2 * 44100 / size
    assert 16000 - 2 * 44100 / size < audible[-1] < 16000


def test_no_frame_sizes_are_refused():
    with pytest.raises(zoo.ConfigError, match="at least one, all even"):
        MultiResolutionLogMel(frame_sizes=(1023,))


def test_spectrograms_are_float32_in_a_network_of_half_precision():
    model = zoo.build("schluter2014", ["onset"], dtype="mixed_bfloat16")
    assert model.stage("features").output.dtype == "float32"
    assert model.get_layer("standardise").compute_dtype == "float32"


def test_layers_are_made_again_from_their_config():
    layer = MultiResolutionLogMel(frame_sizes=(512, 256), n_mels=20, sixteen_bit=False)
    config = json.loads(json.dumps(layer.get_config()))
    again = MultiResolutionLogMel.from_config(config)
    np.testing.assert_array_equal(
        *(keras.ops.convert_to_numpy(x(noise(5000)[None])) for x in (layer, again))
    )
    ends = schluter2014.RepeatEnds(7)
    assert schluter2014.RepeatEnds.from_config(ends.get_config()).times == 7
