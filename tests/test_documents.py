"""The examples in README and the docstrings run."""

import doctest
import importlib
import pkgutil
import re
import shutil

import pytest
from conftest import CHECKOUT

import zoo

README = CHECKOUT / "README.md"
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(zoo.__path__, "zoo.")
    if not m.name.endswith(
        ("__main__", "zoo.data.pipeline.tensorflow_io")
    )  # the latter needs an extra
)


def snippets(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


DOCUMENTS = [p for p in (README, *sorted((CHECKOUT / "docs").rglob("*.md"))) if snippets(p)]


def songs(folder):
    """Make a folder of two classes in two splits, such as documents speak of."""
    for place, name in (
        ("train/piano", "piano-own-nocturne"),
        ("train/drums", "drums-rock"),
        ("test/piano", "piano-mozart-march"),
        ("test/drums", "drums-funk"),
    ):
        (folder / place).mkdir(parents=True)
        shutil.copy(CHECKOUT / "examples" / "clips" / f"{name}.ogg", folder / place)


@pytest.mark.filterwarnings("ignore::zoo.AudioWarning")
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_python_of_a_document_runs(path, tmp_path, monkeypatch):
    for folder in ("audio", "clips"):
        shutil.copytree(CHECKOUT / "examples" / folder, tmp_path / "examples" / folder)
    songs(tmp_path / "songs")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in snippets(path):
        exec(compile(block, path.name, "exec"), names)


def test_readme_shows_python():
    assert len(snippets(README)) >= 3


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_some_docstrings_have_examples():
    finder = doctest.DocTestFinder()
    found = [t for n in MODULES for t in finder.find(importlib.import_module(n)) if t.examples]
    assert len(found) >= 3
