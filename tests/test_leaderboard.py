"""The leaderboard: the file, the page, the call and the command line show the same numbers."""

import csv
import importlib.util
import json
import subprocess
import sys

import msgspec
import pytest
from conftest import CHECKOUT

import zoo
from zoo.registry import manifest
from zoo.registry.leaderboard import FILE_NAME
from zoo.utils.text import WIDTH

FILE = CHECKOUT / "results" / FILE_NAME
STALE = "run `python docs/leaderboard.py`"


@pytest.fixture(scope="module")
def written():
    spec = importlib.util.spec_from_file_location("board", CHECKOUT / "docs" / "leaderboard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    with FILE.open(newline="", encoding="utf-8") as file:
        return {row["checkpoint"]: row for row in csv.DictReader(file)}


def test_the_file_is_what_would_be_written_today(written):
    assert FILE.read_text(encoding="utf-8") == written.text(), STALE


def test_the_call_gives_the_file(tmp_path):
    board = zoo.leaderboard()
    assert board.to_csv(tmp_path / "board.csv") == FILE.read_text(encoding="utf-8")
    assert (tmp_path / "board.csv").read_text(encoding="utf-8") == board.to_csv()


def test_every_checkpoint_is_in_it_with_its_licence(rows):
    checkpoints = manifest.load().checkpoints
    assert sorted(rows) == sorted(checkpoints)
    for name, row in rows.items():
        assert row["licence"] == checkpoints[name].licence.weights
        assert (row["weights"] == "bundled") == bool(checkpoints[name].bundled)


def test_published_and_measured_scores_are_those_of_their_sources(rows):
    ours, theirs = rows["dieleman2014.zoo"], rows["pons2017.mtt"]
    assert theirs["published_roc_auc"] == "0.9067"
    assert ours["published_roc_auc"] == ""
    with (CHECKOUT / "results" / "real_test.csv").open(newline="", encoding="utf-8") as file:
        means = {
            r["checkpoint"]: r
            for r in csv.DictReader(file)
            if (r["part"], r["question"]) == ("test", "mean")
        }
    for name in (row for row in rows if row in means):
        for ours, theirs in (("_roc_auc", ""), ("_low", " low"), ("_high", " high")):
            measured = float(rows[name][f"players{ours}"])
            assert measured == float(means[name][f"ROC-AUC{theirs}"])


def test_every_row_of_the_page_has_the_numbers_of_the_file(rows):
    page = (CHECKOUT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    for name, row in rows.items():
        (line,) = (x for x in page.splitlines() if x.startswith("| ") and f"[{name}]" in x)
        for field in ("published_roc_auc", "players_roc_auc", "genres_roc_auc", "teachers_roc_auc"):
            if row[field]:
                assert f"{float(row[field]):.3f}" in line, (name, field)
        assert row["licence"] in line
        assert row["weights"] in line


def test_the_best_on_real_players_are_first():
    scores = [row.players_roc_auc for row in zoo.leaderboard() if row.players_roc_auc]
    assert len(scores) > 5
    assert scores == sorted(scores, reverse=True)


def test_it_can_be_narrowed_as_a_list_can():
    names = [row.checkpoint for row in zoo.leaderboard("pons*", licence="MIT")]
    assert sorted(names) == zoo.list_models("pons*", licence="MIT")
    assert {row.task for row in zoo.leaderboard(task="onsets")} == {"onsets"}


def test_a_data_frame_has_its_columns():
    pandas = pytest.importorskip("pandas")
    frame = zoo.leaderboard().to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.players_roc_auc.max() > 0.9
    assert frame.default.dtype == bool


def test_the_printed_table_fits_and_names_its_columns():
    lines = str(zoo.leaderboard()).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[0].split()[:4] == ["name", "licence", "MB", "published"]
    assert any(line.startswith("pons2017.mtt *") for line in lines)


def test_the_command_shows_the_same(run):
    assert run("list", "--scores").output == f"{zoo.leaderboard()}\n"
    found = json.loads(run("list", "pons*", "--scores", "--json").output)
    assert found == [msgspec.to_builtins(row) for row in zoo.leaderboard("pons*")]
    assert run("list", "--scores", "--taxonomy").exit_code == 2


def test_it_loads_no_framework():
    code = "import sys, zoo; zoo.leaderboard(); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert not {"keras", "tensorflow", "jax", "torch", "pandas"} & set(loaded.split())
