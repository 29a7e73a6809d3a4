"""Choi's own networks, "narrow" and "crnn": their files, and parity with what wrote them."""

from typing import NamedTuple

import file_server
import h5py
import keras
import keras1_writer
import msgspec
import numpy as np
import pytest
from file_server import sha256

import zoo
from zoo.inference.variables import assign
from zoo.models.choi2016 import SquaredDecibels
from zoo.registry import manifest
from zoo.weights import fetch
from zoo.weights.convert import convert, keras1_tensorflow


class Released(NamedTuple):
    """One of the networks, and a narrow one of its kind."""

    variant: str
    file: str
    parameters: int
    narrow: float
    filters: tuple[int, ...]


NETWORKS = {
    "choi2016.msd": Released(
        "narrow", "music_tagger_cnn_weights_tensorflow.h5", 865_950, 1 / 8, (4, 16, 16, 24, 32)
    ),
    "choi2016.crnn_msd": Released(
        "crnn", "music_tagger_crnn_weights_tensorflow.h5", 396_786, 1 / 8, (8, 16, 16, 16)
    ),
}
# What the repository's README prints of "MusicTaggerCRNN" under Theano, to three decimals.
README = {
    "bensound-cute": {
        **{"jazz": 0.444, "instrumental": 0.151, "folk": 0.103, "Hip-Hop": 0.103, "ambient": 0.077},
        **{"guitar": 0.068, "rock": 0.058, "acoustic": 0.054, "experimental": 0.051},
        "electronic": 0.042,
    },
    "bensound-thejazzpiano": {
        **{"jazz": 0.299, "instrumental": 0.174, "electronic": 0.089, "ambient": 0.061},
        **{"chillout": 0.052, "rock": 0.044, "guitar": 0.044, "funk": 0.033, "chill": 0.032},
        "Progressive rock": 0.029,
    },
}
READING = dict(reader="keras1_tensorflow", member="", architecture="choi2016", adopt="from_keras1")
LABELS = ["a", "b", "c"]
every = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(scope="module")
def released(upstream):
    """Load a checkpoint from the author's files, which are held beside the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_MIRROR", str(upstream / "choi2016"))
        patch.setenv("ZOO_OFFLINE", "1")
        yield zoo.load


def melgram(upstream, clip: str) -> np.ndarray:
    """One of the repository's spectrograms: (1, frames, bands), in decibels."""
    return np.load(upstream / "choi2016" / f"{clip}.npy")[0].transpose(0, 2, 1)


def after(model: keras.Model, layer: str, x: np.ndarray) -> np.ndarray:
    """The probabilities for what comes out of a layer."""
    rest = keras.Model(model.get_layer(layer).output, model.output)
    return rest.predict(x, verbose=0)[0]


# --- as published ---


@every
def test_every_number_of_the_published_file_is_used(released, upstream, name):
    theirs = keras1_tensorflow.read(upstream / "choi2016" / NETWORKS[name].file)
    ours = [v for v in released(name).variables if not v.path.startswith("seed_generator")]
    assert sum(v.size for v in theirs.values()) == sum(int(np.prod(v.shape)) for v in ours)


@pytest.mark.parametrize("clip", README)
def test_with_the_repositorys_reading_the_crnn_gives_the_scores_of_its_readme(
    released, upstream, clip
):
    name = "choi2016.crnn_msd"
    model = released(name)
    stored = keras1_tensorflow.read(upstream / "choi2016" / NETWORKS[name].file)
    for ours, theirs in {
        "input": "bn_0_freq",
        **{f"block{i}": f"bn{i}" for i in range(1, 5)},
    }.items():
        norm = model.get_layer(f"{ours}_norm")
        norm.moving_variance.assign(stored[f"{theirs}/running_std"])  # as it is, as a variance
    scores = after(model, "standardised", melgram(upstream, clip))  # as it is, not standardised
    best = np.argsort(-scores)[:10]
    assert {model.labels[i] for i in best} == set(README[clip])
    for i in best:
        assert scores[i] == pytest.approx(README[clip][model.labels[i]], abs=6e-4)


@every
@pytest.mark.parametrize("clip", README)
def test_what_we_load_gives_what_the_layers_of_keras_1_0_6_give(released, upstream, name, clip):
    stored = keras1_tensorflow.read(upstream / "choi2016" / NETWORKS[name].file)
    values = melgram(upstream, clip).astype("float32")
    standardised = (values - values.mean()) / values.std()
    expected = as_keras_1(stored, standardised.transpose(0, 2, 1))[0]
    scores = after(released(name), "features", values)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


@every
def test_what_we_load_hears_a_jazz_piano_and_guesses_from_the_cute_clip(released, upstream, name):
    model = released(name)
    piano = after(model, "features", melgram(upstream, "bensound-thejazzpiano"))
    assert piano[model.labels.index("jazz")] > 0.85
    cute = after(model, "features", melgram(upstream, "bensound-cute"))
    assert model.labels[np.argmax(cute)] == "jazz"


