"""benchmarks/gpu.py runs on a CPU in small, and its PyTorch networks are the zoo's."""

import csv
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import CHECKOUT

import zoo

FOLDER = CHECKOUT / "benchmarks"
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def modules():
    """The benchmark and its networks, imported as the benchmark imports them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import gpu
        import torch_networks

        yield gpu, torch_networks
    for name in ("gpu", "torch_networks", "turns"):
        sys.modules.pop(name, None)


def turned(values: np.ndarray) -> np.ndarray:
    """Turn a Keras kernel (.., in, out) into PyTorch's (out, in, ..)."""
    return np.moveaxis(values, (-1, -2), (0, 1)) if values.ndim > 1 else values


@pytest.mark.parametrize(
    ("name", "network", "options"),
    [
        ("lee2017", "SampleCNN", {"n": 4}),
        ("choi2016", "FCN4", {"width": 0.05, "segment": 3.0}),
    ],
)
def test_networks_in_pytorch_are_the_zoos(modules, name, network, options):
    model = zoo.build(name, ["a", "b"], **options)
    samples = model.segmentation.segment
    if name == "choi2016":
        options = {"samples": samples, "width": options["width"]}
    theirs = getattr(modules[1], network)(2, **options).eval()
    weights = list(theirs.parameters())
    with torch.no_grad():
        for ours, weight in zip(model.trainable_variables, weights, strict=True):
            values = turned(keras.ops.convert_to_numpy(ours))
            weight.copy_(torch.from_numpy(np.ascontiguousarray(values)))
        x = np.random.default_rng(0).normal(0, 0.1, (2, samples)).astype("float32")
        expected = theirs(torch.from_numpy(x)).sigmoid().numpy()
    ours = keras.ops.convert_to_numpy(model(x, training=False))
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("losses", "alike"),
    [
        ([0.7, 0.3, 0.3, 0.3, 0.3, 0.3], True),
        ([0.71, 0.33, 0.32, 0.33, 0.32, 0.33], True),
        ([0.7, 0.5, 0.5, 0.5, 0.5, 0.5], False),
        ([0.7, 0.1, 0.1, 0.1, 0.1, 0.1], False),
        ([0.7, 0.9, 0.9, 0.9, 0.9, 0.9], False),
        ([0.7, 0.3, 0.3, 0.3, 0.3, float("nan")], False),
    ],
)
def test_a_loss_must_fall_as_far_as_on_the_cpu(modules, losses, alike):
    assert modules[0].falls_alike(losses, [0.7, 0.3, 0.3, 0.3, 0.3, 0.3]) is alike


def test_the_benchmark_runs_in_small(tmp_path):
    table = tmp_path / "gpu.csv"
    done = subprocess.run(
        [sys.executable, FOLDER / "gpu.py", "--small", "--networks", "lee2017", "--csv", table],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count("falls as on the CPU") == 2
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    contenders = {(row["framework"], row["precision"]) for row in rows}
    assert contenders == {(f, p) for f in ("jax", "torch") for p in ("float32", "bfloat16")}
    assert len({row["parameters"] for row in rows}) == 1
    assert all(float(row["steps_per_second"]) > 0 for row in rows)
    assert {row["device"] for row in rows} == {"cpu"}
