"""The same weights give the same probabilities on every backend."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = """
import json, sys, warnings
import zoo
model = zoo.load("pons2017")
print(json.dumps(model.taggram(sys.argv[1]).values.tolist()))
"""


def values(backend, example):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(example)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    return np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def reference(example):
    return values("tensorflow", example)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backend_agrees_with_tensorflow(backend, example, reference):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    np.testing.assert_allclose(values(backend, example), reference, atol=1e-4)
