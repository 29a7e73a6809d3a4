"""The files of zoo/audio: paths, decode, mpeg, arrays, segmentation."""

import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from zoo import audio
from zoo.audio import Segmentation, mpeg
from zoo.errors import AudioError, AudioWarning, ConfigError

MUSICNN = Segmentation(segment=48128, hop=47872, pad=256)


def music(seconds: float, rate: int = 44100, channels: int = 2) -> np.ndarray:
    """(samples, channels) float32: a chord with noise, another in each channel."""
    t = np.arange(round(seconds * rate))[:, None] / rate
    pitch = 220 * 1.25 ** np.arange(channels)
    noise = np.random.default_rng(0).standard_normal((len(t), channels))
    return (0.3 * np.sin(2 * np.pi * pitch * t) + 0.05 * noise).astype(np.float32)


def written(path: Path, samples: np.ndarray, rate: int = 44100, **options) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


def cut_off(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def whole_signal(path: Path, rate: int) -> np.ndarray:
    """Decode, mix down and resample without blocks."""
    samples, own = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return mono if own == rate else soxr.resample(mono, own, rate, quality="HQ")


# Decoding, mixing down, resampling.


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".caf", ".w64"])
def test_blocks_of_a_file_equal_the_whole_file(tmp_path, suffix):
    path = written(tmp_path / f"song{suffix}", music(10))
    blocks = list(audio.stream(path, 16000))
    expected = whole_signal(path, 16000)
    assert len(blocks) > 2
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-6)


def test_opus_is_read(tmp_path):
    samples = music(3, 48000)
    path = written(tmp_path / "song.opus", samples, 48000, format="OGG", subtype="OPUS")
    sound = audio.load(path, 48000)
    assert len(sound) == len(samples)
    assert np.corrcoef(sound, samples.mean(axis=1))[0, 1] > 0.95


@pytest.mark.parametrize("samples", [2, 7, 999, 131071, 131072, 131073, 262144, 300001])
@pytest.mark.parametrize("rate", [44100, 48000, 22050, 16001])
def test_resampling_in_blocks_gives_the_length_and_values_of_the_whole(samples, rate):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)
    expected = soxr.resample(sound, rate, 12000, quality="HQ")
    np.testing.assert_allclose(audio.load((sound, rate), 12000), expected, atol=1e-6)


def test_a_sound_too_short_to_leave_a_sample_is_refused():
    message = "array: a sound of 1 samples gives empty audio at 16000 Hz"
    with pytest.raises(AudioError, match=message):
        audio.load((np.array([0.1]), 192000), 16000)


