import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import zoo
from zoo.cli import main
from zoo.inference import onsets

# --- picking peaks ---


def bumps(*frames, height=0.9, total=100):
    activation = np.zeros(total)
    activation[list(frames)] = height
    return activation


def test_peak_is_at_the_time_of_its_frame():
    np.testing.assert_allclose(onsets.pick(bumps(10, 50), 100.0), [0.1, 0.5])


def test_threshold_is_on_the_mean_under_the_smoothing_window():
    one_frame = bumps(50, height=1.0)  # under np.hamming(5), which weighs its middle with 1 / 2.24
    assert len(onsets.pick(one_frame, 100.0, threshold=0.44)) == 1
    assert len(onsets.pick(one_frame, 100.0, threshold=0.45)) == 0


def test_threshold_without_smoothing_is_on_the_activation_itself():
    assert len(onsets.pick(bumps(50, height=0.5), 100.0, threshold=0.5, smooth=0)) == 1
    assert len(onsets.pick(bumps(50, height=0.5), 100.0, threshold=0.51, smooth=0)) == 0


def test_default_threshold_is_madmoms_on_its_unnormalised_sum():
    assert onsets.THRESHOLD * np.hamming(5).sum() == pytest.approx(0.54)


def test_only_the_highest_of_neighbours_is_a_peak():
    activation = bumps(49, 50, 51)
    activation[50] = 1.0
    np.testing.assert_allclose(onsets.pick(activation, 100.0), [0.5])


def test_peaks_within_30_ms_become_the_first_of_them():
    found = onsets.pick(bumps(20, 23, 26, 30), 100.0, smooth=0)
    np.testing.assert_allclose(found, [0.2, 0.26, 0.3])


def test_plateau_is_one_onset():
    np.testing.assert_allclose(onsets.pick(bumps(50, 51, 52), 100.0, smooth=0), [0.5])


@pytest.mark.parametrize("frame", [0, 99])
def test_first_and_last_frame_can_be_peaks(frame):
    np.testing.assert_allclose(onsets.pick(bumps(frame), 100.0), [frame / 100])


def test_clip_shorter_than_the_smoothing_window_is_no_problem():
    np.testing.assert_allclose(onsets.pick(np.array([0.9, 0.1]), 100.0), [0.0])


def test_silence_has_no_onsets():
    assert onsets.pick(np.zeros(100), 100.0).shape == (0,)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5, float("nan")])
def test_impossible_threshold_is_refused(threshold):
    with pytest.raises(zoo.ConfigError, match="above 0 and at most 1"):
        onsets.pick(np.zeros(100), 100.0, threshold=threshold)


def test_negative_time_is_refused():
    with pytest.raises(zoo.ConfigError, match="times are not negative"):
        onsets.pick(np.zeros(100), 100.0, combine=-0.03)


# --- long sounds in chunks ---

HOP, REACH, CONTEXT, CHUNK = 7, 20, 5, 16


def loudness(batch):
    """(chunks, samples) -> (chunks, frames, 1): energy within REACH samples, ends repeated.

    A small stand-in for a network: zeros outside the sound, then its ends repeated over 2 frames,
    so that frames depend on CONTEXT others.
    """
    return np.stack([loudness_of_one(x) for x in batch])


def loudness_of_one(x):
    frames = -(-len(x) // HOP)
    padded = np.pad(x, (REACH, REACH + HOP)) ** 2
    energy = np.array([padded[i * HOP : i * HOP + 2 * REACH].sum() for i in range(frames)])
    around = np.pad(energy, 2, mode="edge")
    return np.convolve(around, np.arange(1.0, 6.0), "valid")[:, None]


@pytest.mark.parametrize("samples", [*range(1, 400, 23), 16 * HOP, 16 * HOP + 1, 22 * HOP, 5000])
@pytest.mark.parametrize("block", [1, 50, 10_000])
@pytest.mark.parametrize("batch", [1, 3])
def test_chunks_give_what_one_piece_gives(samples, block, batch):
    sound = np.random.default_rng(samples).normal(size=samples).astype("float32")
    blocks = (sound[i : i + block] for i in range(0, samples, block))
    found = onsets.activations(blocks, loudness, HOP, CONTEXT, CHUNK, batch)
    np.testing.assert_allclose(found, loudness(sound[None])[0], rtol=1e-5)


def test_network_never_meets_more_than_a_chunk_and_of_a_long_sound_only_one_shape():
    shapes = set()

    def noting(batch):
        shapes.add(batch.shape)
        return loudness(batch)

    onsets.activations([np.ones(5000, "float32")], noting, HOP, CONTEXT, CHUNK)
    assert shapes == {(1, CHUNK * HOP)}


@pytest.fixture(scope="module")
def network():
    """An untrained network, whose activations hover about one half."""
    return zoo.build("schluter2014", ["onset"])


def test_networks_context_is_as_wide_as_it_says(network):
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 100 * 441).astype("float32")
    changed = sound.copy()
    changed[: 40 * 441] = rng.normal(0, 0.1, 40 * 441)
    first, second = (network.predict(x[None], verbose=0)[0] for x in (sound, changed))
    moved = np.flatnonzero(np.abs(first - second).max(axis=1))
    assert moved.max() < 40 + 12  # FRAMES["context"] of the model file


