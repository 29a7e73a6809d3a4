"""The promises of docs/promises.md name tests that exist, and whole files stay whole."""

import os
import re
import subprocess
import sys

import pytest
from conftest import CHECKOUT

from zoo.utils import files
from zoo.utils.files import replacing, write_csv


@pytest.mark.parametrize("page", ["promises", "reliability"])
def test_each_promise_names_tests_that_exist(page):
    text = (CHECKOUT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    text = text.partition("## Limits")[0]
    if page == "reliability":
        text = text.partition("## The kinds of faults")[2]
    written = "".join(p.read_text(encoding="utf-8") for p in (CHECKOUT / "tests").glob("test_*.py"))
    known = set(re.findall(r"def (test_\w+)", written))
    rows = [row for row in text.splitlines() if row.startswith("| ") and "| test |" not in row]
    assert len(rows) == 29 if page == "reliability" else len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= known, row


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, error, step):
    path = tmp_path / "table.csv"
    write_csv([["old"]], path)

    def fail(*_):
        raise error

    if step == "replace":
        monkeypatch.setattr(files.os, "replace", fail)

    def write():
        with replacing(path) as file:
            file.write(b"half")
            if step == "write":
                raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    write_csv([["old"]], path)
    program = (
        "import os, sys\n"
        "from zoo.utils.files import write_csv\n"
        "os.replace = lambda *_: os._exit(9)\n"
        "write_csv([['new']], sys.argv[1])\n"
    )
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == 9
    assert path.read_text() == "old\n"
