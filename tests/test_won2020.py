"""Musicnn as Won et al. 2020 rebuilt it: the "won2020" variant of pons2017."""

import numpy as np
import pytest

import zoo
from zoo.weights.convert import torch as torch_reader

FILES = {
    "pons2017.mtt_won2020": "sota_mtat_musicnn.pth",
    "pons2017.jamendo_won2020": "sota_jamendo_musicnn.pth",
}


@pytest.fixture(scope="module")
def won2020(upstream):
    """Load a checkpoint from the files that are held beside the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_MIRROR", str(upstream / "pons2017"))
        patch.setenv("ZOO_OFFLINE", "1")
        yield zoo.load


@pytest.fixture(scope="module")
def sound(upstream) -> np.ndarray:
    """Three seconds of noise and three of music: (2, 48000) at 16 kHz."""
    noise = np.load(upstream / "choi2016" / "fcn_reference.npz")["input_16k"][:48000]
    clip = upstream / "pons2017" / "joram-moments_of_clarity-08-solipsism-59-88.mp3"
    return np.stack([noise, zoo.audio.load(clip, 16000)[160000:208000]]).astype("float32")


def test_parameters_are_those_of_the_published_network():
    model = zoo.build("pons2017", [f"tag {i}" for i in range(50)], variant="won2020")
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 784_300


def test_any_length_is_heard():
    model = zoo.build("pons2017", ["a"], variant="won2020")
    for samples in (16000, 48000):
        assert model(np.zeros((1, samples), "float32")).shape == (1, 1)
    shapes = {name: model.stage(name)(np.zeros((1, 48000))).shape for name in ("frontend", "cnn3")}
    assert shapes == {"frontend": (1, 188, 561), "cnn3": (1, 188, 64)}


def test_stages_are_those_of_musicnn():
    names = [zoo.build("pons2017", ["a"], variant=v).stages for v in ("won2020", "musicnn")]
    assert names[0] == names[1]


@pytest.mark.parametrize("name", FILES)
def test_every_tensor_of_the_published_file_is_used(won2020, upstream, name):
    stored = torch_reader.read(upstream / "pons2017" / FILES[name])
    unused = ("num_batches_tracked", "spec.spectrogram.window", "spec.mel_scale.fb")
    theirs = {k: v for k, v in stored.items() if not k.endswith(unused)}
    ours = [v for v in won2020(name).variables if not v.path.startswith("seed_generator")]
    assert len(ours) == len(theirs)
    assert sum(v.size for v in theirs.values()) == sum(int(np.prod(v.shape)) for v in ours)


def pytorch_musicnn(path, sound: np.ndarray) -> dict[str, np.ndarray]:
    """The layers of Won et al. in PyTorch, from the published file: stages by our names."""
    torch = pytest.importorskip("torch")
    from torch.nn import functional

    w = torch.load(path, map_location="cpu", weights_only=True)

    def norm(x, name):
        statistics = (w[f"{name}.running_mean"], w[f"{name}.running_var"])
        return functional.batch_norm(x, *statistics, w[f"{name}.weight"], w[f"{name}.bias"])

    def conv(x, name, padding):
        convolve = functional.conv2d if x.ndim == 4 else functional.conv1d
        y = convolve(x, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], padding=padding)
        return functional.relu(norm(y, f"{name}.bn"))

    spectrum = torch.stft(
        torch.from_numpy(sound),
        512,
        256,
        window=w["spec.spectrogram.window"],
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum.abs() ** 2  # (batch, 257, frames)
    mel = (power.transpose(1, 2) @ w["spec.mel_scale.fb"]).transpose(1, 2)
    decibels = 10 * torch.log10(mel.clamp(min=1e-10))
    x = norm(decibels[:, None], "spec_bn")  # (batch, 1, 96, frames)
    shapes = [conv(x, f"layers.{i}", (0, 3)).amax(dim=2) for i in (0, 1)]
    energy = x.mean(dim=2)  # (batch, 1, frames)
    for i, length in ((2, 129), (3, 65), (4, 33)):
        shapes.append(conv(energy, f"layers.{i}", length // 2))
    frontend = torch.cat(shapes, dim=1)
    cnn1 = conv(frontend, "layer1", 3)
    cnn2 = conv(cnn1, "layer2", 3) + cnn1
    cnn3 = conv(cnn2, "layer3", 3) + cnn2
    x = torch.cat([frontend, cnn1, cnn2, cnn3], dim=1)
    x = torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)
    x = functional.linear(x, w["dense1.weight"], w["dense1.bias"])
    penultimate = functional.relu(norm(x, "bn"))
    logits = functional.linear(penultimate, w["dense2.weight"], w["dense2.bias"])
    return {
        "frontend": frontend.transpose(1, 2).numpy(),
        "cnn3": cnn3.transpose(1, 2).numpy(),
        "penultimate": penultimate.numpy(),
        "probabilities": logits.sigmoid().numpy(),
    }


@pytest.mark.parametrize("name", FILES)
def test_network_is_pytorchs_within_1e_4(won2020, upstream, sound, name):
    model = won2020(name)
    theirs = pytorch_musicnn(upstream / "pons2017" / FILES[name], sound)
    for stage, expected in theirs.items():
        ours = model.stage(stage).predict(sound, verbose=0)
        assert ours.shape == expected.shape, stage
        # Single values of bands at -80 dB differ by more: float32 resolves no better down there.
        assert np.linalg.norm(ours - expected) < 1e-4 * np.linalg.norm(expected), stage
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)  # of the last: probabilities


@pytest.mark.parametrize("name", FILES)
def test_outputs_for_the_example_clip_are_the_originals(checkpoint, example, name):
    golden = np.load(example.parents[2] / "tests" / "golden" / "example_won2020.npz")
    clip = zoo.audio.load(example, 16000)[None, 160000:208000]
    for stage in ("penultimate", "probabilities"):
        ours = checkpoint(name).stage(stage).predict(clip, verbose=0)[0]
        expected = golden[f"{name}/{stage}"]
        assert np.linalg.norm(ours - expected) < 1e-4 * np.linalg.norm(expected), stage
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)  # of the last: probabilities


def test_both_hear_a_piano(won2020, example):
    tags = won2020("pons2017.mtt_won2020").tag(example)
    assert "piano" in list(tags.to_dict())[:2]
    found = list(won2020("pons2017.jamendo_won2020").tag(example).to_dict())[:2]
    assert set(found) == {"genre---classical", "instrument---piano"}


def test_they_come_under_mit_and_are_not_the_default():
    checkpoints = zoo.info("pons2017").checkpoints
    for name in FILES:
        assert checkpoints[name].licence.weights == "MIT"
        assert not checkpoints[name].default