def test_long_sound_has_the_activation_of_one_piece(network):
    sound = np.random.default_rng(0).normal(0, 0.1, 13 * 44100 + 99).astype("float32")
    whole = network.predict(sound[None], verbose=0)[0, :, 0]
    found = network.onsets((sound, 44100))
    assert len(whole) > 2 * onsets.CHUNK
    np.testing.assert_allclose(found.activation, whole, atol=1e-6)


# --- the method and the command ---


def test_onsets_come_with_time_rate_and_origin(network, tmp_path):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 44100), 44100)
    found = network.onsets(path)
    assert (found.frame_rate, found.source, found.model) == (100.0, str(path), "schluter2014")
    assert found.activation.shape == (100,)


def test_list_of_sounds_gives_a_list(network):
    sound = (np.full(22050, 0.1, "float32"), 22050)
    with pytest.warns(zoo.AudioWarning):  # of half the band
        assert len(network.onsets([sound, sound])) == 2


def test_model_that_tags_does_not_find_onsets(pons, example):
    with pytest.raises(zoo.ConfigError, match="use tag or taggram"):
        pons.onsets(example)


def test_model_that_finds_onsets_does_not_tag(network, example):
    with pytest.raises(zoo.ConfigError, match="use its method onsets"):
        network.tag(example)


def test_clip_level_backend_on_this_front_end_tags_and_finds_no_onsets(example):
    model = zoo.build("schluter2014", ["a", "b"], segment=1.0, backend="temporal_pooling")
    assert len(model.tag((np.full(50000, 0.1, "float32"), 44100)).scores) == 2
    with pytest.raises(zoo.ConfigError, match="does not find onsets"):
        model.onsets(example)


def test_several_labels_a_frame_are_refused_before_they_are_mixed_up():
    model = zoo.build("schluter2014", ["kick", "snare"])
    with pytest.raises(zoo.ConfigError, match="2 outputs a frame; expected one"):
        model.onsets((np.full(44100, 0.1, "float32"), 44100))


def test_command_prints_a_time_a_line(example, monkeypatch):
    monkeypatch.setattr("warnings.showwarning", None)
    times = zoo.load("schluter2014").onsets(example).times
    result = CliRunner().invoke(main, ["onsets", str(example)])
    assert result.exit_code == 0
    assert result.output.splitlines() == [str(example), *(f"  {time:.3f}" for time in times)]


def test_command_as_json_with_a_threshold(checkpoint, example, monkeypatch):
    monkeypatch.setattr("warnings.showwarning", None)
    times = checkpoint("schluter2014.madmom").onsets(example, 0.4).times
    words = ["-m", "schluter2014.madmom", "--json", "--threshold", "0.4"]
    result = CliRunner().invoke(main, ["onsets", str(example), *words])
    answer = json.loads(result.output)
    assert answer["model"] == "schluter2014.madmom"
    np.testing.assert_allclose(answer["onsets"], times)


def test_command_goes_on_after_a_file_that_is_no_sound(example, tmp_path, monkeypatch):
    monkeypatch.setattr("warnings.showwarning", None)
    (tmp_path / "a.wav").write_text("no sound")
    result = CliRunner().invoke(main, ["onsets", str(tmp_path / "a.wav"), str(example)])
    assert result.exit_code == 1
    assert "1 of 2 files" in result.output
    assert f"\n{example}\n  0.0" in result.output


def test_command_writes_table_picture_and_clicks(example, tmp_path, monkeypatch):
    monkeypatch.setattr("warnings.showwarning", None)
    times = zoo.load("schluter2014").onsets(example).times
    outputs = [tmp_path / f"onsets.{ending}" for ending in ("csv", "png", "wav")]
    options = [word for output in outputs for word in ("-o", str(output))]
    result = CliRunner().invoke(main, ["onsets", str(example), *options])
    assert result.exit_code == 0, result.output
    assert f"{outputs[1]}: {len(times)} onsets of {example}" in result.output
    assert outputs[0].read_text().split() == [f"{time:.3f}" for time in times]
    assert outputs[1].read_bytes().startswith(b"\x89PNG")
    assert soundfile.info(outputs[2]).duration == pytest.approx(
        soundfile.info(example).duration, abs=1e-3
    )


@pytest.mark.parametrize(
    ("output", "message"),
    [("onsets.xml", "must end in .csv, .txt, .png"), ("nowhere/a.csv", "there is no folder")],
)
def test_command_complains_of_an_output_before_the_work(output, message, example, tmp_path):
    result = CliRunner().invoke(main, ["onsets", str(example), "-o", str(tmp_path / output)])
    assert result.exit_code == 2
    assert message in result.output


def test_command_does_not_write_over_the_sound(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(4410), 44100)
    before = path.read_bytes()
    result = CliRunner().invoke(main, ["onsets", str(path), "-o", str(path)])
    assert result.exit_code == 2
    assert "is the input file" in result.output
    assert path.read_bytes() == before
