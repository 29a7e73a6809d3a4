"""Exported files: the same results, metadata that explain them, nothing written on an error."""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import CHECKOUT, only_on
from test_grid import FRONT_ENDS, built, sounds

import zoo
from zoo.layers import backends
from zoo.registry import exported, manifest
from zoo.weights import export as exporting
from zoo.weights import tracing

pytest.importorskip("tf2onnx")


pytestmark = only_on("tensorflow")  # as every export


@pytest.fixture(scope="module")
def small():
    """A network that takes little time: dieleman2014 with three labels."""
    keras.utils.set_random_seed(0)
    return zoo.load("dieleman2014", labels=["jazz", "rock", "folk"])


@pytest.fixture(scope="module")
def file(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "mine.onnx"
    return zoo.export(small, path, stages=["penultimate"])


def test_an_exported_model_is_read_back(small, file, example):
    model = zoo.load(file)
    assert model.labels == ("jazz", "rock", "folk")
    assert model.stages == ("penultimate", "probabilities")
    assert (model.name, model.sample_rate) == ("mine", 16000)
    assert model.segmentation == small.segmentation
    ours, theirs = model.taggram(example), small.taggram(example)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-5)
    np.testing.assert_allclose(model.embed(example).values, small.embed(example).values, atol=1e-5)


def test_the_file_explains_itself(file):
    about = exported.describe(file)
    record = manifest.load().checkpoints["dieleman2014.zoo"]
    assert about.checkpoint == "dieleman2014.zoo"
    assert about.checkpoint_sha256 == record.bundled[0].sha256
    assert (about.licence, about.authors) == (record.licence.weights, record.authors)
    assert about.citation == record.citation
    assert about.geometry.pad == 0
    assert file.read_bytes().endswith(b"}")  # the metadata are the last bytes: docs/export.md


def test_the_command_line_takes_it(file, run, example):
    done = run("tag", "-m", file, example)
    assert done.exit_code == 0, done.stderr
    assert "rock" in done.stdout
    done = run("info", file)
    assert "dieleman2014.zoo" in done.stdout
    assert "changed since" in done.stdout
    assert run("tag", "-m", file, example, "--runtime", "keras").exit_code == 1


def test_zoo_export_writes_a_file(run, tmp_path):
    path = tmp_path / "new.onnx"
    done = run("export", "dieleman2014", "-o", path, "--stage", "frontend")
    assert done.exit_code == 0, done.stderr
    assert zoo.load(path).stages == ("frontend", "probabilities")


@pytest.mark.parametrize(("quantize", "share"), [("float16", 0.5), ("int8", 0.75)])
def test_quantized_files_are_smaller_and_nearly_the_same(checkpoint, quantize, share, tmp_path):
    model = checkpoint("zhu2016.zoo")
    path = zoo.export(model, tmp_path / "small.onnx", quantize=quantize)
    kernels = sum(4 * np.prod(v.shape) for v in model.variables if v.path.endswith("kernel"))
    assert path.stat().st_size < 4 * model.count_params() + 100_000 - share * kernels
    noise = np.random.default_rng(1).normal(0, 0.1, (1, 48000)).astype("float32")
    ours = zoo.load(path).forward_pass("probabilities")(noise)
    theirs = model.forward_pass("probabilities")(noise)
    np.testing.assert_allclose(ours, theirs, atol=exporting.TOLERANCE[quantize])


def test_a_network_that_int8_changes_too_much_is_refused(checkpoint, tmp_path):
    with pytest.raises(zoo.ConfigError, match=r"in litert, int8, differs from Keras by 0\.[1-9]"):
        zoo.export(checkpoint("choi2016.mtt_won2020"), tmp_path / "mine.tflite", quantize="int8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mine.tflite", "mine.xml", "mine"])
def test_other_formats(small, name, tmp_path):
    path = zoo.export(small, tmp_path / name)  # it compares with Keras
    assert path.exists()
    assert not list(tmp_path.glob(".export-*"))
    parts = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(b'"labels":["jazz","rock","folk"]' in unescaped(p) for p in parts)


def unescaped(path):
    return path.read_bytes().replace(b"&quot;", b'"')


# --- bad input ---


