"""The page as a folder and its server: complete, and nothing but its files is handed out."""

import gzip
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import numpy as np
import onnxruntime
import own_models
import pytest
from conftest import CHECKOUT

import zoo
from zoo.errors import ConfigError
from zoo.registry import lookup, manifest
from zoo.utils import server
from zoo.weights import site


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("web") / "site"
    site.write(path, level=1)
    return path


@pytest.fixture(scope="module")
def index(folder):
    return json.loads((folder / "zoo.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def own_file(tmp_path_factory):
    return own_models.write(tmp_path_factory.mktemp("own") / "my model.onnx")


@contextmanager
def serving(folder):
    """Serve a folder; yields the port."""
    with server.open_server(folder, 0) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield opened.server_port
        finally:
            opened.shutdown()
            thread.join()


def get(port, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


# --- the folder ---


def test_the_page_has_every_bundled_default_model(index):
    checkpoints = manifest.load().checkpoints
    wanted = {name for name, c in checkpoints.items() if c.default and c.bundled}
    assert {about["name"] for about in index["models"]} == wanted
    assert index["models"][0]["name"] == "pons2017.mtt"


@pytest.mark.parametrize("name", site.default_models())
def test_the_model_of_the_page_computes_what_the_package_computes(name, folder, index):
    about = next(about for about in index["models"] if about["name"] == name)
    session = onnxruntime.InferenceSession(gzip.decompress((folder / about["file"]).read_bytes()))
    samples = 44100 if about["geometry"]["frame_wise"] else about["geometry"]["segment"]
    sound = np.random.default_rng(0).normal(0, 0.1, (1, samples)).astype("float32")
    (found,) = session.run(["probabilities"], {"waveform": sound})
    model = zoo.load(name, runtime="onnx")
    np.testing.assert_allclose(found, model.forward_pass("probabilities")(sound), atol=1e-6)
    assert about["labels"] == list(model.labels)
    assert about["licence"]
    assert about["about"]
    assert about["scores"] or about["geometry"]["frame_wise"]


def test_every_file_that_the_page_names_exists_and_no_other_host_is_loaded(folder, index):
    named = {about["file"] for about in index["models"]} | {index["example"]}
    named |= {about["picture"] for about in index["models"]} | {index["runtime"]["file"]}
    page = (folder / "index.html").read_text(encoding="utf-8")
    named |= set(re.findall(r'(?:href|src)="([^"#]+)"', page))
    scripts = [*folder.glob("*.js")]
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        named |= set(re.findall(r'from "\./([^"]+)"', text))
        assert not re.search(r"""["'`]https?://(?!www\.w3\.org)""", text), script.name
    assert [name for name in named if not (folder / name).is_file()] == []
    assert len(scripts) > 8


def test_the_service_worker_keeps_the_page(folder):
    content = (folder / "files.js").read_text(encoding="utf-8")
    kept = json.loads(content.partition("=")[2].rstrip(" ;\n"))
    assert {"index.html", "app.js", "worker.js", "style.css", "zoo.json"} <= set(kept["files"])
    assert [name for name in kept["files"] if not (folder / name).is_file()] == []
    assert not any(name.endswith(site.LONG_FILES) for name in kept["files"])  # for long files only


def test_what_is_not_ours_is_pinned_and_has_its_licence():
    vendor = CHECKOUT / "web" / "vendor"
    pinned = json.loads((vendor / "pinned.json").read_text(encoding="utf-8"))
    files = {name: digest for p in pinned["packages"] for name, digest in p["files"].items()}
    for name, sha256 in files.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == sha256
    wasm = gzip.decompress((vendor / "ort-wasm-simd-threaded.wasm.gz").read_bytes())
    assert hashlib.sha256(wasm).hexdigest() == pinned["packages"][0]["wasm_sha256"]
    packages = [package["package"] for package in pinned["packages"]]
    licences = {f"LICENSE-{package}.txt" for package in packages}
    others = {"THIRD-PARTY-onnxruntime-web.txt.gz", "pinned.json"}
    assert {path.name for path in vendor.iterdir()} == licences | others | set(files)
    for name, title in (("onnxruntime-web", "MIT"), ("mediabunny", "Mozilla Public License")):
        assert title in (vendor / f"LICENSE-{name}.txt").read_text(encoding="utf-8")


def test_the_map_shows_every_architecture_and_back_end(index):
    assert set(index["map"]["architectures"]) == set(lookup.architectures())
    assert len(index["map"]["back_ends"]) == 5


def test_an_own_onnx_file_opens_the_page(folder, tmp_path, own_file):
    names = site.write(tmp_path / "site", [own_file], level=1)
    assert names == ["my-model", *site.default_models()]
    index = json.loads((tmp_path / "site" / "zoo.json").read_text(encoding="utf-8"))
    about = index["models"][0]
    assert about["own"]
    assert about["scores"] == []  # those of the checkpoint are not its own
    assert about["labels"][0] == "first of mine"
    content = gzip.decompress((tmp_path / "site" / about["file"]).read_bytes())
    assert content == own_file.read_bytes()


def test_an_own_keras_file_needs_no_export(tmp_path, checkpoint):
    model = checkpoint("dieleman2014.zoo")
    model.save(tmp_path / "mine.keras")
    assert site.write(tmp_path / "site", [tmp_path / "mine.keras"], level=1)[0] == "mine"
    index = json.loads((tmp_path / "site" / "zoo.json").read_text(encoding="utf-8"))
    content = gzip.decompress((tmp_path / "site" / index["models"][0]["file"]).read_bytes())
    sound = np.random.default_rng(0).normal(0, 0.1, (1, model.segmentation.segment))
    sound = sound.astype("float32")
    (found,) = onnxruntime.InferenceSession(content).run(None, {"waveform": sound})
    np.testing.assert_allclose(found, model.predict(sound, verbose=0), atol=1e-5)


# --- what is refused ---


def test_a_folder_with_content_is_left_alone(run, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    result = run("site", tmp_path)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "is not empty" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("pons2071", "did you mean"),
        ("missing.onnx", "there is no exported model"),
        ("song.onnx", "not an ONNX file"),
        ("pons2017", "the same name"),
    ],
)
def test_a_model_that_cannot_be_shown_leaves_nothing_behind(model, words, run, tmp_path):
    (tmp_path / "song.onnx").write_bytes(b"RIFF" + bytes(range(200)))
    given = str(tmp_path / model) if model.endswith(".onnx") else model
    result = run("site", tmp_path / "out", "-m", given, "-m", "pons2017")
    assert result.exit_code == 1
    assert words.lower() in result.output.lower()
    assert result.output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["song.onnx"]


def test_a_missing_parent_folder_is_one_line(run, tmp_path):
    result = run("site", tmp_path / "no" / "site")
    assert result.exit_code == 1
    assert f"there is no folder {tmp_path / 'no'}" in result.output


def test_a_port_in_use_is_one_line(run):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run("serve", "--no-browser", "--port", port)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert f"port {port}: another program uses it" in result.output


# --- the server ---


def test_answers_allow_threads_and_nothing_from_elsewhere(folder):
    with serving(folder) as port:
        response, content = get(port, "/")
        assert content == (folder / "index.html").read_bytes()
        assert response.getheader("Cross-Origin-Opener-Policy") == "same-origin"
        assert response.getheader("Cross-Origin-Embedder-Policy") == "require-corp"
        policy = response.getheader("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "http" not in policy
        assert "*" not in policy
        script, _ = get(port, "/worker.js?v=1")
        assert script.status == 200
        assert script.getheader("Content-Type") == "text/javascript; charset=utf-8"
        assert script.getheader("Cross-Origin-Embedder-Policy") == "require-corp"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/models/../../secret.txt",
        "/....//secret.txt",
        "//secret.txt",
        "/%5c..%5csecret.txt",
        "/models/",
        "/vendor",
        "/nothing",
    ],
)
def test_nothing_but_the_page_is_handed_out(path, folder):
    (folder.parent / "secret.txt").write_text("secret")
    with serving(folder) as port:
        response, content = get(port, path)
        assert response.status in (301, 404)
        assert b"secret" not in content.replace(b"secret.txt", b"")


def test_other_host_names_are_refused(folder):
    with serving(folder) as port:
        assert get(port, "/", "elsewhere.example")[0].status == 403
        assert get(port, "/", f"localhost:{port}")[0].status == 200


def test_serve_says_where_the_page_is_and_ends_with_ctrl_c(tmp_path):
    # What runs in the background ignores Ctrl-C.
    start = "import signal, zoo.cli; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", start + "zoo.cli.main()"]
    command += ["serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    line = process.stdout.readline()
    port = int(re.match(r"http://localhost:(\d+)/ shows 7 models: pons2017.mtt,", line)[1])
    assert process.stdout.readline() == "Press Ctrl-C to end.\n"
    assert b"<title>zoo" in get(port, "/")[1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_the_server_is_on_this_machine_only(folder):
    with server.open_server(folder, 0) as opened:
        assert opened.server_address[0] == "127.0.0.1"
        with pytest.raises(ConfigError, match="another program uses it"):
            server.open_server(folder, opened.server_port)
