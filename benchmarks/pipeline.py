"""Speed of reading sounds for training, compared with librosa and tensorflow-io.

    python benchmarks/pipeline.py [--sound TRACK] [--clips 48] [--seconds 30] [--rounds 5]
        [--tensorflow-io TFIO/bin/python] [--csv results/pipeline.csv]

Clips are cut from TRACK (the example by default, repeated), and written as WAV, FLAC, Ogg Vorbis
and MP3, 44.1 kHz stereo. They are read at 16 kHz mono, in segments of 3 s as for pons2017, by

    librosa          a loop of librosa.load, and slices
    zoo              an epoch of zoo.data.segments, every segment of every clip, in batches of 16
    tensorflow-io    the same of a quarter of the clips, with decoder="tensorflow-io", in an
                     environment of its own: pip install "music-zoo[tensorflow-io]"
    cached           the same as zoo with cache=, from the second epoch on; MP3 only
    random           four random segments of each clip, as in training, from MP3
    random cached    the same with cache=

Each runs in a process of its own, on one core or two, and is warmed up by one epoch. Then they take
turns. Absolute speeds depend on the machine and its load; compare the ratios within a round, and on
a busy machine the ratios of processor times. The pipeline needs about .1 s of processor time to
start an epoch, a loop needs none: with few clips the pipeline looks slower than it is.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATE = 16000
FORMATS = ("wav", "flac", "ogg", "mp3")
ROOT = Path(__file__).resolve().parent.parent


# --- the contenders, each in a process of its own ---


def read_librosa(paths: list[str], folder: Path):
    import librosa

    def epoch() -> float:
        samples = 0
        for path in paths:
            sound, _ = librosa.load(path, sr=RATE)
            for start in range(0, len(sound), 3 * RATE):
                samples += len(sound[start : start + 3 * RATE])
        return samples / RATE

    return epoch


def read_zoo(paths: list[str], folder: Path, **options):
    import zoo
    from zoo import data

    model = zoo.build("pons2017", ["a"])
    corpus = data.Corpus("clips", tuple(data.Clip(Path(path)) for path in paths), ())
    segments = data.segments(corpus, model, **options)

    def epoch() -> float:
        return sum(float(fresh.sum()) for _, _, fresh in segments.as_numpy_iterator())

    return epoch


def read_tensorflow_io(paths: list[str], folder: Path):
    return read_zoo(paths[::4], folder, decoder="tensorflow-io")


def read_cached(paths: list[str], folder: Path):
    return read_zoo(paths, folder, cache=folder / "cache")


def read_random(paths: list[str], folder: Path):
    return read_zoo(paths, folder, training=True, segments=4, seed=0)


def read_random_cached(paths: list[str], folder: Path):
    return read_zoo(paths, folder, training=True, segments=4, seed=0, cache=folder / "cache")


CONTENDERS = {
    "librosa": read_librosa,
    "zoo": read_zoo,
    "tensorflow-io": read_tensorflow_io,
    "cached": read_cached,
    "random": read_random,
    "random cached": read_random_cached,
}


def serve(name: str, folder: Path) -> None:
    """Read names of formats; print seconds, processor seconds and audio seconds of an epoch."""
    epochs = {}
    for line in sys.stdin:
        suffix = line.strip()
        if suffix not in epochs:
            paths = sorted(map(str, folder.glob(f"*.{suffix}")))
            epochs[suffix] = CONTENDERS[name](paths, folder)
        start, work = time.perf_counter(), time.process_time()
        audio = epochs[suffix]()
        taken = time.perf_counter() - start, time.process_time() - work
        print(json.dumps([*taken, audio]), flush=True)


class Contender:
    """A process that reads an epoch on request."""

    def __init__(self, name: str, folder: Path, cores: set[int], python: str = sys.executable):
        command = [python, __file__, "--serve", name, str(folder)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    def run(self, suffix: str) -> tuple[float, float, float]:
        """Read the clips in one format: seconds taken, processor seconds, seconds of audio."""
        self.process.stdin.write(suffix + "\n")
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            if line.startswith("["):
                seconds, work, audio = json.loads(line)
                return seconds, work, audio
        raise SystemExit(f"a contender died:\n{self.process.stderr.read()[-2000:]}")

    def stop(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()


# --- the measurement ---


def write_clips(sound: Path, folder: Path, clips: int, seconds: float) -> None:
    """Cut clips from a sound, one after the other, and write each in every format."""
    import numpy as np
    import soundfile
    import soxr

    samples, rate = soundfile.read(sound, dtype="float32", always_2d=True)
    if rate != 44100:
        samples = soxr.resample(samples, rate, 44100)
    if samples.shape[1] == 1:
        samples = np.repeat(samples, 2, axis=1)
    length = round(seconds * 44100)
    for i in range(clips):
        clip = np.take(samples, np.arange(length) + i * length, axis=0, mode="wrap")
        for suffix in FORMATS:
            with soundfile.SoundFile(folder / f"{i:03}.{suffix}", "w", 44100, 2) as file:
                for block in np.split(clip, range(44100, length, 44100)):
                    file.write(block)  # a minute of Vorbis in one call is too much for libsndfile


Speeds = dict[str, list[tuple[float, float]]]
"""Name -> for each round, seconds of audio a second, and a second of processor time."""


def measure(contenders: dict[str, Contender], suffix: str, rounds: int, audio: float) -> Speeds:
    """Let the contenders take turns."""
    speeds: Speeds = {name: [] for name in contenders}
    for name, contender in contenders.items():
        *_, found = contender.run(suffix)
        expected = audio / 4 if name == "tensorflow-io" else audio
        if "random" not in name and abs(found - expected) > 0.01 * expected:
            raise SystemExit(f"{name} read {found:.1f} s of {suffix}; expected {expected:.1f} s")
    for _ in range(rounds):
        for name, contender in contenders.items():
            seconds, work, found = contender.run(suffix)
            speeds[name].append((found / seconds, found / work))
    return speeds


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def report(speeds: Speeds, base: str, suffix: str, cores: int, rows: list[list[str]]) -> None:
    """Print and keep the speeds of one format on so many cores, and ratios to one of them."""
    for name, own in speeds.items():
        pairs = list(zip(own, speeds[base], strict=True))
        ratios = [mine[0] / its[0] for mine, its in pairs]
        worked = [mine[1] / its[1] for mine, its in pairs]
        speed, work = (statistics.median(numbers) for numbers in zip(*own, strict=True))
        print(
            f"{suffix:<5}{cores}  {name:<14}{speed:8.0f} {speed / cores:8.0f} {work:8.0f}   "
            f"{spread(ratios)}, {spread(worked)} x {base}",
            flush=True,
        )
        cells = [f"{n:.1f}" for n in (speed, speed / cores, work)]
        for shares in (ratios, worked):
            cells += [f"{n:.2f}" for n in (statistics.median(shares), min(shares), max(shares))]
        rows.append([suffix, str(cores), name, base, *cells])


def write_table(rows: list[list[str]], path: str | None) -> None:
    """Write the rows so far, since the benchmark takes minutes and may be stopped."""
    if path is None:
        return
    columns = "format,cores,contender,compared_with,speed,per_core,per_processor_second"
    for ratio in ("ratio", "processor_ratio"):
        columns += f",{ratio},{ratio}_lowest,{ratio}_highest"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([columns.split(","), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sound", type=Path, help="A long recording. Default: the example.")
    parser.add_argument(
        "--clips", type=int, default=48, help="Number of clips, a multiple of 4. Default: 48."
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="Length of a clip. Default: 30."
    )
    parser.add_argument("--rounds", type=int, default=5, help="Number of rounds. Default: 5.")
    parser.add_argument(
        "--tensorflow-io",
        metavar="PYTHON",
        help="Python of tensorflow-io's environment. Default: without tensorflow-io.",
    )
    parser.add_argument("--csv", help="The file to write the table to. Default: none.")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve[0], Path(arguments.serve[1]))
        return

    (example,) = (ROOT / "examples" / "audio").glob("*.flac")
    sound = arguments.sound or example
    rows: list[list[str]] = []
    all_cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clips(sound, folder, arguments.clips, arguments.seconds)
        audio = arguments.clips * arguments.seconds
        print(f"{arguments.clips} clips of {arguments.seconds:g} s from {sound.name}")
        print("cores               audio s a second, a core's, a processor's   ratios, and range")
        for cores in (1, 2):
            may = set(all_cores[:cores])
            loops = {n: Contender(n, folder, may) for n in ("librosa", "zoo")}
            if arguments.tensorflow_io:
                python = arguments.tensorflow_io
                loops["tensorflow-io"] = Contender("tensorflow-io", folder, may, python)
            for suffix in FORMATS:
                speeds = measure(loops, suffix, arguments.rounds, audio)
                report(speeds, "librosa", suffix, cores, rows)
                write_table(rows, arguments.csv)
            for pair in (("zoo", "cached"), ("random", "random cached")):
                both = {n: loops.get(n) or Contender(n, folder, may) for n in pair}
                loops |= both
                speeds = measure(both, "mp3", arguments.rounds, audio)
                report(speeds, pair[0], "mp3", cores, rows)
                write_table(rows, arguments.csv)
            for contender in loops.values():
                contender.stop()


if __name__ == "__main__":
    main()
