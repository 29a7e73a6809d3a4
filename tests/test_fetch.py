import hashlib
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path

import file_server
import madmom_writer
import numpy as np
import pytest
import safetensors.numpy
from file_server import sha256

import zoo
from zoo import UnknownName, WeightsError
from zoo.registry import manifest
from zoo.weights import cache, fetch, network

KERNEL = np.arange(12, dtype="float32").reshape(3, 4)
NATIVE = safetensors.numpy.save({"head/kernel": KERNEL})
RELEASE = "fakenet-1.0.tar.gz"

pytestmark = pytest.mark.usefixtures("bare_surroundings")


@pytest.fixture
def server():
    with file_server.running() as running:
        yield running


@pytest.fixture
def release(server, monkeypatch) -> bytes:
    """A release that holds a network of madmom, and the architecture that adopts it."""
    packed = io.BytesIO()
    madmom_writer.archive(packed, {"net.pkl": {"weights": KERNEL, "bias": KERNEL[0]}})
    server.files[f"/{RELEASE}"] = packed.getvalue()
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    model = types.ModuleType("zoo.models.fake2020")
    weights = "0 FeedForwardLayer/weights"
    model.from_fakenet = lambda tensors: {"head/kernel": tensors[weights].T.copy().T}
    monkeypatch.setitem(sys.modules, "zoo.models.fake2020", model)
    return packed.getvalue()


def from_index(content: bytes, **changes) -> dict:
    source = {"kind": "pypi", "project": "fakenet", "version": "1.0", "file": RELEASE}
    source |= {"sha256": sha256(content), "bytes": len(content)}
    return source | {"format": "madmom", "member": "net.pkl", "adopt": "from_fakenet"} | changes


def from_address(url: str, content: bytes = NATIVE, **changes) -> dict:
    source = {"kind": "url", "url": f"{url}/net.safetensors", "file": "net.safetensors"}
    return source | {"sha256": sha256(content), "bytes": len(content)} | changes


def bundled(content: bytes = NATIVE) -> dict:
    described = {"sha256": sha256(content), "bytes": len(content)}
    return {"kind": "bundled", "file": "net.safetensors"} | described


def catalogue_json(*sources: dict) -> str:
    checkpoint = {
        "architecture": "fake2020",
        "labels": ["a", "b"],
        "sources": sources,
        "input": {"sample_rate": 16000, "segment": 48000, "description": "waveform"},
        "licence": {"weights": "MIT", "data": "none"},
        "authors": ["Nobody"],
        "citation": "none",
        "provenance": "Made up for a test.",
        "status": "verified",
    }
    return json.dumps({"schema": 1, "checkpoints": {"fake2020.test": checkpoint}})


def catalogue(*sources: dict) -> manifest.Manifest:
    return manifest.parse(catalogue_json(*sources).encode(), "test")


