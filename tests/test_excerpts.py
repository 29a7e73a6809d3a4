"""Excerpts of sounds: what is decoded of them is what cutting the whole would give."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_audio import cut_off, m4a, music, whole_signal, without_xing, written

from zoo import audio
from zoo.audio import Segmentation
from zoo.errors import AudioError, AudioWarning, ConfigError

__all__ = ["m4a"]  # a fixture

PLACES = [(0.0, 2.0), (0.2, 0.7), (1.0, 4.02), (7.3, 12.0), (11.9, None), (0.0, None), (3.25, None)]
ENCODINGS = {
    "wav": {},
    "flac": {},
    "ogg": {},
    "mp3": {},
    "variable.mp3": {"bitrate_mode": "VARIABLE", "compression_level": 0.5},
    "poor.mp3": {"bitrate_mode": "CONSTANT", "compression_level": 0.999},  # 32 kbit/s
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("excerpts")
    sound = music(12.5) * np.linspace(0.2, 1, round(12.5 * 44100), dtype=np.float32)[:, None]
    return {name: written(folder / f"a.{name}", sound, **ENCODINGS[name]) for name in ENCODINGS}


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("name", ENCODINGS)
def test_an_excerpt_is_a_cut_of_the_whole(files, name, rate, capfd):
    whole = audio.load(files[name], rate)
    for start, end in PLACES:
        expected = whole[round(start * rate) : None if end is None else round(end * rate)]
        sound = audio.load(files[name], rate, start, end)
        assert len(sound) == len(expected)
        np.testing.assert_allclose(sound, expected, atol=2e-6)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("rate", [16000, 44100])
def test_no_block_of_a_poor_mp3_begins_with_a_click(tmp_path, rate, capfd):
    """soundfile seeks after each read, and what frames hold for later ones is lost by that."""
    path = written(tmp_path / "a.mp3", music(20, rate), rate, compression_level=0.999)
    np.testing.assert_allclose(audio.load(path, rate), whole_signal(path, rate), atol=1e-6)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_mp3s_of_low_rates_are_exact_too(tmp_path, rate, capfd):
    """Their frames borrow bits from so far back that libsndfile's seeking is not exact."""
    path = written(tmp_path / "a.mp3", music(6, rate), rate, compression_level=0.999)
    whole = audio.load(path, rate)
    for start in (0.5, 2.111, 5.5):
        np.testing.assert_allclose(
            audio.load(path, rate, start), whole[round(start * rate) :], atol=1e-6
        )
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("rate", [44100, 22050, 8000, 16001, 44101.5])
def test_an_excerpt_of_an_array_is_a_cut_of_the_whole(rate):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (int(rate * 4), 2)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # of the low rates
        whole = audio.load((sound, rate), 12000)
        excerpt = audio.load((sound, rate), 12000, 1.2345, 3.3)
    np.testing.assert_allclose(excerpt, whole[round(1.2345 * 12000) : 39600], atol=5e-6)


def test_only_the_excerpt_is_decoded(tmp_path, monkeypatch):
    path = written(tmp_path / "long.flac", music(60))
    read = []
    original = soundfile.SoundFile.read

    def counted(self, frames, *args, **kwargs):
        read.append(frames)
        return original(self, frames, *args, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    audio.load(path, 16000, 40, 43)
    assert sum(read) < 3.1 * 44100


def test_segments_of_an_excerpt_are_those_of_the_clip_cut_out(files):
    cut = Segmentation(16000, 15000, 100)
    whole = audio.load(files["mp3"], 16000)
    ours = list(audio.segments(files["mp3"], 16000, cut, start=2.5, end=8.0))
    theirs = list(audio.segments((whole[40000:128000], 16000), 16000, cut))
    assert [(s.start, s.fresh) for s in ours] == [(s.start, s.fresh) for s in theirs]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.samples, other.samples, atol=2e-6)


