"""Speed of `zoo batch` with 1 and 2 workers, beside `zoo tag` and the original musicnn in a loop.

    python benchmarks/batch.py FOLDER... [--reference REF/bin/python] [--csv OUT.csv]

Of the sounds of the folders the first 200 that last three minutes or more are used: the genre test
(`recipes/genre_test/fetch.py`) and the games of `recipes/corpus/build.py FOLDER --only games` have
as many. They are dealt out to the rounds, and in each round the contenders take turns. The time of
each is that of its whole process, with starting and loading. How REF is made:
`benchmarks/tagging.py`. The memory is the peak of the largest process.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from turns import spread

from zoo import audio

ONE = "zoo batch, 1 worker"
MUSICNN = """
import sys, warnings
warnings.filterwarnings("ignore")
from musicnn.extractor import extractor
for path in sys.argv[1:]:
    print(path, extractor(path, model="MTT_musicnn", extract_features=False)[0].mean(axis=0))
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds, and the peak memory of its largest process in MB."""
    began, peak, over = time.perf_counter(), 0.0, threading.Event()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.1):
            try:
                first = psutil.Process(process.pid)
                sizes = [p.memory_info().rss for p in (first, *first.children(recursive=True))]
            except psutil.Error:
                continue
            peak = max(peak, *(size / 1e6 for size in sizes))

    thread = threading.Thread(target=watch)
    thread.start()
    status = process.wait()
    seconds = time.perf_counter() - began
    over.set()
    thread.join()
    if status:
        raise SystemExit(f"status {status}: {' '.join(command[:6])}")
    return seconds, peak


def one_round(
    tracks: list[str], model: str, reference: str | None
) -> Iterator[tuple[str, float, float]]:
    """Let each contender work through the tracks; yield its name, seconds and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "tracks.txt")
        paths.write_text("".join(f"{track}\n" for track in tracks))
        ours = [sys.executable, "-m", "zoo"]
        batch = [*ours, "batch", model, str(paths)]
        contenders = {
            "zoo tag": [*ours, "tag", "-m", model, "--json", *tracks],
            ONE: [*batch, "-o", f"{folder}/1", "--workers", "1"],
            "zoo batch, 2 workers": [*batch, "-o", f"{folder}/2", "--workers", "2"],
        }
        if reference:
            contenders["musicnn"] = [reference, "-c", MUSICNN, *tracks]
        for name, command in contenders.items():
            yield name, *timed(command)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="Folders of real tracks.")
    parser.add_argument("--reference", help="Python of the original's environment.")
    parser.add_argument("--model", default="pons2017", help="Default: pons2017.")
    parser.add_argument("--tracks", type=int, default=200, help="Default: 200.")
    parser.add_argument("--shortest", type=float, default=180, help="In seconds. Default: 180.")
    parser.add_argument("--rounds", type=int, default=5, help="Default: 5.")
    parser.add_argument("--csv", help="The file to write the rounds to. Default: none.")
    arguments = parser.parse_args()
    seconds = {str(path): audio.duration(path) for path in audio.find(arguments.folders)}
    tracks = [path for path in seconds if seconds[path] >= arguments.shortest][: arguments.tracks]
    print(f"{len(tracks)} tracks, {sum(map(seconds.get, tracks)) / 3600:.2f} hours")
    rows = []
    for number in range(1, arguments.rounds + 1):
        share = tracks[number - 1 :: arguments.rounds]
        hours = sum(map(seconds.get, share)) / 3600
        for name, took, peak in one_round(share, arguments.model, arguments.reference):
            rows.append((number, name, round(took, 2), round(peak), len(share), round(hours, 3)))
            speed = len(share) / took
            times = 3600 * hours / took
            print(
                f"round {number}: {name:<20} {took:7.1f} s  {speed:.3f} tracks a second, "
                f"{times:.0f} times real time  {peak:.0f} MB",
                flush=True,
            )
    for base in (ONE, "musicnn") if arguments.reference else (ONE,):
        for name in dict.fromkeys(row[1] for row in rows):
            ratios = [
                other[2] / own[2]
                for other, own in zip(
                    [row for row in rows if row[1] == base],
                    [row for row in rows if row[1] == name],
                    strict=True,
                )
            ]
            print(f"{name:<20} {spread(ratios)} times as fast as {base}")
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["round", "contender", "seconds", "peak_mb", "tracks", "hours"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
