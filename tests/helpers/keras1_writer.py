"""Write HDF5 files as Keras 1.1.0 did, for tests of their reader.

After `save_weights_to_hdf5_group` in its engine/topology.py and `save_model` in its models.py.
"""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

Layers = dict[str, dict[str, np.ndarray]]  # layer -> weight name without the layer's -> values


def sample_cnn(n: int, width: int = 512, labels: int = 50, dropout: bool = True, m: int = 3):
    """Random weights of the authors' m^n network, layer by layer as Keras 1 listed them."""
    rng = np.random.default_rng(n)
    filters = [128, *[128, 128, *[256] * (n - 3)][: n - 1], width, width]
    lengths = [m] * (n + 1) + [1]
    layers: Layers = {"input_1": {}}
    channels = 1
    for i, (out, length) in enumerate(zip(filters, lengths, strict=True), start=1):
        scale = np.sqrt(2 / (length * channels))
        layers[f"convolution1d_{i}"] = {
            "W": rng.normal(0, scale, (length, 1, channels, out)),
            "b": rng.normal(0, 0.1, out),
        }
        layers[f"batchnormalization_{i}"] = {
            "gamma": rng.uniform(0.5, 1.5, out),
            "beta": rng.normal(0, 0.2, out),
            "running_mean": rng.normal(0, 0.2, out),
            "running_std": rng.uniform(0.2, 3, out),
        }
        layers[f"activation_{i}"] = {}
        if 1 < i <= n + 1:
            layers[f"maxpooling1d_{i - 1}"] = {}
        channels = out
    layers |= {"dropout_1": {}} if dropout else {}
    layers["flatten_1"] = {}
    layers["dense_1"] = {
        "W": rng.normal(0, 0.3, (channels, labels)),
        "b": rng.normal(0, 0.3, labels),
    }
    return {
        layer: {name: values.astype("float32") for name, values in weights.items()}
        for layer, weights in layers.items()
    }


def names(strings: Iterable[str]) -> np.ndarray:
    """Strings of fixed length, and no numbers for no strings: what h5py 2 made of a list."""
    return np.array([string.encode() for string in strings])


def write(path: Path, layers: Layers, whole_model: bool = False) -> Path:
    """Write what `save_weights` wrote, or what `save` wrote of a compiled model."""
    with h5py.File(path, "w") as file:
        group = file
        if whole_model:
            file.attrs["keras_version"] = b"1.1.0"
            file.attrs["model_config"] = b"{}"
            file.attrs["training_config"] = b"{}"
            group = file.create_group("model_weights")
            optimiser = file.create_group("optimizer_weights")
            optimiser.attrs["weight_names"] = names(["iterations"])
            optimiser.create_dataset("iterations", (), dtype="float32")
        group.attrs["layer_names"] = names(layers)
        for layer, weights in layers.items():
            own = group.create_group(layer)
            own.attrs["weight_names"] = names(f"{layer}_{name}" for name in weights)
            for name, values in weights.items():
                dataset = own.create_dataset(f"{layer}_{name}", values.shape, values.dtype)
                dataset[:] = values
    return path


def music_tagger(recurrent: bool, filters: Iterable[int], labels: int) -> Layers:
    """Random weights of Choi's released networks, layer by layer as Keras 1 listed them."""
    rng = np.random.default_rng(int(recurrent))

    def norm(count: int) -> dict[str, np.ndarray]:
        return {
            "gamma": rng.uniform(0.5, 1.5, count),
            "beta": rng.normal(0, 0.2, count),
            "running_mean": rng.normal(0, 0.2, count),
            "running_std": rng.uniform(0.5, 2, count),
        }

    layers: Layers = {"input_1": {}, "bn_0_freq": norm(1440 if recurrent else 1366)}
    channels = 1
    for i, out in enumerate(filters, start=1):
        scale = np.sqrt(2 / (9 * channels))
        layers[f"conv{i}"] = {
            "W": rng.normal(0, scale, (out, channels, 3, 3)),
            "b": rng.normal(0, 0.1, out),
        }
        layers |= {f"bn{i}": norm(out), f"elu_{i}": {}, f"pool{i}": {}, f"dropout{i}": {}}
        channels = out
    for i in (1, 2) if recurrent else ():
        layers[f"gru{i}"] = {
            f"{weight}_{gate}": rng.normal(0, 0.4, shape)
            for gate in "zrh"
            for weight, shape in (("W", (channels, 32)), ("U", (32, 32)), ("b", 32))
        }
        channels = 32
    layers["output"] = {
        "W": rng.normal(0, 0.3, (channels, labels)),
        "b": rng.normal(0, 0.3, labels),
    }
    return {
        layer: {name: values.astype("float32") for name, values in weights.items()}
        for layer, weights in layers.items()
    }


def write_tensorflow(path: Path, layers: Layers, number: str = "") -> Path:
    """Write what `save_weights` wrote under TensorFlow, which may give each name a number."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = names(layers)
        for layer, weights in layers.items():
            own = file.create_group(layer)
            own.attrs["weight_names"] = names(f"{layer}_{name}{number}:0" for name in weights)
            for name, values in weights.items():
                own[f"{layer}_{name}{number}:0"] = values
    return path
