"""Speed of finding onsets over real time, beside madmom and librosa, in one run.

    python benchmarks/onsets.py TRACK [--madmom REF/bin/python] [--rounds 5] [--csv OUT.csv]

TRACK is a long real recording. madmom 0.16.1 needs an environment of its own, with a NumPy and a
Cython of its time; the C files that it brings do not know Python 3.11, and a line gives back a name
that Python took away:

    python3.11 -m venv REF
    REF/bin/pip install "numpy==1.23.5" "scipy==1.10.1" "cython<3" "setuptools<60" wheel mido
    REF/bin/pip download --no-binary :all: --no-deps --no-build-isolation madmom==0.16.1
    tar xf madmom-0.16.1.tar.gz && find madmom-0.16.1 -name "*.c" -delete
    REF/bin/pip install --no-build-isolation --no-deps ./madmom-0.16.1
    echo "import collections as c, collections.abc as a; c.MutableSequence = a.MutableSequence" >
        REF/lib/python3.11/site-packages/sitecustomize.py

Each contender lives in a process of its own, is warmed by one run, and then they take turns, from
the file on disk to times in seconds. madmom computes on one core; so `zoo, one core` stands beside
it, held on one by the operating system, as madmom and librosa are. Absolute times depend on the
machine and on who else uses it; the ratio to librosa within a round is what counts.
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
hear = CNNOnsetProcessor()
pick = OnsetPeakPickingProcessor(
    threshold=0.54, smooth=0.05, pre_max=0.01, post_max=0.01, combine=0.03, fps=100
)
def work():
    return pick(hear(sys.argv[1]))
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
    parser.add_argument("track")
    parser.add_argument("--madmom", help="python of madmom's environment")
    parser.add_argument("--model", default="schluter2014", help="ours")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--csv", help="write the rounds here")
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