def test_nothing_is_resampled_where_the_rates_agree(tmp_path):
    samples = music(1, 16000, channels=1)[:, 0]
    path = written(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    np.testing.assert_array_equal(audio.load(path, 16000), samples)
    np.testing.assert_array_equal(audio.load((samples, 16000), 16000), samples)


def test_loaded_samples_are_a_copy():
    samples = music(1, 16000, channels=1)[:, 0]
    assert not np.shares_memory(audio.load((samples, 16000), 16000), samples)


@pytest.mark.parametrize("channels", [2, 3, 8])
def test_channels_are_averaged(tmp_path, channels):
    samples = music(1, 16000, channels)
    path = written(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(path, 16000), samples.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(audio.load((samples, 16000), 16000), samples.mean(1), atol=1e-6)


def test_192_khz_is_resampled(tmp_path):
    path = written(tmp_path / "a.wav", music(2, 192000), 192000)
    sound = audio.load(path, 16000)
    assert len(sound) == 32000
    np.testing.assert_allclose(sound, whole_signal(path, 16000), atol=1e-6)


def test_8_khz_works_and_warns_of_the_empty_upper_band(tmp_path):
    path = written(tmp_path / "telephone.wav", music(2, 8000), 8000)
    with pytest.warns(AudioWarning, match=r"telephone.wav: recorded at 8000 Hz.*above 4000 Hz"):
        assert len(audio.load(path, 16000)) == 32000


def test_other_threads_run_during_decoding(tmp_path, monkeypatch):
    """The network runs beside decoding only if decoding lets go of the interpreter."""
    path = written(tmp_path / "long.flac", music(60))
    monkeypatch.setattr("zoo.audio.sndfile.BLOCK", 2 * 60 * 44100)  # everything in one call
    turns, stop = [], threading.Event()

    def take_turns():
        while not stop.wait(0.001):
            turns.append(time.perf_counter())

    other = threading.Thread(target=take_turns)
    other.start()
    for _ in audio.stream(path, 16000):
        pass
    stop.set()
    other.join()
    assert len(turns) > 20


# Other formats, through FFmpeg.


@pytest.fixture
def m4a(tmp_path) -> Path:
    """Five seconds of a tone in AAC, at 44.1 kHz, with its index in front."""
    av = pytest.importorskip("av", reason="M4A needs the extra music-zoo[aac]")
    path = tmp_path / "song.m4a"
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(5 * 44100) / 44100)).astype(np.float32)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("aac", rate=44100)
        stream.layout = "stereo"
        for i in range(0, len(tone), 1024):
            both = np.stack([tone[i : i + 1024]] * 2)
            frame = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44100, i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_m4a_is_read(m4a):
    sound = audio.load(m4a, 44100)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(sound)) / 44100)
    assert abs(len(sound) / 44100 - 5) < 0.05
    assert np.corrcoef(sound[4096:200000], tone[4096:200000])[0, 1] > 0.99


def test_m4a_named_mp3_is_read(m4a):
    assert len(audio.load(m4a.rename(m4a.with_name("song.mp3")), 44100)) > 4.9 * 44100


def test_a_long_m4a_comes_in_blocks(m4a):
    assert len(list(audio.stream(m4a, 16000))) > 1