def test_a_format_is_checked_before_the_work(small, tmp_path):
    for name, arguments, message in (
        ("mine.pb", {}, "has the suffix .pb; expected .onnx"),
        ("mine.onnx", {"format": "litert"}, "must end in .tflite"),
        ("mine.onnx", {"format": "torch"}, "format is 'torch'"),
        ("mine.onnx", {"quantize": "int4"}, "it is 'int8', 'float16' or None"),
        ("mine.xml", {"quantize": "int8"}, "openvino is exported in float32"),
    ):
        with pytest.raises(zoo.ConfigError, match=message):
            zoo.export(small, tmp_path / name, **arguments)
    with pytest.raises(zoo.UnknownName, match="has no stage named 'end'"):
        zoo.export(small, tmp_path / "mine.onnx", stages=["end"])
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        zoo.export(small, tmp_path / "none" / "mine.onnx")
    with pytest.raises(zoo.ConfigError, match="takes a model of the zoo in Keras"):
        zoo.export(zoo.load("dieleman2014", runtime="onnx"), tmp_path / "mine.onnx")
    recurrent = built(FRONT_ENDS[4], "rnn")
    with pytest.raises(zoo.ConfigError, match="LiteRT cannot hold the recurrent layers"):
        zoo.export(recurrent, tmp_path / "mine.tflite")
    low = zoo.build("dieleman2014", ["a"], dtype="mixed_bfloat16")
    with pytest.raises(zoo.ConfigError, match="an export needs float32"):
        zoo.export(low, tmp_path / "mine.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_difference_from_keras_is_refused(small, tmp_path, monkeypatch):
    monkeypatch.setattr(tracing, "TOLERANCE", 1e-12)
    with pytest.raises(zoo.ConfigError, match=r"differs from Keras by .* in the stage prob"):
        zoo.export(small, tmp_path / "mine.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(small, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "mine.onnx")

    monkeypatch.setitem(exporting.WRITERS, "onnx", full)
    with pytest.raises(OSError, match="No space left"):
        zoo.export(small, tmp_path / "mine.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(small, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="is not writable"):
        zoo.export(small, tmp_path / "mine.onnx")


def test_files_that_are_no_exports(file, tmp_path, run, example):
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    plain = whole[: whole.rindex(b"music-zoo") - 1]
    other = whole.replace(b"\x09music-zoo\x12", b"\x09other-zoo\x12")
    for content, message in (
        (b"", "is not an ONNX file, or is damaged or cut off"),
        (b"RIFF" * 9, "is not an ONNX file, or is damaged or cut off"),
        (whole[: len(whole) // 3], "is not an ONNX file, or is damaged or cut off"),
        (plain, "is not an ONNX file, or is damaged or cut off"),
        (other, "without the metadata of music-zoo"),
        (bytes(changed), "do not match the sha256"),
        (whole.replace(b'"format":1', b'"format":9'), "reads format 1. Upgrade"),
    ):
        path = tmp_path / "bad.onnx"
        path.write_bytes(content)
        done = run("tag", "-m", path, example)
        assert done.exit_code == 1
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    with pytest.raises(FileNotFoundError, match="no exported model at"):
        zoo.load(tmp_path / "none.onnx")


# --- the grid ---


# Each front-end once, each back-end at least once; `benchmarks/export_grid.py` takes all 35.
CELLS = list(zip(FRONT_ENDS, [*backends.BACKENDS, *backends.BACKENDS][1:], strict=False))


@pytest.mark.parametrize(("cell", "backend"), CELLS, ids=lambda x: getattr(x, "architecture", x))
def test_a_cell_of_the_grid_is_exported_and_read_back(cell, backend, tmp_path):
    model = built(cell, backend)
    path = zoo.export(model, tmp_path / "cell.onnx")
    x = sounds(model.segmentation.segment)
    ours = zoo.load(path).forward_pass("probabilities")(x)
    np.testing.assert_allclose(ours, model.forward_pass("probabilities")(x), atol=1e-5)


# --- docs/export.md ---

TEXT = (CHECKOUT / "docs" / "export.md").read_text(encoding="utf-8")


def snippet(language):
    return re.search(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S).group(1)


def test_the_python_of_the_document_runs(small, file, tmp_path, monkeypatch, capsys):
    noise = np.random.default_rng(2).normal(0, 0.1, (1, 48000)).astype("<f4")
    shutil.copy(file, tmp_path / "mine.onnx")
    (tmp_path / "segment.f32").write_bytes(noise.tobytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet("py"), "export.md", "exec"), {})
    found = json.loads(capsys.readouterr().out)
    scores = small.forward_pass("probabilities")(noise)[0]
    np.testing.assert_allclose([found[label] for label in small.labels], scores, atol=1e-5)


def test_the_javascript_of_the_document_runs(small, file, tmp_path):
    node = shutil.which("node")
    packages = os.environ.get("NODE_PATH", "")
    if not node or not (Path(packages) / "onnxruntime-node").is_dir():
        pytest.skip("needs node, and NODE_PATH with the package onnxruntime-node")
    noise = np.random.default_rng(2).normal(0, 0.1, (1, 48000)).astype("<f4")
    shutil.copy(file, tmp_path / "mine.onnx")
    (tmp_path / "segment.f32").write_bytes(noise.tobytes())
    (tmp_path / "run.js").write_text(snippet("js"))
    done = subprocess.run([node, "run.js"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    scores = small.forward_pass("probabilities")(noise)[0]
    np.testing.assert_allclose([found[label] for label in small.labels], scores, atol=1e-5)


def test_the_graph_sum_is_that_of_the_graph(file):
    graph = next(
        value
        for number, value in exporting.exported.protobuf.fields(memoryview(file.read_bytes()))
        if number == exported.GRAPH
    )
    assert hashlib.sha256(graph).hexdigest() == exported.describe(file).graph_sha256
