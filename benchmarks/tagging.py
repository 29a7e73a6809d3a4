"""Speed of tagging a long track, compared with the original musicnn package in one run.

    python benchmarks/tagging.py TRACK --reference REF/bin/python [--rounds 7] [--csv OUT.csv]
    python benchmarks/tagging.py TRACK --model lee2017 [--rounds 7] [--csv OUT.csv]

TRACK is a long real recording, of any format; decoding is a part of the work, so rows of different
formats are kept apart. An MP3 of another file is made by

    ffmpeg -i TRACK -c:a libmp3lame -b:a 192k TRACK.mp3

REF is an environment for the original, since it runs only with old versions:

    python3.11 -m venv REF
    REF/bin/pip install tensorflow-cpu==2.15.1 librosa==0.10.2 soundfile
    REF/bin/pip install --no-deps musicnn==0.1.0

The contenders are musicnn (only with `--reference`), Keras, ONNX Runtime and OpenVINO, Keras and
OpenVINO also in bfloat16 where the network allows it; on a processor without bfloat16 units
OpenVINO computes in float32 all the same. Each runs in a process of its own and is warmed up by
one run. Then they take turns, from the file on disk to the ten best tags, or to the onsets of
schluter2014. Absolute times depend on the machine and its load; compare the ratios within a round.
With `--reference` the last lines compare with the limit of direct convolutions on the machine: the
network's multiplications at the speed of its best matrix product. pons2017 needs fewer
(`zoo.models.pons2017.extreme_responses`). `--csv` replaces the rounds of the model and the format
in the table, and leaves those of others.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from turns import Contender, spread

sys.path.append(str(Path(__file__).resolve().parents[1] / "recipes" / "distillation"))
import following

GFLOP_PER_PATCH = 2 * 1.3975  # 3 s: all convolutions of musicnn, twice the multiplications

OURS = """
import sys
import zoo
name, runtime, dtype = sys.argv[2:]
model = zoo.load(name, runtime=runtime, dtype=dtype)
onsets = name.startswith("schluter2014")
def work():
    return model.onsets(sys.argv[1]) if onsets else model.tag(sys.argv[1])
def found(result):
    return [f"{t:.2f}" for t in result.times[:10]] if onsets else list(result.to_dict())
"""

THEIRS = """
import sys, warnings
warnings.filterwarnings("ignore")
import numpy as np
from musicnn.extractor import extractor
def work():
    taggram, tags = extractor(sys.argv[1], model="MTT_musicnn", extract_features=False)
    return [tags[i] for i in np.argsort(-taggram.mean(axis=0))[:10]]
found = list
"""


RUNTIMES = {  # name -> runtime, dtype
    "Keras": ("keras", "float32"),
    "Keras bfloat16": ("keras", "mixed_bfloat16"),
    "ONNX Runtime": ("onnx", "float32"),
    "OpenVINO": ("openvino", "float32"),
    "OpenVINO bfloat16": ("openvino", "bfloat16"),
}
CONTENDERS = ("musicnn 0.1.0", *RUNTIMES)


def matrix_peak(python: str) -> float:
    """GFLOP/s of TensorFlow's float32 matrix product on all cores, the best of a few."""
    code = """
import time
import tensorflow as tf
a = tf.random.normal((4096, 4096)); f = tf.function(tf.matmul); f(a, a)
best = 1e9
for _ in range(8):
    start = time.perf_counter(); f(a, a).numpy(); best = min(best, time.perf_counter() - start)
print(2 * 4096 ** 3 / best / 1e9)
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def bfloat16_error(track: str) -> tuple[float, float, float]:
    """Differences of bfloat16 from float32 on the track: segments (max, mean), whole clip (max)."""
    code = """
