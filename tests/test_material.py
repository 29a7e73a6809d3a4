"""What our taggers learn from is what the tables say: teachers, and the ablation of material."""

import csv

import pytest
import recipe_modules


@pytest.fixture(scope="module")
def ablation():
    with recipe_modules.of("distillation") as module:
        yield module("ablation")


def rows(ablation, table: str) -> list[dict[str, str]]:
    """Return the rows of a table in results/."""
    with (ablation.distill.RESULTS / table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_teachers_are_the_best_mean_on_the_validation_of_the_real_test(ablation):
    found = [row for row in rows(ablation, "teachers.csv") if row["part"] == "validation"]
    best = max(found, key=lambda row: float(row["mean ROC-AUC"]))
    assert set(best["networks"].split(" + ")) == set(ablation.teacher_scores.TEACHERS)


def test_the_ablation_changes_one_thing_at_a_time(ablation):
    every = ("games", "recordings/instrument", "recordings/song", "recordings/voice", "rendered")
    teachers = ablation.teacher_scores.TEACHERS
    found = ablation.trainings(every)
    assert found[ablation.EVERYTHING] == (every, teachers, None)
    assert found["without games"].parts == every[1:]
    assert found["without recordings"].parts == ("games", "rendered")
    assert found[f"all parts, {teachers[0]}"].teachers == teachers[:1]
    assert found["the first mix alone"].shards == ablation.training_clips.MIXES[1].first
    assert [row["training"] for row in rows(ablation, "material.csv")] == list(found)
