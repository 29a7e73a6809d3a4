"""`zoo batch`: rows, resuming, failures, and what a killed run leaves behind."""

import errno
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from batch_models import crash_opener, quick_opener

import zoo
from zoo.batching import plan as planning
from zoo.batching import pool, run, sources
from zoo.batching.pool import Limits, Pool
from zoo.batching.sources import Track
from zoo.batching.work import Job, open_model

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
dataset = pytest.importorskip("zoo.batching.dataset")

MODEL = "choi2016.zoo_3s"  # bundled, and quick


def write(path, seconds=4.0, rate=16000, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, rng.normal(0, 0.1, (round(seconds * rate), channels)), rate)
    return path


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Six songs, among them odd ones, in two folders."""
    folder = tmp_path_factory.mktemp("songs")
    write(folder / "a.wav", 7.0, seed=1)
    write(folder / "b.flac", 4.0, 44100, seed=2)
    write(folder / "deep" / "short.wav", 0.2, seed=3)
    write(folder / "deep" / "eight.wav", 3.0, 16000, 8, seed=4)
    write(folder / "deep" / "fast.wav", 3.5, 192000, 2, seed=5)
    write(folder / "deep" / "z\u00fcrich.ogg", 5.0, seed=6)
    return folder


def rows(out, name="tracks", by=("path",)):
    table = pq.read_table(out / name)
    return table.sort_by([(column, "ascending") for column in by]).to_pylist()


def quick(out, names, opener=quick_opener, workers=1, limits=Limits(), **options):  # noqa: B008
    """Run without a model: the answers come from the names of the files."""
    return run.run(
        partial(Pool, opener, workers, limits),
        "0" * 64,
        [str(name) for name in names],
        out,
        settings={},
        progress=False,
        **options,
    )


@pytest.fixture
def many(tmp_path):
    """A list of 40 files with two columns, half of which have text for their content."""
    lines = ["path,year,artist"]
    for i in range(40):
        path = tmp_path / "many" / f"{i:02d}.mp3"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * i)
        lines.append(f"many/{i:02d}.mp3,{1960 + i},Nina")
    file = tmp_path / "list.csv"
    file.write_text("\n".join(lines))
    return file


# --- with a model ---


@pytest.fixture(scope="module")
def done(songs, tmp_path_factory):
    """A run with everything in it."""
    out = tmp_path_factory.mktemp("done") / "out"
    summary = zoo.batch(
        MODEL, songs, out, segments=True, embed=["penultimate"], workers=1, progress=False
    )
    assert (summary.tracks, summary.failed) == (6, 0)
    return out


def test_rows_are_what_the_model_says(done, songs):
    model = zoo.load(MODEL, runtime="onnx")
    tracks, segments = rows(done), rows(done, "segments", ("path", "start"))
    assert [row["path"] for row in tracks] == sorted(str(p) for p in songs.rglob("*.*"))
    for row in tracks:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zoo.AudioWarning)
            gram = model.taggram(row["path"])
            vectors = model.embed(row["path"])
        np.testing.assert_allclose([row[label] for label in model.labels], gram.mean(), atol=1e-6)
        np.testing.assert_allclose(row["embedding_penultimate"], vectors.mean(), atol=1e-5)
        assert row["seconds"] == pytest.approx(gram.seconds.sum())
        assert row["size"] == os.path.getsize(row["path"])
        own = [segment for segment in segments if segment["path"] == row["path"]]
        assert [segment["start"] for segment in own] == gram.times.tolist()
        scores = [[segment[label] for label in model.labels] for segment in own]
        np.testing.assert_allclose(scores, gram.values, atol=1e-6)
    assert "repeated to fill" in next(r for r in tracks if "short" in r["path"])["warning"]


def test_the_schema_says_where_the_rows_come_from(done):
    metadata = json.loads(pq.read_schema(next((done / "tracks").iterdir())).metadata[b"music-zoo"])
    assert metadata == json.loads((done / "run.json").read_text())
    assert metadata["model"] == MODEL
    assert metadata["version"] == zoo.__version__
    assert metadata["sha256"] == run.digest(MODEL)
    assert metadata["units"] == {"penultimate": len(rows(done)[0]["embedding_penultimate"])}
    field = pq.read_schema(next((done / "segments").iterdir())).field("start")
    assert field.metadata == {b"unit": b"s"}


def test_onsets_of_a_model_that_finds_them(songs, tmp_path):
    song = songs / "b.flac"
    zoo.batch("schluter2014", song, tmp_path / "out", workers=1, progress=False)
    (row,) = rows(tmp_path / "out")
    expected = zoo.load("schluter2014", runtime="onnx").onsets(song)
    assert len(expected.times) > 0
    np.testing.assert_allclose(row["onsets"], expected.times)
    assert row["seconds"] == pytest.approx(len(expected.activation) / expected.frame_rate)


def test_what_does_not_fit_the_model_is_refused(songs, tmp_path):
    for name, asked, message in (
        (MODEL, {"embed": ["nowhere"]}, "no stage named 'nowhere'"),
        (MODEL, {"onsets": True}, "does not find onsets"),
        (MODEL, {"tags": False}, "nothing is asked"),
        (MODEL, {"hop": 100.0}, "hop must be more than 0"),
        ("schluter2014", {"tags": True}, "finds onsets, not tags"),
    ):
        with pytest.raises((zoo.ConfigError, zoo.UnknownName), match=message):
            open_model(Job(model=name, **asked))
    out = tmp_path / "out"
    with pytest.raises(zoo.ConfigError, match="no stage named"):
        zoo.batch(MODEL, songs, out, embed=["nowhere"], progress=False)
    assert not (out / "run.json").exists()


def test_the_command_counts_failures_and_goes_on(run, songs, tmp_path):
    folder, out = tmp_path / "songs", tmp_path / "out"
    shutil.copytree(songs, folder)
    (folder / "broken.mp3").write_text("no sound at all")
    command = ["batch", MODEL, folder, "-o", out, "--workers", "1"]
    first = run(*command, "--export", "jsonl")
    assert first.exit_code == 1, first.output
    assert "6 tracks" in first.stdout
    assert "1 track failed" in first.stderr
    assert json.loads(first.stderr.splitlines()[0])["failed"] == 1
    (failure,) = pq.read_table(out / "failed.parquet").to_pylist()
    assert failure["path"].endswith("broken.mp3")
    assert failure["attempts"] == 2
    assert "not an MP3" in failure["reason"]
    lines = (out / "tracks.jsonl").read_text().splitlines()
    assert len(lines) == 6
    assert json.loads(lines[0])["modified"].endswith("+00:00")
    write(folder / "broken.mp3".replace("mp3", "wav"))
    (folder / "broken.mp3").unlink()
    again = run(*command)
    assert again.exit_code == 0
    assert "1 track," in again.stdout
    assert "6 were done before" in again.stdout


def hostile(folder: Path) -> dict[str, bytes]:
    """Return contents that are no sound, by what they are."""
    start = {}
    for suffix in ("wav", "flac", "ogg"):
        start[suffix] = write(folder / f"start.{suffix}", 0.5).read_bytes()
    soundfile.write(folder / "none.wav", np.zeros((0, 1)), 16000)
    return {
        "empty": b"",
        "text": b"no sound\n" * 50,
        "picture": b"\x89PNG\r\n\x1a\n" + np.random.default_rng(0).bytes(400),
        "zeros": bytes(4096),
        "archive": b"PK\3\4" + bytes(200),
        "wav without samples": (folder / "none.wav").read_bytes(),
        "start of a wav": start["wav"][:30],
        "start of a flac": start["flac"][:42],
        "start of an ogg": start["ogg"][:60],
        "tag without a song": b"ID3\4\0\0\0\0\2\x2c" + bytes(300),
    }


def test_a_corpus_of_500_files_of_which_40_are_hostile(tmp_path):
    corpus, kinds = tmp_path / "corpus", ("a.wav", "b.flac", "c.ogg", "d.mp3", "e.aiff")
    for i in range(460):
        name, rate = kinds[i % 5], (16000, 22050, 44100, 48000)[i % 4]
        write(corpus / f"{i % 7}" / f"{i:03d}{name}", 0.6 + i % 3, rate, 1 + i % 2, seed=i)
    bad = hostile(tmp_path)
    for i, (content, suffix) in enumerate(
        itertools.product(bad.values(), ["wav", "flac", "ogg", "mp3"])
    ):
        (corpus / f"{i % 7}" / f"{i:03d} hostile.{suffix}").write_bytes(content)
    summary = zoo.batch(MODEL, corpus, tmp_path / "out", workers=2, progress=False)
    assert (summary.tracks, summary.failed) == (460, 40)
    assert len({row["path"] for row in rows(tmp_path / "out")}) == 460
    failed = rows(tmp_path / "out", "failed")
    assert all("hostile" in row["path"] and row["reason"] for row in failed)
    assert len(failed) == 40


def test_exit_status_of_wrong_calls(run, songs, tmp_path):
    for arguments in (
        ["nosuchmodel", songs, "-o", tmp_path / "out"],
        [MODEL, tmp_path / "nowhere", "-o", tmp_path / "out"],
        [MODEL, songs, "-o", tmp_path / "out", "--shard", "3/2"],
        [MODEL, songs],
    ):
        done = run("batch", *arguments)
        assert done.exit_code == 2, done.output
    assert not (tmp_path / "out").exists()


# --- resuming ---


def test_a_second_call_does_only_what_is_new_or_has_changed(many, tmp_path):
    out = tmp_path / "out"
    assert quick(out, [many], part=7).tracks == 40
    assert len(list((out / "tracks").iterdir())) == 6
    again = quick(out, [many])
    assert (again.tracks, again.tracks_before) == (0, 40)
    changed = tmp_path / "many" / "05.mp3"
    changed.write_bytes(b"longer than before")
    assert quick(out, [many]).tracks == 1
    found = rows(out)
    assert len(found) == 40
    assert found[5]["size"] == 18


def test_other_settings_are_refused_by_name(many, tmp_path):
    out = tmp_path / "out"
    quick(out, [many])
    with pytest.raises(zoo.ConfigError, match=r"columns was .*'year'.* and is \{\}.*--overwrite"):
        quick(out, [tmp_path / "many"])
    assert quick(out, [tmp_path / "many"], overwrite=True).tracks == 40
    assert "year" not in rows(out)[0]


def test_a_folder_with_something_else_is_left_alone(many, tmp_path):
    with pytest.raises(zoo.ConfigError, match="holds no results of zoo batch"):
        quick(tmp_path / "many", [many])
    with pytest.raises(zoo.ConfigError, match="is a file"):
        quick(many, [many])


def test_failures_are_kept_until_they_are_tried_again(many, tmp_path):
    out, bad = tmp_path / "out", tmp_path / "many" / "03.mp3"
    bad.rename(bad.with_name("failing.mp3"))
    first = quick(out, [tmp_path / "many"])
    assert (first.tracks, first.failed) == (39, 1)
    second = quick(out, [tmp_path / "many"])
    assert (second.tracks, second.failed, second.failed_before) == (0, 0, 1)
    third = quick(out, [tmp_path / "many"], retry=True)
    assert (third.failed, third.failed_before) == (1, 0)
    assert len(pq.read_table(out / "failed.parquet")) == 1


def test_shards_are_disjoint_and_complete(many, tmp_path):
    out = tmp_path / "out"
    counts = [quick(out, [many], shard=(i, 3)).tracks for i in (1, 2, 3)]
    assert sum(counts) == 40
    assert min(counts) > 0
    assert len({row["path"] for row in rows(out)}) == len(rows(out)) == 40
    assert quick(out, [many]).tracks == 0


def test_two_runs_at_once_in_one_folder_are_refused(many, tmp_path):
    out = tmp_path / "out"
    quick(out, [many])
    with run._lock(out, (1, 1)), pytest.raises(zoo.ConfigError, match="another run writes there"):
        quick(out, [many])


# --- sources ---


def test_columns_of_a_list_are_carried(many, tmp_path):
    quick(tmp_path / "out", [many])
    row = rows(tmp_path / "out")[7]
    assert (row["path"], row["year"], row["artist"]) == (
        str(tmp_path / "many" / "07.mp3"),
        "1967",
        "Nina",
    )


def test_columns_of_a_parquet_list_keep_their_types(many, tmp_path):
    table = pa.table(
        {
            "file": ["many/01.mp3"],
            "year": [1999],
            "size": [1.5],
            "tags": [["a", "b"]],
            "none": [None],
        }
    )
    pq.write_table(table, tmp_path / "list.parquet")
    quick(tmp_path / "out", [tmp_path / "list.parquet"], column="file")
    (row,) = rows(tmp_path / "out")
    assert (row["year"], row["list_size"], row["tags"]) == (1999, 1.5, "['a', 'b']")
    assert row["size"] == 1


def test_text_lists_and_missing_files(many, tmp_path):
    (tmp_path / "list.m3u").write_text("#EXTM3U\nmany/01.mp3\nmany/01.mp3\n\nnowhere.mp3\n")
    summary = quick(tmp_path / "out", [tmp_path / "list.m3u"])
    assert (summary.tracks, summary.failed) == (1, 1)
    (failure,) = pq.read_table(tmp_path / "out" / "failed.parquet").to_pylist()
    assert failure["path"].endswith("nowhere.mp3")
    assert failure["size"] is None


def test_lists_that_cannot_be_read(tmp_path):
    bad = tmp_path / "list.csv"
    for content, message in (
        (b"file\na.mp3\n", "no column 'path' with the paths; it has file"),
        (b"path,a\nx.mp3\n", "row 2 has 1 cells, and the header 2"),
        (b"path\n\xff.mp3\n", "not UTF-8"),
    ):
        bad.write_bytes(content)
        with pytest.raises(zoo.ConfigError, match=message):
            list(sources.tracks([str(bad)], "path"))


def test_names_that_are_not_text(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    name = os.fsencode(folder) + b"/caf\xe9.mp3"
    try:
        open(name, "wb").close()
    except OSError:
        pytest.skip("this file system has no such names")
    assert quick(tmp_path / "out", [folder]).tracks == 1
    assert rows(tmp_path / "out")[0]["path"].endswith("caf\\udce9.mp3")
    assert quick(tmp_path / "out", [folder]).tracks == 0


def test_the_plan_is_in_the_order_of_the_list():
    plan = planning.Plan()
    names = [f"/{i * 7919 % 5000}.mp3" for i in range(5000)]
    plan.add(Track(name, 1, 2) for name in names)
    plan.add_done((name, 1, 2, None, "part", False) for name in names[::2])
    assert plan.stale(retry=False) == {}
    assert plan.settle() == (2500, 2500, 0)
    assert [track.path for track in plan.pending()] == names[1::2]


# --- failures of processes ---


def test_what_a_file_does_to_its_process_ends_only_that(tmp_path):
    folder = tmp_path / "songs"
    folder.mkdir()
    for name in ("a", "crash", "hang", "memory", "raise", "z"):
        (folder / f"{name}.mp3").write_bytes(b"")
    limits = Limits(seconds=1.5, memory=0.4e9)
    summary = quick(tmp_path / "out", [folder], opener=crash_opener, limits=limits)
    assert (summary.tracks, summary.failed) == (2, 4)
    failures = pq.read_table(tmp_path / "out" / "failed.parquet").to_pylist()
    reasons = {Path(row["path"]).stem: row["reason"] for row in failures}
    assert "SIGSEGV" in reasons["crash"]
    assert "more than 1.5 s, the limit of time" in reasons["hang"]
    assert "more than 0.4 GB, the limit of memory" in reasons["memory"]
    assert reasons["raise"] == "ZeroDivisionError: by zero"
    assert {row["attempts"] for row in failures} == {2}


def test_a_process_that_someone_kills_costs_no_track(many, tmp_path):
    opener = partial(quick_opener, 0.05)
    running = Pool(opener, 2, Limits())
    found = []
    for outcome in running.outcomes(iter([Track(f"{i}.mp3") for i in range(30)])):
        if outcome is not None:
            found.append(outcome)
            if len(found) in (3, 12, 20):
                os.kill(running.workers[0].process.pid, signal.SIGKILL)
    running.stop()
    assert sorted(int(o.track.path[:-4]) for o in found) == list(range(30))
    assert all(o.answer is not None for o in found)


def test_processes_that_never_start_are_an_error(tmp_path, many):
    with pytest.raises(zoo.ConfigError, match="no worker process could be started: 3 in a row"):
        Pool(partial(os._exit, 7), 1, Limits())


PROGRAM = """
import signal, sys
from functools import partial
from pathlib import Path
from batch_models import quick_opener
from zoo.batching import run
from zoo.batching.pool import Limits, Pool
if __name__ == "__main__":
    # What runs in the background ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run.run(partial(Pool, partial(quick_opener, 0.02), 2, Limits()), "0" * 64, [sys.argv[1]],
            Path(sys.argv[2]), settings={}, part=5)
