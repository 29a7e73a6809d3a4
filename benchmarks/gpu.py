"""Train on a graphics card: speed beside PyTorch, loss beside the CPU. At most eight minutes.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --distill choi2016 CLIPS STATE
    python benchmarks/gpu.py --small

1. The loss of lee2017 on the device, in float32 and bfloat16, falls as in float32 on the CPU: same
   seed, same initial weights, same batches. After `--loss-steps` steps, the mean of the last five
   losses must have fallen at least `1 - TOLERANCE` and at most `1 + TOLERANCE` times as far as on
   the CPU.
2. Steps a second of lee2017 and choi2016, from the waveform to the updated weights: the zoo on
   Keras with JAX, beside the same layers in plain PyTorch (`torch_networks.py`: eager, with cuDNN's
   own search for the fastest convolution), both in float32 and in bfloat16 (`mixed_bfloat16` of
   Keras, `autocast` of PyTorch), with Adam and binary cross-entropy on 50 labels. float32 is what
   each has by default; on recent cards that is TF32 in convolutions. Each contender is a process of
   its own, copies its batch to the device at every step and waits for the loss. They take turns;
   compare the ratios within a round. The first steps of a turn do not count.
3. With --distill, what is left of the time is spent on a student: recipes/distill.py with the
   folders of its clips and its state, from which it continues with the next call.

It needs the zoo with JAX and PyTorch for the device, each of which it uses if it finds one. Without
a graphics card it runs on the CPU, which takes longer than eight minutes allow unless with --small:
narrow networks, short turns. Speed goes to results/gpu.csv if there is a graphics card, or where
--csv says. So far it was run with --small on a CPU only: no graphics card was there to run it on.
"""

import argparse
import csv
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from turns import spread

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "gpu.csv"
HEADER = "round,device,network,framework,precision,batch_size,parameters,steps_per_second"
BACKENDS = {"jax": "jax", "keras-torch": "torch", "torch": ""}  # of Keras; "" without Keras
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
NETWORKS: dict[str, dict] = {"lee2017": {}, "choi2016": {}}
SMALL = {"lee2017": {"n": 4}, "choi2016": {"width": 0.05, "segment": 3.0}}
LABELS = 50
SKIPPED = 3  # steps at the start of a turn that do not count
TOLERANCE = 0.2  # of the fall of the loss
AT_THE_END = 5  # seconds that distill.py gets to stop


# --- the process that trains ---