def test_m4a_without_pyav_names_it(m4a, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # what a missing package looks like to import
    with pytest.raises(AudioError, match=r"song.m4a: .*pip install av"):
        audio.load(m4a, 16000)


def test_a_cut_off_m4a_gives_the_samples_before_the_cut(m4a):
    cut_off(m4a, 0.6)
    with pytest.warns(AudioWarning, match=r"song.m4a: only \d\.\d\d s of the 5\.0\d s announced"):
        assert 1.5 < len(audio.load(m4a, 16000)) / 16000 < 4


def test_text_named_m4a_is_refused(tmp_path):
    pytest.importorskip("av", reason="M4A needs the extra music-zoo[aac]")
    path = tmp_path / "notes.m4a"
    path.write_text("no music here\n" * 100)
    with pytest.raises(AudioError, match=r"notes.m4a: no sound could be read .* Nor does FFmpeg"):
        audio.load(path, 16000)


# Arrays.


@pytest.mark.parametrize(
    ("dtype", "scale"), [("int16", 2**15), ("int32", 2**31), ("int8", 2**7), (">i2", 2**15)]
)
def test_integers_are_the_same_sound_as_floats(dtype, scale):
    floats = music(1, 16000)
    whole = np.round(floats * scale).astype(dtype)
    expected = audio.load((floats, 16000), 16000)
    np.testing.assert_allclose(audio.load((whole, 16000), 16000), expected, atol=1 / scale + 1e-7)


def test_uint8_has_its_zero_at_128():
    whole = np.array([0, 128, 255, 192], np.uint8)
    for samples in whole, np.stack([whole, whole], axis=1):
        np.testing.assert_allclose(
            audio.load((samples, 16000), 16000), [-1, 0, 127 / 128, 0.5], atol=1e-6
        )


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4"])
def test_floats_are_not_scaled(dtype):
    samples = np.array([0.5, -0.25, 1.5, 0.0], dtype)
    sound = audio.load((samples, 16000), 16000)
    assert sound.dtype == np.float32
    np.testing.assert_array_equal(sound, [0.5, -0.25, 1.5, 0.0])


def test_a_strided_view_is_the_same_sound():
    samples = music(1, 16000)
    np.testing.assert_array_equal(
        audio.load((samples[::-2, 1], 16000), 16000), samples[::-2, 1].copy()
    )


SOUND = np.full(32000, 0.1, np.float32)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SOUND, r"array of shape \(32000,\): expected a file, or .* pair .*\(array, 44100\)"),
        ([0.1, 0.2], r"\[0.1, 0.2\]: expected a file, or an array with its sample rate"),
        (None, r"None: expected a file"),
        ((44100, SOUND), r"in the wrong order.*\(array, 44100\)"),
        ((SOUND, 0), r"array: a sample rate of 0; expected samples per second, such as 44100"),
        ((SOUND, -1), r"a sample rate of -1;"),
        ((SOUND, float("nan")), r"a sample rate of nan;"),
        ((SOUND, float("inf")), r"a sample rate of inf;"),
        ((SOUND, None), r"a sample rate of None;"),
        ((SOUND, "44100"), r"a sample rate of '44100';"),
        ((SOUND, 44.1), r"a sample rate of 44.1; .* Was 44100 meant\?"),
        ((SOUND[:0], 16000), r"array: empty audio, shape \(0,\)"),
        ((np.zeros((2, 0)), 16000), r"array: empty audio, shape \(2, 0\)"),
        ((np.float32(0.5), 16000), r"array: shape \(\); expected \(samples,\) or"),
        ((np.zeros((1, 100, 2)), 16000), r"shape \(1, 100, 2\); expected .* Several sounds"),
        ((SOUND.reshape(2, -1), 16000), r"shape \(2, 16000\) looks like .* \(array.T, sample_rate"),
        ((SOUND.astype(bool), 16000), r"samples of type bool; expected floats in \[-1, 1\]"),
        ((SOUND.astype(complex), 16000), r"samples of type complex128;"),
        ((SOUND.astype(object), 16000), r"samples of type object;"),
        ((SOUND.astype("int64"), 16000), r"samples of type int64; .*array.astype\('float32'\)"),
        ((SOUND * 3e5, 16000), r"a peak of 30000, .*array / 32768 for int16"),
    ],
)
def test_an_array_that_is_not_a_sound_is_refused(source, message):
    with pytest.raises(AudioError, match=message):
        audio.load(source, 16000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 24000, 159999])
def test_the_error_states_the_seconds_of_the_first_sample_that_is_not_finite(tmp_path, value, at):
    samples = np.full((160000, 2), 0.1, np.float32)
    samples[at, 1] = value
    samples[-1, 0] = np.nan
    path = written(tmp_path / "broken.wav", samples, 16000, subtype="FLOAT")
    for source, name in ((path, "broken.wav"), ((samples, 16000), "array")):
        with pytest.raises(AudioError, match=rf"{name}: (nan|-?inf) .*first at {at / 16000:.3f} s"):
            audio.load(source, 12000)


def test_opposite_infinities_are_found():
    with pytest.raises(AudioError, match=r"array: nan among the samples, first at 0\.000 s"):
        audio.load((np.array([[np.inf, -np.inf]] * 100), 16000), 16000)


def test_doubles_too_large_for_float32_are_refused():
    with pytest.raises(AudioError, match="array: inf among the samples"):
        audio.load((np.full(100, 1e300), 16000), 16000)


# Files that are not what they should be.


def test_a_missing_file_suggests_its_neighbours(tmp_path):
    written(tmp_path / "prelude.wav", music(1))
    with pytest.raises(FileNotFoundError, match=r"prelud.wav: no such .* mean 'prelude.wav'\?"):
        audio.load(tmp_path / "prelud.wav", 16000)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*albums"):
        audio.load(tmp_path / "albums" / "a.wav", 16000)


