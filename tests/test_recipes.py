"""The recipes for MagnaTagATune run on a miniature of it; every architecture has its numbers."""

import ast
import io
import re
import runpy
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

import zoo
from zoo.data.readers import mtat
from zoo.registry import lookup
from zoo.training import recipe

RECIPES = Path(__file__).parent.parent / "recipes" / "mtat"
SCRIPTS = sorted(path for path in RECIPES.glob("*.py") if path.stem != "learn")
SOUND = {"rock": 1, "piano": 2}  # which half of the clips has the tag, and how it sounds
TINY = {
    "dieleman2014": ["window_length=1024", "hop_length=1024"],
    "lee2009": ["bases=6", "n_components=10"],
    "lee2017": ["n=4"],
}
EVALUATED = re.compile(r"^test(_cleaned)?: .*ROC-AUC", re.M | re.S)

every = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def magna(tmp_path_factory) -> Path:
    """Two clips of half a second in each of the 16 folders; one in four has none of the tags."""
    root = tmp_path_factory.mktemp("magna")
    others = [f"rare tag {i}" for i in range(138)]
    lines = [["clip_id", *mtat.TAGS, *others, "mp3_path"]]
    time = np.arange(8000) / 16000
    for i, folder in enumerate("00112233445566778899aabbccddeeff"):
        tags = {"rock": i % 4 < 2, "piano": i % 4 in (1, 2)}
        tone = sum(SOUND[tag] * np.sin(440 * 6.28 * SOUND[tag] * time) for tag in tags if tags[tag])
        noise = np.random.default_rng(i).normal(0, 0.01, len(time))
        path = f"{folder}/artist_{i // 2}-album-{i}-title-0-29.mp3"
        (root / folder).mkdir(exist_ok=True)
        file = io.BytesIO()
        soundfile.write(file, 0.1 * tone + noise, 16000, format="MP3")
        (root / path).write_bytes(file.getvalue())
        ones = [str(int(tags.get(tag, False))) for tag in (*mtat.TAGS, *others)]
        lines.append([str(i + 2), *ones, path])
    text = "".join("\t".join(f'"{cell}"' for cell in line) + "\n" for line in lines)
    (root / "annotations_final.csv").write_text(text)
    return root


@pytest.fixture
def run(monkeypatch):
    """Run a recipe as its own process would."""

    def script(path: Path, *arguments: str) -> None:
        monkeypatch.syspath_prepend(str(RECIPES))
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        monkeypatch.delitem(sys.modules, "learn", raising=False)
        runpy.run_path(str(path), run_name="__main__")
        monkeypatch.delitem(sys.modules, "learn", raising=False)

    return script


@pytest.mark.parametrize("architecture", TINY)
def test_recipe_trains_and_scores_both_test_sets(run, magna, tmp_path, capsys, architecture):
    options = [part for option in TINY[architecture] for part in ("--option", option)]
    output = tmp_path / "out"
    run(RECIPES / f"{architecture}.py", str(magna), str(output), "--epochs", "1", *options)
    assert EVALUATED.search(capsys.readouterr().out)
    for split, clips in (("test", 6), ("test_cleaned", 4)):
        table = (output / f"{split}.csv").read_text()
        assert f",mtat,{split},{clips},rock,2," in table
    assert zoo.load(output).labels == mtat.TAGS


@every
def test_recipe_says_its_command_and_what_is_published(run, script, capsys):
    with pytest.raises(SystemExit, match="0"):
        run(script, "--help")
    about = capsys.readouterr().out
    assert f"python recipes/mtat/{script.stem}.py MAGNATAGATUNE OUT" in about
    assert re.search("Published|Nothing is published", about)
    assert "time and score are not" in " ".join(about.split())
    if "ROC-AUC" in about:
        assert re.search('"test(_cleaned)?"', about)


def test_every_tagger_has_a_recipe():
    taggers = {
        name for name in lookup.architectures() if zoo.info(name).architecture.task == "tagging"
    }
    assert {path.stem for path in SCRIPTS} == taggers


@pytest.mark.parametrize("architecture", lookup.architectures())
def test_what_a_paper_does_not_say_is_named(architecture):
    numbers = recipe.of(architecture)
    assert numbers.chosen, "no paper says all of it"
    assert set(numbers.chosen) < set(msgspec.structs.asdict(numbers))


def test_published_numbers_are_those_of_the_sources():
    """papers.md: sections 2.4, 6.3, 7.2, 8; what is not in `chosen` counts as published."""
    published = {
        "dieleman2014": {"optimizer": "sgd", "batch_size": 10},
        "lee2017": {
            "optimizer": "sgd",
            "learning_rate": 0.01,
            "momentum": 0.9,
            "nesterov": True,
            "batch_size": 23,
            "plateau_factor": 0.2,
            "plateau_patience": 3,
        },
        "pons2016": {"optimizer": "sgd", "learning_rate": 0.01, "batch_size": 10, "epochs": 2000},
        "pons2017": {
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "batch_size": 32,
            "epochs": 600,
            "plateau_factor": 0.5,
            "plateau_patience": 75,
        },
        "schluter2014": {"optimizer": "sgd", "learning_rate": 1.0, "epochs": 300},
    }
    for architecture, fields in published.items():
        numbers = recipe.of(architecture)
        assert not fields.keys() & set(numbers.chosen)
        assert fields.items() <= msgspec.structs.asdict(numbers).items()


def test_names_that_recipes_and_benchmarks_import_from_the_package_exist():
    folders = (RECIPES.parent, RECIPES.parents[1] / "benchmarks")
    for file in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "zoo":
                exec(ast.unparse(node), {})  # an ImportError names what is missing
