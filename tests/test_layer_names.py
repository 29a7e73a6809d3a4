"""A user can put layers of their own on a network, and Keras's settings do not change it."""

import inspect
import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import CHECKOUT
from keras.src.utils.naming import to_snake_case

import zoo
from zoo.layers import backends
from zoo.registry import lookup

OWN_HEAD = """
import keras, zoo
model = zoo.build("pons2017", ["a"], backend="attention", variant="spectrogram", n=1)
x = model.stage("penultimate").output
x = keras.layers.Dense(3)(x)  # the first Dense of this process
frames = model.stage("frontend").output
y = keras.layers.Attention()([frames, frames])
y = keras.ops.max_pool(y, 2)
print(keras.Model(model.input, [x, y]).output_shape)
"""

# A segment through each kind of network, and through back-ends of one dimension and of two.
SCORES = """
import json, sys, keras, numpy as np, zoo
scores = {}
for name in sys.argv[1:]:
    model = zoo.load(name) if "." in name else zoo.build(name, ["a", "b"])
    x = 0.1 * np.random.default_rng(0).standard_normal(model.segmentation.segment)
    y = model.predict(x[None].astype("float32"), verbose=0)
    scores[name] = y.tolist() if "." in name else [y.shape]  # the others are not trained
shapes = [zoo.build(name, ["a"], backend=b, segment=1.0).output_shape
          for name in ("choi2016", "zhu2016") for b in ("fully_convolutional", "rnn")]
print(json.dumps([scores, shapes]))
"""
BUNDLED = [path.stem for path in (CHECKOUT / "weights").glob("*.safetensors")]
NETWORKS = [name for name in BUNDLED if "choi2016" not in name or "3s" in name] + ["pons2016"]


def answer(code: str, *arguments: str, **environment: str) -> str:
    """Return the last line that a fresh Python process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def test_a_head_of_ones_own_fits_on_a_stage():
    assert answer(OWN_HEAD) == "[(None, 3), (None, None, 29)]"


def given_by_keras() -> set[str]:
    """Return the names that Keras gives to layers and operations, without their numbers."""
    classes = [*vars(keras.layers).items()]
    for name, module in sys.modules.items():
        if re.fullmatch(r"keras\.src\.ops\.(numpy|nn|core|math|image|linalg)", name):
            classes += vars(module).items()
    return {to_snake_case(name) for name, kind in classes if inspect.isclass(kind)}


def networks():
    for name, architecture in lookup.architectures().items():
        for variant in architecture.variants.values() or [None]:
            yield name, dict(variant.options) if variant else {}
    for backend in backends.BACKENDS:
        yield "pons2017", {"variant": "spectrogram", "n": 1, "segment": 1.0, "backend": backend}


@pytest.mark.parametrize(("name", "options"), [*networks()])
def test_no_layer_has_a_name_that_keras_gives(name, options):
    first, second = (zoo.build(name, ["a"], **options) for _ in range(2))
    ours = {o.name for o in first._operations} & {o.name for o in second._operations}
    given = given_by_keras()
    assert "dense" in given and "max_pool" in given  # noqa: PT018
    assert not [name for name in ours if re.sub(r"_\d+$", "", name) in given]
    # Layers have the same names in every process: saved settings of layers go by them.
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


def test_channels_first_in_keras_json_changes_nothing(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"image_data_format": "channels_first"}))
    scores, shapes = json.loads(answer(SCORES, *NETWORKS, KERAS_HOME=str(tmp_path)))
    expected, same = json.loads(answer(SCORES, *NETWORKS))
    assert shapes == same == [[None, 1]] * 4
    assert scores.keys() == set(NETWORKS)
    for name in scores:
        np.testing.assert_allclose(scores[name], expected[name], atol=1e-6)
