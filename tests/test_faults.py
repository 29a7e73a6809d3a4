"""A few faults at the writing of each command; `tests/fuzz/faults.py` does more by hand.

Commands that need a framework are disturbed in `test_finetune.py` and by hand: their attempts take
too long for every run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

PROGRAM = """
import json, sys
import faults
print(json.dumps(faults.disturb(sys.argv[1], few=1, seed=int(sys.argv[2]))))
"""


def disturbed(name: str, seed: int = 0) -> list[dict]:
    """Disturb a writer in a process of its own, which has no threads and may fork."""
    path = os.pathsep.join([str(FUZZ), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name, str(seed)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["embed", "mirror", "batch"])
def test_after_any_fault_the_same_command_gives_the_same_result(name):
    if name == "batch":
        pytest.importorskip("pyarrow")
    rows = disturbed(name)
    assert {row["fault"] for row in rows} >= {"SIGKILL", "ENOSPC", "EIO", "EACCES", "MemoryError"}
    assert [row for row in rows if row["outcome"] not in ("equal", "says what to do")] == []
    assert [row for row in rows if row["fault"] == "SIGKILL" and row["end"] != "killed"] == []


def test_what_is_left_behind_and_what_differs_is_found(tmp_path, monkeypatch):
    """A check of the checking: a writer that writes in place, and one that never finishes."""
    program = """
import json
from pathlib import Path
import faults
from writers import WRITERS, Writer, files

def careless(given, out):
    with open(out / "a.txt", "a") as file:
        file.write("half")
        file.flush()
        file.write(" whole")

def forgetful(given, out):
    number = len(list(out.iterdir()))
    with open(out / f".{number}.part", "w") as file:
        file.write("x")
    (out / f".{number}.part").rename(out / "b.txt")

WRITERS["careless"] = Writer(lambda _: None, careless, files)
WRITERS["forgetful"] = Writer(lambda _: None, forgetful, lambda out: dict(b=len("b")))
print(json.dumps([faults.disturb(name, every=True) for name in ("careless", "forgetful")]))
"""
    path = os.pathsep.join([str(FUZZ), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    careless, forgetful = json.loads(done.stdout.splitlines()[-1])
    assert "different" in {row["outcome"] for row in careless}
    assert "left behind" in {row["outcome"] for row in forgetful}
