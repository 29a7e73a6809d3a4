"""Speed of this checkout compared with another one, in turns, in one run.

    python benchmarks/versions.py OTHER_CHECKOUT [--track TRACK] [--rounds 9]

Both run in the same environment. Each task of each checkout runs in a process of its own and is
warmed up by one run. Then they take turns. Absolute times depend on the machine and its load:
compare the ratios within a round.

    tag              zoo.load("pons2017").tag(TRACK), from the file to the tags
    pipeline         an epoch of zoo.data.segments: every segment of 24 excerpts of TRACK
    training         the same with training=True: four random segments of each excerpt
"""

import argparse
import statistics
import sys
from pathlib import Path

from turns import Contender, spread

TRACK = Path(__file__).resolve().parents[1] / "examples" / "audio" / "bach_prelude_c_major.flac"
START = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import zoo
assert Path(zoo.__file__).is_relative_to(sys.argv[1]), zoo.__file__
found = len
"""
TAG = """
model = zoo.load("pons2017")
def work():
    return model.tag(sys.argv[2])
"""
EPOCH = """
import soundfile
seconds = soundfile.info(sys.argv[2]).duration / 24
clips = [zoo.data.Clip(Path(sys.argv[2]), (), i * seconds, (i + 1) * seconds) for i in range(24)]
corpus = zoo.data.Corpus("clips", tuple(clips), ())
data = zoo.data.segments(corpus, zoo.build("pons2017", ["a"]), {options})
def work():
    return [len(batch[0]) for batch in data.as_numpy_iterator()]
"""
TASKS = {
    "tag": TAG,
    "pipeline": EPOCH.replace("{options}", ""),
    "training": EPOCH.replace("{options}", "training=True, segments=4, seed=0"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", help="The folder of the other checkout.")
    parser.add_argument("--track", default=TRACK, help="A recording. Default: the example.")
    parser.add_argument("--rounds", type=int, default=9, help="Number of rounds. Default: 9.")
    arguments = parser.parse_args()
    folders = [str(Path(__file__).resolve().parents[1]), str(Path(arguments.other).resolve())]
    for task, code in TASKS.items():
        pair = [Contender(sys.executable, START + code, f, str(arguments.track)) for f in folders]
        for contender in pair:
            contender.run()
        rounds = [[contender.run()[0] for contender in pair] for _ in range(arguments.rounds)]
        for contender in pair:
            contender.stop()
        ours, theirs = ([row[i] for row in rounds] for i in (0, 1))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        seconds = f"this {statistics.median(ours):.3f} s, other {statistics.median(theirs):.3f} s"
        print(f"{task:<10} {seconds}; this / other {spread(ratios)}", flush=True)


if __name__ == "__main__":
    main()