def test_the_stored_deviations_are_no_variances(upstream):
    stored = keras1_tensorflow.read(upstream / "choi2016" / NETWORKS["choi2016.crnn_msd"].file)
    padding = np.r_[stored["bn_0_freq/running_std"][:37], stored["bn_0_freq/running_std"][-37:]]
    np.testing.assert_allclose(padding, np.sqrt(0 + 1e-6), rtol=1e-5)  # of zeros


@pytest.mark.parametrize("clip", README)
def test_the_spectrograms_of_the_repository_end_80_decibels_below_their_maximum(upstream, clip):
    values = melgram(upstream, clip)
    assert values.max() - values.min() == pytest.approx(80)


# --- without the author's files ---


def test_decibels_are_those_of_the_squared_power_down_to_80_below_the_clips_maximum():
    mel = 10 ** np.random.default_rng(0).uniform(-9, 2, (2, 30, 96)) * [[[1]], [[0.001]]]
    expected = 10 * np.log10(np.maximum(mel**2, 1e-10))
    expected = np.maximum(expected, expected.max(axis=(1, 2), keepdims=True) - 80)
    ours = SquaredDecibels()(mel.astype("float32"))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), expected, atol=1e-3)


def test_a_spectrogram_is_standardised_clip_by_clip():
    model = zoo.build("choi2016", LABELS, variant="narrow", width=0.1, segment=1.0)
    sounds = np.random.default_rng(0).normal(0, [[0.3], [0.01], [0]], (3, 12000))
    standardised = keras.Model(model.input, model.get_layer("standardised").output)
    loud, soft, silent = standardised.predict(sounds.astype("float32"), verbose=0)
    for values in (loud, soft):
        assert (values.mean(), values.std()) == pytest.approx((0, 1), abs=1e-4)
    assert not silent.any()


@every
def test_parameters_are_those_that_the_repository_states(name):
    network = NETWORKS[name]
    model = zoo.build("choi2016", [f"tag {i}" for i in range(50)], variant=network.variant)
    weights = model.trainable_variables
    assert sum(int(np.prod(v.shape)) for v in weights) == network.parameters


@pytest.fixture
def synthetic(tmp_path):
    """Write a file of random weights of a narrow network."""

    def write(name: str, number: str = ""):
        network = NETWORKS[name]
        layers = keras1_writer.music_tagger("crnn" in name, network.filters, len(LABELS))
        return keras1_writer.write_tensorflow(tmp_path / network.file, layers, number)

    return write


def as_keras_1(w: dict, x: np.ndarray) -> np.ndarray:
    """The forward pass of Keras 1.0.6 in PyTorch: standardised (batch, bands, frames) to scores."""
    torch = pytest.importorskip("torch")
    from torch.nn import functional

    w = {name: torch.from_numpy(values) for name, values in w.items()}

    def norm(x, name, axis):
        shape = [-1 if i == axis else 1 for i in range(4)]
        mean, std, gamma, beta = (
            w[f"{name}/{part}"].reshape(shape)
            for part in ("running_mean", "running_std", "gamma", "beta")
        )
        return (x - mean) / (std + 1e-6) * gamma + beta

    def gru(x, name):
        state, states = torch.zeros(len(x), 32), []
        for frame in x.unbind(1):
            z, r = (
                (0.2 * (given(frame, gate) + state @ w[f"{name}/U_{gate}"]) + 0.5).clip(0, 1)
                for given, gate in ((of(name), "z"), (of(name), "r"))
            )
            candidate = torch.tanh(of(name)(frame, "h") + (r * state) @ w[f"{name}/U_h"])
            state = z * state + (1 - z) * candidate
            states.append(state)
        return torch.stack(states, 1)

    def of(name):
        return lambda frame, gate: frame @ w[f"{name}/W_{gate}"] + w[f"{name}/b_{gate}"]

    recurrent = "gru1/W_z" in w
    x = torch.from_numpy(x)[:, None]  # (batch, 1, 96, 1366)
    x = norm(functional.pad(x, (37, 37)) if recurrent else x, "bn_0_freq", 3)
    pools = [(2, 2), (3, 3), (4, 4), (4, 4)]
    for i, pool in enumerate(
        pools if recurrent else [(2, 4), (2, 4), (2, 4), (3, 5), (4, 4)], start=1
    ):
        x = functional.conv2d(x, w[f"conv{i}/W"], w[f"conv{i}/b"], padding=1)
        x = functional.max_pool2d(functional.elu(norm(x, f"bn{i}", 1)), pool)
    x = gru(gru(x[:, :, 0].mT, "gru1"), "gru2")[:, -1] if recurrent else x.flatten(1)
    return (x @ w["output/W"] + w["output/b"]).sigmoid().numpy()


