"""What a bare name loads: the bundled checkpoint that is best on recordings of real players."""

import csv
from pathlib import Path

import pytest
import recipe_modules

from zoo.registry import manifest
from zoo.registry.manifest import Bundled

RESULTS = Path(__file__).parents[1] / "results" / "real_test.csv"


@pytest.fixture(scope="module")
def publish():
    with recipe_modules.of("real_test") as module:
        yield module("publish")


@pytest.fixture(scope="module")
def scores(publish) -> dict[str, float]:
    return {name: float(row["ROC-AUC"]) for name, row in publish.means(RESULTS).items()}


def test_every_bundled_tagger_was_tested_on_real_players(scores):
    checkpoints = manifest.load().checkpoints
    taggers = {
        name
        for name, checkpoint in checkpoints.items()
        if isinstance(checkpoint.sources[0], Bundled) and checkpoint.architecture != "schluter2014"
    }
    assert taggers <= set(scores)


def test_a_bare_name_loads_the_best_bundled_checkpoint(publish, scores):
    checkpoints = manifest.load()
    chosen = publish.defaults(scores, checkpoints)
    actual = {c.architecture: n for n, c in checkpoints.checkpoints.items() if c.default}
    assert {a: actual[a] for a in chosen} == chosen
    assert chosen["pons2017"] == "pons2017.mtt"  # the paper's own authors'


def test_the_manifest_has_the_scores_of_the_table(publish, scores):
    for name, value in scores.items():
        metrics = manifest.load().checkpoint(name).metrics
        assert [m.value for m in metrics if m.name == publish.NAME] == [value]


def test_the_table_has_each_question_with_its_interval(publish):
    with RESULTS.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
    for row in rows:
        assert 0 <= float(row["ROC-AUC"]) <= 1
        if row["question"] == "mean":
            assert float(row["ROC-AUC low"]) < float(row["ROC-AUC"]) < float(row["ROC-AUC high"])