import sys
import numpy as np
import zoo
grams = [zoo.load("pons2017", dtype=d).taggram(sys.argv[1]) for d in ("float32", "mixed_bfloat16")]
error = np.abs(grams[1].values - grams[0].values)
print(error.max(), error.mean(), np.abs(grams[1].mean() - grams[0].mean()).max())
"""
    done = subprocess.run([sys.executable, "-c", code, track], capture_output=True, text=True)
    largest, mean, clip = map(float, done.stdout.split()[-3:])
    return largest, mean, clip


def print_limits(
    track: str, duration: float, rows: list[dict[str, float]], peaks: list[float]
) -> None:
    """Compare with the speed of a matrix product, and bfloat16 with float32."""
    work = duration / 2.992 * GFLOP_PER_PATCH
    limits = [work / peak for peak in peaks]
    share = [row["ONNX Runtime"] / limit for limit, row in zip(limits, rows, strict=True)]
    possible = [row["musicnn 0.1.0"] / limit for row, limit in zip(rows, limits, strict=True)]
    print(
        f"\nDirect convolutions are {work:.0f} GFLOP: {spread(limits)} s at the speed of a matrix"
    )
    print(f"product, {spread(possible)} times as fast as musicnn. ONNX Runtime takes")
    print(f"{spread(share)} of that time, decoding included.")
    largest, mean, clip = bfloat16_error(track)
    print(f"bfloat16 differs from float32 by {largest:.4f} at most and {mean:.5f} on average over")
    print(f"segments and tags, and by {clip:.4f} at most in the scores of the whole track.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("track", help="A long real recording.")
    parser.add_argument("--reference", help="Python of the original's environment.")
    parser.add_argument("--model", default="pons2017", help="The network. Default: pons2017.")
    parser.add_argument("--rounds", type=int, default=7, help="Number of rounds. Default: 7.")
    parser.add_argument("--csv", type=Path, help="The file to write the rounds to. Default: none.")
    arguments = parser.parse_args()

    import soundfile

    duration = soundfile.info(arguments.track).duration
    if arguments.reference and arguments.model != "pons2017":
        parser.error("musicnn is pons2017: leave out --reference for other models")
    contenders = {}
    if arguments.reference:
        contenders["musicnn 0.1.0"] = Contender(arguments.reference, THEIRS, arguments.track)
    for name, (runtime, dtype) in RUNTIMES.items():
        exact = arguments.model.startswith("schluter2014")  # its sums need float32
        if not (dtype.endswith("bfloat16") and exact):
            contenders[name] = Contender(
                sys.executable, OURS, arguments.track, arguments.model, runtime, dtype
            )
    tags = {name: c.run()[1] for name, c in contenders.items()}
    print(f"{arguments.track}: {duration:.0f} s")
    for name, best in tags.items():
        print(f"  {name:<22} {', '.join(best)}")

    rows, peaks = [], []
    for i in range(arguments.rounds):
        rows.append({name: c.run()[0] for name, c in contenders.items()})
        peaks.append(matrix_peak(sys.executable))
        times = "  ".join(f"{name} {s:.2f} s" for name, s in rows[-1].items())
        print(f"round {i + 1}: {times}  matrix product {peaks[-1]:.0f} GFLOP/s", flush=True)
        time.sleep(0.5)
    for c in contenders.values():
        c.stop()

    base = next(iter(contenders))
    reference = [row[base] for row in rows]
    print(f"\n{'':<22} seconds, median and range      times as fast as {base}")
    for name in contenders:
        own = [row[name] for row in rows]
        ratios = [r / s for r, s in zip(reference, own, strict=True)]
        print(f"{name:<22} {spread(own):<30}  {spread(ratios)}")
    if arguments.reference:
        print_limits(arguments.track, duration, rows, peaks)

    if arguments.csv:
        suffix = Path(arguments.track).suffix.removeprefix(".")
        lines = [
            [
                arguments.model,
                suffix,
                i,
                f"{duration:.1f}",
                *(f"{row[name]:.3f}" if name in row else "" for name in CONTENDERS),
                f"{peak:.0f}",
            ]
            for i, (row, peak) in enumerate(zip(rows, peaks, strict=True), start=1)
        ]
        head = ["model", "format", "round", "track_seconds", *CONTENDERS, "matrix_gflops"]
        following.merge(arguments.csv, head, lines, keys=2)


if __name__ == "__main__":
    main()