@every
def test_a_converted_network_computes_what_keras_1_did(synthetic, name):
    network, file = NETWORKS[name], synthetic(name)
    model = zoo.build("choi2016", LABELS, variant=network.variant, width=network.narrow)
    tensors = convert(file, **READING)
    assign(model, tensors, "test")
    x = np.random.default_rng(0).normal(0, 1, (2, 1366, 96)).astype("float32")
    expected = as_keras_1(keras1_tensorflow.read(file), x.transpose(0, 2, 1))
    assert np.ptp(expected) > 0.1
    rest = keras.Model(model.get_layer("standardised").output, model.output)
    np.testing.assert_allclose(rest.predict(x, verbose=0), expected, atol=1e-4)


@every
def test_the_file_is_fetched_from_its_address_and_verified(synthetic, name, bare_surroundings):
    content = synthetic(name).read_bytes()
    entry = manifest.load().checkpoints[name]
    (source,) = entry.remote
    assert source.url.startswith("https://github.com/keunwoochoi/music-auto_tagging-keras/raw/")
    with file_server.running() as server:
        server.files[f"/{source.file}"] = content
        for digest, fits in ((sha256(content), True), (source.sha256, False)):
            changes = {"url": f"{server.url}/{source.file}", "sha256": digest}
            local = msgspec.structs.replace(source, bytes=len(content), **changes)
            checkpoint = msgspec.structs.replace(entry, sources=(local,))
            catalogue = manifest.Manifest(checkpoints={name: checkpoint})
            if fits:
                assert "logits/kernel" in fetch.tensors(name, catalogue)
            else:
                with pytest.raises(zoo.WeightsError, match="sha256 expected"):
                    fetch.tensors(name, catalogue)


@every
def test_back_ends_of_any_length_are_refused(name):
    with pytest.raises(zoo.ConfigError, match="takes one length only; give backend="):
        zoo.build("choi2016", LABELS, variant=NETWORKS[name].variant, backend="attention")


def test_the_blocks_of_the_crnn_go_with_a_back_end_of_fixed_length():
    model = zoo.build("choi2016", LABELS, variant="crnn", backend="mlp", width=0.1)
    assert model.stages[:5] == ("features", "block1", "block2", "block3", "frontend")
    assert model.stage("frontend").output_shape == (None, 15, 1, 13)


@every
def test_they_come_under_mit_and_are_not_the_default(name):
    checkpoint = zoo.info("choi2016").checkpoints[name]
    assert checkpoint.licence.weights == "MIT"
    assert checkpoint.authors == ("Keunwoo Choi",)
    assert not checkpoint.default


# --- files that are refused ---


def refusal(path) -> str:
    with pytest.raises(zoo.WeightsError) as caught:
        keras1_tensorflow.read(path)
    return str(caught.value)


def test_names_may_have_a_number(synthetic):
    plain = keras1_tensorflow.read(synthetic("choi2016.crnn_msd"))
    numbered = keras1_tensorflow.read(synthetic("choi2016.crnn_msd", "_1"))
    assert list(plain) == list(numbered)
    np.testing.assert_array_equal(plain["gru2/U_h"], numbered["gru2/U_h"])


def test_files_of_theano_are_refused(tmp_path):
    layers = keras1_writer.music_tagger(False, (4, 4, 4, 4, 4), 3)
    message = refusal(keras1_writer.write(tmp_path / "theano.h5", layers))
    assert "'bn_0_freq_gamma'" in message
    assert "not those of" in message


@pytest.mark.parametrize(
    ("layer", "weight", "shape"),
    [
        ("conv2", "b", (5,)),
        ("conv2", "W", (4, 4, 3)),
        ("bn1", "beta", (3,)),
        ("gru1", "U_r", (32, 31)),
        ("gru2", "b_z", (31,)),
        ("output", "W", (32, 4)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path, layer, weight, shape):
    layers = keras1_writer.music_tagger(True, (4, 4, 4, 4), 3)
    layers[layer][weight] = np.zeros(shape, "float32")
    message = refusal(keras1_writer.write_tensorflow(tmp_path / "w.h5", layers))
    assert f"weights of layer '{layer}' have shapes" in message


def test_negative_deviations_are_refused(tmp_path):
    layers = keras1_writer.music_tagger(False, (4, 4, 4, 4, 4), 3)
    layers["bn1"]["running_std"][2] = -1
    assert "negative" in refusal(keras1_writer.write_tensorflow(tmp_path / "w.h5", layers))


def test_links_to_other_files_are_not_followed(synthetic, tmp_path):
    path = synthetic("choi2016.msd")
    with h5py.File(path, "r+") as file:
        del file["output/output_b:0"]
        file["output/output_b:0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/numbers")
    assert "a link to elsewhere" in refusal(path)


def test_a_file_without_a_layer_of_the_network_is_refused(tmp_path):
    layers = keras1_writer.music_tagger(False, (4, 4, 4, 4, 4), 3)
    del layers["bn5"]
    path = keras1_writer.write_tensorflow(tmp_path / "w.h5", layers)
    with pytest.raises(zoo.WeightsError, match="has no variable 'bn5/running_std'"):
        convert(
            path,
            reader="keras1_tensorflow",
            member="",
            architecture="choi2016",
            adopt="from_keras1",
        )
