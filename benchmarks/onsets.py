"""Speed of finding onsets, compared with real time, madmom and librosa, in one run.

    python benchmarks/onsets.py TRACK [--madmom REF/bin/python] [--rounds 5] [--csv OUT.csv]

TRACK is a long real recording. madmom 0.16.1 needs an environment of its own, with an old NumPy
and Cython. Its C files do not compile on Python 3.11, so they are made again; the last line
restores a name that Python removed:

    python3.11 -m venv REF
    REF/bin/pip install "numpy==1.23.5" "scipy==1.10.1" "cython<3" "setuptools<60" wheel mido
    REF/bin/pip download --no-binary :all: --no-deps --no-build-isolation madmom==0.16.1
    tar xf madmom-0.16.1.tar.gz && find madmom-0.16.1 -name "*.c" -delete
    REF/bin/pip install --no-build-isolation --no-deps ./madmom-0.16.1
    echo "import collections as c, collections.abc as a; c.MutableSequence = a.MutableSequence" >
        REF/lib/python3.11/site-packages/sitecustomize.py

Each contender runs in a process of its own and is warmed up by one run. Then they take turns, from
the file on disk to times in seconds. madmom computes on one core, so `zoo, one core` is compared
with it; the operating system limits it to one core, as it does madmom and librosa. Absolute times
depend on the machine and its load; compare the ratios to librosa within a round.
"""

import argparse
import os
import sys

import soundfile
from turns import Contender, spread

from zoo.utils.files import write_csv

OURS = """
import zoo
model = zoo.load(sys.argv[2])
def work():
    return model.onsets(sys.argv[1]).times
"""

MADMOM = """
from madmom.features.onsets import CNNOnsetProcessor, OnsetPeakPickingProcessor
network = CNNOnsetProcessor()
pick = OnsetPeakPickingProcessor(
    threshold=0.54, smooth=0.05, pre_max=0.01, post_max=0.01, combine=0.03, fps=100
)
def work():
    return pick(network(sys.argv[1]))
"""

LIBROSA = """
import librosa
def work():
    sound, rate = librosa.load(sys.argv[1], sr=None)
    return librosa.onset.onset_detect(y=sound, sr=rate, units="time")
"""

BEFORE = """
import os, sys, warnings
warnings.filterwarnings("ignore")
if sys.argv[-1] == "one":
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
found = len
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("track", help="A long real recording.")
    parser.add_argument("--madmom", help="Python of madmom's environment. Default: without madmom.")
    parser.add_argument(
        "--model", default="schluter2014", help="Our model to measure. Default: schluter2014."
    )
    parser.add_argument("--rounds", type=int, default=5, help="Number of rounds. Default: 5.")
    parser.add_argument("--csv", help="The file to write the rounds to. Default: none.")
    given = parser.parse_args()
    duration = soundfile.info(given.track).duration
    wanted = {
        f"zoo, {os.cpu_count()} cores": (sys.executable, OURS, given.track, given.model, "all"),
        "zoo, one core": (sys.executable, OURS, given.track, given.model, "one"),
        "librosa": (sys.executable, LIBROSA, given.track, "one"),
    }
    if given.madmom:
        wanted["madmom 0.16.1"] = (given.madmom, MADMOM, given.track, "one")
    contenders = {
        name: Contender(python, BEFORE + code, *arguments)
        for name, (python, code, *arguments) in wanted.items()
    }
    for contender in contenders.values():
        contender.run()
    rows: list[dict[str, float]] = []
    found: dict[str, int] = {}
    for _ in range(given.rounds):
        rows.append({})
        for name, contender in contenders.items():
            seconds, found[name] = contender.run()
            rows[-1][name] = duration / seconds
    for contender in contenders.values():
        contender.stop()
    print(f"{given.track}: {duration:.0f} s")
    print(f"{'':<16} {'times as fast as real time':<28} {'times as fast as librosa':<26} onsets")
    for name in contenders:
        speeds = [row[name] for row in rows]
        ratios = [row[name] / row["librosa"] for row in rows]
        print(f"{name:<16} {spread(speeds):<28} {spread(ratios):<26} {found[name]}")
    if given.csv:
        header = ["round", "track seconds", *(f"{name}, times real time" for name in contenders)]
        lines = [
            [str(i), f"{duration:.1f}", *(f"{speed:.2f}" for speed in row.values())]
            for i, row in enumerate(rows, start=1)
        ]
        write_csv([header, *lines], given.csv)


if __name__ == "__main__":
    main()