def test_a_broken_link_is_named(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    with pytest.raises(FileNotFoundError, match=r"a link to .*gone.wav, which does not exist"):
        audio.load(tmp_path / "a.wav", 16000)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(AudioError, match=r"this is a folder; expected one sound file.*audio.find"):
        audio.load(tmp_path, 16000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AudioError, match="this is a pipe or device; expected a regular file"):
        audio.load(tmp_path / "pipe", 16000)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.mp3").touch()
    with pytest.raises(AudioError, match=r"empty.mp3: an empty file \(0 bytes\)"):
        audio.load(tmp_path / "empty.mp3", 16000)


def test_a_header_without_samples_is_refused(tmp_path):
    path = written(tmp_path / "header.wav", np.zeros((0, 1)))
    with pytest.raises(AudioError, match=r"header.wav: a sound of 0 samples gives empty audio"):
        audio.load(path, 16000)


JUNK = {
    "text": b"Das Wohltemperierte Clavier\n" * 500,
    "two bytes": b"\xff\xfb",
    "zeros": bytes(100000),
    "noise": np.random.default_rng(0).bytes(200000),
    "a sync word and text": b"\xff\xfb\x90\x00" + b"no music " * 1000,
    "a program": Path(sys.executable).resolve().read_bytes()[:300000],
    "only tags": b"ID3\x04\0\0\0\0\0\x7f" + bytes(127),
}


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".bin"])
@pytest.mark.parametrize("kind", JUNK)
def test_a_file_that_is_not_audio_is_refused_under_any_suffix(tmp_path, capfd, kind, suffix):
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(JUNK[kind])
    with pytest.raises(AudioError, match=rf"junk\{suffix}: "):
        audio.load(path, 16000)
    assert capfd.readouterr() == ("", "")


def test_the_error_for_text_named_mp3_shows_its_first_bytes(tmp_path):
    path = tmp_path / "song.mp3"
    path.write_text("<html>404 Not Found</html>\n" * 100)
    with pytest.raises(AudioError, match=r"song.mp3: not an MP3, .* begin with b'<html>404 Not F"):
        audio.load(path, 16000)


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
def test_a_cut_off_file_gives_its_samples_and_warns_how_many_seconds(tmp_path, capfd, suffix):
    path = cut_off(written(tmp_path / f"half{suffix}", music(10)), 0.5)
    message = rf"half\{suffix}: only (4.9|5.0)\d s of the 10.00 s announced could be decoded"
    with pytest.warns(AudioWarning, match=message) as caught:
        sound = audio.load(path, 16000)
    assert len(caught) == 1
    assert 4.9 < len(sound) / 16000 < 5.1
    assert np.abs(sound).max() > 0.1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
def test_the_samples_of_a_cut_off_file_are_right(tmp_path, suffix):
    path = written(tmp_path / f"half{suffix}", music(10, 16000), 16000)
    whole = whole_signal(path, 16000)
    with pytest.warns(AudioWarning, match="cut off"):
        half = audio.load(cut_off(path, 0.5), 16000)
    np.testing.assert_allclose(half[:-1152], whole[: len(half) - 1152], atol=1e-6)


def test_a_cut_off_flac_loses_no_complete_frame(tmp_path):
    path = cut_off(written(tmp_path / "half.flac", music(10, 16000), 16000), 0.5)
    frame = int.from_bytes(path.read_bytes()[8:10])  # samples; STREAMINFO's first number
    with pytest.warns(AudioWarning, match="cut off"):
        assert len(audio.load(path, 16000)) % frame == 0


def test_a_flac_without_its_length_is_read_to_its_end(tmp_path):
    path = written(tmp_path / "stream.flac", music(10))
    expected = whole_signal(path, 16000)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the 36 bits of STREAMINFO's total
    data[22:26] = bytes(4)
    path.write_bytes(data)
    np.testing.assert_allclose(audio.load(path, 16000), expected, atol=1e-6)


