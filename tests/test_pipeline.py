"""zoo.data.pipeline.dataset: from a corpus to batches for Keras, on every backend."""

import gc
import itertools
import logging
import os
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest
import songs
import tensorflow as tf
from test_audio import cut_off, music, written

import zoo
from zoo import audio, data
from zoo.data.corpus import Clip, Corpus
from zoo.data.pipeline import cutting
from zoo.data.pipeline import dataset as pipeline
from zoo.errors import AudioWarning, ConfigError, UnknownName

SECONDS = (3.1, 2.0, 0.7, 4.0)


def small(labels=("a", "b"), segment: float = 0.5) -> zoo.AudioModel:
    """A network of few weights for segments of so many seconds at 16 kHz, in about 30 frames."""
    hop_length = round(segment * 16000) // 32
    return zoo.build(
        "dieleman2014", labels, segment=segment, window_length=1024, hop_length=hop_length
    )


@pytest.fixture(scope="module")
def model() -> zoo.AudioModel:
    return small()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """Four clips, of different lengths and formats."""
    folder = tmp_path_factory.mktemp("clips")
    clips = []
    for i, (seconds, suffix) in enumerate(zip(SECONDS, ("wav", "flac", "ogg", "mp3"), strict=True)):
        path = written(folder / f"{i}.{suffix}", music(seconds))
        clips.append(Clip(path, (("a",), ("b",), ("a", "b"), ())[i]))
    return Corpus("four", tuple(clips), ("b", "a"))


@pytest.fixture
def spoiled(corpus, tmp_path) -> Corpus:
    """The four clips, and three that cannot be decoded."""
    text = tmp_path / "text.mp3"
    text.write_text("no music" * 1000)
    nan = written(tmp_path / "nan.wav", np.full(30000, np.nan, np.float32), subtype="FLOAT")
    clips = [*corpus.clips[:2], Clip(text, ("a",)), *corpus.clips[2:]]
    clips += [Clip(tmp_path / "gone.wav"), Clip(nan, start=0.1)]
    return Corpus("spoiled", tuple(clips), ("a", "b"))


def batches(dataset) -> list[tuple[np.ndarray, ...]]:
    return list(dataset.as_numpy_iterator())


def joined(dataset) -> list[np.ndarray]:
    """The columns of all batches together."""
    return [np.concatenate(column) for column in zip(*batches(dataset), strict=True)]


def expected(corpus: Corpus, model: zoo.AudioModel, cut=None) -> list[list]:
    """What audio.segments gives: waveforms, clips, fresh seconds."""
    rows: list[list] = [[], [], []]
    for i, clip in enumerate(corpus.clips):
        pieces = audio.segments(
            clip.path, model.sample_rate, cut or model.segmentation, start=clip.start, end=clip.end
        )
        for piece in pieces:
            for row, value in zip(rows, (piece.samples, i, piece.fresh), strict=True):
                row.append(value)
    return rows


# Evaluation: every segment.


@pytest.mark.parametrize("hop", [None, 0.2])
def test_evaluation_takes_every_segment_as_audio_cuts_it(corpus, model, hop):
    waveforms, clips, fresh = joined(data.segments(corpus, model, batch_size=5, hop=hop))
    cut = model.segmentation
    if hop:
        cut = audio.Segmentation(cut.segment, round(hop * model.sample_rate), cut.pad)
    samples, indices, seconds = expected(corpus, model, cut)
    np.testing.assert_array_equal(clips, indices)
    assert clips.dtype == np.int32
    np.testing.assert_allclose(fresh, seconds, atol=1e-6)
    np.testing.assert_array_equal(waveforms, samples)


@pytest.mark.parametrize(
    "cut", [(100, 100, 0), (100, 40, 0), (100, 7, 30), (94, 84, 5), (1, 1, 0), (100, 99, 1)]
)
def test_the_graph_cuts_any_length_as_audio_does(cut):
    cut = audio.Segmentation(*cut)
    for length in [1, 2, 39, 40, 41, 61, 93, 94, 95, 99, 100, 101, 140, 199, 200, 201, 333]:
        sound = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)  # of short clips
            theirs = list(audio.segments((sound, 1000), 1000, cut))
        ours = list(cutting.all_segments(tf.constant(3), tf.constant(sound), cut, 1000))
        assert len(ours) == len(theirs) == cutting.count(length, cut)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one["waveform"], other.samples)
            assert float(one["fresh"]) == pytest.approx(other.fresh, abs=1e-6)
            assert int(one["first"]) == round(other.start * 1000) - cut.pad
            assert int(one["period"]) == (length if length < cut.segment - 2 * cut.pad else 0)


