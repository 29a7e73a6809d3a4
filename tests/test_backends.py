"""The same weights give the same answers on every backend."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import json, sys, warnings
import zoo
model = zoo.load("pons2017")
print(json.dumps(model.taggram(sys.argv[1]).values.tolist()))
"""

others = pytest.mark.parametrize("backend", ["jax", "torch"])


def run(backend, *arguments, **environment) -> str:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(backend, example):
    return np.array(json.loads(run(backend, "-c", SCRIPT, example).splitlines()[-1]))


@pytest.fixture(scope="module")
def reference(example):
    return values("tensorflow", example)


@others
def test_published_weights_give_the_probabilities_of_tensorflow(backend, example, reference):
    np.testing.assert_allclose(values(backend, example), reference, atol=1e-4)


def answers(backend, folder):
    # Compiling dozens of networks for a single batch each: without JAX's slower optimisations.
    script = Path(__file__).parent / "helpers" / "backend_answers.py"
    run(backend, script, folder, JAX_DISABLE_MOST_OPTIMIZATIONS="1")
    return dict(np.load(folder / f"{backend}.npz"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Small models of every architecture and back-end, and what TensorFlow answers with them."""
    folder = tmp_path_factory.mktemp("models")
    return folder, answers("tensorflow", folder)


@others
def test_every_architecture_and_back_end_agrees_with_tensorflow(backend, saved):
    folder, theirs = saved
    ours = answers(backend, folder)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert np.ptp(theirs[name], axis=0).max() > 1e-4, f"{name} is the same for every sound"
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, rtol=1e-5, err_msg=name)
