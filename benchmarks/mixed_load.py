"""Tag, run batches, serve and fine-tune side by side for hours: memory, handles, threads.

    python benchmarks/mixed_load.py --minutes 120 -o results/mixed_load.csv

Four processes work all the time: `tag` tags short sounds with ONNX Runtime, `batch` runs
`zoo.batch` with one worker into a new folder, `serve` answers requests for the page's files, each
in a loop; `finetune` is one long fine-tuning of a small network, whose rounds are epochs. Each
minute a row for each of them is appended: rounds done, and of the process itself resident memory in
MB, open handles and threads. At the end the medians of the second tenth of the time and of the last
are compared. The first tenth is not counted: caches and pools fill. A process that ends by itself
ends the whole with an error. What they write lies in a temporary folder, which is removed.

`--roles finetune_again` is a loop of short trainings, each of one epoch. It grows by about 5 MB a
training: Keras's optimizer sums gradients with a function of TensorFlow that never frees the graph
of a training (`ReplicaContext.all_reduce`, in TensorFlow's registry of gradients). Start a process
for each of many trainings.
"""

import argparse
import contextlib
import csv
import itertools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

HEAD = ["process", "minute", "rounds", "megabytes", "handles", "threads"]
LIMITS = {"megabytes": 1.1, "handles": 1.1, "threads": 1.1}  # last over first, at most


def tag(work: Path) -> None:
    """Tag songs once."""
    import zoo

    model = cached("tagger", lambda: zoo.load("pons2017.mtt", runtime="onnx"))
    for _ in model.stream(sorted((work / "songs").rglob("*.wav"))):
        pass


def batch(work: Path) -> None:
    """Run a batch into a new folder."""
    import zoo

    out = work / "batch"
    shutil.rmtree(out, ignore_errors=True)
    zoo.batch("dieleman2014.zoo", work / "songs", out, workers=1, progress=False)


def finetune(work: Path, epochs: int = 10**6) -> None:
    """Fine-tune a small network."""
    import zoo

    out = work / "run"
    shutil.rmtree(out, ignore_errors=True)
    corpus = zoo.data.from_folder(work / "songs")
    model = zoo.load("dieleman2014.zoo", labels=corpus.labels)
    short = {"head_epochs": 1, "batch_size": 8, "progress": False}
    zoo.finetune(model, corpus, folder=out, epochs=epochs, patience=epochs, **short)


def finetune_again(work: Path) -> None:
    """Fine-tune a small network, one epoch."""
    finetune(work, 1)


def serve(work: Path) -> None:
    """Fetch all files of the page from a server in this process."""
    import threading

    from zoo.utils import server

    def start() -> object:
        from zoo.weights import site

        site.write(work / "site", ("dieleman2014.zoo",), level=1)
        opened = server.open_server(work / "site", 0)
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        return opened

    opened = cached("server", start)
    for file in sorted((work / "site").rglob("*")):
        if file.is_file():
            name = urllib.request.quote(file.relative_to(work / "site").as_posix())
            url = f"http://localhost:{opened.server_port}/{name}"
            with urllib.request.urlopen(url, timeout=60) as answer:
                while answer.read(2**20):
                    pass


KEPT: dict = {}


def cached(name, make):
    """Return what was made in the first round."""
    if name not in KEPT:
        KEPT[name] = make()
    return KEPT[name]


DEFAULT = ("tag", "batch", "serve", "finetune")
ROLES = {role.__name__: role for role in (tag, batch, serve, finetune, finetune_again)}


def work_on(role: str, work: Path) -> None:
    """Repeat a role until the process is ended; count the rounds in a file."""
    for number in itertools.count(1):
        ROLES[role](work)
        (work / "rounds.new").write_text(str(number))
        (work / "rounds.new").replace(work / "rounds")  # it is read at any moment


def measured(role: str, process: psutil.Process, minute: int, work: Path) -> list:
    """Return a row."""
    rounds, history = work / "rounds", work / "run" / "history.csv"
    if role == "finetune":
        done = len(history.read_text().splitlines()) - 1 if history.exists() else 0
    else:
        done = int(rounds.read_text()) if rounds.exists() else 0
    with process.oneshot():
        return [
            role,
            minute,
            done,
            f"{process.memory_info().rss / 1e6:.0f}",
            process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
            process.num_threads(),
        ]


def main() -> None:
    import songs

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=120, help="Default: 120.")
    parser.add_argument("--roles", nargs="+", default=DEFAULT, choices=ROLES)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/mixed_load.csv"))
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        work_on(given.role, given.work)
        return
    with tempfile.TemporaryDirectory() as folder, given.output.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEAD)
        places = {role: Path(folder, role) for role in given.roles}
        rows, started = [], {}
        try:
            for role, work in places.items():
                work.mkdir()
                songs.make(work / "songs", 6, seconds=3.5)
                command = [sys.executable, __file__, "--role", role, "--work", str(work)]
                started[role] = psutil.Popen(command, stdout=subprocess.DEVNULL)
            begin = time.monotonic()
            for minute in range(1, given.minutes + 1):
                time.sleep(max(begin + 60 * minute - time.monotonic(), 0))
                for role, process in started.items():
                    if process.poll() is not None:
                        raise SystemExit(f"{role} ended with status {process.returncode}")
                    rows.append(measured(role, process, minute, places[role]))
                    table.writerow(rows[-1])
                file.flush()
        finally:
            for process in started.values():
                with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended by itself
                    for child in [*process.children(recursive=True), process]:
                        child.kill()
                process.wait()
    compare(rows)


def compare(rows: list[list]) -> None:
    """Print the medians of the second tenth of the time and of the last."""
    for role in dict.fromkeys(row[0] for row in rows):
        of_role = [row for row in rows if row[0] == role]
        tenth = max(len(of_role) // 10, 1)
        for name, limit in LIMITS.items():
            values = [float(row[HEAD.index(name)]) for row in of_role]
            first = statistics.median(values[tenth : 2 * tenth] or values)
            last = statistics.median(values[-tenth:])
            state = "flat" if last <= first * limit else "GROWS"
            print(f"{role} {name}: {first:.0f} then {last:.0f}, {state}")


if __name__ == "__main__":
    main()
