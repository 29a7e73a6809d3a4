import io
import sys
import types
from pathlib import Path

import file_server
import madmom_writer
import msgspec
import numpy as np
import pytest
import safetensors.numpy
from click.testing import CliRunner
from file_server import sha256

import zoo
from zoo import cli
from zoo.registry import manifest
from zoo.weights import cache, fetch

KERNEL = np.arange(12, dtype="float32").reshape(3, 4)
NATIVE = safetensors.numpy.save({"head/kernel": KERNEL})
RELEASE = "fakenet-1.0.tar.gz"


@pytest.fixture
def server():
    with file_server.running() as running:
        yield running


@pytest.fixture(autouse=True)
def surroundings(bare_surroundings, monkeypatch):
    """An empty cache, no settings of this machine, and warnings as Python shows them."""
    monkeypatch.setattr("warnings.showwarning", None)  # main() sets its own; undone afterwards


def checkpoint(**source) -> dict:
    return {
        "architecture": "fake2020",
        "labels": ["a", "b"],
        "sources": [source],
        "input": {"sample_rate": 16000, "segment": None, "description": "mono"},
        "licence": {"weights": "MIT", "data": "none"},
        "authors": ["Nobody"],
        "citation": "None.",
        "provenance": "Made up.",
        "status": "verified",
    }


@pytest.fixture
def known(server, monkeypatch) -> manifest.Manifest:
    """Three checkpoints: two in one release of a package index, one at an address."""
    packed = io.BytesIO()
    madmom_writer.archive(packed, {part: {"weights": KERNEL} for part in ("one", "two")})
    content = packed.getvalue()
    server.files |= {f"/{RELEASE}": content, "/net.safetensors": NATIVE}
    model = types.ModuleType("zoo.models.fake2020")
    model.from_fakenet = lambda tensors: {"head/kernel": tensors["0 FeedForwardLayer/weights"]}
    monkeypatch.setitem(sys.modules, "zoo.models.fake2020", model)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    release = {"kind": "pypi", "project": "fakenet", "version": "1.0", "file": RELEASE}
    release |= {"sha256": sha256(content), "bytes": len(content)}
    release |= {"format": "madmom", "adopt": "from_fakenet"}
    address = {"kind": "url", "url": f"{server.url}/net.safetensors", "file": "net.safetensors"}
    address |= {"sha256": sha256(NATIVE), "bytes": len(NATIVE)}
    checkpoints = {
        "fake2020.one": checkpoint(**release, member="one"),
        "fake2020.two": checkpoint(**release, member="two"),
        "fake2020.native": {**checkpoint(**address), "default": True},
    }
    content = {"schema": 1, "checkpoints": checkpoints}
    parsed = manifest.parse(msgspec.json.encode(content), "test")
    monkeypatch.setattr(manifest, "load", lambda: parsed)
    monkeypatch.setattr(zoo.registry.lookup, "_files", lambda: {"fake2020": Path("fake2020.py")})
    monkeypatch.setattr(zoo.registry.lookup, "architecture", lambda name: TAGGER)
    return parsed


TAGGER = zoo.registry.cards.Architecture(
    name="fake2020",
    title="Fake",
    authors=["Nobody"],
    year=2020,
    venue="None",
    url="None",
    task="tagging",
    input="waveform",
    domain_knowledge=False,
    filters="none",
    backend="none",
    stages={"penultimate": "none"},
)


def run(*arguments):
    return CliRunner().invoke(cli.main, ["fetch", *map(str, arguments)])