def test_a_file_cut_off_in_its_first_frame_is_refused(tmp_path):
    path = cut_off(written(tmp_path / "start.flac", music(10)), 0.001)
    with pytest.raises(AudioError, match=r"start.flac: nothing in it could be decoded"):
        audio.load(path, 16000)


def test_damage_in_the_middle_is_reported(tmp_path):
    path = written(tmp_path / "scratched.flac", music(10))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5000] = bytes(5000)
    path.write_bytes(data)
    with pytest.warns(AudioWarning, match=r"scratched.flac: damaged in places .*lost sync"):
        audio.load(path, 16000)


def without_xing(path: Path) -> Path:
    """Drop an MP3's first frame, which contains only the length."""
    data = path.read_bytes()
    path.write_bytes(data[mpeg._frame_bytes(data[:4], data[:4]) :])
    return path


@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_without_its_length_is_read_to_its_end(tmp_path, loud_first):
    """At a variable bit rate the length cannot be guessed: libsndfile would stop far too early."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (44100 * 20, 2))
    sound[44100:] *= 1e-4
    sound = sound if loud_first else sound[::-1]
    path = written(tmp_path / "a.mp3", sound, bitrate_mode="VARIABLE", compression_level=0)
    without_xing(path)
    assert abs(soundfile.info(path).duration - 20) > 2
    assert abs(len(audio.load(path, 16000)) / 16000 - 20) < 0.1


@pytest.mark.parametrize("tags", ["before", "after"])
def test_tags_are_not_mistaken_for_sound(tmp_path, tags):
    path = written(tmp_path / "a.mp3", music(5))
    expected = whole_signal(path, 16000)
    size = 200_000  # a cover picture, say
    picture = np.random.default_rng(0).bytes(size).replace(b"\xff", b"\xfe")
    seven_bits = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    front = b"ID3\x04\0\0" + seven_bits + picture if tags == "before" else b""
    back = b"APETAGEX" + picture if tags == "after" else b""
    path.write_bytes(front + path.read_bytes() + back)
    np.testing.assert_allclose(audio.load(path, 16000), expected, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_of_every_rate_is_recognised(tmp_path, rate, channels):
    path = written(tmp_path / "a.mp3", music(1, rate, channels), rate)
    np.testing.assert_allclose(audio.load(path, rate), whole_signal(path, rate), atol=1e-6)


def test_silence_gives_one_warning(tmp_path):
    path = written(tmp_path / "silence.wav", np.zeros((441000, 2)))
    with pytest.warns(AudioWarning, match="silence.wav: the whole sound is silent") as caught:
        pieces = list(audio.segments(path, 16000, MUSICNN))
    assert len(caught) == 1
    assert len(pieces) == 4
    assert all(not piece.samples.any() for piece in pieces)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_without_permission_is_refused():
    """Root may read everything, so another user tries, in a folder that is open to all."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = written(Path(folder) / "private.wav", music(1))
        path.chmod(0)
        program = textwrap.dedent(f"""
            import os
            from zoo import audio
            from zoo.errors import AudioError
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            try:
                audio.load({str(path)!r}, 16000)
            except AudioError as error:
                print(error)
        """)
        root = Path(__file__).resolve().parent.parent
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False
        )
    assert "private.wav: this file cannot be read (Permission denied)" in done.stdout, done.stderr


# Cutting.