def batches(samples: int, size: int, count: int):
    """Return waveforms and targets: each label is a tone in noise.

    Args:
        samples: of a waveform.
        size: of a batch.
        count: number of batches.

    Returns:
        List of (size, samples) and (size, LABELS) float32.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    phase = 0.02 * np.arange(samples)
    found = []
    for _ in range(count):
        targets = (rng.random((size, LABELS)) < 0.1).astype("float32")
        sounds = rng.normal(0, 0.05, (size, samples))
        for clip, label in np.argwhere(targets):
            sounds[clip] += 0.05 * np.sin((1 + label) * phase)
        found.append((sounds.astype("float32"), targets))
    return found


class ZooWorker:
    """A network of the zoo on a backend of Keras."""

    def __init__(self, job: dict):
        import keras

        import zoo

        keras.utils.set_random_seed(0)
        labels = [f"tag {i}" for i in range(LABELS)]
        dtype = PRECISIONS[job["precision"]]
        self.model = zoo.build(job["network"], labels, dtype=dtype, **job["options"])
        self.model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
        self.parameters = sum(math.prod(v.shape) for v in self.model.trainable_variables)
        self.samples = self.model.segmentation.segment

    def device(self) -> str:
        """Return the name of what the network runs on; "cpu" without a graphics card."""
        import keras

        name = keras.distribution.list_devices()[0]
        if keras.backend.backend() == "jax":
            import jax

            name = jax.devices()[0].device_kind
        return name.partition(":")[0]

    def train(self, data, steps: int | None, over) -> list[float]:
        """Train on batches in turn until `over(steps so far)`; return the losses."""
        import keras

        totals = [0.0]  # Keras reports the mean of the epoch so far

        class Watch(keras.callbacks.Callback):
            def on_train_batch_end(callback, batch, logs=None):
                done = len(totals)
                totals.append(done * float(logs["loss"]))  # waits until the device is done
                if over(done):
                    callback.model.stop_training = True

        self.model.fit(
            (batch for batch in itertools.cycle(data)),  # Keras takes generators only
            steps_per_epoch=steps or 1_000_000,
            verbose=0,
            callbacks=[Watch()],
        )
        return [after - before for before, after in itertools.pairwise(totals)]


class TorchWorker:
    """The same network in plain PyTorch."""

    def __init__(self, job: dict):
        import torch
        import torch_networks

        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = True
        options = dict(job["options"])
        if job["network"] == "lee2017":
            self.samples = 3 ** (options.get("n", 9) + 1)
            network = torch_networks.SampleCNN(LABELS, **options)
        else:
            self.samples = round(options.pop("segment", 29.12) * 12000)
            network = torch_networks.FCN4(LABELS, self.samples, **options)
        self.place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.place).train()
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-3, eps=1e-7)
        self.half = job["precision"] == "bfloat16"

    def device(self) -> str:
        """Return the name of what the network runs on; "cpu" without a graphics card."""
        import torch

        return torch.cuda.get_device_name() if self.place.type == "cuda" else "cpu"

    def train(self, data, steps: int | None, over) -> list[float]:
        """Train on batches in turn until `over(steps so far)`; return the losses."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        losses: list[float] = []
        while not (losses and over(len(losses))) and len(losses) != steps:
            waveform, targets = data[len(losses) % len(data)]
            x = torch.from_numpy(waveform).to(self.place)
            y = torch.from_numpy(targets).to(self.place)
            self.optimizer.zero_grad()
            with torch.autocast(self.place.type, torch.bfloat16, enabled=self.half):
                logits = self.network(x)
            loss = binary_cross_entropy_with_logits(logits.float(), y)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())  # waits until the device is done
        return losses


class Clock:
    """Counts steps from the end of the first few until the time is up."""

    def __init__(self, limit: float):
        self.limit, self.begin, self.steps, self.seconds = limit, 0.0, 0, 0.0

    def over(self, done: int) -> bool:
        """Take note that so many steps are done; say whether the time is up."""
        now = time.perf_counter()
        if done == SKIPPED:
            self.begin = now
        elif done > SKIPPED:
            self.steps, self.seconds = done - SKIPPED, now - self.begin
        return self.steps > 0 and self.seconds >= self.limit


def work(job: dict) -> None:
    """Answer each line of JSON: losses of some steps, or steps and seconds of a turn."""
    worker = TorchWorker(job) if job["framework"] == "torch" else ZooWorker(job)
    answer({"device": worker.device(), "parameters": int(worker.parameters)})
    for line in sys.stdin:
        request = json.loads(line)
        data = batches(worker.samples, job["batch_size"], 4)
        if "losses" in request:
            answer(worker.train(data, request["losses"], lambda done: False))
        else:
            clock = Clock(request["seconds"])
            worker.train(data, None, clock.over)
            answer([clock.steps, clock.seconds])


def answer(content) -> None:
    """Print a line that the other process reads."""
    print("answer " + json.dumps(content), flush=True)


# --- the process that measures ---


