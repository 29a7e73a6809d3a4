"""Time and memory of a whole `zoo tag` and `zoo onsets`, ONNX Runtime against Keras.

    python benchmarks/start.py [--rounds 7] [--csv results/start.csv]

Each command runs in a new process on the example clip, from the start of Python to its end. The two
ways take turns, so that the load of the machine falls on both. Absolute times depend on it; compare
the ratios within a round. CPU seconds, of all cores, depend less on the load. Memory is the largest
resident size of the process.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from turns import spread

CHECKOUT = Path(__file__).resolve().parents[1]
COMMANDS = ("tag", "onsets")
RUNTIMES = ("onnx", "keras")


def cold(command: str, runtime: str, clip: Path) -> tuple[float, float, float]:
    """Run a command in a new process; return seconds, CPU seconds and megabytes."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", command, str(clip), "--runtime", runtime],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"zoo {command} --runtime {runtime} failed; run it by hand to see why")
    return seconds, usage.ru_utime + usage.ru_stime, megabytes(usage)


def megabytes(usage: resource.struct_rusage) -> float:
    """Return the largest resident size; macOS counts it in bytes, Linux in KiB."""
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="Number of rounds. Default: 7.")
    parser.add_argument("--csv", help="The file to write the rounds to. Default: none.")
    arguments = parser.parse_args()
    (clip,) = (CHECKOUT / "examples" / "audio").glob("*.flac")
    rows = []
    for i in range(arguments.rounds + 1):
        for command in COMMANDS:
            for runtime in RUNTIMES:
                seconds, cpu, memory = cold(command, runtime, clip)
                if i:  # the first round fills the disk cache
                    cells = (f"{seconds:.3f}", f"{cpu:.3f}", f"{memory:.0f}")
                    rows.append((i, command, runtime, *cells))
                    print(*rows[-1], flush=True)
    for command in COMMANDS:
        for place, unit in ((3, "s"), (4, "s of CPU"), (5, "MB")):
            onnx, keras = (
                [float(row[place]) for row in rows if row[1:3] == (command, runtime)]
                for runtime in RUNTIMES
            )
            ratios = [a / b for a, b in zip(onnx, keras, strict=True)]
            print(
                f"zoo {command}: ONNX Runtime {spread(onnx)} {unit}, Keras {spread(keras)} {unit}"
            )
            print(f"  ratio {spread(ratios)}")
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["round", "command", "runtime", "seconds", "cpu_seconds", "megabytes"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
