"""The examples in README, in `docs/` and in the docstrings run."""

import doctest
import importlib
import os
import pkgutil
import re
import shlex
import shutil
from pathlib import Path
from unittest import mock

import pytest
from conftest import CHECKOUT, only_on

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


# The How-to pages of the site, in the order of its menu.
HOW_TO = [
    *("tagging", "embedding", "finetuning", "choosing", "scores", "training", "evaluating"),
    *("export", "batch", "devices", "offline", "onsets", "web", "hub"),
]
# Beginning of a line of shell that no test runs -> why.
NOT_RUN = {
    "#": "it is a comment",
    "pip install": "it installs",
    "pytest": "it is the tests",
    "zoo serve": "it does not end",
    "zoo site": "tests/test_site.py runs it",
    "zoo fetch": "it downloads; tests/test_fetch_cli.py runs it on a server of its own",
    "zoo push": "it needs an account; tests/test_hub.py runs it on a hub of its own",
    "zoo batch pons2017 /archive": "it is part of a script for SLURM; tests/test_batch.py shards",
    "export ZOO_MIRROR": "it is for a machine with a mirror",
}
# Language of a block on a How-to page -> what runs it.
LANGUAGES = {
    "python": "test_python_of_a_document_runs",
    "bash": "test_shell_of_a_page_runs",
    "py": "tests/test_batch.py, tests/test_export.py: they need files of a run",
    "js": "tests/test_export.py, where Node is installed",
    "text": "nothing: it is output, or a call that needs an account or others' data",
    "cpp": "nothing, which the page says",
    "kotlin": "nothing, which the page says",
    "swift": "nothing, which the page says",
}


# docs/embedding.md: a folder with splits and classes.
SONGS = [
    Path("train/drums/drums-rock.ogg"),
    Path("train/piano/piano-own-nocturne.ogg"),
    Path("test/drums/drums-funk.ogg"),
    Path("test/piano/piano-mozart-march.ogg"),
]


def shell(path):
    """Return the lines of shell on a page that a test runs."""
    blocks = re.findall(r"^```bash\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(tuple(NOT_RUN))]


def page(name):
    return CHECKOUT / "docs" / f"{name}.md"


def prepare(folder):
    """Put the files that the pages name into a folder."""
    for name in ("audio", "clips"):
        shutil.copytree(CHECKOUT / "examples" / name, folder / "examples" / name)
    clips = folder / "examples" / "clips"
    for path in SONGS:
        (folder / "songs" / path).parent.mkdir(parents=True)
        shutil.copy(clips / path.name, folder / "songs" / path)
    shutil.copy(clips / "piano-beethoven-elise.ogg", folder / "new.ogg")


DOCUMENTS = [p for p in (README, *sorted((CHECKOUT / "docs").rglob("*.md"))) if snippets(p)]
# Pages on what other backends of Keras refuse, as they say.
MARKS = {"devices.md": only_on("tensorflow", "jax"), "export.md": only_on("tensorflow")}
RUN = [pytest.param(p, marks=MARKS.get(p.name, ())) for p in DOCUMENTS]


@pytest.mark.filterwarnings("ignore::zoo.AudioWarning")
@pytest.mark.parametrize("path", RUN, ids=lambda p: p.name)
def test_python_of_a_document_runs(path, tmp_path, monkeypatch):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {}
    with mock.patch.dict(os.environ):  # a page may set variables
        for block in snippets(path):
            exec(compile(block, path.name, "exec"), names)


@pytest.mark.filterwarnings("ignore::zoo.errors.AudioWarning")
@pytest.mark.parametrize("name", [*(n for n in HOW_TO if shell(page(n))), "leaderboard", "citing"])
def test_shell_of_a_page_runs(name, tmp_path, monkeypatch, run):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    for line in shell(page(name)):
        command, *arguments = shlex.split(re.sub(r"\s#.*", "", line))  # data.csv#train is a split
        assert command == "zoo", f"{line}: run it in the tests, or add it to NOT_RUN with a reason"
        result = run(*arguments)
        assert result.exit_code == 0, f"{line}: {result.output} {result.exception!r}"


@pytest.mark.parametrize("name", HOW_TO)
def test_every_block_of_a_how_to_page_is_run_or_excepted(name):
    content = page(name).read_text(encoding="utf-8")
    languages = re.findall(r"^ *```(\S+)", content, re.M)
    assert set(languages) <= LANGUAGES.keys()
    outside = re.sub(r"^ *```.*?^ *```$", "", content, flags=re.M | re.S)
    assert not re.findall(r"^ {4,}(?:zoo|pip|python) ", outside, re.M), "use a fenced block"


def test_how_to_pages_are_those_of_the_menu():
    menu = (CHECKOUT / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8")
    part = menu.partition("- How-to:\n")[2].partition("\n  - Models:")[0]
    assert re.findall(r": (\w+)\.md", part) == HOW_TO


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
