"""Speed of `zoo batch` with 1 and 2 workers, beside `zoo tag` and the original musicnn in a loop.

    python benchmarks/batch.py FOLDER [--reference REF/bin/python] [--rounds 3] [--csv OUT.csv]

FOLDER has real tracks of three minutes or more, best some 200. The contenders take turns; the time
of each is that of its whole process, with starting and loading. How REF is made:
`benchmarks/tagging.py`. The last column is the peak memory of the largest process.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from zoo import audio

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="A folder of real tracks.")
    parser.add_argument("--reference", help="Python of the original's environment.")
    parser.add_argument("--model", default="pons2017", help="Default: pons2017.")
    parser.add_argument("--rounds", type=int, default=3, help="Default: 3.")
    parser.add_argument("--csv", help="The file to write the rounds to. Default: none.")
    arguments = parser.parse_args()
    tracks = [str(path) for path in audio.find([arguments.folder])]
    hours = sum(audio.duration(path) for path in tracks) / 3600
    print(f"{len(tracks)} tracks, {hours:.2f} hours")
    with tempfile.TemporaryDirectory() as folder:
        ours = [sys.executable, "-m", "zoo"]
        contenders = {"zoo tag": [*ours, "tag", "-m", arguments.model, "--json", arguments.folder]}
        for n in ("1", "2"):
            out = str(Path(folder, n))
            contenders[f"zoo batch, {n} worker{'s' * (n != '1')}"] = [
                *ours, "batch", arguments.model, arguments.folder, "-o", out, "--workers", n
            ]  # fmt: skip
        if arguments.reference:
            contenders["musicnn"] = [arguments.reference, "-c", MUSICNN, *tracks]
        rows = []
        for number in range(1, arguments.rounds + 1):
            for name, command in contenders.items():
                for n in ("1", "2"):
                    subprocess.run(["rm", "-rf", str(Path(folder, n))], check=True)
                seconds, peak = timed(command)
                rows.append((number, name, round(seconds, 2), round(peak)))
                speed = f"{len(tracks) / seconds:.3f} tracks a second"
                print(f"round {number}: {name:<20} {seconds:7.1f} s  {speed}  {peak:.0f} MB")
    for name in contenders:
        ratios = [
            base / own
            for (_, first, base, _), (_, other, own, _) in zip(
                [r for r in rows if r[1] == "zoo batch, 1 worker"],
                [r for r in rows if r[1] == name],
                strict=True,
            )
        ]
        print(f"{name:<20} {statistics.median(ratios):.2f} times as fast as one worker")
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["round", "contender", "seconds", "peak_mb", "tracks", "hours"])
            writer.writerows([*row, len(tracks), round(hours, 3)] for row in rows)


if __name__ == "__main__":
    main()
