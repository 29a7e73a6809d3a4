"""Saved models that are not what they seem: refused before Keras opens them."""

import io
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

import zoo


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    zoo.build("lee2017", ["a"], n=2, width=8).save(path)
    return path


@pytest.fixture
def load(monkeypatch):
    """Load a file, in which Keras has no part."""

    def refuse(path):
        raise AssertionError("Keras was reached")

    monkeypatch.setattr(keras.saving, "load_model", refuse)
    return zoo.load


def with_member(saved, path, name, content):
    """Copy a saved model with another content of one of its files."""
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            data = content if entry.filename == name else source.read(entry)
            packed = zipfile.ZIP_DEFLATED if entry.filename == name else zipfile.ZIP_STORED
            target.writestr(entry.filename, data, packed)
    return path


def test_a_sound_model_loads(saved):
    assert zoo.load(saved).labels == ("a",)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_an_archive_that_unpacks_to_far_more_is_refused(saved, load, tmp_path, name):
    path = with_member(saved, tmp_path / "bomb.keras", name, bytes(50_000_000))
    with pytest.raises(zoo.ConfigError, match=r"bomb\.keras has .* bytes, but its content would"):
        load(path)


@pytest.mark.parametrize("packing", [{"compression": "gzip"}, {"chunks": (1000,)}, {}])
def test_weights_that_are_far_more_than_their_bytes_are_refused(saved, load, tmp_path, packing):
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_dataset("a/b", (1 << 32,), "float32", **packing)
    path = with_member(saved, tmp_path / "bomb.keras", "model.weights.h5", weights.getvalue())
    with pytest.raises(zoo.ConfigError, match=r"its content would take 17,179,869,\d+"):
        load(path)


@pytest.mark.parametrize("kept", [0, 100, -1000, -1])
def test_a_model_that_is_cut_off_is_refused(saved, load, tmp_path, kept):
    path = shutil.copy(saved, tmp_path / "cut.keras")
    content = saved.read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[:kept])
    with pytest.raises(zoo.ConfigError, match=r"cut\.keras is not .* damaged or cut off"):
        load(path)


def test_an_archive_of_something_else_is_refused(load, tmp_path):
    np.savez(tmp_path / "numbers.npz", a=np.zeros(3))
    path = (tmp_path / "numbers.npz").rename(tmp_path / "numbers.keras")
    with pytest.raises(zoo.ConfigError, match="is not a saved Keras model"):
        load(path)