"""


@pytest.fixture
def start(tmp_path, many):
    """Start a run in a process of its own, and wait until it has written a part."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def begin(out, parts=1):
        command = [sys.executable, str(tmp_path / "program.py"), str(many), str(out)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        limit = time.monotonic() + 60
        while len(list(out.glob("tracks/part-*"))) < parts and time.monotonic() < limit:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        return process

    return begin


def test_a_killed_run_goes_on_and_gives_the_same_rows(start, many, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    quick(whole, [many])
    for parts in (1, 3):
        process = start(killed, parts)
        process.kill()
        process.communicate()
    assert len(rows(killed)) < 40
    summary = quick(killed, [many])
    assert summary.tracks + summary.tracks_before == 40
    assert rows(killed) == rows(whole)
    assert not list(killed.glob("*/.*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_at_once_and_keeps_what_is_done(start, many, tmp_path, number):
    out = tmp_path / "out"
    process = start(out)
    sent = time.monotonic()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert time.monotonic() - sent < 5  # of a loaded machine; about .1 s
    assert "KeyboardInterrupt" in stderr
    kept = len(rows(out))
    assert 5 <= kept < 40
    assert (out / "failed.parquet").exists()
    assert quick(out, [many]).tracks == 40 - kept


def test_the_command_ends_with_status_3(run, monkeypatch, songs, tmp_path):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.batching.run.batch", stopped)
    done = run("batch", MODEL, songs, "-o", tmp_path / "out")
    assert done.exit_code == 3
    assert "give the same command again" in done.stderr


def test_a_full_disk_is_said_and_loses_nothing(many, tmp_path, monkeypatch):
    out = tmp_path / "out"
    whole = dataset.pq.write_table
    left = [2]

    def full(table, file, **options):
        if left[0] == 0:
            file.write(b"PAR1")
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        whole(table, file, **options)

    monkeypatch.setattr(dataset.pq, "write_table", full)
    with pytest.raises(zoo.Unfinished, match=r"no space left on the disk.*same command again"):
        quick(out, [many], part=8)
    monkeypatch.undo()
    assert len(rows(out)) == 16
    assert not list(out.glob("*/.*.part"))
    assert quick(out, [many], part=8).tracks == 24
    assert len(rows(out)) == 40


def test_segments_without_their_tracks_are_removed(songs, tmp_path):
    out = tmp_path / "out"
    opener = partial(quick_opener, 0.0, True)
    quick(out, [songs], opener=opener, part=2)
    last = sorted((out / "tracks").iterdir())[-1]
    last.unlink()  # as if the run had been killed between the two
    assert quick(out, [songs], opener=opener, part=2).tracks == 2
    assert len(rows(out, "segments")) == 2 * len(rows(out)) == 12


def test_a_damaged_part_is_named(many, tmp_path):
    out = tmp_path / "out"
    quick(out, [many], part=8)
    part = sorted((out / "tracks").iterdir())[2]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(zoo.ConfigError, match=rf"{re.escape(part.name)} is damaged.*Delete it"):
        quick(out, [many], part=8)
    part.unlink()
    assert quick(out, [many], part=8).tracks == 8


def test_progress_is_a_line_of_json(many, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("zoo.batching.status.MINUTE", 0.0)
    run.run(
        partial(Pool, partial(quick_opener, 0.02), 1, Limits()),
        "0" * 64,
        [str(many)],
        tmp_path / "out",
        settings={},
    )
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert len(lines) > 3
    assert lines[-1] == {**lines[-1], "tracks": 40, "failed": 0, "left": 0, "eta_seconds": 0}
    assert lines[1]["times_real_time"] > 0


def test_kills_from_outside_are_limited(monkeypatch):
    monkeypatch.setattr(pool, "KILLS", 1)
    running = Pool(crash_opener, 1, Limits())
    (outcome,) = [o for o in running.outcomes(iter([Track("kill.mp3")])) if o is not None]
    running.stop()
    assert outcome.answer is None
    assert "SIGKILL" in outcome.reason


# --- export ---


def test_export(done, tmp_path):
    from zoo.batching import export

    copy = tmp_path / "copy"
    shutil.copytree(done, copy)
    tracks, segments = export.export(copy, "csv")
    table = tracks.read_text(encoding="utf-8").splitlines()
    assert len(table) == 7
    assert table[0].startswith("path,size,modified,etag,seconds,warning,")
    assert len(segments.read_text(encoding="utf-8").splitlines()) == 1 + len(rows(copy, "segments"))


# --- the page ---


def queries():
    """Return the queries of docs/batch.md by their title."""
    page = (Path(__file__).parent.parent / "docs" / "batch.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^```py title=\"(\w+)\"\n(.*?)^```", page, re.M | re.S))


@pytest.fixture(scope="module")
def archive(songs, tmp_path_factory):
    """The folder with the results that the queries are for."""
    folder = tmp_path_factory.mktemp("archive")
    options = {"segments": True, "embed": ["penultimate"], "workers": 1, "progress": False}
    zoo.batch("pons2017", songs, folder / "out", **options)
    return folder


@pytest.mark.parametrize("package", ["pandas", "polars", "duckdb", "pyarrow"])
def test_queries_of_the_page_run(package, archive, monkeypatch):
    pytest.importorskip(package)
    monkeypatch.chdir(archive)
    names = {}
    exec(compile(queries()[package], package, "exec"), names)
    assert len(names["best"]) == 10
    segments = rows(archive / "out", "segments", ("path", "start"))
    assert max(row["flute"] for row in segments) == pytest.approx(names["highest"])
    assert len(names["near"]) == 5


def test_a_folder_without_sounds_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(zoo.ConfigError, match="empty: no sound file in it"):
        zoo.batch("pons2017", [str(tmp_path / "empty")], tmp_path / "out")
