"""A little fuzzing in every run of the tests; `tests/fuzz/run.py` does more by hand."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).with_name("fuzz")))

import run as fuzz_run
from mutations import KINDS, mutated
from targets import AUDIO, TARGETS, outcome

CASES = 40
KERAS = ("keras", "keras1", "state", "settings")  # they need a framework
CHECK = "failing"  # of the counting


def check(kind, folder):
    target, number = TARGETS[kind], list(TARGETS).index(kind)
    data, path = target.whole(), folder / f"damaged{target.suffix}"
    found = []
    for case in range(CASES):
        damaged, damage = mutated(data, (1, number, case))
        path.write_bytes(damaged)
        found.append((*outcome(target, path), damage, case))
    assert [one for one in found if one[0] == "raw error"] == []
    silent = [one for one in found if one[0] == "silent and wrong"]
    assert len(silent) <= (1 if kind in AUDIO else 0), silent


@pytest.mark.parametrize("kind", [kind for kind in TARGETS if kind not in (*KERAS, CHECK)])
def test_damaged_files_give_no_raw_errors(tmp_path, kind):
    if kind == "m4a":
        pytest.importorskip("av", reason="PyAV has no wheel for this machine")
    check(kind, tmp_path)


@pytest.mark.parametrize("kind", KERAS)
def test_damaged_files_of_a_training_give_no_raw_errors(tmp_path, kind):
    check(kind, tmp_path)


def test_the_whole_files_are_read(tmp_path):
    for kind in TARGETS:
        if kind in (*KERAS, CHECK) or kind == "m4a":
            continue
        path = tmp_path / f"whole{TARGETS[kind].suffix}"
        path.write_bytes(TARGETS[kind].whole())
        assert outcome(TARGETS[kind], path)[0] == "right", kind


def test_the_same_seed_gives_the_same_damage():
    data = bytes(range(256)) * 40
    first = [mutated(data, (0, 1, case)) for case in range(100)]
    assert first == [mutated(data, (0, 1, case)) for case in range(100)]
    assert {kind for _, kind in first} == set(KINDS)


def test_crashes_hangs_and_raw_errors_are_counted():
    found = fuzz_run.cases("failing", 8, seed=1, hang=1.0)
    counts = Counter(case["class"] for case in found)
    assert [case["case"] for case in found] == list(range(8))
    assert counts.keys() == {"right", "raw error", "hang", "crash"}
    assert f"| failing | 8 | {counts['right']} |" in fuzz_run.table(found)[2]
