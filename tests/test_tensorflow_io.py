"""decoder="tensorflow-io": what it needs, and that it equals the default decoder.

Most of it runs only in an environment with the extra `tensorflow-io`, which `.ci/run` makes.
"""

import functools
import importlib
from importlib import metadata

import keras
import numpy as np
import pytest
import sound_files
import tensorflow as tf

import zoo
from zoo import audio, data
from zoo.errors import ConfigError

try:
    from zoo.data.pipeline import tensorflow_io
except ConfigError:
    tensorflow_io = None

with_tensorflow_io = pytest.mark.skipif(
    tensorflow_io is None, reason="needs an environment with the extra tensorflow-io"
)
without_tensorflow_io = pytest.mark.skipif(
    tensorflow_io is not None,
    reason="tests the error without the extra tensorflow-io",
)


# --- where it does not work ---


@without_tensorflow_io
def test_the_error_gives_the_versions_found_and_what_to_do():
    with pytest.raises(ConfigError) as caught:
        importlib.import_module("zoo.data.pipeline.tensorflow_io")
    for words in (
        f"with TensorFlow {tf.__version__}.",
        "TensorFlow 2.16 or 2.17",
        'pip install "music-zoo[tensorflow-io]"',
        'decoder="soundfile"',
    ):
        assert words in str(caught.value)


@without_tensorflow_io
def test_a_dataset_refuses_a_decoder_that_does_not_work_before_any_file_is_opened(model, corpus):
    with pytest.raises(ConfigError, match=r"music-zoo\[tensorflow-io\]"):
        data.dataset(corpus, model, decoder="tensorflow-io")


@with_tensorflow_io
@pytest.mark.parametrize(
    ("there", "words"), [(None, "found no tensorflow-io"), ("0.36.0", "tensorflow-io 0.36.0")]
)
def test_another_version_of_tensorflow_io_or_none_is_named(there, words, monkeypatch):
    def version(name):
        if there is None:
            raise metadata.PackageNotFoundError(name)
        return there

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(ConfigError, match=words):
        tensorflow_io._check_versions()


# --- the same sound ---


@functools.cache
def at(sample_rate):
    """Return `waveform` for one sample rate as a function of path, start and seconds."""
    scalars = [tf.TensorSpec((), kind) for kind in (tf.string, tf.float64, tf.float64)]
    return tf.function(
        lambda path, start, seconds: tensorflow_io.waveform(path, start, seconds, sample_rate),
        input_signature=scalars,
    )


def decoded(path, sample_rate, start=0.0, seconds=-1.0):
    return at(sample_rate)(str(path), start, seconds).numpy()


@with_tensorflow_io
@pytest.mark.parametrize("kind", sound_files.KINDS)
def test_without_resampling_the_samples_are_those_of_the_default_decoder(kind, tmp_path):
    path = sound_files.write(tmp_path, kind)
    lossy = kind in ("ogg", "mp3")
    np.testing.assert_allclose(
        decoded(path, sound_files.RATE),
        audio.load(path, sound_files.RATE),
        rtol=0,
        atol=2e-6 if lossy else 1e-7,
    )


@with_tensorflow_io
@pytest.mark.parametrize("kind", ["wav16", "flac16", "ogg", "mp3"])
@pytest.mark.parametrize("sample_rate", [16000, 48000])
def test_resampled_tones_up_to_6_khz_differ_by_less_than_a_thousandth(kind, sample_rate, tmp_path):
    path = sound_files.write(tmp_path, kind)
    ours = decoded(path, sample_rate)
    assert ours.shape == (round(sound_files.SECONDS * sample_rate),)
    np.testing.assert_allclose(ours, audio.load(path, sample_rate), rtol=0, atol=5e-4)


@with_tensorflow_io
def test_resampled_music_differs_by_60_decibels_less_than_it_is_loud(example):
    ours, theirs = decoded(example, 16000), audio.load(example, 16000)
    assert ours.shape == theirs.shape
    assert np.std(ours - theirs) < 1e-3 * np.std(theirs)


@with_tensorflow_io
@pytest.mark.parametrize("rates", [(44100, 16000), (16000, 44100), (48000, 16000), (11025, 16000)])
def test_resampling_shifts_nothing_in_time(rates, tmp_path):
    rate, sample_rate = rates
    click = np.zeros(2 * rate, np.float32)
    click[rate] = 0.9
    power = decoded(sound_files.write(tmp_path, "wav24", click, rate), sample_rate) ** 2
    centre = (power * np.arange(len(power))).sum() / power.sum()
    assert centre == pytest.approx(sample_rate, abs=0.01)


@with_tensorflow_io
@pytest.mark.parametrize("kind", ["wav16", "flac16", "ogg", "mp3"])
@pytest.mark.parametrize("bounds", [(0.0, 0.5), (0.777, 0.9), (1.3, -1.0), (2.0, 0.55)])
def test_an_excerpt_is_a_cut_of_the_whole(kind, bounds, tmp_path):
    path, (start, seconds) = sound_files.write(tmp_path, kind), bounds
    first = round(start * 16000)
    end = None if seconds < 0 else round((start + seconds) * 16000)
    cut = decoded(path, 16000)[first:end]
    np.testing.assert_allclose(decoded(path, 16000, start, seconds), cut, rtol=0, atol=1e-6)
    default = audio.load(path, 16000, start, None if seconds < 0 else start + seconds)
    np.testing.assert_allclose(cut, default, rtol=0, atol=5e-4)