def test_targets_are_in_the_models_order(corpus, model):
    waveforms, targets = joined(data.dataset(corpus, model))
    _, clips, _ = joined(data.segments(corpus, model))
    assert corpus.labels != model.labels
    np.testing.assert_array_equal(targets, corpus.with_labels(["a", "b"]).targets[clips])
    assert waveforms.shape == (len(targets), model.segmentation.segment)


def test_only_excerpts_are_decoded(corpus, model):
    clips = tuple(clip._replace(start=0.15, end=0.65) for clip in corpus.clips)
    part = Corpus("part", clips, corpus.labels)
    waveforms, found, _ = joined(data.segments(part, model))
    samples, indices, _ = expected(part, model)
    np.testing.assert_array_equal(found, indices)
    np.testing.assert_array_equal(waveforms, samples)
    for training in (False, True):
        waveforms, found, _ = joined(data.segments(part, model, training=training))
        assert sorted(found) == [0, 1, 2, 3]  # half a second: one place for a segment


@pytest.mark.parametrize("options", [{}, {"batch_size": 3}, {"batch_size": 7, "hop": 0.3}])
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_number_of_steps_is_known_beforehand(corpus, model, options, drop_remainder):
    for training in (False, True):
        if training:
            options = {"batch_size": 3, "segments": 4, "training": True}
        dataset = data.dataset(corpus, model, drop_remainder=drop_remainder, **options)
        found = batches(dataset)
        assert int(dataset.cardinality()) == len(found)
        full = [len(target) == options.get("batch_size", 16) for _, target in found]
        assert all(full if drop_remainder else full[:-1])


# Training: random segments.


def test_training_repeats_itself_for_a_seed_and_no_other(corpus, model):
    first, again, other = (
        data.segments(corpus, model, training=True, segments=3, batch_size=5, seed=seed)
        for seed in (1, 1, 2)
    )
    one = [joined(first) for _ in range(2)]
    two = [joined(again) for _ in range(2)]
    for epoch, same in zip(one, two, strict=True):
        for column, its in zip(epoch, same, strict=True):
            np.testing.assert_array_equal(column, its)
    assert not np.array_equal(one[0][1], joined(other)[1])


def test_epochs_differ_in_order_and_in_segments(corpus, model):
    dataset = data.segments(corpus, model, training=True, segments=5, seed=0)
    (first, order, _), (second, its_order, _) = joined(dataset), joined(dataset)
    assert not np.array_equal(order, its_order)
    assert not {w.tobytes() for w in first} & {w.tobytes() for w in second}


def test_without_a_seed_no_two_runs_are_the_same(corpus, model):
    one, two = (joined(data.segments(corpus, model, training=True))[0] for _ in range(2))
    assert not np.array_equal(one, two)


def test_each_clip_gives_as_many_segments_as_requested(corpus, model):
    _, clips, _ = joined(data.segments(corpus, model, training=True, segments=7, seed=0))
    np.testing.assert_array_equal(np.bincount(clips), [7] * 4)


def test_a_random_segment_is_a_piece_of_its_clip(corpus, model):
    rate, length = model.sample_rate, model.segmentation.segment
    sounds = [audio.load(clip.path, rate) for clip in corpus.clips]
    waveforms, clips, fresh = joined(
        data.segments(corpus, model, training=True, segments=4, seed=5)
    )
    np.testing.assert_allclose(fresh, length / rate)
    for waveform, clip in zip(waveforms, clips, strict=True):
        sound = sounds[clip]
        places = np.lib.stride_tricks.sliding_window_view(sound, length)[:, ::400]
        nearest = np.abs(places - waveform[::400]).max(axis=1).argmin()
        np.testing.assert_allclose(waveform, sound[nearest : nearest + length], atol=2e-6)


def test_random_segments_reach_from_the_first_sample_to_the_last(tmp_path):
    """A clip two samples longer than a segment has three places, and padding is a part of it."""
    model = small(segment=0.2)
    path = tmp_path / "ramp.wav"
    written(path, np.arange(1, 3203) / 4000, 16000, subtype="FLOAT")
    corpus = Corpus("ramp", (Clip(path),), ())
    waveforms, _, _ = joined(data.segments(corpus, model, training=True, segments=120, seed=1))
    starts, counts = np.unique(np.round(waveforms[:, 0] * 4000).astype(int), return_counts=True)
    np.testing.assert_array_equal(starts, [1, 2, 3])
    assert counts.min() > 25


