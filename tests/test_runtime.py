"""Models in ONNX Runtime: the same results and errors as in Keras, and no framework."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import CHECKOUT

import zoo
from zoo.inference import graphs
from zoo.inference.variables import variables
from zoo.registry import manifest
from zoo.weights import runtimes, tracing

sys.path.insert(0, str(CHECKOUT / "benchmarks"))

from stages import sounds

BUNDLED = [name for name, c in manifest.load().checkpoints.items() if c.bundled]
FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")
HEAVY = (*FRAMEWORKS, "sklearn", "matplotlib", "h5py", "scipy")


@pytest.fixture
def double():
    """Keras in double precision: its sums in float32 are off by up to 1.3e-5 on some processors."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # Keras keeps the policy of the first layer made
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize("name", BUNDLED)
def test_every_stage_of_a_bundled_checkpoint_is_that_of_keras(name, double):
    model, other = zoo.load(name), zoo.load(name, runtime="onnx")
    assert "float64" in {variable.dtype for variable in variables(model).values()}
    assert other.stages == model.stages
    for sound, batch in sounds(model).items():
        exact = tracing.stages_of(model, batch.astype("float64"), model.stages)
        for stage, theirs in exact.items():
            ours = other.forward_pass(stage)(batch)
            assert ours.shape == theirs.shape
            limit = tracing.tolerance(model, stage)
            assert tracing.difference(model, stage, ours, theirs) <= limit, (sound, stage)


def test_a_network_without_a_graph_says_what_to_do():
    config = runtimes.configuration("choi2016.zoo")
    with pytest.raises(zoo.ConfigError, match=r"no graph for choi2016.*--runtime keras"):
        graphs.find({**config, "options": {**config["options"], "width": 0.3}})


@pytest.mark.parametrize("name", manifest.load().checkpoints)
def test_every_checkpoint_has_a_graph(name):
    config = runtimes.configuration(name)
    graph = graphs.find(config)
    assert graph.key["architecture"] == config["architecture"]
    assert graph.labels in (None, len(config["labels"]))


@pytest.fixture(scope="module")
def onnx():
    return zoo.load("pons2017", runtime="onnx")


def test_what_a_model_is(onnx, pons):
    same = ("name", "labels", "sample_rate", "segmentation", "stages", "architecture", "activation")
    for attribute in (*same, "card", "frame_wise", "frames"):
        assert getattr(onnx, attribute) == getattr(pons, attribute)
    assert repr(onnx).startswith("RuntimeModel('pons2017.mtt': pons2017 in onnx, 50 labels")


def test_results_are_those_of_keras(onnx, pons, example):
    ours, theirs = onnx.taggram(example, hop=1.0), pons.taggram(example, hop=1.0)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-5)
    np.testing.assert_array_equal(ours.times, theirs.times)
    assert (ours.labels, ours.source, ours.model) == (theirs.labels, theirs.source, theirs.model)
    assert list(onnx.tag(example, 3).to_dict()) == list(pons.tag(example, 3).to_dict())
    ours, theirs = onnx.embed([example]), pons.embed([example])
    np.testing.assert_allclose(ours[0].values, theirs[0].values, atol=1e-4)


def test_onsets_are_those_of_keras(checkpoint, example):
    ours = zoo.load("schluter2014", runtime="onnx").onsets(example)
    theirs = checkpoint("schluter2014.zoo").onsets(example)
    np.testing.assert_allclose(ours.activation, theirs.activation, atol=1e-5)
    np.testing.assert_array_equal(ours.times, theirs.times)


def test_errors_are_those_of_keras(onnx, pons, example, tmp_path):
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    calls = (
        lambda model: model.embed(example, "no such stage"),
        lambda model: model.tag(example, hop=9.0),
        lambda model: model.tag(empty),
        lambda model: model.onsets(example),
        lambda model: model.stream(example),
    )
    for call in calls:
        found = []
        for model in (onnx, pons):
            with pytest.raises((zoo.ZooError, OSError)) as caught:
                call(model)
            found.append((type(caught.value), str(caught.value)))
        assert found[0] == found[1]


def test_bad_arguments():
    for arguments, message in (
        ({"runtime": "tensorrt"}, "it is 'keras', 'onnx' or 'openvino'"),
        ({"runtime": "onnx", "dtype": "float16"}, "the runtime onnx takes 'float32'"),
        ({"runtime": "onnx", "labels": ["a"]}, "onnx cannot train"),
    ):
        with pytest.raises(zoo.ConfigError, match=message):
            zoo.load("pons2017", **arguments)
    with pytest.raises(zoo.ConfigError, match="must run in float32"):
        zoo.load("schluter2014", runtime="openvino", dtype="bfloat16")
    with pytest.raises(zoo.ConfigError, match="which does not train"):
        zoo.load("pons2017", runtime="onnx").fit()
    with pytest.raises(zoo.ConfigError, match="given was a RuntimeModel"):
        zoo.load(zoo.load("pons2017", runtime="onnx"))
    with pytest.raises(zoo.ConfigError, match=r"is for Keras\. Export it"):
        zoo.load("mine.keras", runtime="onnx")
    with pytest.raises(zoo.UnknownName, match="Did you mean pons2017"):
        zoo.load("pons2071", runtime="onnx")