class Contender:
    """A process with a network that trains on request."""

    def __init__(self, job: dict, **environment: str):
        backend = BACKENDS[job["framework"]]
        # Several processes share the memory of the device.
        settings = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **environment}
        settings |= {"KERAS_BACKEND": backend} if backend else {}
        self.job = job
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "--worker", json.dumps(job)],
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.device, self.parameters = "", 0

    def begin(self) -> None:
        """Wait until the network is built."""
        facts = self.read()
        self.device, self.parameters = facts["device"], facts["parameters"]

    def read(self):
        """Return its next answer."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("answer "):  # not a greeting of some library
                return json.loads(line.removeprefix("answer "))
        raise SystemExit(
            f"the process of {self.job['network']} on {self.job['framework']} ended. To see why, "
            f"run: {sys.executable} {__file__} --worker '{json.dumps(self.job)}'"
        )

    def ask(self, **request):
        """Send a request and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read()

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def fall(losses: list[float]) -> float:
    """Return how far the loss fell: the first less the mean of the last five."""
    return losses[0] - statistics.mean(losses[-5:])


def falls_alike(losses: list[float], expected: list[float]) -> bool:
    """Say whether a loss fell, and as far as expected within `TOLERANCE`."""
    return fall(expected) > 0 and abs(fall(losses) / fall(expected) - 1) <= TOLERANCE


def check_losses(contenders: list[Contender], steps: int, running: list[Contender]) -> bool:
    """Compare the losses of the zoo on the device with those on the CPU; print both.

    Args:
        contenders: of one network; those of JAX are compared.
        steps: to train.
        running: processes to end when the time is over; that of the CPU is added.

    Returns:
        True if all fall as on the CPU.
    """
    zoos = [c for c in contenders if c.job["framework"] == "jax"]
    if not zoos:
        return True
    reference = Contender(
        {**zoos[0].job, "precision": "float32"}, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES=""
    )
    running.append(reference)
    reference.begin()
    expected = reference.ask(losses=steps)
    reference.stop()
    print(f"loss of {zoos[0].job['network']}, {steps} steps: first, and mean of the last five")
    print(f"  {'CPU':<24}{'float32':<12}{expected[0]:.4f}  {expected[0] - fall(expected):.4f}")
    good = True
    for contender in zoos:
        losses = contender.ask(losses=steps)
        alike = falls_alike(losses, expected)
        verdict = "falls as on the CPU" if alike else "DOES NOT FALL AS ON THE CPU"
        where = f"  {contender.device:<24}{contender.job['precision']:<12}"
        print(f"{where}{losses[0]:.4f}  {losses[0] - fall(losses):.4f}  {verdict}", flush=True)
        good = good and alike
    return good


def measure(contenders: list[Contender], given: argparse.Namespace, end: float) -> list[list]:
    """Let contenders take turns until the rounds or the time are over; return rows of the table."""
    rows: list[list] = []
    for number in range(1, given.rounds + 1):
        for contender in contenders[:: 1 if number % 2 else -1]:
            if rows and time.monotonic() + 2 * given.seconds > end:
                return rows
            steps, seconds = contender.ask(seconds=given.seconds)
            job = contender.job
            rows.append(
                [
                    *(number, contender.device, job["network"], job["framework"]),
                    *(job["precision"], job["batch_size"], contender.parameters),
                    f"{steps / seconds:.3f}",
                ]
            )
    return rows


def report(rows: list[list]) -> None:
    """Print medians and ranges, and the speed beside PyTorch's in the same round and precision."""
    print(f"\n{rows[0][2]}, batches of {rows[0][5]}, {rows[0][6]:,} parameters")
    print(f"  {'':<36}{'steps a second, median and range':<36}of PyTorch's, in the same round")
    rates = {(row[0], row[3], row[4]): float(row[7]) for row in rows}
    devices = {(row[3], row[4]): row[1] for row in rows}
    for (framework, precision), device in devices.items():
        own = {n: rate for (n, f, p), rate in rates.items() if (f, p) == (framework, precision)}
        ratios = [
            rate / rates[n, "torch", precision]
            for n, rate in own.items()
            if (n, "torch", precision) in rates
        ]
        beside = spread(ratios) if ratios else ""
        where = f"{framework:<12}{precision:<12}{device:<12}"
        print(f"  {where:<36}{spread(list(own.values())):<36}{beside}", flush=True)