def listed(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_all_fills_the_cache_and_each_file_is_downloaded_once(server, known, monkeypatch):
    result = run("--all")
    assert result.exit_code == 0, result.output
    assert server.requests == {"/simple/fakenet/": 1, f"/{RELEASE}": 1, "/net.safetensors": 1}
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    for name in known.checkpoints:
        np.testing.assert_array_equal(fetch.tensors(name)["head/kernel"], KERNEL)
        assert f"{name}: weights by Nobody; licence MIT" in result.output


def test_the_second_time_nothing_is_downloaded(server, known):
    run("--all")
    server.requests.clear()
    assert run("--all").exit_code == 0
    assert not server.requests


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["fake2020.one"], ["one"]),
        (["fake2020"], ["native"]),
        (["fake2020.[ot]*", "fake2020.one"], ["one", "two"]),
    ],
)
def test_names_defaults_and_patterns_are_understood(known, names, expected):
    result = run(*names)
    assert result.exit_code == 0, result.output
    kept = [file for file in listed(cache.folder()) if file.endswith(".safetensors")]
    assert [file.split("-")[0] for file in kept] == [f"fake2020.{name}" for name in expected]


def test_one_that_fails_does_not_stop_the_others(server, known):
    del server.files["/net.safetensors"]
    result = run("fake2020.native", "fake2020.one")
    assert result.exit_code == 1
    assert "fake2020.one: weights by Nobody" in result.stdout
    assert "the weights 'fake2020.native' could not be loaded" in result.stderr
    assert "1 of 2 could not be fetched" in result.stderr
    assert "head/kernel" in fetch.tensors("fake2020.one")


def test_a_damaged_download_is_not_kept_for_the_others(server, known):
    content = server.files[f"/{RELEASE}"]
    server.files[f"/{RELEASE}"] = content[:-1] + b"?"
    result = run("fake2020.one", "fake2020.two")
    assert "2 of 2 could not be fetched" in result.stderr
    assert server.requests[f"/{RELEASE}"] == 2


def test_a_mirror_is_filled_and_serves_a_machine_without_a_network(
    server, known, monkeypatch, tmp_path
):
    folder = tmp_path / "new" / "mirror"
    result = run("--all", "--to", folder)
    assert result.exit_code == 0, result.output
    assert listed(folder) == sorted([RELEASE, "net.safetensors"])
    assert server.requests[f"/{RELEASE}"] == 1
    assert not cache.folder().exists()
    monkeypatch.setenv("ZOO_MIRROR", str(folder))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    for name in known.checkpoints:
        np.testing.assert_array_equal(fetch.tensors(name)["head/kernel"], KERNEL)


def test_a_mirror_is_completed_and_a_damaged_file_in_it_replaced(server, known, tmp_path):
    run("--all", "--to", tmp_path / "mirror")
    server.requests.clear()
    (tmp_path / "mirror" / "net.safetensors").write_bytes(NATIVE[:-1])
    assert run("--all", "--to", tmp_path / "mirror").exit_code == 0
    assert (tmp_path / "mirror" / "net.safetensors").read_bytes() == NATIVE
    assert server.requests == {"/net.safetensors": 1}


def test_a_failed_download_leaves_nothing_in_a_mirror(server, known, tmp_path):
    server.cut = 50
    result = run("fake2020.native", "--to", tmp_path / "mirror")
    assert result.exit_code == 1
    assert listed(tmp_path / "mirror") == []


def test_bundled_weights_need_no_mirror(known, monkeypatch, tmp_path):
    described = {"sha256": sha256(NATIVE), "bytes": len(NATIVE)}
    entry = checkpoint(kind="bundled", file="net.safetensors", **described)
    content = {"schema": 1, "checkpoints": {"fake2020.own": entry}}
    parsed = manifest.parse(msgspec.json.encode(content), "test")
    monkeypatch.setattr(manifest, "load", lambda: parsed)
    result = run("--all", "--to", tmp_path)
    assert result.exit_code == 0
    assert "bundled" in result.output


def test_a_wrong_name_is_refused_before_anything_is_fetched(server, known):
    result = run("fake2020.one", "fake2020.onn")
    assert result.exit_code == 1
    assert "no model is named 'fake2020.onn'. Did you mean fake2020.one" in result.output
    assert "no checkpoint matches 'x*'" in run("fake2020.one", "x*").output
    assert not server.requests


def test_names_or_all_must_be_given():
    assert "give either NAMES or --all" in run().output
    assert "give either NAMES or --all" in run("pons2017", "--all").output
    assert "--to cannot be used with hf://" in run("hf://user/repo", "--to", "x").output