def test_a_network_without_a_graph_is_refused():
    config = {"architecture": "pons2017", "options": {"n": 3}, "activation": "sigmoid"}
    with pytest.raises(zoo.ConfigError, match="no graph for pons2017 with n=3"):
        graphs.find(config)


def test_a_graph_for_one_length_is_not_used_for_another():
    whole, short = (
        graphs.find(runtimes.configuration(name)) for name in ("choi2016.zoo", "choi2016.zoo_3s")
    )
    assert whole.geometry.fixed
    assert short.geometry.segment == 36000 != whole.geometry.segment
    with pytest.raises(zoo.ConfigError, match="no graph for choi2016"):
        graphs.find({**runtimes.configuration("choi2016.zoo"), "segment": 5.0})


def test_weights_that_do_not_fit_the_graph_are_refused():
    graph = graphs.find(runtimes.configuration("pons2017.mtt"))
    with pytest.raises(zoo.WeightsError, match="the network also has"):
        graphs.initializers(graph, {"more": np.zeros(1)}, "mine")


def test_damaged_weights_are_never_loaded(monkeypatch, tmp_path, bare_surroundings):
    file = "pons2017.mtt.safetensors"
    whole = (manifest.bundled_folder() / file).read_bytes()
    (tmp_path / file).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setattr(manifest, "bundled_folder", lambda: tmp_path)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(zoo.WeightsError, match="sha256 expected"):
        zoo.load("pons2017", runtime="onnx")


# --- the command line ---

PROGRAM = """
import json, sys
from zoo.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print(json.dumps([status, [name for name in HEAVY if name in sys.modules]]))
"""


def loaded(*arguments):
    """Run a command in a process of its own; return its status and the heavy modules in it."""
    code = PROGRAM.replace("HEAVY", repr(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}"},
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag"],
        ["tag", "--json", "-m", "lee2017"],
        ["taggram", "-o", "gram.csv"],
        ["embed", "-o", "vectors.npz", "--stage", "frontend"],
        ["onsets"],
    ],
    ids=" ".join,
)
def test_commands_load_no_framework(arguments, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert loaded(*arguments, example) == [0, []]


def test_runtime_keras_uses_keras(run, example, monkeypatch):
    seen = []
    load = zoo.load
    monkeypatch.setattr(zoo, "load", lambda *a, **k: seen.append(k["runtime"]) or load(*a, **k))
    assert run("tag", example, "--runtime", "keras").exit_code == 0
    assert run("tag", example).exit_code == 0
    assert seen == ["keras", "onnx"]


def test_a_missing_framework_is_said_in_one_line():
    code = """
import sys
class Absent:  # as if they were not installed
    def find_spec(self, name, path=None, target=None):
        if name in ("keras", "tensorflow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import zoo
assert zoo.load("pons2017", runtime="onnx").labels
for call in (lambda: zoo.load("pons2017"), lambda: zoo.build, lambda: zoo.finetune):
    try:
        call()
    except zoo.ConfigError as error:
        assert "keras is not installed" in str(error) and "\\n" not in str(error)
    else:
        raise SystemExit("no error")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_missing_runtime_is_said_in_one_line(monkeypatch, onnx, example, run):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = run("tag", example)
    assert done.exit_code == 1
    assert "pip install onnxruntime" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["pons2017", "dieleman2014", "schluter2014"])
def test_openvino_agrees_with_onnx_runtime(name):
    pytest.importorskip("openvino")
    onnx, other = zoo.load(name, runtime="onnx"), zoo.load(name, runtime="openvino")
    rng = np.random.default_rng(0)
    batch = rng.normal(0, 0.1, (2, onnx.segmentation.segment)).astype("float32")
    ours, theirs = (m.forward_pass("probabilities")(batch) for m in (other, onnx))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_segments_side_by_side_have_the_results_of_one_by_one(onnx):
    forward = onnx.forward_pass("probabilities")
    noise = np.random.default_rng(0).normal(0, 0.1, (9, onnx.segmentation.segment))
    together = forward(noise.astype("float32"))
    alone = np.concatenate([forward(row[None].astype("float32")) for row in noise])
    np.testing.assert_array_equal(together, alone)


def test_a_segment_with_all_threads_has_the_results_of_one_with_few():
    model = zoo.load("pons2017.mtt", runtime="onnx")
    forward = model.forward_pass("probabilities")
    noise = np.random.default_rng(0).normal(0, 0.1, (9, model.segmentation.segment))
    noise = noise.astype("float32")
    alone = np.concatenate([forward(row[None]) for row in noise])  # before any others
    np.testing.assert_allclose(alone, forward(noise), atol=1e-6)


def test_several_stages_come_from_one_run_of_the_network():
    model = zoo.load("dieleman2014", runtime="onnx")
    batch = np.random.default_rng(0).uniform(-1, 1, (3, model.segmentation.segment))
    stages = ("probabilities", "penultimate", "frontend")
    together = model.forward_passes(stages)(batch)
    for stage, values in zip(stages, together, strict=True):
        np.testing.assert_allclose(values, model.forward_pass(stage)(batch), atol=1e-6)
    with pytest.raises(zoo.UnknownName, match="no stage named 'nowhere'"):
        model.forward_passes(("penultimate", "nowhere"))
