import keras
import librosa
import numpy as np
import pytest
import soundfile
import soxr

import zoo
from zoo.layers.mel import hz_to_mel, mel_filterbank, mel_to_hz
from zoo.layers.spectrograms import LogMelSpectrogram


@pytest.fixture(scope="module")
def music(example):
    """Ten seconds of the example at 16 kHz."""
    sound, rate = soundfile.read(example, dtype="float32", stop=441000)
    return soxr.resample(sound.mean(axis=1), rate, 16000)


@pytest.mark.parametrize(
    ("n_mels", "scale", "area_norm"), [(96, "slaney", True), (96, "htk", False), (128, "htk", True)]
)
def test_filterbank_is_librosas(n_mels, scale, area_norm):
    theirs = librosa.filters.mel(
        sr=16000,
        n_fft=512,
        n_mels=n_mels,
        htk=scale == "htk",
        norm="slaney" if area_norm else None,
        dtype=np.float64,
    )
    ours = mel_filterbank(16000, 512, n_mels, scale=scale, area_norm=area_norm)
    np.testing.assert_allclose(ours, theirs.T, atol=1e-12)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_mel_and_back_is_the_same_frequency(scale):
    hz = np.array([0.0, 55.0, 440.0, 999.9, 1000.0, 8000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz, scale), scale), hz, atol=1e-9)


def mel_of_librosa(sound, **settings):
    return librosa.feature.melspectrogram(
        y=sound, sr=16000, n_fft=512, hop_length=256, n_mels=96, **settings
    ).T


def test_mel_is_librosas_within_1e_4_relative(music):
    layer = LogMelSpectrogram(compression="none")
    ours = keras.ops.convert_to_numpy(layer(music[None]))[0]
    theirs = mel_of_librosa(music, center=False)
    # Below 90 dB under the loudest value, float32 itself is not that exact: an FFT in float32
    # deviates from one in float64 by as much.
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-9 * theirs.max())


def test_log_mel_of_musicnn_is_exact_to_1e_4(music):
    ours = keras.ops.convert_to_numpy(LogMelSpectrogram()(music[None]))[0]
    theirs = np.log10(10000.0 * mel_of_librosa(music, center=False) + 1)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_centre_reflects_the_ends_as_librosa_did_when_musicnn_was_trained(music):
    layer = LogMelSpectrogram(compression="none", centre=True)
    ours = keras.ops.convert_to_numpy(layer(music[None]))[0]
    theirs = mel_of_librosa(music, center=True, pad_mode="reflect")
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-9 * theirs.max())


def test_decibels_do_not_depend_on_the_rest_of_the_batch(music):
    layer = LogMelSpectrogram(compression="decibel")
    quiet = music[None, :48000] * 1e-4
    alone = keras.ops.convert_to_numpy(layer(quiet))
    beside = keras.ops.convert_to_numpy(layer(np.concatenate([quiet, music[None, :48000]])))
    np.testing.assert_allclose(beside[:1], alone, atol=1e-4)
    assert alone.min() >= -100.0


@pytest.mark.parametrize(("n_fft", "hop_length"), [(512, 256), (1024, 441), (400, 160)])
def test_any_hop_gives_the_frames_of_a_plain_stft(music, n_fft, hop_length):
    layer = LogMelSpectrogram(n_fft=n_fft, hop_length=hop_length, n_mels=40, compression="none")
    ours = keras.ops.convert_to_numpy(layer(music[None]))[0]
    theirs = librosa.feature.melspectrogram(
        y=music, sr=16000, n_fft=n_fft, hop_length=hop_length, n_mels=40, center=False
    ).T
    assert layer.compute_output_shape((1, len(music))) == (1, *theirs.shape)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-9 * theirs.max())


def test_stays_float32_under_mixed_precision(music):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = LogMelSpectrogram()
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(layer(music[None]).dtype) == "float32"


def test_config_makes_the_same_layer_again(music):
    layer = LogMelSpectrogram(n_mels=40, scale="htk", power=1.0, compression="log", gain=5.0)
    again = LogMelSpectrogram.from_config(layer.get_config())
    first, second = (keras.ops.convert_to_numpy(x(music[None])) for x in (layer, again))
    np.testing.assert_array_equal(first, second)


def test_odd_length_is_refused():
    with pytest.raises(zoo.ConfigError, match=r"n_fft is 511; it must be even"):
        LogMelSpectrogram(n_fft=511)


def test_unknown_compression_lists_the_known_ones():
    with pytest.raises(zoo.ConfigError, match=r"'sqrt'.*log10, log, decibel, none"):
        LogMelSpectrogram(compression="sqrt")