@with_tensorflow_io
@pytest.mark.parametrize("kind", ["mp3", "flac16"])
def test_a_sound_behind_a_tag_is_found(kind, tmp_path):
    path = sound_files.write(tmp_path, kind)
    behind = tmp_path / "tagged"
    behind.write_bytes(sound_files.tagged(path.read_bytes()))
    np.testing.assert_array_equal(decoded(behind, 16000), decoded(path, 16000))


@with_tensorflow_io
def test_files_decoded_at_once_are_not_mixed_up(tmp_path):
    paths = []
    for i in range(12):
        (tmp_path / str(i)).mkdir()
        sound = np.full((4000 + 100 * i, 1), i / 20, np.float32)
        paths += [sound_files.write(tmp_path / str(i), kind, sound) for kind in ("wav16", "flac16")]
    found = (
        tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
        .repeat(4)
        .map(lambda path: tensorflow_io.waveform(path, 0.0, -1.0, 44100), num_parallel_calls=8)
    )
    for i, sound in enumerate(found):
        expected = i % 24 // 2
        assert len(sound) == 4000 + 100 * expected
        assert float(sound[0]) == pytest.approx(expected / 20, abs=1e-4)


# --- what is no sound ---


@with_tensorflow_io
@pytest.mark.parametrize(("what", "words"), sound_files.WRONG.items())
def test_a_file_that_cannot_be_decoded_is_named(what, words, tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(sound_files.spoiled(tmp_path)[what])
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"song\.wav: .*{words}"):
        decoded(path, 16000)


@with_tensorflow_io
def test_nan_in_a_sound_is_an_error(tmp_path):
    path = sound_files.write(tmp_path, "wav_float", np.full(1000, np.nan, np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"wav_float.*NaN"):
        decoded(path, 16000)


@with_tensorflow_io
@pytest.mark.parametrize("bounds", [(3.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_an_excerpt_beyond_the_file_is_an_error(bounds, tmp_path):
    path = sound_files.write(tmp_path, "wav16")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"wav16.*excerpt"):
        decoded(path, 16000, *bounds)


@with_tensorflow_io
def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(tf.errors.NotFoundError, match=r"nowhere\.mp3"):
        decoded(tmp_path / "nowhere.mp3", 16000)


@with_tensorflow_io
def test_the_decoder_returns_from_every_flac_that_is_cut_off(tmp_path):
    contents = sound_files.write(tmp_path, "flac16", sound_files.stereo(0.5)).read_bytes()
    frames = [i for i in range(len(contents)) if contents[i:].startswith(b"\xff\xf8")]
    path = tmp_path / "cut.flac"
    for cut in {frame + more for frame in frames[1::2] for more in (-2, -1, 0, 1, 2, 5, 20)}:
        path.write_bytes(contents[:cut])
        with pytest.raises(tf.errors.InvalidArgumentError):
            decoded(path, 44100)


# --- in a pipeline ---


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four files in four formats, of two classes."""
    folder = tmp_path_factory.mktemp("songs")
    clips = []
    for i, kind in enumerate(("wav16", "mp3", "flac16", "ogg")):
        paths = sound_files.write(folder, kind, sound_files.stereo() * (1 if i % 2 else 0.1))
        clips.append(data.Clip(paths, ("loud" if i % 2 else "soft",), start=0.25))
    return data.Corpus("songs", tuple(clips), ("loud", "soft"), single_label=True)


@pytest.fixture(scope="module")
def model():
    """A small network that takes 0.5 s segments."""
    return zoo.build(
        "choi2016", ["loud", "soft"], backend="temporal_pooling", segment=0.5, width=0.05
    )


@with_tensorflow_io
@pytest.mark.parametrize("training", [False, True])
def test_batches_are_those_of_the_default_decoder(training, model, corpus):
    options = {"training": training, "seed": 3, "batch_size": 5, "segments": 3 if training else 1}
    ours = list(data.dataset(corpus, model, decoder="tensorflow-io", **options))
    theirs = list(data.dataset(corpus, model, **options))
    assert len(ours) == len(theirs) > 1
    for (waveform, target), (expected, its_target) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(waveform, expected, rtol=0, atol=5e-4)
        np.testing.assert_array_equal(target, its_target)


@with_tensorflow_io
def test_a_model_is_fitted_and_evaluated(model, corpus):
    train = data.dataset(corpus, model, training=True, seed=0, decoder="tensorflow-io", segments=4)
    test = data.dataset(corpus, model, decoder="tensorflow-io")
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    history = model.fit(train, validation_data=test, epochs=1, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()


@with_tensorflow_io
def test_a_clip_that_cannot_be_decoded_is_left_out(model, corpus, tmp_path):
    bad = tmp_path / "cut.flac"
    bad.write_bytes(sound_files.spoiled(tmp_path)["flac cut between frames"])
    clips = (*corpus.clips[:2], data.Clip(bad, ("soft",)), *corpus.clips[2:])
    mixed = data.Corpus("mixed", clips, corpus.labels, single_label=True)
    batches = data.segments(mixed, model, decoder="tensorflow-io")
    assert {int(clip) for _, ids, _ in batches for clip in ids} == {0, 1, 3, 4}
