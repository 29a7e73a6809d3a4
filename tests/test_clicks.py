import numpy as np
import pytest
import soundfile

import zoo
from zoo.inference import clicks


def onsets(times, source="array"):
    return zoo.Onsets(times, np.zeros(200), 100, source, "schluter2014")


@pytest.mark.parametrize("size", [1000, 4410, 100_000])
def test_clicks_lie_where_the_onsets_are_however_the_sound_is_cut(size):
    sound = np.zeros(60_000, "float32")
    places = np.array([10, 4400, 4500, 30_000, 59_990])
    blocks = (sound[i : i + size] for i in range(0, len(sound), size))
    mixed = np.concatenate(list(clicks.mixed(blocks, places)))
    assert len(mixed) == len(sound)
    expected = np.zeros(70_000, "float32")
    for place, until in zip(places, [*places[1:], 70_000], strict=True):
        shape = clicks.click()[: until - place]
        expected[place : place + len(shape)] = shape
    np.testing.assert_array_equal(mixed, expected[: len(sound)])


def test_loud_sound_with_clicks_is_not_clipped():
    loud = np.ones(10_000, "float32")
    (mixed,) = clicks.mixed(iter([loud]), np.array([0, 500]))
    assert mixed.max() == pytest.approx(1)
    assert mixed[-1] == pytest.approx(1 - clicks.SHARE)


def test_file_with_clicks_holds_the_sound_and_the_clicks(tmp_path):
    path, out = tmp_path / "tone.wav", tmp_path / "clicks.wav"
    tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(88200) / 44100)
    soundfile.write(path, tone, 44100)
    onsets([0.5, 1.5], str(path)).to_wav(out)
    mixed, rate = soundfile.read(out)
    assert (rate, mixed.shape) == (44100, (88200,))
    rest = mixed - (1 - clicks.SHARE) * tone
    assert np.flatnonzero(np.abs(rest) > 0.2)[0] == 22050
    assert np.abs(rest[:22050]).max() < 1e-3
    assert sorted(tmp_path.iterdir()) == [out, path]  # nothing half-written


def test_array_is_given_again_since_it_is_not_kept(tmp_path):
    with pytest.raises(FileNotFoundError):
        onsets([0.5]).to_wav(tmp_path / "a.wav")
    sound = (np.full(44100, 0.1, "float32"), 44100)
    onsets([0.5]).to_wav(tmp_path / "a.wav", sound)
    assert soundfile.info(tmp_path / "a.wav").frames == 44100


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(zoo.ConfigError, match=r"must end in \.wav"):
        onsets([0.5]).to_wav(tmp_path / "a.mp3", (np.zeros(100), 44100))
