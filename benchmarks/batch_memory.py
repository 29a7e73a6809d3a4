"""Memory of `zoo batch` over thousands of tracks: of its workers and of its coordinator.

    python benchmarks/batch_memory.py FOLDER... [--tracks 5000] [--csv OUT.csv]

Real sounds of the folders are linked under other names, in turn, until there are so many tracks.
While `zoo batch` works on them, a row is noted every ten seconds: tracks done, and resident memory
in MB of the coordinator and of the largest worker. At the end the medians of the first tenth and of
the last are compared, of the rows after the first part was written: only then is the library loaded
that writes it.
"""

import argparse
import csv
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from zoo import audio

HEAD = ("seconds", "tracks", "coordinator_mb", "worker_mb")


def done(out: Path, known: dict[Path, int]) -> int:
    """Return how many tracks the parts of a data set hold."""
    for part in (out / "tracks").glob("part-*"):
        if part not in known:
            known[part] = pq.ParquetFile(part).metadata.num_rows
    return sum(known.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="Folders of real tracks.")
    parser.add_argument("--model", default="dieleman2014", help="Default: dieleman2014.")
    parser.add_argument("--tracks", type=int, default=5000, help="Default: 5000.")
    parser.add_argument("--longest", type=float, default=240, help="In seconds. Default: 240.")
    parser.add_argument("--csv", help="The file to write the rows to. Default: none.")
    given = parser.parse_args()
    sounds = [p for p in audio.find(given.folders) if audio.duration(p) <= given.longest]
    rows, known = [], {}
    with tempfile.TemporaryDirectory() as folder:
        songs, out = Path(folder, "songs"), Path(folder, "out")
        songs.mkdir()
        for i, sound in zip(range(given.tracks), itertools.cycle(sounds), strict=False):
            (songs / f"{i:06d}{sound.suffix}").symlink_to(sound.resolve())
        command = [sys.executable, "-m", "zoo", "batch", given.model, str(songs), "-o", str(out)]
        began = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            time.sleep(10)
            try:
                first = psutil.Process(process.pid)
                workers = [p.memory_info().rss / 1e6 for p in first.children(recursive=True)]
                coordinator = first.memory_info().rss / 1e6
            except psutil.Error:
                continue  # it ended just now
            seconds = time.perf_counter() - began
            largest = max(workers, default=0)
            if not coordinator or not largest:
                continue  # it is ending
            rows.append(
                (round(seconds), done(out, known), round(coordinator, 1), round(largest, 1))
            )
        count = done(out, known)
    if process.returncode or count != given.tracks:
        raise SystemExit(f"status {process.returncode}, {count} of {given.tracks} tracks")
    print(f"{count} tracks of {len(sounds)} sounds in {rows[-1][0]} s")
    later = [row for row in rows if row[1]] or rows
    tenth = max(len(later) // 10, 1)
    for column in (2, 3):
        early, late = (
            statistics.median(row[column] for row in part)
            for part in (later[:tenth], later[-tenth:])
        )
        print(f"{HEAD[column]}: {early:.0f} in the first tenth, {late:.0f} in the last")
    if given.csv:
        with open(given.csv, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEAD, *rows])


if __name__ == "__main__":
    main()
