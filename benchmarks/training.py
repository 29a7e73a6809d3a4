"""Training steps a second, and whether the pipeline keeps up with the device.

    python benchmarks/training.py
    python benchmarks/training.py --backend jax --networks pons2017 choi2016 --seconds 20

It takes turns, for `--seconds` each and `--rounds` rounds, between

    memory     training on one repeated batch: the limit of the device
    MP3        training on random segments of MP3 files through zoo.data.dataset
    shards     the same from its cache of decoded sounds, which is filled before
    MP3 alone, shards alone    only the pipeline: its own limit

for each network in float32 and in mixed_bfloat16. Where MP3 or shards are as fast as memory, the
pipeline keeps up. Compare the ratios within a round, since absolute times depend on the machine and
its load. On a processor pipeline and network share the cores, so some of the
difference is the decoding itself.

Each network trains in a process of its own with `fit`, Adam and binary cross-entropy on 50 labels,
or as many as the data set has. The first steps of a turn, in which the pipeline starts, do not
count. The sounds are --data, as `zoo train` takes it, whatever their format; or else 48 MP3 files
of 30 s that it makes: tones in noise, 44.1 kHz, stereo.

With JAX, --backend jax, it runs on a graphics card if JAX finds one; TensorFlow, which reads the
sounds, then keeps off it.
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

NETWORKS = ("dieleman2014", "zhu2016", "lee2017", "pons2017", "choi2016,width=0.25")
POLICIES = ("float32", "mixed_bfloat16")
TRAINED = ("memory", "MP3", "shards")
ALONE = ("MP3 alone", "shards alone")
HEADER = "round,backend,device,network,policy,batch_size,source,steps_per_second"
LABELS = 50
SKIPPED = 3  # steps at the start of a turn that do not count


# --- the process that trains ---


class Worker:
    """A network, and data from several places."""

    def __init__(self, job: dict):
        import keras
        import numpy as np
        import tensorflow as tf

        import zoo

        if keras.backend.backend() != "tensorflow":
            tf.config.set_visible_devices([], "GPU")
        name, _, options = job["network"].partition(",")
        keras.utils.set_random_seed(0)
        corpus = zoo.data.open_corpus(job["data"])
        others = [f"tag {i}" for i in range(LABELS - len(corpus.labels))]
        labels = [*corpus.labels, *others]
        self.model = zoo.build(name, labels, dtype=job["policy"], **read(options))
        self.model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")

        def data(cache: str | None) -> tf.data.Dataset:
            return zoo.data.dataset(
                corpus,
                self.model,
                training=True,
                batch_size=job["batch_size"],
                segments=64,
                seed=0,
                cache=cache,
                drop_remainder=True,
            ).repeat()

        shape = (job["batch_size"], self.model.segmentation.segment)
        rng = np.random.default_rng(0)
        waveform = rng.normal(0, 0.1, shape).astype("float32")
        targets = rng.integers(0, 2, (shape[0], len(labels))).astype("float32")
        batch = tf.data.Dataset.from_tensors((waveform, targets)).repeat()
        self.data = {"memory": batch, "MP3": data(None)}
        if job["cache"]:
            self.data["shards"] = data(job["cache"])

    def turn(self, source: str, seconds: float) -> tuple[int, float]:
        """Train, or only read, for some seconds; return how many steps that were in how many."""
        clock = Clock(seconds)
        if source in TRAINED:
            callback = clock.callback()
            self.model.fit(
                self.data[source],
                steps_per_epoch=1_000_000,
                shuffle=False,
                verbose=0,
                callbacks=[callback],
            )
        else:
            for _ in self.data[source.removesuffix(" alone")]:
                if clock.step():
                    break
        return clock.steps, clock.seconds


class Clock:
    """Counts steps from the end of the first few until the time is up."""

    def __init__(self, limit: float):
        self.limit, self.seen, self.steps, self.seconds = limit, 0, 0, 0.0
        self.begin = 0.0

    def step(self) -> bool:
        """Count a step that is over; say whether the time is up."""
        self.seen += 1
        if self.seen == SKIPPED:
            self.begin = time.perf_counter()
        elif self.seen > SKIPPED:
            self.steps, self.seconds = self.seen - SKIPPED, time.perf_counter() - self.begin
        return self.seconds >= self.limit

    def callback(self):
        """Return a callback that counts steps of `fit` with this clock, and stops it."""
        import keras

        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(callback, batch, logs=None):
                float(logs["loss"])  # waits until the device is done
                if self.step():
                    callback.model.stop_training = True

        return Stop()


def read(options: str) -> dict:
    """Read "a=1,b=2"."""
    from zoo.utils.options import option

    return dict(option(text) for text in options.split(",") if text)


def device() -> str:
    """Return what the network runs on."""
    import keras

    name = keras.distribution.list_devices()[0]
    if keras.backend.backend() == "jax":
        import jax

        name = jax.devices()[0].device_kind
    return f"{os.cpu_count()} cores" if name.startswith("cpu") else name


def work(job: dict) -> None:
    """Answer each line, a source, with steps and seconds of a turn."""
    worker = Worker(job)
    print(json.dumps(device()), flush=True)
    for line in sys.stdin:
        print(json.dumps(worker.turn(line.strip(), job["seconds"])), flush=True)


# --- the process that measures ---


class Contender:
    """A process with a network that trains on request."""

    def __init__(self, backend: str, job: dict):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "--worker", json.dumps(job)],
            env={**os.environ, "KERAS_BACKEND": backend},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.device = self.answer()

    def answer(self):
        """Return its next line of JSON."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                return json.loads(line)
            except json.JSONDecodeError:
                continue  # a greeting of some library
        raise SystemExit(
            f"a process ended: {' '.join(self.process.args)}. To see why, run this command by hand."
        )

    def turn(self, source: str) -> float:
        """Return steps a second."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{source}\n")
        self.process.stdin.flush()
        steps, seconds = self.answer()
        return steps / seconds

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def make_sounds(folder: Path) -> None:
    """Write 48 MP3 files of 30 s in two classes."""
    import numpy as np
    import soundfile

    time_axis = np.arange(30 * 44100) / 44100
    for i in range(48):
        rng = np.random.default_rng(i)
        tones = 0.1 * np.sin(2 * np.pi * rng.uniform(100, 5000, (8, 1)) * time_axis)
        sound = tones.sum(axis=0)[:, None] + rng.normal(0, 0.05, (len(time_axis), 2))
        path = folder / ("few", "many")[i % 2] / f"{i}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.5 * sound, 44100, format="MP3")


def measure(network: str, data: str, caches: Path, arguments: argparse.Namespace) -> list[list]:
    """Let a network's contenders take turns; return the rows of the table."""
    contenders = {
        policy: Contender(
            arguments.backend,
            {
                "network": network,
                "policy": policy,
                "data": data,
                "cache": arguments.shards and str(caches),
                "batch_size": arguments.batch_size,
                "seconds": arguments.seconds,
            },
        )
        for policy in arguments.policies
    }
    rows: list[list] = []
    sources = [s for s in (*TRAINED, *ALONE) if arguments.shards or not s.startswith("shards")]
    for number in range(arguments.rounds + 1):  # the first one warms up, and fills the cache
        for policy, contender in contenders.items():
            for source in sources:
                if source in ALONE and policy != arguments.policies[0]:
                    continue  # the pipeline is the same with each policy
                rate = contender.turn(source)
                if number:
                    where = [number, arguments.backend, contender.device, network, policy]
                    rows.append([*where, arguments.batch_size, source, f"{rate:.3f}"])
    for contender in contenders.values():
        contender.stop()
    return rows


