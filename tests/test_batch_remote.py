"""`zoo batch` with addresses: an S3-compatible server and a web server on this machine."""

import functools
import http.server
import sys
import threading
import warnings

import pytest
import soundfile

import zoo
from zoo.batching import remote, sources
from zoo.batching.work import Job, open_model

pytest.importorskip("fsspec")
pq = pytest.importorskip("pyarrow.parquet")
MODEL = "choi2016.zoo_3s"


@pytest.fixture(scope="module")
def bucket(example, tmp_path_factory):
    """An S3 server with two songs, a text and a list; yields the file system."""
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        system = s3fs.S3FileSystem()
        system.mkdir("music")
        system.put(str(example), "music/bach/one.flac")
        system.put(str(example), "music/bach/deep/two.flac")
        system.pipe("music/bach/notes.txt", b"no sound")
        system.pipe("music/list.csv", b"path,year\nbach/one.flac,1722\ngone.flac,1800\n")
        yield system
    server.stop()


def test_a_folder_of_a_bucket_is_predicted_once(bucket, example, tmp_path):
    out = tmp_path / "out"
    call = functools.partial(zoo.batch, MODEL, "s3://music/bach", out, workers=1, progress=False)
    assert call().tracks == 2
    found = pq.read_table(out / "tracks").sort_by("path").to_pylist()
    assert [r["path"] for r in found] == [
        "s3://music/bach/deep/two.flac",
        "s3://music/bach/one.flac",
    ]
    tags = zoo.load(MODEL, runtime="onnx").tag(example, None).to_dict()
    assert {k: found[0][k] for k in tags} == pytest.approx(tags, abs=1e-6)
    assert found[0]["etag"]
    assert found[0]["size"] == example.stat().st_size
    assert (call().tracks, call().tracks_before) == (0, 2)


def test_a_list_in_a_bucket(bucket):
    found = list(sources.tracks(["s3://music/list.csv"], "path"))
    assert [(t.path, t.carried) for t in found] == [
        ("s3://music/bach/one.flac", {"year": "1722"}),
        ("s3://music/gone.flac", {"year": "1800"}),
    ]
    assert found[0].etag
    assert found[1].size is None


def test_what_is_not_there(bucket):
    for address in ("s3://music/nowhere", "s3://music/*.mp3", "s3://nobucket/x"):
        with pytest.raises(FileNotFoundError, match="s3://"):
            list(sources.tracks([address], "path"))
    model = open_model(Job(model=MODEL))
    with pytest.raises((OSError, zoo.AudioError)):
        model.compute("s3://music/gone.flac", lambda _: None)


def test_an_address_of_the_web(example, tmp_path):
    pytest.importorskip("aiohttp")
    (tmp_path / "song.flac").write_bytes(example.read_bytes())
    (tmp_path / "bad.flac").write_bytes(b"fLaC" + bytes(100))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (track,) = sources.tracks([f"{address}/song.flac"], "path")
        assert track.size == example.stat().st_size
        model = open_model(Job(model=MODEL))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            answer = model.compute(track.path, lambda _: None)
            with pytest.raises(zoo.AudioError, match=rf"^{address}/bad\.flac: "):
                model.compute(f"{address}/bad.flac", lambda _: None)
        server.shutdown()
    assert answer.seconds == pytest.approx(soundfile.info(example).duration, abs=0.01)


def test_a_missing_package_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(zoo.ConfigError, match=r"pip install 'music-zoo\[remote\]'"):
        list(remote.find("s3://music/x", (".mp3",)))
