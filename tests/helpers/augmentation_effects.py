"""Run by test_augmentation.py, once a backend: `python augmentation_effects.py RESULT.json`."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import zoo
from zoo.layers.augmentation import FrequencyMask, Gain, Mixup, Noise, TimeMask

SAMPLES = 16000


def to_numpy(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


def sounds(count: int) -> np.ndarray:
    """Tones of -20 dB: (count, samples)."""
    phases = np.linspace(0, 6, count)[:, None]
    return (0.1 * np.sqrt(2) * np.sin(0.1 * np.arange(SAMPLES) + phases)).astype("float32")


def decibels(x: np.ndarray) -> np.ndarray:
    """Mean power of each sound, in dB."""
    return 10 * np.log10((x.astype("float64") ** 2).mean(axis=1))


def features(count: int) -> np.ndarray:
    """A spectrogram in which no value is the mean: (count, 100, 50)."""
    return np.random.default_rng(0).choice([1.0, 3.0], (count, 100, 50)).astype("float32")


def masked(layer, x: np.ndarray, axis: int) -> np.ndarray:
    """Where a mask lies: (count, places); every value there must be the sound's mean."""
    y = to_numpy(layer(x, training=True))
    mean = x.mean(axis=(1, 2), keepdims=True)
    changed = np.moveaxis(y != x, axis, 1)
    where = changed.all(axis=2)
    assert (changed.any(axis=2) == where).all()  # whole frames, whole bands
    np.testing.assert_allclose(y[y != x], np.broadcast_to(mean, x.shape)[y != x], rtol=1e-5)
    return where


def effects() -> dict[str, list]:
    """What each layer does to a batch."""
    x = sounds(64)
    loud = to_numpy(Gain(-6, 3, seed=1)(x, training=True))
    noisy = to_numpy(Noise(10, 30, seed=2)(x, training=True))
    times = masked(TimeMask(1, width=30, fraction=0.2, seed=3), features(300), axis=1)
    bands = masked(FrequencyMask(1, width=10, seed=4), features(300), axis=2)
    return {
        "gain": (decibels(loud) - decibels(x)).tolist(),
        "ratio": (decibels(x) - decibels(noisy - x)).tolist(),
        "frames": times.sum(axis=1).tolist(),
        "bands": bands.sum(axis=1).tolist(),
        "runs": [int(np.abs(np.diff(w.astype(int), axis=1)).sum(1).max()) for w in (times, bands)],
    }


def training() -> dict[str, float]:
    """What two epochs of augmented training change: the model, and only in training."""
    keras.utils.set_random_seed(0)
    model = zoo.build("pons2016", ["low", "high"], variant="frequency")
    x = np.tile(sounds(8), 10)[:, : model.segmentation.segment]
    y = np.eye(2, dtype="float32")[np.arange(8) % 2]
    network = zoo.augment(model, [Gain(), Noise()], [TimeMask(), FrequencyMask()])
    difference = np.abs(network.predict(x, verbose=0) - model.predict(x, verbose=0)).max()
    before = model.get_weights()
    network.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4).map(Mixup(0.4, seed=1))
    losses = network.fit(data, epochs=2, shuffle=False, verbose=0).history["loss"]
    changes = [np.abs(a - b).max() for a, b in zip(before, model.get_weights(), strict=True)]
    mixed = np.concatenate([targets for _, targets in data.as_numpy_iterator()])
    return {
        "inference": float(difference),
        "change": float(max(changes)),
        "loss": float(losses[-1]),
        "targets": mixed.tolist(),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(effects() | training()))