def test_padding_takes_part_in_random_segments(tmp_path, pons):
    cut = pons.segmentation
    assert cut.pad > 0
    path = written(tmp_path / "a.wav", np.full(cut.segment - 2 * cut.pad, 0.5), 16000)
    waveforms, _, _ = joined(data.segments(Corpus("a", (Clip(path),), ()), pons, training=True))
    np.testing.assert_array_equal(waveforms[0, : cut.pad], 0)
    np.testing.assert_array_equal(waveforms[0, -cut.pad :], 0)
    np.testing.assert_allclose(waveforms[0, cut.pad : -cut.pad], 0.5, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*it was repeated to fill:zoo.errors.AudioWarning")
def test_short_clips_are_repeated_in_training_as_in_evaluation(tmp_path, model):
    path = written(tmp_path / "a.wav", music(0.2, 16000), 16000)
    corpus = Corpus("short", (Clip(path),), ())
    ((whole,), _, _) = joined(data.segments(corpus, model))
    ((sampled,), _, _) = joined(data.segments(corpus, model, training=True))
    np.testing.assert_array_equal(sampled, whole)
    np.testing.assert_array_equal(whole, expected(corpus, model)[0][0])


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_nothing(corpus, model, workers):
    options = {"training": True, "segments": 4, "seed": 1}
    for one, other in zip(
        joined(data.segments(corpus, model, workers=workers, **options)),
        joined(data.segments(corpus, model, **options)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


# What fails.


def test_clips_that_cannot_be_decoded_are_left_out_named_once_and_listed(spoiled, model, caplog):
    caplog.set_level(logging.WARNING)
    dataset = data.segments(spoiled, model)
    for _ in range(2):
        _, clips, _ = joined(dataset)
        assert set(clips) == {0, 1, 3, 4}
    named = [r.getMessage() for r in caplog.records if "is left out" in r.getMessage()]
    assert len(named) == 3
    names = [spoiled.clips[i].name for i in (2, 5, 6)]
    assert sorted(failure.name for failure in pipeline.failures(dataset)) == sorted(names)
    reasons = {Path(f.name).name: f.reason for f in pipeline.failures(dataset)}
    assert reasons["text.mp3"].startswith("not an MP3")
    assert reasons["gone.wav"].startswith("no such file")
    assert reasons["nan.wav[0.1:]"].startswith("nan among the samples")


def test_in_training_others_replace_clips_that_fail(spoiled, model):
    dataset = data.segments(spoiled, model, training=True, segments=2, batch_size=4, seed=0)
    assert int(dataset.cardinality()) == 4  # 7 clips, 2 segments each
    for _ in range(2):
        _, clips, _ = joined(dataset)
        assert len(clips) == 14
        assert set(clips) == {0, 1, 3, 4}
    assert len(pipeline.failures(dataset)) == 3


@pytest.mark.parametrize("training", [False, True])
def test_if_nothing_can_be_decoded_the_error_says_why(spoiled, model, training):
    bad = spoiled.take([2, 5], "bad")
    with pytest.raises(Exception, match=r"none of the 2 clips of bad could be decoded.*"):
        joined(data.segments(bad, model, training=training))


def test_an_excerpt_beyond_its_file_is_left_out(corpus, model):
    clips = (corpus.clips[0], corpus.clips[1]._replace(start=5.0, end=6.0))
    dataset = data.segments(Corpus("beyond", clips, ("a", "b")), model)
    _, found, _ = joined(dataset)
    assert set(found) == {0}
    (failure,) = pipeline.failures(dataset)
    assert "an excerpt from 5 s to 6 s was requested, but the sound has 2.00 s" in failure.reason


@pytest.mark.filterwarnings("ignore:.*could be decoded:zoo.errors.AudioWarning")
def test_the_rest_of_a_cut_off_file_is_decoded(tmp_path, model):
    path = cut_off(written(tmp_path / "half.flac", music(4)), 0.5)
    _, clips, fresh = joined(data.segments(Corpus("half", (Clip(path),), ()), model))
    assert 1.9 < fresh.sum() < 2.1
    assert set(clips) == {0}


def test_failures_are_known_of_derived_datasets(spoiled, model):
    dataset = data.dataset(spoiled, model)
    made = dataset.map(lambda x, y: (x, y)).unbatch().batch(3).take(100).prefetch(1)
    both = tf.data.Dataset.zip((made, made))
    batches(both)
    assert len(pipeline.failures(dataset)) == 3
    assert pipeline.failures(made) == pipeline.failures(both) == pipeline.failures(dataset)


def test_failures_of_another_dataset_are_not_known():
    with pytest.raises(ConfigError, match="take and so on; this one comes from elsewhere"):
        pipeline.failures(tf.data.Dataset.range(3).take(1))


# A training: one source, many epochs.


def test_an_epoch_depends_on_the_seed_and_its_number_only(spoiled, model):
    def epochs(seed: int, numbers: list[int], cut_short: bool = False) -> list[list[np.ndarray]]:
        source = pipeline.Segments(spoiled, model)
        dataset = source.numbered(pipeline.PipelineOptions(True, 4, 3, seed=seed), by_epoch=True)
        found = []
        for source.epoch in numbers:
            if cut_short:  # as Keras does, to look at a batch
                next(iter(dataset))
            found.append(joined(dataset))
        return found

    tf.random.set_seed(1)
    straight = epochs(3, [0, 1, 2])
    tf.random.set_seed(2)
    resumed = epochs(3, [2, 1], cut_short=True)
    for one, other in ((straight[2], resumed[0]), (straight[1], resumed[1])):
        for column, its in zip(one, other, strict=True):
            np.testing.assert_array_equal(column, its)
    assert not np.array_equal(straight[0][0], straight[1][0])
    assert not np.array_equal(straight[0][0], epochs(4, [0])[0][0])
    # What stands in for the three clips that fail is sampled again, not the same segments.
    assert len(straight[0][0]) == 21
    made = data.dataset(spoiled, model, training=True, segments=3, batch_size=4).map(lambda *x: x)
    assert int(made.cardinality()) == 6
    assert len({waveform.tobytes() for waveform in straight[0][0]}) > 18


def test_a_model_is_freed_after_its_training(corpus):
    model = small()
    source = pipeline.Segments(corpus, model)
    batches(source.labelled(pipeline.PipelineOptions(True, seed=0), by_epoch=True))
    left = weakref.ref(model)
    del model, source
    gc.collect()
    assert left() is None


def test_a_source_names_a_bad_clip_once_for_all_its_datasets(spoiled, model, caplog):
    source = pipeline.Segments(spoiled, model)
    random = source.labelled(pipeline.PipelineOptions(True, seed=0), by_epoch=True)
    for source.epoch in range(2):
        batches(random.map(lambda x, y: (x, y)))
    batches(source.numbered(pipeline.PipelineOptions()))
    assert len([r for r in caplog.records if "is left out" in r.getMessage()]) == 3
    assert len(source.failures) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"segments": 0, "training": True}, "segments is 0; expected a whole number, 1 or more"),
        (
            {"segments": 2},
            r"segments=2 cannot be used with training=False, which takes all segments.*hop=",
        ),
        ({"hop": 0.1, "training": True}, r"hop=0.1 cannot be used with training=True.*segments="),
        ({"batch_size": 0}, "batch_size is 0; expected"),
        ({"batch_size": 2.5}, "batch_size is 2.5; expected"),
        ({"workers": -1}, "workers is -1; expected"),
        ({"hop": 9}, "hop is 9 s; a segment of .* has 0.50 s"),
        ({"decoder": "ffmpeg"}, "decoder is 'ffmpeg'; it is one of soundfile, tensorflow-io"),
        ({"decoder": "tensorflow-io", "cache": "x"}, "'tensorflow-io' cannot be used with cache="),
    ],
)
def test_invalid_arguments_are_refused(corpus, model, options, message):
    for function in (data.dataset, data.segments):
        with pytest.raises(ConfigError, match=message):
            function(corpus, model, **options)


