"""Damage files, read them, and count what happens: python tests/fuzz/run.py --cases 650.

Cases run in a process of their own, with a limit of time and of memory, so that a crash and a hang
are counted like the rest. The same seed gives the same damage. PYTHONPATH chooses the version of
the zoo that is tried. With -o the cases are appended to a file, and the same command goes on after
those that the file holds. `--results` writes the counts of a version into a table of results/:

    PYTHONPATH=. python tests/fuzz/run.py --kinds audio --cases 1000 --seed 7 -o now.jsonl \\
        --results results/fuzz.csv --version after
"""

import argparse
import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

CLASSES = ("right", "warned", "refused", "silent and wrong", "raw error", "hang", "crash")
HANG = 20.0  # seconds for a case
START = 900.0  # seconds until the first one: imports, on a machine that may be busy
PIECE = 500  # cases of one process
MEMORY = 4 * 2**30  # bytes of address space over what is in use after the imports

Case = dict[str, str | int]


def child(kind: str, first: int, last: int, seed: int) -> None:
    """Run cases and print a line for each; the process can be killed at any time."""
    from mutations import mutated
    from targets import TARGETS, outcome

    lines = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries may print
    target, number = TARGETS[kind], list(TARGETS).index(kind)
    data = target.whole()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"damaged{target.suffix}")
        path.write_bytes(data)
        outcome(target, path)  # imports
        bound()
        print("{}", file=lines, flush=True)  # ready
        for case in range(first, last):
            damaged, damage = mutated(data, (seed, number, case))
            path.write_bytes(damaged)
            begin = time.monotonic()
            found, detail = outcome(target, path)
            seconds = round(time.monotonic() - begin, 2)
            line = {"kind": kind, "case": case, "damage": damage, "class": found}
            print(
                json.dumps({**line, "detail": detail[:300], "s": seconds}), file=lines, flush=True
            )


def bound() -> None:
    """Limit the memory of this process."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def cases(kind: str, count: int, seed: int = 0, start: int = 0, hang: float = HANG) -> list[Case]:
    """Run cases of a kind; one that hangs or crashes is counted, and the rest goes on."""
    found: list[Case] = []
    while start + len(found) < start + count:
        first = start + len(found)
        command = [sys.executable, __file__, "--child", kind, str(first), str(start + count)]
        with subprocess.Popen(
            [*command, "--seed", str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            hung = threading.Event()

            def stop(process=process, hung=hung) -> None:  # type: ignore[no-untyped-def]
                hung.set()
                process.kill()

            started = False
            timer = threading.Timer(START, stop)
            timer.start()
            for line in process.stdout:
                timer.cancel()
                started = True
                if case := json.loads(line):
                    found.append(case)
                timer = threading.Timer(hang, stop)
                timer.start()
            timer.cancel()
        if len(found) < count:
            if not started:
                raise RuntimeError(f"{kind}: the cases could not be started")
            ended = "hang" if hung.is_set() else "crash"
            detail = f"exit status {process.returncode}"
            case = {"kind": kind, "case": start + len(found), "damage": "", "class": ended}
            found.append({**case, "detail": detail, "s": 0})
    return found


def table(found: list[Case]) -> list[str]:
    """Return the figures as a table in Markdown."""
    rows = ["| | cases | " + " | ".join(CLASSES) + " |", "|---" * (len(CLASSES) + 2) + "|"]
    kinds = list(dict.fromkeys(case["kind"] for case in found))
    for kind in [*kinds, "all"]:
        counts = Counter(case["class"] for case in found if kind in (case["kind"], "all"))
        cells = [str(counts[name]) for name in CLASSES]
        rows.append(f"| {kind} | {counts.total()} | " + " | ".join(cells) + " |")
    return rows


def read(path: Path, seed: int) -> list[Case]:
    """Read the cases of a seed that an earlier run has written, but for a last line cut off."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    cases = [json.loads(line) for line in lines if line.endswith("\n")]
    return [case for case in cases if case["seed"] == seed]


def write_counts(found: list[Case], version: str, seed: int, path: Path) -> None:
    """Replace the rows of a version, a seed and these kinds in a table of counts."""
    head = ["version", "seed", "kind", "cases", *CLASSES]
    kinds = list(dict.fromkeys(str(case["kind"]) for case in found))
    old = list(csv.reader(path.open()))[1:] if path.exists() else []
    rows = [row for row in old if (row[:2], row[2] in kinds) != ([version, str(seed)], True)]
    for kind in kinds:
        counts = Counter(case["class"] for case in found if case["kind"] == kind)
        rows.append([version, seed, kind, counts.total(), *(counts[name] for name in CLASSES)])
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def main() -> None:
    from targets import AUDIO, FOREIGN, KEPT, TARGETS, TEXT, WEIGHTS

    groups = {"audio": AUDIO, "weights": WEIGHTS | FOREIGN, "text": TEXT, "kept": KEPT}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kinds", nargs="+", default=["audio"], help="audio, weights, text, kept, flac"
    )
    parser.add_argument("--cases", type=int, default=100, help="of each kind")
    parser.add_argument("--seconds", type=float, default=3600, help="after which no piece begins")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("-o", "--output", type=Path, help="JSON lines with every case; appended to")
    parser.add_argument("--results", type=Path, help="CSV table for the counts")
    parser.add_argument("--version", default="after", help="name of this version in that table")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        kind, first, last = given.child
        child(kind, int(first), int(last), given.seed)
        return
    kinds = [kind for name in given.kinds for kind in groups.get(name, (name,))]
    if unknown := [kind for kind in kinds if kind not in TARGETS]:
        parser.error(f"no kind {unknown[0]!r}; there are {', '.join([*groups, *TARGETS])}")
    found = read(given.output, given.seed) if given.output else []
    found = [case for case in found if case["kind"] in kinds]
    end, last = time.monotonic() + given.seconds, given.first + given.cases
    for kind in kinds:
        first = given.first + sum(case["kind"] == kind for case in found)
        for start in range(first, last, PIECE):
            if time.monotonic() > end:
                break
            new = cases(kind, min(PIECE, last - start), given.seed, start)
            found += [{**case, "seed": given.seed} for case in new]
            if given.output:
                with given.output.open("a") as file:
                    file.writelines(json.dumps(case) + "\n" for case in found[-len(new) :])
    if given.results:
        write_counts(found, given.version, given.seed, given.results)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
