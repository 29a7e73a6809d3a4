"""What starves, lies, ends or damages a call: one clear error, nothing lost, nothing endless."""

import os
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import safetensors.numpy
import soundfile
from conftest import only_on

import zoo
from zoo import AudioWarning, ConfigError, WeightsError, audio
from zoo.inference.weight_values import check_finite
from zoo.registry import manifest
from zoo.weights import cache, network

RATE = 16000


def noise(seconds: float = 4) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.3, 0.3, round(seconds * RATE)).astype("float32")


@pytest.fixture
def tagger():
    return zoo.load("pons2017.mtt", runtime="onnx")


# One bad source and the others.


def test_a_process_without_memory_is_no_failure_of_a_sound(tagger, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(audio, "segments", fail)
    with pytest.raises(MemoryError):
        list(tagger.stream([(noise(), RATE)]))


def test_the_command_goes_on_after_an_error_of_any_kind(tmp_path, run, monkeypatch):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, noise(), RATE)
    segments = audio.segments

    def fail(source, *args, **kwargs):
        if source.name == "a.wav":
            raise LookupError("something of a library")
        return segments(source, *args, **kwargs)

    monkeypatch.setattr(audio, "segments", fail)
    result = run("tag", tmp_path)
    assert result.exit_code == 1
    assert "b.wav\n" in result.stdout
    assert "a.wav: LookupError: something of a library" in result.stderr


# Arrays in another scale.


def test_a_peak_beyond_full_scale_is_questioned():
    with pytest.warns(AudioWarning, match="a peak of 3"):
        audio.load((noise() * 10, RATE), RATE)


def test_24_bits_in_an_int32_array_are_questioned():
    values = (noise() * 2**23).astype("int32")
    with pytest.warns(AudioWarning, match="24 bits"):
        audio.load((values, RATE), RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio.load((values * 256, RATE), RATE)


# Downloads.


class Endless(BaseHTTPRequestHandler):
    """Answers with a body that never ends: fast under /fast, a byte now and then under /slow.

    /round leads to itself.
    """

    def do_GET(self) -> None:
        if self.path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        slow = self.path.startswith("/slow")
        try:
            for _ in range(100_000):
                self.wfile.write(b"x" if slow else bytes(2**16))
                self.wfile.flush()
                time.sleep(0.02 if slow else 0)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def endless(bare_surroundings):
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_download_of_unknown_size_has_a_limit(endless, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_MAX_BYTES", "1e6")
    with network.session() as client, pytest.raises(WeightsError, match="more than 1e"):
        network.download(client, f"{endless}/fast", tmp_path / "file", None)
    assert (tmp_path / "file").stat().st_size < 2e6


def test_a_download_that_drips_has_a_limit(endless, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_MAX_SECONDS", "0.3")
    start = time.monotonic()
    with network.session() as client, pytest.raises(WeightsError, match="took longer"):
        network.download(client, f"{endless}/slow", tmp_path / "file", 10**9)
    assert time.monotonic() - start < 5


def test_a_download_that_is_redirected_for_ever_ends(endless, tmp_path):
    with network.session() as client, pytest.raises(OSError, match="redirects"):
        network.download(client, f"{endless}/round", tmp_path / "file", 10)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(("place", "message"), [("fast", "no page"), ("slow", "took longer")])
def test_an_index_page_has_a_limit(endless, monkeypatch, place, message):
    monkeypatch.setattr(network, "MAX_PAGE", 10**6)
    monkeypatch.setenv("ZOO_MAX_SECONDS", "0.3" if place == "slow" else "60")
    with network.session() as client, pytest.raises(WeightsError, match=message):
        client.get(f"{endless}/{place}", timeout=10)


@pytest.mark.parametrize("value", ["much", "0", "-1", "nan"])
def test_a_limit_must_be_a_positive_number(monkeypatch, value):
    monkeypatch.setenv("ZOO_MAX_SECONDS", value)
    with pytest.raises(ConfigError, match="ZOO_MAX_SECONDS"):
        network.limit("ZOO_MAX_SECONDS", 1)


# The cache.


def test_without_a_home_bundled_weights_load(bare_surroundings, monkeypatch):
    pwd = pytest.importorskip("pwd", reason="Windows has a home for everyone")

    def nobody(_):
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.delenv("ZOO_CACHE")
    for variable in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert zoo.load("pons2017.mtt", runtime="onnx").labels
    assert cache.folder().is_dir()
    list(network._pip_files())


def test_a_fetch_that_cannot_be_kept_fails(bare_surroundings, monkeypatch, tmp_path):
    from zoo.cli import weights

    kept = cache._folder_of_this_process() / "x.safetensors"
    monkeypatch.setattr("zoo.weights.fetch.path", lambda *_, **__: kept)
    with pytest.raises(WeightsError, match="could not be kept"):
        weights.fetched("choi2016.msd", None, tmp_path)


def test_a_record_of_the_cache_that_is_no_text_is_damage(bare_surroundings, tmp_path):
    folder = cache.writable_folder()
    (folder / "x.safetensors").write_bytes(b"weights")
    (folder / "x.safetensors.sha256").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WeightsError, match="damaged"):
        cache.find("x.safetensors")


# Damaged files of ours.


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_refused(value):
    weights = {"a/kernel": np.ones((3, 3), "float32")}
    check_finite(weights.items(), "mine")
    weights["a/kernel"][1, 2] = value
    with pytest.raises(WeightsError, match="mine are not all numbers: a/kernel"):
        check_finite(weights.items(), "mine")


def test_a_checkpoint_with_nan_does_not_load(tagger, monkeypatch):
    from zoo.weights import fetch

    file = manifest.bundled_folder() / manifest.load().checkpoint("pons2017.mtt").bundled[0].file
    tensors = safetensors.numpy.load_file(file)
    next(iter(tensors.values())).ravel()[0] = np.nan
    monkeypatch.setattr(fetch, "tensors", lambda *_: tensors)
    with pytest.raises(WeightsError, match="not all numbers"):
        zoo.load("pons2017.mtt", runtime="onnx")


def test_every_damaged_embedding_is_a_clear_error(tagger, tmp_path):
    path = tmp_path / "a.npz"
    tagger.embed((noise(), RATE)).save(path)
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(1, len(data) + 1)])
        try:
            zoo.Embedding.load(path)
        except ConfigError as error:
            assert "a.npz" in str(error)  # noqa: PT017


