"""`zoo evaluate` and `zoo compare`."""

import csv
import json
import subprocess
import sys

import keras
import pytest
import songs

import zoo
from zoo.cli.evaluation import matching
from zoo.evaluation.scores import Scores

FAST = ("--bootstrap", 5)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of two classes, five clips each."""
    folder = tmp_path_factory.mktemp("data") / "kinds"
    songs.make(folder, clips=5)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Two untrained networks for these classes."""
    folder = tmp_path_factory.mktemp("models")
    for i, name in enumerate(("one.keras", "two.keras")):
        keras.utils.set_random_seed(i)
        zoo.build("dieleman2014", ["noise", "tone"], segment=1.0).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def table(data):
    """The same clips with splits."""
    path = data.parent / "clips.csv"
    rows = [
        f"kinds/{kind}/{i}.wav,{kind},{'test' if i < 3 else 'train'}\n"
        for kind in ("noise", "tone")
        for i in range(5)
    ]
    path.write_text("path,tags,split\n" + "".join(rows))
    return path


# --- evaluate ---


def test_evaluate_prints_a_table(run, saved, data):
    result = run("evaluate", saved / "one.keras", "--data", data, *FAST)
    assert result.exit_code == 0, result.output
    for part in (
        "on kinds: 10 clips",
        "ROC-AUC",
        "accuracy",
        "noise",
        "10 clips, 5 bootstrap rounds",
    ):
        assert part in result.stdout


def test_evaluate_says_what_was_typed(run, saved, table):
    result = run(
        *("evaluate", saved / "one.keras", "--data", table, "--split", "test", *FAST, "--json")
    )
    content = json.loads(result.stdout)
    assert (content["data"], content["split"], content["clips"]) == ("clips", "test", 6)
    assert content["command"] == (
        f"zoo evaluate {saved}/one.keras --data {table} --split test --bootstrap 5 --json"
    )


def test_evaluate_fills_a_folder(run, saved, data, tmp_path):
    result = run("evaluate", saved / "one.keras", "--data", data, *FAST, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"evaluation.csv", "evaluation.json", "evaluation.png", "scores.npz"}
    rows = csv.DictReader((tmp_path / "out" / "evaluation.csv").read_text().splitlines())
    assert [row["tag"] for row in rows] == ["all", "noise", "tone"]
    assert Scores.load(tmp_path / "out" / "scores.npz").values.shape == (10, 2)


def test_evaluate_shared_leaves_out_what_the_model_does_not_know(run, saved, data, tmp_path):
    keras.utils.set_random_seed(0)
    zoo.build("dieleman2014", ["noise"], segment=1.0).save(tmp_path / "small.keras")
    refused = run("evaluate", tmp_path / "small.keras", "--data", data, *FAST)
    assert refused.exit_code == 1
    assert "kinds has labels that small does not know: tone" in refused.stderr
    # only clips of the one class are left, and a tag that all clips have cannot be scored
    shared = run("evaluate", tmp_path / "small.keras", "--data", data, *FAST, "--shared")
    assert "no tag can be scored" in shared.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "pons2017"), "Missing option '--data'"),
        (("evaluate", "pons2017", "--data", "DATA", "-o", "out.txt"), "name must end in .csv"),
        (("evaluate", "pons2017", "--data", "DATA", "-o", "gone/out.csv"), "no folder gone"),
        (("evaluate", "pons2017", "--data", "DATA/gone"), "no such file or folder"),
        (("evaluate", "pons2017", "--data", "TABLE#test", "--split", "test"), "both name a split"),
        (("evaluate", "pons2017", "--data", "TABLE", "--split", "dev"), "no split named 'dev'"),
        (("evaluate", "ponds2017", "--data", "TABLE"), "no model is named 'ponds2017'"),
        (("compare", "--data", "TABLE"), "Missing argument 'NAMES...'"),
        (("compare", "ponds*", "--data", "TABLE"), "no checkpoint matches 'ponds*'"),
        (("compare", "pons2017", "--data", "TABLE", "-o", "x.npz"), "name must end in .csv"),
        (("compare", "pons2017", "--data", "TABLE"), "no tag that clips and all models know"),
    ],
)
def test_bad_input_is_one_line(run, data, table, arguments, message):
    places = {"DATA": str(data), "TABLE": str(table)}
    given = [arguments[0]]
    for argument in arguments[1:]:
        for short, place in places.items():
            argument = argument.replace(short, place)
        given.append(argument)
    result = run(*given)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_is_no_folder(run, data, tmp_path):
    (tmp_path / "out").write_text("")
    result = run("evaluate", "pons2017", "--data", data, "-o", tmp_path / "out")
    assert "is a file; expected a folder" in result.stderr


# --- compare ---


def test_compare_fills_a_folder(run, saved, data, tmp_path):
    models = [saved / "one.keras", saved / "two.keras"]
    result = run("compare", *models, "--data", data, *FAST, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 models on kinds: 10 clips, 2 tags that all know" in result.stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {"models.csv", "tags.csv", "differences.csv"}
    pictures = {"comparison.png", "tags.png"}
    assert names == tables | pictures | {"comparison.md", "comparison.json"}
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [m["model"] for m in content["models"]] == [str(path) for path in models]
    assert content["command"].startswith("zoo compare ")


@pytest.mark.parametrize("suffix", ["csv", "md", "json", "svg"])
def test_compare_writes_one_file(run, saved, data, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    result = run("compare", saved / "one.keras", "--data", data, "--bootstrap", 0, "-o", out)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 0


def test_a_pattern_means_several_checkpoints():
    assert matching("pons2017.m?t") == ["pons2017.mtt"]
    assert matching("choi2016.vgg_m*") == ["choi2016.vgg_msd", "choi2016.vgg_mtt"]
    assert matching("pons2017") == ["pons2017"]


def test_help_loads_no_framework():
    code = (
        "import sys; from click.testing import CliRunner; from zoo.cli import main\n"
        "for name in ('evaluate', 'compare'): assert '--data' in "
        "CliRunner().invoke(main, [name, '--help']).output\n"
        "print({'keras', 'tensorflow', 'sklearn', 'mir_eval', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