def reference(sound: np.ndarray, cut: Segmentation, tail: bool) -> list[tuple]:
    """Cut a whole array at once: (start, fresh, samples), in samples."""
    length, hop, pad = cut.segment, cut.hop, cut.pad
    total = len(sound)
    if total + 2 * pad < length:
        repeated = np.tile(sound, length // total + 1)[: length - 2 * pad]
        return [(0, total, np.pad(repeated, pad))]
    padded = np.pad(sound, pad)
    starts = list(range(0, len(padded) - length + 1, hop))
    covered = np.zeros(total, bool)
    pieces = []
    for i in starts:
        inside = slice(max(i - pad, 0), max(i - pad + length, 0))
        fresh = np.count_nonzero(~covered[inside])
        covered[inside] = True
        pieces.append((i, fresh, padded[i : i + length]))
    if tail and not covered.all():
        i = len(padded) - length
        pieces.append((i, np.count_nonzero(~covered), padded[i:]))
    return pieces


CUTS = [
    Segmentation(100, 100),
    Segmentation(100, 40),
    Segmentation(100, 7, 30),
    Segmentation(100, 99, 1),
    Segmentation(100, 100, 33),
    Segmentation(1, 1),
    Segmentation(94, 84, 5),
]


@pytest.mark.parametrize("tail", [True, False])
@pytest.mark.parametrize("block", [1, 13, 100, 10000])
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_segments_equal_those_of_the_whole_array(monkeypatch, cut, block, tail):
    monkeypatch.setattr("zoo.audio.arrays.BLOCK", block)
    for length in [*range(1, 60, 7), *range(90, 112), *range(180, 206), 299, 300, 301, 1000]:
        sound = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)  # of short clips
            pieces = list(audio.segments((sound, 1000), 1000, cut, tail=tail))
        expected = reference(sound, cut, tail)
        assert len(pieces) == len(expected)
        for piece, (start, fresh, samples) in zip(pieces, expected, strict=True):
            assert piece.start == pytest.approx(start / 1000, abs=1e-12)
            assert piece.fresh == pytest.approx(fresh / 1000, abs=1e-12)
            np.testing.assert_array_equal(piece.samples, samples)


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_with_the_tail_the_fresh_seconds_are_the_duration(cut):
    for length in range(60, 320):
        sound = np.full(length, 0.1, np.float32)
        pieces = list(audio.segments((sound, 1000), 1000, cut))
        assert sum(piece.fresh for piece in pieces) == pytest.approx(length / 1000)
        assert all(piece.fresh >= 0 for piece in pieces)


