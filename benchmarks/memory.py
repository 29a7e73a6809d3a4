"""Peak memory of tagging files of growing length, TensorFlow included.

    python benchmarks/memory.py [--minutes 2 30 120] [--csv OUT.csv]

Each length is tagged in a process of its own. The file is an MP3 of noise with a slow swell, since
its content does not matter here. The peak must not grow with the length.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

# Linux's VmHWM is of this process alone; getrusage also counts the memory of its parent.
CODE = """
import re, sys
import zoo
model = zoo.load("pons2017")
assert len(model.taggram(sys.argv[1]).times) > 0
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024)
"""


def write_noise(path: Path, minutes: float, rate: int = 44100) -> None:
    """Write a stereo file second by second."""
    generator = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", rate, 2) as file:
        for second in range(round(minutes * 60)):
            level = 0.1 + 0.1 * np.sin(second / 7)
            file.write(generator.normal(0, level, (rate, 2)).clip(-1, 1).astype("float32"))


def peak_megabytes(path: Path) -> float:
    """Tag a file in a process of its own and return that process's peak resident memory."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes",
        type=float,
        nargs="+",
        default=[2, 30, 120],
        help="Lengths of the files. Default: 2 30 120.",
    )
    parser.add_argument("--csv", help="The file to write the table to. Default: none.")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in arguments.minutes:
            path = Path(folder) / "noise.mp3"
            write_noise(path, minutes)
            rows.append((minutes, round(peak_megabytes(path))))
            print(f"{minutes:6g} minutes: peak {rows[-1][1]} MB", flush=True)
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            csv.writer(file).writerows([("minutes", "peak_mb"), *rows])


if __name__ == "__main__":
    main()
