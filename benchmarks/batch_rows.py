"""Bookkeeping of `zoo batch` at scale: time and memory a row, with a model that answers at once.

    python benchmarks/batch_rows.py FOLDER [--rows 1000000] [--csv OUT.csv]

FOLDER gets so many empty files, and the results; delete it afterwards. The time includes that of
starting the processes and listing the files. The memory is that of the coordinator. Neither may
grow from row to row. The last line is a second run, which finds that nothing is left to do.
"""

import argparse
import csv
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from zoo.batching import run
from zoo.batching.pool import Limits, Pool
from zoo.batching.work import About, Answer

LABELS = tuple(f"label {i}" for i in range(50))


class AtOnce:
    """A model that answers at once."""

    about = About(model="at once", labels=LABELS)

    def compute(self, path: str, beat: object) -> Answer:
        """Return the same scores for every path."""
        return Answer(240.0, scores=np.full(len(LABELS), 0.5, "float32"))


def write_files(folder: Path, rows: int) -> None:
    for i in range(rows):
        if i % 1000 == 0:
            (folder / f"{i // 1000:04d}").mkdir(parents=True, exist_ok=True)
        (folder / f"{i // 1000:04d}" / f"{i % 1000:03d}.mp3").touch()


class Watch:
    """Notes rows, seconds and memory each second."""

    def __init__(self, out: Path):
        self.out, self.began, self.curve = out, time.perf_counter(), []
        self.over = threading.Event()
        threading.Thread(target=self.work, daemon=True).start()

    def note(self) -> None:
        """Note where the run is now."""
        parts = len(list((self.out / "tracks").glob("part-*")))
        memory = psutil.Process().memory_info().rss / 1e6
        seconds = time.perf_counter() - self.began
        self.curve.append((parts * 500, round(seconds, 1), round(memory, 1)))

    def work(self) -> None:
        """Note it each second, until the run is over."""
        while not self.over.wait(1.0):
            self.note()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="Folder for the files and the results.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="Default: 1,000,000.")
    parser.add_argument("--csv", help="The file to write the curve to. Default: none.")
    arguments = parser.parse_args()
    songs, out = arguments.folder / "songs", arguments.folder / "out"
    write_files(songs, arguments.rows)

    def again() -> run.Summary:
        start = partial(Pool, AtOnce, 2, Limits())
        return run.run(start, "0" * 64, [str(songs)], out, settings={}, progress=False)

    watch = Watch(out)
    first = again()
    watch.over.set()
    watch.note()
    assert first.tracks == arguments.rows, first
    second = again()
    assert (second.tracks, second.tracks_before) == (0, arguments.rows), second
    tenth = max(len(watch.curve) // 10, 1)
    for rows, seconds, memory in watch.curve[::tenth]:
        print(f"{rows:9,} rows  {seconds:7.1f} s  {memory:6.1f} MB")
    print(f"{arguments.rows:,} rows in {first.elapsed:.1f} s: ", end="")
    print(f"{1e6 * first.elapsed / first.tracks:.0f} microseconds a row")
    print(f"a second run finds in {second.elapsed:.1f} s that nothing is left")
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["rows", "seconds", "coordinator_mb"])
            writer.writerows([*watch.curve, ("second run", round(second.elapsed, 1), "")])


if __name__ == "__main__":
    sys.exit(main())