def distil(arguments: list[str], seconds: float) -> None:
    """Run recipes/distill.py for some seconds; it keeps its state and continues next time."""
    print(f"\n{seconds:.0f} s are left for recipes/distill.py {' '.join(arguments)}", flush=True)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "recipes" / "distill.py"), *arguments],
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    try:
        process.wait(seconds - AT_THE_END)
        print(f"recipes/distill.py ended with status {process.returncode}")
    except subprocess.TimeoutExpired:
        process.terminate()
        print("the time is over; the same command continues from the kept state")
    try:
        process.wait(AT_THE_END)
    except subprocess.TimeoutExpired:
        process.kill()


def save(table: list[list], given: argparse.Namespace) -> None:
    """Write the rounds, if there is a graphics card or the user named a file."""
    on_cpu = {row[1] for row in table} == {"cpu"}
    path = given.csv or (None if on_cpu else TABLE)
    if path is None:
        print(f"\nno graphics card was found, so {TABLE.name} is not written; --csv writes a file")
        return
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([HEADER.split(","), *table])


def main() -> None:
    """Read the command line; check the loss, measure the speed, and distil."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--small", action="store_true", help="Small networks and short turns, for a CPU."
    )
    parser.add_argument(
        "--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="Default: both."
    )
    parser.add_argument(
        "--frameworks",
        nargs="+",
        choices=BACKENDS,
        default=["jax", "torch"],
        help="jax and keras-torch are the zoo on a backend of Keras. Default: jax torch.",
    )
    parser.add_argument(
        "--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="Default: both."
    )
    parser.add_argument("--batch-size", type=int, help="Default: 16; with --small 4.")
    parser.add_argument("--seconds", type=float, help="Length of a turn. Default: 5; small .2.")
    parser.add_argument("--rounds", type=int, help="Number of rounds. Default: 3; small 1.")
    parser.add_argument("--loss-steps", type=int, help="Default: 30; with --small 10.")
    parser.add_argument("--minutes", type=float, default=8, help="For everything. Default: 8.")
    parser.add_argument(
        "--distill",
        nargs=3,
        metavar=("ARCHITECTURE", "CLIPS", "STATE"),
        help="Spend what is left of the time on a student of recipes/distill.py.",
    )
    parser.add_argument("--csv", type=Path, help="The file to write. Default: see above.")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(json.loads(given.worker))
        return

    end = time.monotonic() + 60 * given.minutes
    given.batch_size = given.batch_size or (4 if given.small else 16)
    given.seconds = given.seconds or (0.2 if given.small else 5)
    given.rounds = given.rounds or (1 if given.small else 3)
    given.loss_steps = given.loss_steps or (10 if given.small else 30)
    running: list[Contender] = []
    watchdog = threading.Timer(60 * given.minutes, lambda: [c.process.kill() for c in running])
    watchdog.daemon = True
    watchdog.start()
    table: list[list] = []
    good = True
    try:
        for network in given.networks:
            options = SMALL[network] if given.small else NETWORKS[network]
            job = {"network": network, "options": options, "batch_size": given.batch_size}
            contenders = [
                Contender({**job, "framework": framework, "precision": precision})
                for precision in given.precisions
                for framework in given.frameworks
            ]
            running += contenders
            for contender in contenders:
                contender.begin()
            if len({c.parameters for c in contenders}) > 1:
                counts = {c.job["framework"]: c.parameters for c in contenders}
                raise SystemExit(f"the networks of {network} are not the same: {counts}")
            if network == "lee2017":
                good = check_losses(contenders, given.loss_steps, running)
            rows = measure(contenders, given, end)
            report(rows)
            table += rows
            save(table, given)
            for contender in contenders:
                contender.stop()
    finally:
        for contender in running:
            contender.stop()
        watchdog.cancel()
    left = end - time.monotonic()
    if given.distill and left > 2 * AT_THE_END:
        distil(given.distill, left)
    if not good:
        raise SystemExit("the loss does not fall as on the CPU, see above")


if __name__ == "__main__":
    main()