def report(network: str, rows: list[list]) -> None:
    """Print medians and ranges, and each source's share of the speed from memory."""
    print(f"\n{network}: {rows[0][1]} on {rows[0][2]}, batches of {rows[0][5]}")
    print(f"{'':<16}{'':<14}{'steps a second, median and range':<36}of memory, in the same round")
    rates = {(row[0], row[4], row[6]): float(row[7]) for row in rows}
    kinds = dict.fromkeys((row[4], row[6]) for row in rows)
    rounds = sorted({row[0] for row in rows})
    for policy, source in kinds:
        own = [rates[number, policy, source] for number in rounds]
        ratios = [o / rates[n, policy, "memory"] for n, o in zip(rounds, own, strict=True)]
        print(f"{policy:<16}{source:<14}{spread(own):<36}{spread(ratios)}")


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--backend",
        default="tensorflow",
        choices=["tensorflow", "jax", "torch"],
        help="The backend of Keras. Default: tensorflow.",
    )
    parser.add_argument(
        "--networks",
        nargs="+",
        default=NETWORKS,
        metavar="NAME[,OPTION=VALUE...]",
        help=f"Networks to train. Default: {' '.join(NETWORKS)}.",
    )
    parser.add_argument(
        "--policies",
        nargs="+",
        default=POLICIES,
        help=f"Dtype policies. Default: {' '.join(POLICIES)}.",
    )
    parser.add_argument("--batch-size", type=int, default=16, help="Batch size. Default: 16.")
    parser.add_argument("--seconds", type=float, default=10, help="Length of a turn. Default: 10.")
    parser.add_argument("--rounds", type=int, default=5, help="Number of rounds. Default: 5.")
    parser.add_argument(
        "--data",
        help="Data set, such as a folder with classes, or mtat:FOLDER#train. Default: MP3 files "
        "that are made here.",
    )
    parser.add_argument(
        "--no-shards",
        dest="shards",
        action="store_false",
        help="Leave the cache of decoded sounds out. Default: it is measured too.",
    )
    parser.add_argument("--csv", help="The file to write the rounds to. Default: none.")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(json.loads(arguments.worker))
        return

    table: list[list] = [HEADER.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.data
        if data is None:
            data = f"{folder}/sounds"
            make_sounds(Path(data))
        for network in arguments.networks:
            rows = measure(network, data, Path(folder) / "caches", arguments)
            report(network, rows)
            table += rows
            if arguments.csv:
                with open(arguments.csv, "w", newline="") as file:
                    csv.writer(file).writerows(table)


if __name__ == "__main__":
    main()
