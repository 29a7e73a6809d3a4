"""Run the tests of docs/reliability.md on the code from before the faults were mended.

    python tests/fuzz/before.py

writes `results/reliability_before.csv`: kind, test, the commit that added the test, and how it ends
on the code of `BASE`. Files that `BASE` lacks are added, so that tests can import them. A test that
passes there guards what was right before. Tests from before `BASE` are left out: they were written
while the folders changed, and cannot run on the code before them.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TABLE = CHECKOUT / "results" / "reliability_before.csv"
BASE = "6b192c2"
LIMIT = 60.0  # seconds; some faults were that nothing ended


def git(*arguments: str, cwd: Path = CHECKOUT) -> str:
    """Run git and return what it prints."""
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def named() -> Iterator[tuple[str, str]]:
    """Yield kind and test of each row of the page."""
    page = (CHECKOUT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for row in page.partition("## The kinds of faults")[2].splitlines():
        for test in re.findall(r"`(test_\w+)`", row):
            yield row.split("|")[1].strip(), test


def outcome(test: str, commit: str, folder: Path) -> str:
    """Run a test of a commit on the package of `BASE`."""
    git("checkout", "--quiet", "--force", commit, cwd=folder)
    git("clean", "-dfq", cwd=folder)
    changed = git(
        "diff", "--no-renames", "--name-only", "--diff-filter=a", BASE, commit, "--", "zoo"
    ).split()
    git("checkout", "--quiet", BASE, "--", *changed, cwd=folder)
    (file,) = git("grep", "-l", f"def {test}(", "--", "tests", cwd=folder).split()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "", "-k", test, file]
    environment = {**os.environ, "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        return f"not ended after {LIMIT:.0f} s"
    return {0: "passed", 1: "failed"}.get(done.returncode, "could not be run")


def main() -> None:
    """Write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        git("clone", "--quiet", str(CHECKOUT), str(folder))
        later = git("rev-list", f"{BASE}..HEAD").split()
        for kind, test in named():
            log = git("log", "--format=%H", "--reverse", f"-Sdef {test}(", "--", "tests")
            commit = log.split()[0]
            if commit in later:
                rows.append([kind, test, commit[:7], outcome(test, commit, folder)])
                print(*rows[-1], sep=", ", flush=True)
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        head = ["kind", "test", "added in", f"on {BASE}"]
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


if __name__ == "__main__":
    main()