def test_an_empty_corpus_is_refused(model):
    with pytest.raises(ConfigError, match="nothing has no clips"):
        data.dataset(Corpus("nothing", (), ("a",)), model)


def test_tags_that_the_model_lacks_are_refused(corpus):
    with pytest.raises(UnknownName, match=r"four has tags that are not among the labels: b\."):
        data.dataset(corpus, small(["a", "c"]))


# Models that predict frames.


@pytest.fixture(scope="module")
def frame_model() -> zoo.AudioModel:
    return zoo.build("schluter2014", ["onset"], segment=1.0)


def clicks(path: Path, seconds: float, times) -> Clip:
    sound = np.zeros(round(seconds * 44100), np.float32)
    sound[np.round(np.array(times) * 44100).astype(int)] = 0.9
    return Clip(written(path, sound, 44100, subtype="FLOAT"), onsets=tuple(times))


def test_frames_with_an_onset_have_the_target_one(tmp_path, frame_model):
    times = (0.1, 0.504, 1.25, 2.0, 2.49)
    corpus = Corpus("clicks", (clicks(tmp_path / "a.wav", 2.5, times),), ("onset",))
    for training in (False, True):
        dataset = data.dataset(corpus, frame_model, training=training, seed=0)
        for waveform, target in zip(*joined(dataset), strict=True):
            assert target.shape == (100, 1)
            loud = np.flatnonzero(waveform > 0.5)
            frames = np.unique(np.round(loud / 441).astype(int))
            np.testing.assert_array_equal(np.flatnonzero(target), frames[frames < 100])