def left_in(folder: Path) -> list[str]:
    """All that lies in the cache, the (empty, permanent) lock files aside."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix != ".lock")


def failure(*sources: dict) -> str:
    """The message when nothing helps; and nothing half-written stays behind."""
    with pytest.raises(WeightsError) as caught:
        fetch.tensors("fake2020.test", catalogue(*sources))
    assert left_in(cache.folder()) == []
    return str(caught.value)


# --- what is at hand ---


def test_the_default_checkpoint_is_bundled(monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    arrays = fetch.tensors("pons2017.mtt")
    assert len(arrays) == 64
    assert sum(array.size for array in arrays.values()) == 792_079
    assert not cache.folder().exists()


def test_an_unknown_checkpoint_is_an_unknown_name():
    with pytest.raises(UnknownName, match=r"'pons2017\.mt'.*pons2017\.mtt"):
        fetch.tensors("pons2017.mt")


def test_a_damaged_bundled_file_is_skipped_with_a_warning(server, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(manifest, "PACKAGE", tmp_path)
    (tmp_path / "bundled").mkdir()
    (tmp_path / "bundled" / "net.safetensors").write_bytes(NATIVE[:-1] + b"?")
    server.files["/net.safetensors"] = NATIVE
    both = catalogue(bundled(), from_address(server.url))
    np.testing.assert_array_equal(fetch.tensors("fake2020.test", both)["head/kernel"], KERNEL)
    assert "the package is damaged, reinstall it" in caplog.text


def test_a_damaged_bundled_file_without_another_source_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(manifest, "PACKAGE", tmp_path)
    (tmp_path / "bundled").mkdir()
    changed = NATIVE[:-1] + b"?"
    (tmp_path / "bundled" / "net.safetensors").write_bytes(changed)
    message = failure(bundled())
    assert f"sha256 expected {sha256(NATIVE)}, got {sha256(changed)}" in message
    assert "reinstall the package" in message


# --- the package index ---


@pytest.mark.parametrize("listing", ["html", "json"])
def test_a_release_is_found_by_name_converted_and_cached(server, release, listing):
    server.listing = listing
    known = catalogue(from_index(release))
    arrays = fetch.tensors("fake2020.test", known)
    assert list(arrays) == ["head/kernel"]
    np.testing.assert_array_equal(arrays["head/kernel"], KERNEL)
    fetch.tensors("fake2020.test", known)
    assert server.requests == {"/simple/fakenet/": 1, f"/{RELEASE}": 1}


def test_a_cached_checkpoint_needs_no_network(release, monkeypatch):
    first = fetch.tensors("fake2020.test", catalogue(from_index(release)))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    second = fetch.tensors("fake2020.test", catalogue(from_index(release)))
    np.testing.assert_array_equal(first["head/kernel"], second["head/kernel"])


def test_the_cache_records_the_checksum_as_sha256sum_does(release):
    file = fetch.path("fake2020.test", catalogue(from_index(release)))
    assert left_in(cache.folder()) == [file.name, f"{file.name}.sha256"]
    record = file.with_name(f"{file.name}.sha256").read_text()
    assert record == f"{sha256(file.read_bytes())}  {file.name}\n"


def test_other_users_may_read_a_cached_file_as_any_file_of_this_user(release, tmp_path):
    (tmp_path / "any").write_text("")
    file = fetch.path("fake2020.test", catalogue(from_index(release)))
    assert file.stat().st_mode == (tmp_path / "any").stat().st_mode


def test_the_converted_file_names_the_authors_of_its_weights(release):
    file = fetch.path("fake2020.test", catalogue(from_index(release)))
    with safetensors.safe_open(file, "numpy") as opened:
        assert "weights by Nobody; licence MIT" in opened.metadata()["about"]


def test_a_change_of_the_conversion_makes_a_new_file(release):
    before = fetch.path("fake2020.test", catalogue(from_index(release)))
    sys.modules["zoo.models.fake2020"].from_fakenet_again = lambda tensors: {"new": KERNEL}
    after = fetch.path("fake2020.test", catalogue(from_index(release, adopt="from_fakenet_again")))
    assert before != after
    assert list(safetensors.numpy.load_file(after)) == ["new"]


def test_the_index_of_pips_configuration_file_is_used(server, release, monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {server.url}/simple\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert network.indexes() == [f"{server.url}/simple"]
    assert "head/kernel" in fetch.tensors("fake2020.test", catalogue(from_index(release)))


def test_pips_environment_overrides_its_configuration_file(monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text("[global]\ncert = /file.pem\nproxy = http://file\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_CERT", "/environment.pem")
    with network.session() as session:
        assert session.verify == "/environment.pem"
        assert session.proxies["https"] == "http://file"


def test_further_indexes_are_tried_in_order(server, release, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/empty/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{server.url}/simple/")
    assert "head/kernel" in fetch.tensors("fake2020.test", catalogue(from_index(release)))


def test_the_error_names_an_index_without_the_project_or_the_file(server, release, monkeypatch):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{server.url}/empty/")
    message = failure(from_index(release, file="fakenet-1.0.zip"))
    assert f"index {server.url}/simple/: fakenet 1.0 has no file fakenet-1.0.zip" in message
    assert f"index {server.url}/empty/: has no project 'fakenet'" in message


def test_the_error_names_an_address_that_is_no_package_index(server, release, monkeypatch):
    server.files["/other/fakenet/"] = b"\0"
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/other/")
    assert "does not answer as a package index" in failure(from_index(release))


def test_a_password_in_the_indexs_address_stays_out_of_the_message(server, release, monkeypatch):
    address = server.url.replace("://", "://user:secret@")
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/wheels/")
    server.files["/wheels/fakenet/"] = b"\0"
    message = failure(from_index(release))
    assert f"{server.url}/wheels/" in message
    assert "secret" not in message


def test_a_release_without_the_variables_expected_is_refused(release):
    sys.modules["zoo.models.fake2020"].from_fakenet = lambda tensors: {"a": tensors["b"]}
    message = failure(from_index(release))
    assert "has no variable 'b', which fake2020.from_fakenet expects" in message


# --- addresses ---


def test_a_file_known_by_its_git_blob_alone_is_verified_by_it(server):
    server.files["/net.safetensors"] = NATIVE
    blob = hashlib.sha1(b"blob %d\0" % len(NATIVE) + NATIVE).hexdigest()
    source = from_address(server.url, git_blob=blob, sha256=None, bytes=None)
    assert "head/kernel" in fetch.tensors("fake2020.test", catalogue(source))
    wrong = from_address(server.url, git_blob="0" * 40, sha256=None, bytes=None)
    assert f"git blob expected {'0' * 40}, got {blob}" in failure_beside_a_file(wrong)


def failure_beside_a_file(source: dict) -> str:
    with pytest.raises(WeightsError) as caught:
        fetch.tensors("fake2020.test", catalogue(source))
    return str(caught.value)


def test_a_file_with_another_checksum_is_never_loaded(server):
    server.files["/net.safetensors"] = changed = NATIVE[:-1] + b"?"
    message = failure(from_address(server.url))
    assert f"sha256 expected {sha256(NATIVE)}, got {sha256(changed)}" in message


def test_a_download_that_breaks_off_is_an_error(server):
    server.files["/net.safetensors"] = NATIVE
    server.cut = 50
    assert re.search(r"IncompleteRead\(50 bytes read", failure(from_address(server.url)))


def test_a_file_that_is_shorter_than_it_should_be_is_an_error(server):
    server.files["/net.safetensors"] = NATIVE[:50]
    message = failure(from_address(server.url))
    assert f"net.safetensors is cut off: 50 of {len(NATIVE)} bytes" in message


def test_a_download_longer_than_expected_is_stopped(server):
    server.files["/net.safetensors"] = NATIVE * 1000
    message = failure(from_address(server.url))
    assert f"is longer than the {len(NATIVE)} bytes expected" in message


def test_a_server_that_stops_sending_times_out(server, monkeypatch):
    monkeypatch.setattr(network, "TIMEOUT", (1, 0.2))
    server.files["/net.safetensors"] = NATIVE
    server.stall = threading.Event()
    assert "Read timed out" in failure(from_address(server.url))


def test_without_a_network_the_error_lists_the_attempts_and_the_fixes(server, tmp_path):
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        message = failure(bundled(), from_address(dead), from_address(server.url, file="b.bin"))
    assert "could not be loaded. Tried, in this order" in message
    tried = [line for line in message.splitlines() if line.startswith("  - ")]
    assert tried[0].startswith("  - bundled net.safetensors: is not in ")
    assert tried[1].startswith(f"  - cache {tmp_path / 'cache'}: has no fake2020.test-")
    assert "refused" in tried[3]
    assert "404" in tried[4]
    assert "zoo fetch fake2020.test" in message
    assert f"put net.safetensors (sha256 {sha256(NATIVE)})" in message
    assert "ZOO_MIRROR" in message
    assert "ZOO_CACHE" in message


@pytest.mark.parametrize("variable", ["ZOO_OFFLINE", "HF_HUB_OFFLINE"])
def test_the_network_can_be_forbidden(server, release, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("ZOO_MIRROR", server.url)
    message = failure(from_index(release), from_address(server.url))
    assert f"{variable} is set, which forbids the network" in message
    assert f"unset {variable}" in message
    assert not server.requests


# --- mirrors ---


def test_a_mirror_in_a_folder_comes_before_the_network(server, release, monkeypatch, tmp_path):
    (tmp_path / RELEASE).write_bytes(release)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path))
    assert "head/kernel" in fetch.tensors("fake2020.test", catalogue(from_index(release)))
    assert not server.requests
    assert (tmp_path / RELEASE).read_bytes() == release


def test_a_mirror_in_a_folder_serves_without_a_network(monkeypatch, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(NATIVE)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    known = catalogue(from_address("http://127.0.0.1:9"))
    assert "head/kernel" in fetch.tensors("fake2020.test", known)


def test_a_mirror_at_an_address_comes_before_the_network(server, monkeypatch):
    server.files["/mirror/net.safetensors"] = NATIVE
    monkeypatch.setenv("ZOO_MIRROR", f"{server.url}/mirror/")
    assert "head/kernel" in fetch.tensors("fake2020.test", catalogue(from_address(server.url)))
    assert server.requests == {"/mirror/net.safetensors": 1}


def test_the_files_of_a_mirror_are_verified(server, monkeypatch, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(b"?" * len(NATIVE))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path))
    message = failure(from_address(server.url))
    assert f"mirror {tmp_path}: net.safetensors is not the file expected" in message
    server.files["/net.safetensors"] = NATIVE
    assert "head/kernel" in fetch.tensors("fake2020.test", catalogue(from_address(server.url)))


# --- the cache ---


def test_a_damaged_cached_file_is_fetched_again(server):
    server.files["/net.safetensors"] = NATIVE
    file = fetch.path("fake2020.test", catalogue(from_address(server.url)))
    file.write_bytes(NATIVE[:-1] + b"?")
    arrays = fetch.tensors("fake2020.test", catalogue(from_address(server.url)))
    np.testing.assert_array_equal(arrays["head/kernel"], KERNEL)
    assert file.read_bytes() == NATIVE


def test_a_damaged_cached_file_is_not_loaded_where_it_cannot_be_fetched_again(server, monkeypatch):
    server.files["/net.safetensors"] = NATIVE
    file = fetch.path("fake2020.test", catalogue(from_address(server.url)))
    file.write_bytes(NATIVE[:-1])
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    message = failure_beside_a_file(from_address(server.url))
    expected, got = sha256(NATIVE), sha256(NATIVE[:-1])
    assert f"{file} is damaged: sha256 expected {expected}, got {got}" in message


def test_a_cache_that_cannot_be_written_is_replaced_with_a_warning(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file" / "cache"))
    server.files["/net.safetensors"] = NATIVE
    known = catalogue(from_address(server.url))
    with pytest.warns(UserWarning, match="cannot be written .* Set ZOO_CACHE to a folder"):
        arrays = fetch.tensors("fake2020.test", known)
    np.testing.assert_array_equal(arrays["head/kernel"], KERNEL)
    fetch.tensors("fake2020.test", known)
    assert server.requests == {"/net.safetensors": 1}


def test_the_default_cache_is_the_users(monkeypatch):
    monkeypatch.delenv("ZOO_CACHE")
    assert cache.folder().name == "music-zoo"


# --- several processes ---

CHILD = """
import signal, sys
from zoo.registry import manifest
from zoo.weights import fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
print(fetch.tensors("fake2020.test", manifest.parse(sys.argv[1].encode(), "test"))["head/kernel"])
"""


def child(*sources: dict) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, catalogue_json(*sources)],
        env=os.environ | {"PYTHONPATH": str(Path(zoo.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_download_once_and_both_load(server):
    server.files["/net.safetensors"] = NATIVE
    server.stall = threading.Event()
    first = child(from_address(server.url))
    assert server.started.wait(120)
    second = child(from_address(server.url))
    waiting = second.stderr.readline()
    server.stall.set()
    outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert outputs == [f"{KERNEL}\n"] * 2
    assert "another process is fetching fake2020.test" in waiting
    assert server.requests == {"/net.safetensors": 1}


def test_an_interrupted_download_leaves_nothing_behind(server):
    server.files["/net.safetensors"] = NATIVE
    server.stall = threading.Event()
    process = child(from_address(server.url))
    assert server.started.wait(120)
    assert left_in(cache.folder()) != []
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert left_in(cache.folder()) == []


def test_the_leftovers_of_a_killed_process_are_removed_by_the_next(server):
    server.files["/net.safetensors"] = NATIVE
    server.stall = threading.Event()
    process = child(from_address(server.url))
    assert server.started.wait(120)
    process.kill()
    process.communicate(timeout=120)
    assert left_in(cache.folder()) != []
    server.stall.set()
    file = fetch.path("fake2020.test", catalogue(from_address(server.url)))
    assert left_in(cache.folder()) == [file.name, f"{file.name}.sha256"]


def test_a_fetch_is_logged_with_authors_and_licence(server, caplog):
    server.files["/net.safetensors"] = NATIVE
    with caplog.at_level(logging.INFO, "zoo"):
        fetch.path("fake2020.test", catalogue(from_address(server.url)))
    assert "fake2020.test: weights by Nobody; licence MIT." in caplog.text