# Processes.


def test_a_runtime_model_says_that_it_cannot_be_forked(tagger, monkeypatch):
    tagger.tag((noise(), RATE))
    there = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: there + 1)
    with pytest.raises(ConfigError, match="was used before this process was forked"):
        tagger.tag((noise(), RATE))


@only_on("tensorflow", "jax")  # PyTorch survives a fork
def test_a_keras_model_says_that_it_cannot_be_forked(pons, monkeypatch):
    there = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: there + 1)
    with pytest.raises(ConfigError, match="was loaded before this process was forked"):
        pons.tag((noise(), RATE))


# Networks of others.


def test_a_network_larger_than_its_weights_is_not_built():
    from zoo.inference.assembly import at_most
    from zoo.inference.audio_model import AudioModel

    arguments = {"architecture": "choi2016", "labels": ["a", "b"], "options": {"width": 30.0}}
    with pytest.raises(ConfigError, match="more than the 1,000 parameters"), at_most(1000):
        AudioModel(**arguments)
    small = {**arguments, "options": {"width": 0.1}}
    model = AudioModel(**small)
    with at_most(model.count_params()):
        AudioModel(**small)


# Much of everything.


def test_twenty_thousand_labels_are_no_slower_than_they_are_many():
    from zoo.data.corpus import Clip, Corpus
    from zoo.inference.results import Tags

    labels = tuple(f"label {i}" for i in range(20_000))
    start = time.process_time()
    clips = tuple(Clip(f"{i}.wav", labels[i : i + 1]) for i in range(0, 20_000, 100))
    corpus = Corpus("many", clips, labels)
    assert corpus.targets.sum() == 200
    assert len(corpus.rename({"label 0": "other"}).labels) == 20_000
    tags = Tags(np.zeros(20_000, "float32"), labels, 10, "a", "b")
    assert "label 0" in str(tags)
    assert time.process_time() - start < 5  # 15 s for a quadratic step
