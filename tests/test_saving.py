"""What Keras promises of save, load, copies and quantization holds for a model of the zoo."""

import copy
import json
import os
import pickle
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from keras.src.saving import serialization_lib

import zoo
from zoo.registry import lookup
from zoo.weights import hub, hub_files

SMALL = {
    "segment": 1.0,
    "lengths": [64],
    "strides": [32],
    "filters": [4],
    "second_filters": [8],
    "dense_units": 10,
    "backend": "rnn",
    "rnn_units": 4,
    "rnn_layers": 1,
}


@pytest.fixture
def small():
    """A little untrained network with dropouts, batch normalisation and a recurrent layer."""
    return zoo.build("zhu2016", ["a", "b"], **SMALL)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(0, 0.1, (2, 16000)).astype("float32")


def copies(model, folder):
    """Yield the model as each means of copying gives it back."""
    for name in ("model.keras", "model.h5"):
        model.save(folder / name)
        yield zoo.load(folder / name)
    yield keras.saving.load_model(folder / "model.keras")
    yield copy.deepcopy(model)
    yield pickle.loads(pickle.dumps(model))
    yield type(model).from_config(model.get_config())
    yield keras.models.clone_model(model)


def rates(model) -> list[float]:
    return [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_save_that_fails_leaves_the_old_file(small, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"model.{suffix}"
    small.save(path)
    before = path.read_bytes()

    def half(model, filepath, *args, **kwargs):
        filepath.write_bytes(before[: len(before) // 2])
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save", half)
        with pytest.raises(OSError, match="No space"):
            small.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    small.save(str(path), overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        small.save(tmp_path / "nowhere" / path.name)


@pytest.mark.parametrize("read", [zoo.load, keras.saving.load_model])
def test_an_id_that_is_given_again_makes_no_layer_another(small, tmp_path, monkeypatch, read):
    for layer in small.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.9  # so that layers are rebuilt from their settings
    small.save(tmp_path / "model.keras")
    monkeypatch.setattr(serialization_lib, "id", lambda _: 1, raising=False)
    assert rates(read(tmp_path / "model.keras")) == [0.9, 0.9]


def test_frozen_layers_stay_frozen(small, x, tmp_path):
    for layer in small.layers[:-3]:
        layer.trainable = False
    frozen = [v.path for v in small.trainable_variables]
    assert 0 < len(frozen) < 6
    found = list(copies(small, tmp_path))
    for again in found:
        assert [v.path for v in again.trainable_variables] == frozen
    for again in found[:5]:  # the other two are not to have the weights
        np.testing.assert_allclose(again.predict(x), small.predict(x), atol=1e-6)


def test_a_frozen_model_stays_frozen_and_its_layers_keep_what_they_were(small, tmp_path):
    small._freeze()
    small.save(tmp_path / "frozen.keras")
    again = zoo.load(tmp_path / "frozen.keras")
    assert again.trainable_variables == []
    assert all(layer.trainable for layer in again.layers)
    small = zoo.build("zhu2016", ["a", "b"], **SMALL)
    small.trainable = False  # with all its layers, as Keras sets it
    small.save(tmp_path / "frozen.keras")
    again = zoo.load(tmp_path / "frozen.keras")
    assert again.trainable_variables == []
    assert not any(layer.trainable for layer in again.layers[1:])  # the first is the input
    assert [v.path for v in again.with_labels(["c"]).trainable_variables] == [
        "logits/kernel",
        "logits/bias",
    ]


def test_layers_inside_of_layers_stay_frozen(small, tmp_path):
    small.get_layer("pooled").forward_layer.trainable = False
    count = len(small.trainable_variables)
    small.save(tmp_path / "inner.keras")
    again = zoo.load(tmp_path / "inner.keras")
    assert len(again.trainable_variables) == count


def test_dropout_rates_stay(small, tmp_path):
    for layer in small.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.9
    assert rates(small) == [0.9, 0.9]
    assert [rates(again) for again in copies(small, tmp_path)] == [[0.9, 0.9]] * 7
    assert rates(small.with_labels(["c"])) == [0.9, 0.9]


@pytest.mark.filterwarnings("ignore:.*quant")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_quantized_model_loads(small, x, tmp_path, suffix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small.quantize("int8")
    expected = small.predict(x)
    small.save(tmp_path / f"int8{suffix}")
    again = zoo.load(tmp_path / f"int8{suffix}")
    np.testing.assert_allclose(again.predict(x), expected, atol=1e-6)
    kinds = {keras.backend.standardize_dtype(v.dtype) for v in again.variables}
    assert "int8" in kinds


@pytest.mark.parametrize("name", lookup.list_models(trained=False))
def test_every_architecture_keeps_changed_settings(name, tmp_path):
    model = zoo.build(name, ["a", "b"])
    dropouts = [x for x in model.layers if isinstance(x, keras.layers.Dropout)]
    for layer in dropouts or [model.get_layer("logits")]:
        layer.trainable = False
    model.get_layer("logits").trainable = False
    model.save(tmp_path / "model.keras")
    again = zoo.load(tmp_path / "model.keras")
    assert again.get_config() == {**model.get_config(), "name": "model"}
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.stages == model.stages
    sound = np.random.default_rng(0).normal(0, 0.1, model.segmentation.segment)
    sound = sound[None].astype("float32")
    for stage in model.stages:
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(again.stage(stage)(sound)),
            keras.ops.convert_to_numpy(model.stage(stage)(sound)),
            atol=1e-5,
        )


@pytest.mark.filterwarnings("ignore:.*lambda")
def test_what_a_file_cannot_hold_is_refused_by_name(small, tmp_path):
    other = zoo.build("zhu2016", ["a"], **SMALL)
    other.extra = keras.layers.Dense(3, name="spare")
    other.extra.build((None, 4))
    with pytest.raises(zoo.ConfigError, match=r"was given spare, which is not a part of its net"):
        other.save(tmp_path / "extra.keras")
    small.get_layer("dense_layer").units = 11
    with pytest.raises(zoo.ConfigError, match="weights of the layer dense_layer were changed"):
        small.save(tmp_path / "units.keras")
    small.get_layer("dense_layer").units = 10
    small.get_layer("logits").activation = lambda x: x + 1
    with pytest.raises(zoo.ConfigError, match="the layer logits cannot be made with"):
        small.save(tmp_path / "function.keras")
    small.get_layer("logits").activation = keras.activations.linear
    small.save(tmp_path / "fine.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["fine.keras"]


@pytest.mark.parametrize("name", ["labels", "sample_rate", "segmentation"])
def test_what_a_model_is_cannot_be_set_and_lost(small, name):
    with pytest.raises(AttributeError):
        setattr(small, name, None)


def test_layer_settings_of_no_layer_are_refused(small):
    with pytest.raises(zoo.ConfigError, match="layer_settings names nowhere; the layers are"):
        zoo.AudioModel(**small.get_config(), layer_settings={"nowhere": {"trainable": False}})
    with pytest.raises(zoo.ConfigError, match="layer logits cannot be made with"):
        zoo.AudioModel(**small.get_config(), layer_settings={"logits": {"depth": 3}})


def test_the_hub_takes_frozen_layers_and_refuses_other_settings_by_name(small):
    small.get_layer("logits").trainable = False
    config = json.loads(hub.contents(small, "user/repo")[hub.CONFIG])
    assert config["model"].keys() == set(hub_files.Network.__struct_fields__)
    small.get_layer("penultimate").rate = 0.1
    with pytest.raises(zoo.ConfigError, match="the layers penultimate of zhu2016 have other"):
        hub.contents(small, "user/repo")


# --- files ---

FRESH = """
import keras
import zoo  # and nothing else of it
model = keras.saving.load_model({path!r})
print(type(model).__name__, model.labels)
"""


def test_a_fresh_process_loads_it_with_keras_alone(small, tmp_path):
    small.save(tmp_path / "mine.keras")
    done = subprocess.run(
        [sys.executable, "-c", FRESH.format(path=str(tmp_path / "mine.keras"))],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "AudioModel ('a', 'b')"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_is_no_model_of_the_zoo_is_said(tmp_path, suffix):
    path = tmp_path / f"other{suffix}"
    path.write_text("nothing of the kind")
    for read in (zoo.load, zoo.info):
        with pytest.raises(zoo.ConfigError, match="not a saved Keras model, or is damaged"):
            read(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    for read in (zoo.load, zoo.info):
        with pytest.raises(zoo.ConfigError, match="holds a Sequential, not a model of the zoo"):
            read(path)
