"""Damage files, read them, and count what happens: python tests/fuzz/run.py --cases 650.

Cases run in a process of their own, with a limit of time and of memory, so that a crash and a hang
are counted like the rest. The same seed gives the same damage. PYTHONPATH chooses the version of
the zoo that is tried.
"""

import argparse
import contextlib
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
START = 120.0  # seconds until the first one: imports
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


def main() -> None:
    from targets import AUDIO, TARGETS, TEXT, WEIGHTS

    groups = {"audio": AUDIO, "weights": WEIGHTS, "text": TEXT}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=["audio"], help="audio, weights, text, flac")
    parser.add_argument("--cases", type=int, default=100, help="of each kind")
    parser.add_argument("--seconds", type=float, default=3600, help="after which no kind begins")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("-o", "--output", type=Path, help="JSON lines with every case")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        kind, first, last = given.child
        child(kind, int(first), int(last), given.seed)
        return
    kinds = [kind for name in given.kinds for kind in groups.get(name, (name,))]
    found: list[Case] = []
    end = time.monotonic() + given.seconds
    for kind in kinds:
        if kind not in TARGETS:
            parser.error(f"no kind {kind!r}; there are {', '.join([*groups, *TARGETS])}")
        if time.monotonic() < end:
            found += cases(kind, given.cases, given.seed, given.first)
        if given.output:
            given.output.write_text("".join(json.dumps(case) + "\n" for case in found))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