@pytest.mark.filterwarnings("ignore:.*it was repeated to fill:zoo.errors.AudioWarning")
def test_onsets_of_a_repeated_clip_are_repeated(tmp_path, frame_model):
    corpus = Corpus("clicks", (clicks(tmp_path / "a.wav", 0.3, (0.05, 0.2)),), ("onset",))
    for training in (False, True):
        _, (target,) = joined(data.dataset(corpus, frame_model, training=training))
        np.testing.assert_array_equal(np.flatnonzero(target), [5, 20, 35, 50, 65, 80, 95])


def test_clips_without_onsets_cannot_train_a_model_of_frames(tmp_path, frame_model):
    clip = clicks(tmp_path / "a.wav", 1.0, (0.5,))
    corpus = Corpus("clicks", (clip, clip._replace(onsets=None)), ("onset",))
    with pytest.raises(ConfigError, match=r"needs clips with `onsets`.*has 1 clips without"):
        data.dataset(corpus, frame_model)


def test_a_clip_may_have_no_onset_at_all(tmp_path, frame_model):
    clip = clicks(tmp_path / "a.wav", 1.0, (0.5,))
    corpus = Corpus("clicks", (clip._replace(onsets=()),), ("onset",))
    _, targets = joined(data.dataset(corpus, frame_model))
    assert not targets.any()


# Keras.

FIT = """
import sys
import keras
import numpy as np
from pathlib import Path
import songs
from test_pipeline import small
from zoo import data

corpus = songs.make(Path(sys.argv[1]), clips=3, seconds=0.6)
model = small(corpus.labels)
model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
train = data.dataset(corpus, model, training=True, segments=4, batch_size=6, seed=0)
history = model.fit(
    train, validation_data=data.dataset(corpus, model), epochs=2, verbose=2, shuffle=False
).history
assert np.isfinite(history["loss"] + history["val_loss"]).all(), history
assert model.predict(data.dataset(corpus, model), verbose=0).shape == (12, 2)
print("done on", keras.backend.backend())
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_models_are_fitted_on_other_backends(tmp_path, backend):
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:keras", "-c", FIT, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert f"done on {backend}" in done.stdout, done.stderr[-2000:]
    assert "4/4" in done.stdout  # 24 segments in batches of 6: Keras knows how many


def test_a_model_is_fitted_and_evaluated(tmp_path):
    """Warnings are errors here, so Keras has the right number of steps."""
    corpus = songs.make(tmp_path, clips=3, seconds=0.6)
    model = small(corpus.labels)
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    train = data.dataset(corpus, model, training=True, segments=4, batch_size=6, seed=0)
    test = data.dataset(corpus, model)
    history = model.fit(train, validation_data=test, epochs=2, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    assert np.isfinite(model.evaluate(test, verbose=0))


def test_memory_of_training_does_not_grow_with_the_number_of_files(tmp_path):
    """Ten thousand rows; what is kept for a row, if anything, is below 2 kB."""
    few = songs.make(tmp_path, clips=2, seconds=0.3)
    corpus = Corpus("many", few.clips * 2500, few.labels, single_label=True)
    model = small(corpus.labels, segment=0.2)
    model.compile("sgd", "binary_crossentropy")
    dataset = data.dataset(corpus, model, training=True, batch_size=50, seed=0)
    resident: list[int] = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            resident.append(psutil.Process().memory_info().rss)

    model.fit(dataset, epochs=1, verbose=0, shuffle=False, callbacks=[Watch()])
    assert len(resident) == 200
    assert resident[-1] - resident[40] < 8000 * 2048


def test_an_empty_band_gives_one_warning_for_all_clips_and_epochs(tmp_path):
    clips = [Clip(written(tmp_path / f"{i}.wav", music(1)[::4], 11025)) for i in range(3)]
    corpus, model = Corpus("low", tuple(clips), ("a", "b")), small()
    epochs = itertools.chain.from_iterable(
        pipeline.dataset(corpus, model, workers=1) for _ in range(2)
    )
    with pytest.warns(
        AudioWarning, match="recorded at 11025 Hz, for a model that takes 16000"
    ) as caught:
        list(epochs)
    assert len(caught) == 1
