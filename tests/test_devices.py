"""Training on several devices: two logical ones of the processor, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import only_on

import zoo
from zoo.data import devices

HELPERS = Path(__file__).parent / "helpers"
SAME = {"rtol": 1e-4}  # float32 sums in another order, over 6 steps


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The results of device_training.py by backend; each runs once."""
    folder, results = tmp_path_factory.mktemp("devices"), {}

    def result(backend: str) -> dict:
        if backend not in results:
            pytest.importorskip(backend)
            path = folder / f"{backend}.json"
            environment = {
                **os.environ,
                "KERAS_BACKEND": backend,
                "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            }
            command = [sys.executable, str(HELPERS / "device_training.py"), str(path)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]
            results[backend] = json.loads(path.read_text())
        return results[backend]

    return result


backends = pytest.mark.parametrize("backend", ["tensorflow", "jax"])


@backends
def test_two_devices_give_the_loss_curve_of_one(trained, backend):
    result = trained(backend)
    kind = "plain" if backend == "tensorflow" else "normalised"  # JAX normalises across devices
    one, both = result[f"{kind} on one"], result[f"{kind} on both"]
    assert result["devices"] == ["cpu:0", "cpu:1"]
    assert one[-1] < 0.95 * one[0]  # the loss falls
    np.testing.assert_allclose(both, one, **SAME)


def test_tensorflow_normalises_batches_on_each_device(trained):
    result = trained("tensorflow")
    one, both = result["normalised on one"], result["normalised on both"]
    assert not np.allclose(both, one, rtol=0.01)
    np.testing.assert_allclose(both, one, rtol=0.5)


@backends
def test_scope_restores_the_previous_state(trained, backend):
    assert trained(backend)["restored"]


@backends
def test_model_made_outside_the_scope_is_refused(trained, backend):
    assert "made outside of zoo.data.devices.scope" in trained(backend)["made outside"]


@backends
def test_batch_that_cannot_be_split_equally_is_refused(trained, backend):
    assert trained(backend)["batch of 7"].endswith("share equally; give a multiple of 2.")


def test_only_jax_drops_what_does_not_fill_a_batch(monkeypatch):
    assert not devices.whole_batches(8, 1)
    for backend, dropped in (("tensorflow", False), ("jax", True)):
        monkeypatch.setattr(keras.backend, "backend", lambda backend=backend: backend)
        assert devices.whole_batches(8, 2) is dropped


@only_on("tensorflow", "jax")
def test_single_device_is_logged_and_used(caplog):
    with devices.scope(distribute=True) as count:
        model = zoo.build("pons2016", ["a", "b"], variant="frequency")
    assert count == 1
    assert "there is only one device, cpu:0" in caplog.text
    devices.check_made_inside(model, count)


def test_without_distribution_nothing_is_logged(caplog):
    with devices.scope(distribute=False) as count:
        assert count == 1
    assert not caplog.text


def test_pytorch_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with (
        pytest.raises(zoo.ConfigError, match=r"not on torch; set .* KERAS_BACKEND"),
        devices.scope(distribute=True),
    ):
        pass
