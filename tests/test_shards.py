"""Shards: decoded sound in record files, and pipelines that are nothing but graph."""

import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from test_audio import music, written
from test_pipeline import batches, joined, small

import zoo
from zoo import data
from zoo.data.corpus import Clip, Corpus
from zoo.data.pipeline import shards
from zoo.data.pipeline.dataset import failures
from zoo.errors import ConfigError

ROUNDING = 0.6 / 32767  # int16, of a peak of 1; a little more than half a step


@pytest.fixture(scope="module")
def model() -> zoo.AudioModel:
    return small()


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    """Clips of less than a record, of exactly one, of several; an excerpt; two formats."""
    clips = []
    for i, (seconds, suffix) in enumerate([(0.7, "wav"), (2, "flac"), (5.3, "mp3"), (4.1, "ogg")]):
        path = written(tmp_path / f"{i}.{suffix}", music(seconds, 16000), 16000)
        clips.append(Clip(path, ("a" if i % 2 else "b",)))
    clips.append(clips[2]._replace(start=1.21, end=3.5))
    return Corpus("five", tuple(clips), ("a", "b"))


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the files that are opened to be decoded, in order of the clips."""
    names: list[str] = []
    original = shards.Shards._encoded

    def encoded(self, job):
        names.append(job[1].path.name)
        return original(self, job)

    monkeypatch.setattr(shards.Shards, "_encoded", encoded)
    return names


def same(one, other, atol: float = ROUNDING) -> None:
    """Both datasets give the same segments, within a tolerance of the waveform."""
    for ours, theirs in zip(batches(one), batches(other), strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], atol=atol, rtol=0)
        for column, its in zip(ours[1:], theirs[1:], strict=True):
            np.testing.assert_allclose(column, its, atol=1e-6)


# What is read is what was decoded.


@pytest.mark.parametrize("hop", [None, 0.3])
def test_evaluation_takes_the_same_segments(corpus, model, tmp_path, hop):
    options = {"batch_size": 3, "hop": hop}
    cached = data.segments(corpus, model, cache=tmp_path / "cache", **options)
    same(cached, data.segments(corpus, model, **options))
    assert int(cached.cardinality()) == len(batches(cached))


def test_training_takes_the_same_segments_in_the_same_order(corpus, model, tmp_path):
    options = {"training": True, "batch_size": 3, "segments": 4, "seed": 2}
    cached = data.dataset(corpus, model, cache=tmp_path / "cache", **options)
    plain = data.dataset(corpus, model, **options)
    for _ in range(2):
        same(cached, plain)
    assert int(cached.cardinality()) == 7


@pytest.mark.filterwarnings("ignore:.*silent:zoo.errors.AudioWarning")
@pytest.mark.parametrize("level", [0.0, 1e-4, 1.0, 1.7])
def test_soft_and_loud_sounds_are_kept_to_16_bits_of_their_peak(tmp_path, model, level):
    noise = np.random.default_rng(0).uniform(-1, 1, 40000) * level
    path = written(tmp_path / "a.wav", noise, 16000, subtype="FLOAT")
    corpus = Corpus("one", (Clip(path),), ())
    same(
        data.segments(corpus, model, cache=tmp_path / "cache"),
        data.segments(corpus, model),
        atol=level * ROUNDING,
    )


def test_another_sample_rate_has_a_folder_of_its_own(corpus, model, tmp_path):
    slow = zoo.build("choi2016", ["a", "b"], segment=1.5, backend="temporal_pooling", width=0.05)
    for network in (model, slow):
        same(
            data.segments(corpus.take([3]), network, cache=tmp_path / "cache"),
            data.segments(corpus.take([3]), network),
        )
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"16000", "12000"}


def test_no_python_is_left_in_the_graph(corpus, model, tmp_path):
    for training in (False, True):
        options = {"training": training, "seed": 0}
        cached = data.dataset(corpus, model, cache=tmp_path / "cache", **options)
        plain = data.dataset(corpus, model, **options)
        assert not python_functions(cached)
        assert python_functions(plain)


def python_functions(dataset) -> list[str]:
    graph = dataset._as_serialized_graph().numpy()
    definition = tf.compat.v1.GraphDef.FromString(graph)
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    return [node.op for node in nodes if "PyFunc" in node.op]


# Under the tf.data service.


@pytest.fixture
def service():
    """A dispatcher and two workers, in this process."""
    dispatcher = tf.data.experimental.service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    config = tf.data.experimental.service.WorkerConfig(dispatcher_address=address)
    workers = [tf.data.experimental.service.WorkerServer(config) for _ in range(2)]
    yield dispatcher.target
    del workers, dispatcher


def test_two_workers_of_the_service_share_an_epoch(corpus, model, tmp_path, service):
    share = tf.data.experimental.service.distribute(
        tf.data.experimental.service.ShardingPolicy.DYNAMIC, service
    )
    for training in (False, True):
        cached = data.segments(
            corpus, model, training=training, batch_size=2, cache=tmp_path / "cache", seed=0
        )
        shared = cached.apply(share)
        for _ in range(2):
            _, clips, fresh = joined(shared)
            _, expected, its_fresh = joined(cached)
            np.testing.assert_array_equal(np.bincount(clips), np.bincount(expected))
            np.testing.assert_allclose(np.bincount(clips, fresh), np.bincount(expected, its_fresh))


# Reuse.


def test_nothing_is_decoded_twice(corpus, model, tmp_path, decoded):
    for _ in range(2):
        data.segments(corpus, model, cache=tmp_path / "cache")
        data.dataset(corpus, model, training=True, cache=tmp_path / "cache")
    assert sorted(decoded) == ["0.wav", "1.flac", "2.mp3", "2.mp3", "3.ogg"]


def test_rows_of_the_same_clip_are_decoded_once(corpus, model, tmp_path, decoded):
    many = corpus.take([0, 1, 0, 1, 1])
    cached = data.segments(many, model, cache=tmp_path / "cache")
    assert sorted(decoded) == ["0.wav", "1.flac"]
    same(cached, data.segments(many, model))


def test_corpora_share_a_folder(corpus, model, tmp_path, decoded):
    for indices in ([0, 1], [1, 2], [2, 4], [0, 3]):
        part = corpus.take(indices)
        same(data.segments(part, model, cache=tmp_path / "cache"), data.segments(part, model))
    assert len(decoded) == 5


@pytest.mark.parametrize("change", ["content", "time"])
def test_a_changed_file_is_decoded_again(corpus, model, tmp_path, decoded, change):
    data.segments(corpus, model, cache=tmp_path / "cache")
    del decoded[:]
    path = corpus.clips[1].path
    if change == "content":
        written(path, music(3, 16000)[::-1], 16000)
    else:
        os.utime(path, ns=(1, 1))
    same(data.segments(corpus, model, cache=tmp_path / "cache"), data.segments(corpus, model))
    assert decoded == ["1.flac"]


def test_clips_that_fail_are_listed_and_not_decoded_again_until_they_change(
    corpus, model, tmp_path, decoded, caplog
):
    text = tmp_path / "text.wav"
    text.write_text("no music" * 1000)
    clips = (*corpus.clips[:2], Clip(text), Clip(tmp_path / "gone.wav"))
    spoiled = Corpus("spoiled", clips, ("a", "b"))
    for times in (1, 2):
        caplog.clear()
        dataset = data.segments(spoiled, model, cache=tmp_path / "cache")
        assert set(joined(dataset)[1]) == {0, 1}
        reasons = {Path(f.name).name: f.reason for f in failures(dataset)}
        assert reasons["text.wav"].startswith("no sound could be read")
        assert reasons["gone.wav"].startswith("no such file")
        assert sum("is left out" in record.getMessage() for record in caplog.records) == 2, times
    assert decoded.count("text.wav") == 1
    written(text, music(1, 16000), 16000)
    assert set(joined(data.segments(spoiled, model, cache=tmp_path / "cache"))[1]) == {0, 1, 2}


def test_in_training_the_steps_are_those_of_the_clips_that_there_are(corpus, model, tmp_path):
    clips = (*corpus.clips[:2], Clip(tmp_path / "gone.wav"))
    dataset = data.segments(
        Corpus("one gone", clips, ("a", "b")),
        model,
        training=True,
        segments=4,
        batch_size=1,
        cache=tmp_path / "cache",
    )
    assert int(dataset.cardinality()) == 8
    np.testing.assert_array_equal(np.bincount(joined(dataset)[1]), [4, 4])


def test_if_nothing_can_be_decoded_the_error_says_why(model, tmp_path):
    corpus = Corpus("gone", (Clip(tmp_path / "gone.wav"),), ())
    with pytest.raises(zoo.AudioError, match=r"none of the 1 clips of gone .* no such file"):
        data.segments(corpus, model, cache=tmp_path / "cache")


# Files.


def test_long_clips_and_many_of_them_are_spread_over_files(corpus, model, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD", 100_000)  # bytes: a file is full after two records
    cached = data.segments(corpus, model, cache=tmp_path / "cache")
    same(cached, data.segments(corpus, model))
    assert len(list((tmp_path / "cache" / "16000").glob("*.tfrecord"))) == 4


def test_files_are_plain_records_with_an_index(corpus, model, tmp_path):
    data.segments(corpus, model, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache" / "16000").glob("*.tfrecord")
    index = json.loads(file.with_suffix(".json").read_text())
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    assert index["records"] == len(records)
    assert index["sample_rate"] == 16000
    entry = index["entries"][1]
    assert entry["path"] == str(corpus.clips[1].path)
    assert entry["samples"] == 32000
    assert entry["size"] == corpus.clips[1].path.stat().st_size
    (raw,) = records[entry["first"] : entry["first"] + 1]
    scale = np.frombuffer(raw[:4], "<f4")[0]
    samples = np.frombuffer(raw[4:], "<i2") * scale
    whole, _ = soundfile.read(corpus.clips[1].path, dtype="float32")
    np.testing.assert_allclose(samples, whole.mean(axis=1), atol=ROUNDING)


@pytest.mark.parametrize("damage", ["cut off", "removed", "no index"])
def test_damaged_files_are_made_again(corpus, model, tmp_path, damage, decoded, caplog):
    caplog.set_level(logging.WARNING)
    data.segments(corpus, model, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache" / "16000").glob("*.tfrecord")
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:-1000])
    else:
        (file if damage == "removed" else file.with_suffix(".json")).unlink()
    same(data.segments(corpus, model, cache=tmp_path / "cache"), data.segments(corpus, model))
    assert len(decoded) == 10
    assert ("is missing or cut off" in caplog.text) == (damage != "no index")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", r"00000.json: not the index of a cache of decoded audio .*missing required field"),
        ("no json", r"not the index of a cache of decoded audio .*malformed"),
        (
            '{"version": 9, "sample_rate": 16000, "records": 0, "entries": []}',
            r"16000 Hz in version 9 of the cache; expected 16000 Hz and version 1. Remove .*16000",
        ),
        (
            '{"version": 1, "sample_rate": 8000, "records": 0, "entries": []}',
            r"audio at 8000 Hz in version 1",
        ),
    ],
)
def test_a_foreign_index_is_refused(corpus, model, tmp_path, content, message):
    folder = tmp_path / "cache" / "16000"
    folder.mkdir(parents=True)
    (folder / "00000.json").write_text(content)
    with pytest.raises(ConfigError, match=message):
        data.segments(corpus, model, cache=tmp_path / "cache")


def test_a_file_where_the_folder_should_be_is_refused(corpus, model, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(ConfigError, match=r"cache=.*cache: a file; expected a folder"):
        data.segments(corpus, model, cache=tmp_path / "cache")


# Interruptions.


def test_an_interruption_loses_no_finished_clip(corpus, model, tmp_path, decoded, monkeypatch):
    original = shards._Shard.add

    def add(self, *arguments):
        if len(self.entries) == 2:
            raise KeyboardInterrupt
        original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shards._Shard, "add", add)
        with pytest.raises(KeyboardInterrupt):
            data.segments(corpus, model, cache=tmp_path / "cache", workers=1)
    del decoded[:]
    same(data.segments(corpus, model, cache=tmp_path / "cache"), data.segments(corpus, model))
    assert len(decoded) == 3


def test_a_killed_process_leaves_no_unfinished_files(corpus, model, tmp_path):
    """It is killed while it writes the second file; the next one resumes after the first."""
    program = textwrap.dedent(f"""
        import os, sys
        from pathlib import Path
        from zoo.data.pipeline import shards
        from zoo.data.corpus import Clip, Corpus
        shards.SHARD = 100_000
        original = shards._Shard.add
        def add(self, *arguments):
            original(self, *arguments)
            if self.path.name == "00001.tfrecord":
                os._exit(9)
        shards._Shard.add = add
        clips = tuple(Clip(Path(path)) for path in {[str(c.path) for c in corpus.clips[:4]]})
        shards.Shards(Corpus("four", clips, ()), 16000, {str(tmp_path / "cache")!r}, 1)
    """)
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True)
    assert done.returncode == 9
    folder = tmp_path / "cache" / "16000"
    assert {path.name for path in folder.iterdir()} >= {"00000.tfrecord", "00001.part"}
    same(data.segments(corpus, model, cache=tmp_path / "cache"), data.segments(corpus, model))
    assert not list(folder.glob("*.part"))


def test_only_a_terminal_sees_a_bar(corpus, model, tmp_path, capfd):
    data.segments(corpus, model, cache=tmp_path / "cache")
    assert capfd.readouterr() == ("", "")


def test_a_failure_of_this_run_is_not_kept(corpus, model, tmp_path, monkeypatch, decoded):
    """Too many open files, say: it says nothing of the file."""
    original = shards.audio.stream

    def fail(path, *args, **kwargs):
        if Path(path).name == "1.flac":
            raise OSError(24, "Too many open files")
        return original(path, *args, **kwargs)

    monkeypatch.setattr(shards.audio, "stream", fail)
    first = data.dataset(corpus, model, cache=tmp_path / "cache")
    assert [failure.reason for failure in failures(first)] == ["[Errno 24] Too many open files"]
    monkeypatch.setattr(shards.audio, "stream", original)
    decoded.clear()
    assert failures(data.dataset(corpus, model, cache=tmp_path / "cache")) == ()
    assert decoded == ["1.flac"]


def test_records_without_an_index_are_removed(corpus, model, tmp_path):
    left = tmp_path / "cache" / "16000" / "00007.tfrecord"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of a killed process")
    data.dataset(corpus, model, cache=tmp_path / "cache")
    assert not left.exists()


def test_a_flipped_bit_is_an_error_that_names_the_file(tmp_path):
    import songs

    import zoo

    cache = tmp_path / "cache"
    train, validation = (songs.make(tmp_path / name, 2) for name in ("train", "validation"))
    call = {"epochs": 1, "batch_size": 4, "cache": cache, "progress": False}
    call |= {"options": {"segment": 1.0}, "folder": tmp_path / "out"}
    shards.Shards(train, 16000, cache, 1)
    (file,) = cache.glob("*/*.tfrecord")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(zoo.ConfigError, match=r"00000\.tfrecord.*Delete it"):
        zoo.train("dieleman2014", train, validation, **call)
    file.unlink()
    assert zoo.train("dieleman2014", train, validation, **call).model.labels == ("noise", "tone")


def test_an_index_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "16000").mkdir()
    (tmp_path / "16000" / "00000.json").write_bytes(b'{"version": "\xff"}')
    corpus = data.Corpus("one", (data.Clip(tmp_path / "a.wav", ()),), ("a",))
    with pytest.raises(ConfigError, match="not the index of a cache"):
        shards.Shards(corpus, 16000, tmp_path, 1)


@pytest.mark.parametrize("when", [0, 4_000_000_000])
def test_a_clock_that_jumps_decodes_nothing_again(corpus, model, tmp_path, monkeypatch, when):
    data.segments(corpus, model, cache=tmp_path / "cache")
    for path in (tmp_path / "cache").rglob("*"):
        os.utime(path, (when, when))

    def fail(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(shards.audio, "stream", fail)
    data.segments(corpus, model, cache=tmp_path / "cache")