def test_m4a_excerpts_are_exact(m4a):
    whole = audio.load(m4a, 16000)
    np.testing.assert_allclose(audio.load(m4a, 16000, 2, 3.5), whole[32000:56000], atol=2e-6)
    with pytest.raises(AudioError, match=r"song.m4a: an excerpt from 9 s to 10 s was requested"):
        audio.load(m4a, 16000, 9, 10)


# Lengths.


@pytest.mark.parametrize("name", ENCODINGS)
def test_duration_is_that_of_the_decoded_samples(files, name):
    decoded = len(audio.load(files[name], 44100)) / 44100
    assert audio.duration(files[name]) == pytest.approx(decoded, abs=1e-3)


def test_duration_of_an_mp3_without_its_length_is_found_by_decoding(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (44100 * 6, 2))
    noise[44100:] *= 1e-4
    path = without_xing(
        written(tmp_path / "a.mp3", noise, bitrate_mode="VARIABLE", compression_level=0)
    )
    assert audio.duration(path) == pytest.approx(6, abs=0.1)


def test_seeking_works_in_an_mp3_without_its_length(tmp_path):
    path = without_xing(written(tmp_path / "a.mp3", music(6), bitrate_mode="VARIABLE"))
    whole = audio.load(path, 16000)
    np.testing.assert_allclose(audio.load(path, 16000, 3, 4), whole[48000:64000], atol=2e-6)
    with pytest.raises(AudioError, match=r"from 7 s to its end .* the sound has 6\.\d\d s"):
        audio.load(path, 16000, 7)


def test_duration_of_a_missing_file_or_of_no_audio_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such|there is no"):
        audio.duration(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_text("no sound" * 100)
    with pytest.raises(AudioError, match="no sound could be read"):
        audio.duration(tmp_path / "b.wav")


# Errors.


@pytest.mark.parametrize(("start", "end"), [(-1, None), (2, 1), (1, 1), (0, float("nan"))])
def test_start_and_end_that_are_not_an_excerpt_are_refused(files, start, end):
    with pytest.raises(ConfigError, match=rf"a.wav: an excerpt from {start} to {end} s; expected"):
        audio.load(files["wav"], 16000, start, end)


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize(("start", "end"), [(12.5, None), (20, 30), (10, 13)])
def test_an_excerpt_outside_of_the_sound_is_refused(files, name, start, end):
    with pytest.raises(AudioError, match=rf"a.{name}: .* requested, but the sound has 12\.5\d s"):
        audio.load(files[name], 16000, start, end)
    samples = np.full(200000, 0.1, np.float32)
    with pytest.raises(AudioError, match=r"array: .* requested, but the sound has 12\.50 s"):
        audio.load((samples, 16000), 16000, start, end)


def test_a_tenth_of_a_second_beyond_the_end_is_the_end(files):
    assert len(audio.load(files["wav"], 16000, 12, 12.59)) == 8000


def test_an_excerpt_after_the_end_of_a_cut_off_file_is_refused(tmp_path):
    path = cut_off(written(tmp_path / "half.mp3", music(10)), 0.5)
    with pytest.raises(AudioError, match=r"half.mp3: nothing 7.99 s into it could be decoded"):
        audio.load(path, 16000, 8, 9)


def test_an_excerpt_across_the_cut_of_a_file_ends_there(tmp_path):
    path = cut_off(written(tmp_path / "half.flac", music(10)), 0.5)
    with pytest.warns(AudioWarning, match=r"only (4.9|5.0)\d s of the 10.00 s announced"):
        assert 0.8 < len(audio.load(path, 16000, 4, 9)) / 16000 < 1.1


def test_a_silent_excerpt_gives_no_warning(tmp_path):
    sound = music(4, 16000)
    sound[:32000] = 0
    path = written(tmp_path / "a.wav", sound, 16000)
    assert not audio.load(path, 16000, 0, 2).any()