@pytest.mark.parametrize("whole", [1, 2, 5])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_musicnn_takes_as_many_full_segments_as_fit(whole, more):
    """The largest k with samples >= 47872 k - 256."""
    samples = 47872 * whole - 256 + more
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)
    pieces = list(audio.segments((sound, 16000), 16000, MUSICNN, tail=False))
    assert len(pieces) == max((samples + 256) // 47872, 1)
    np.testing.assert_array_equal(pieces[0].samples[:256], 0)


def test_segments_of_a_file_are_those_of_its_samples(tmp_path):
    path = written(tmp_path / "a.mp3", music(12))
    pieces = list(audio.segments(path, 16000, MUSICNN))
    expected = reference(whole_signal(path, 16000), MUSICNN, tail=True)
    assert [p.start for p in pieces] == pytest.approx([e[0] / 16000 for e in expected])
    for piece, (_, _, samples) in zip(pieces, expected, strict=True):
        np.testing.assert_allclose(piece.samples, samples, atol=1e-6)


def test_a_tenth_of_a_second_is_repeated_with_a_warning(tmp_path):
    path = written(tmp_path / "click.wav", music(0.1, 16000), 16000, subtype="FLOAT")
    with pytest.warns(
        AudioWarning, match=r"click.wav: only 0.1 s long, .* takes 3.01 s segments"
    ) as w:
        (piece,) = audio.segments(path, 16000, MUSICNN)
    assert len(w) == 1
    assert (piece.start, piece.fresh) == (0, 0.1)
    inside = piece.samples[256:-256]
    np.testing.assert_array_equal(inside[1600:], inside[:-1600])


def test_a_clip_of_more_than_half_a_segment_is_repeated_without_a_warning():
    (piece,) = audio.segments((SOUND[:24100], 16000), 16000, MUSICNN)
    assert piece.fresh == 24100 / 16000


def test_segments_do_not_share_memory_with_the_array_given():
    sound = music(10, 16000, channels=1)[:, 0]
    for piece in audio.segments((sound, 16000), 16000, Segmentation(16000, 16000)):
        assert not np.shares_memory(piece.samples, sound)


@pytest.mark.parametrize("hop", [0, -5, 101])
def test_a_hop_that_would_skip_sound_is_refused(hop):
    with pytest.raises(ConfigError, match=rf"hop={hop} with segment=100: .*at most one segment"):
        Segmentation(100, hop)


@pytest.mark.parametrize("pad", [-1, 34])
def test_padding_beyond_a_third_of_a_segment_is_refused(pad):
    with pytest.raises(ConfigError, match=rf"pad={pad} with segment=100"):
        Segmentation(100, 100, pad)


def test_a_file_is_closed_when_the_reader_stops(tmp_path):
    path = without_xing(written(tmp_path / "a.mp3", music(20)))
    pieces = audio.segments(path, 16000, MUSICNN)
    next(pieces)
    pieces.close()
    if Path("/proc/self/fd").is_dir():
        held = [os.readlink(f) for f in Path("/proc/self/fd").iterdir() if f.is_symlink()]
        assert str(path) not in held


# Memory.


def peak_of_streaming(path: Path) -> int:
    tracemalloc.start()
    for _ in audio.segments(path, 16000, MUSICNN):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_length(tmp_path):
    minute = music(60)
    peaks = []
    for minutes in 2, 20:
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", 44100, 2) as file:
            for _ in range(minutes):
                file.write(minute)
        peaks.append(peak_of_streaming(path))
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 16 * 2**20


# Finding files.


@pytest.fixture
def shelf(tmp_path) -> Path:
    """A folder of sounds, two deep, with other things in it."""
    for name in ("b.wav", "a.MP3", "cover.jpg", ".hidden.wav", "deep/c.flac", ".cache/d.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(paths: list[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_a_folder_gives_its_sounds_in_order(shelf):
    assert names(audio.find([shelf]), shelf) == ["a.MP3", "b.wav", "deep/c.flac"]


def test_a_file_given_by_name_is_found_with_any_suffix(shelf):
    assert audio.find([shelf / "cover.jpg"]) == [shelf / "cover.jpg"]


def test_a_single_path_need_not_be_in_a_list(shelf):
    assert audio.find(str(shelf / "b.wav")) == [shelf / "b.wav"]


def test_every_file_is_listed_once(shelf):
    assert names(audio.find([shelf / "b.wav", shelf]), shelf) == ["b.wav", "a.MP3", "deep/c.flac"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.wav", ["b.wav"]),
        ("**/*.flac", ["deep/c.flac"]),
        ("*", ["a.MP3", "b.wav", "deep/c.flac"]),
        ("[ab].*", ["a.MP3", "b.wav"]),
    ],
)
def test_a_pattern_gives_the_sounds_that_match(shelf, pattern, expected):
    assert names(audio.find([str(shelf / pattern)]), shelf) == expected


def test_a_name_with_brackets_is_a_name_first(shelf):
    (shelf / "take [1].wav").touch()
    assert audio.find([shelf / "take [1].wav"]) == [shelf / "take [1].wav"]


def test_a_missing_path_suggests_near_names(shelf):
    with pytest.raises(FileNotFoundError, match=r"covers.jpg: no such .* 'cover.jpg'\?"):
        audio.find([shelf / "covers.jpg"])


def test_a_pattern_without_matches_is_an_error(shelf):
    with pytest.raises(FileNotFoundError, match=r"\*\.ogg: no file matches this pattern"):
        audio.find([str(shelf / "*.ogg")])


def test_the_error_for_a_folder_without_sounds_names_the_suffixes(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        AudioError,
        match=r"no sound file in it. .* names ending in \.wav, .*\.mp3,.* \d+ others",
    ):
        audio.find([tmp_path])


def test_sources_are_named_by_their_path():
    assert audio.name_of("a/b.wav") == audio.name_of(Path("a/b.wav")) == "a/b.wav"
    assert audio.name_of((SOUND, 16000)) == "array"
