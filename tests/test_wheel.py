"""The wheel, built from the source distribution, holds what it needs and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import CHECKOUT

from zoo.registry import lookup, manifest

pytest.importorskip("hatchling", reason="the extra `test` is not installed")
# Bytes. 36 MB are weights. An index takes files of 100 MB by default.
MOST = 45e6


def build(kind: str, folder: Path, target: Path) -> Path:
    """Build a distribution of the project in a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The unpacked source distribution."""
    target = tmp_path_factory.mktemp("source")
    archive = build("sdist", CHECKOUT, target)
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")
    archive.unlink()
    (folder,) = target.iterdir()
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_what_it_must_and_no_more(wheel):
    with zipfile.ZipFile(wheel) as opened:
        held = {file.filename for file in opened.infolist()}
        sizes = sum(file.file_size for file in opened.infolist())
    needed = {str(p.relative_to(CHECKOUT)) for p in (CHECKOUT / "zoo").rglob("*.py")}
    needed |= {"zoo/py.typed", "zoo/weights_manifest.json", "zoo/leaderboard.csv"}
    needed |= {"zoo/web/index.html", "zoo/web/vendor/pinned.json"}
    needed |= {f"zoo/web/filters/{name}.svg" for name in lookup.architectures()}
    for checkpoint in manifest.load().checkpoints.values():
        needed |= {f"zoo/bundled/{file.file}" for file in checkpoint.bundled}
    needed |= {f"zoo/bundled/{p.name}" for p in (CHECKOUT / "weights").glob("LICENSE-*")}
    assert needed - held == set()

    about = {name for name in held if ".dist-info/" in name}
    assert {name.partition("/")[0] for name in held - about} == {"zoo"}
    kinds = {Path(name).suffix for name in held - about}
    assert kinds & {".pyc", ".ipynb", ".ogg", ".onnx", ".keras", ".npz", ".ts", ".sh"} == set()
    assert not [name for name in held if "__pycache__" in name or "/tests/" in name]
    assert sizes < MOST


def test_its_metadata_name_the_licences_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as opened:
        texts = {Path(name).name: opened.read(name).decode() for name in opened.namelist()
                 if name.endswith((".dist-info/METADATA", "/entry_points.txt"))}  # fmt: skip
        held = opened.namelist()
    assert "License-Expression: Apache-2.0 AND ISC AND MIT" in texts["METADATA"]
    assert "zoo = zoo.cli:main" in texts["entry_points.txt"]
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_the_source_has_no_results_but_the_leaderboard(source):
    assert [p.name for p in (source / "results").iterdir()] == ["leaderboard.csv"]
    assert not (source / ".ci").exists()
