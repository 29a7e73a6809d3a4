"""Run by test_devices.py, once a backend: `python device_training.py RESULT.json`.

Trains the same small network on the same clips, on one of two logical devices and on both. Writes
the loss after every epoch, and whether models made inside and outside the scope are accepted. JAX
trains a network with batch normalisation, TensorFlow one with and one without.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import zoo
from zoo.data import devices

EPOCHS = 3
SOUNDS = 16
PLAIN = ("dieleman2014", {"window_length": 1024, "hop_length": 1024})
NORMALISED = (
    "zhu2016",
    {
        "segment": 0.5,
        "lengths": [64],
        "strides": [32],
        "filters": [4],
        "second_filters": [8],
        "pooling": "max",
        "dense_units": 10,
        "dense_dropout": 0.0,
    },
)


def data(samples: int, drop: bool) -> tf.data.Dataset:
    """Sixteen sounds: noise with the first label, tones with the second; batches of 8."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / 16000
    noise = rng.normal(0, 0.1, (SOUNDS // 2, len(time)))
    tones = 0.2 * np.sin(2 * np.pi * rng.uniform(100, 2000, (SOUNDS // 2, 1)) * time)
    waveform = np.concatenate([noise, tones]).astype("float32")
    targets = np.eye(2, dtype="float32")[np.arange(SOUNDS) // (SOUNDS // 2)]
    order = rng.permutation(SOUNDS)
    return tf.data.Dataset.from_tensor_slices((waveform[order], targets[order])).batch(8, drop)


def losses(network: tuple[str, dict], distribute: bool) -> list[float]:
    """Train from the same start; return the loss after each epoch."""
    keras.utils.set_random_seed(1)
    with devices.scope(distribute) as count:
        drop = devices.whole_batches(8, count)
        model = zoo.build(network[0], ["noise", "tone"], **network[1])
        model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
        devices.check_made_inside(model, count)
        history = model.fit(
            data(model.segmentation.segment, drop), epochs=EPOCHS, shuffle=False, verbose=0
        )
    return history.history["loss"]


def refusal(function, *args) -> str:
    """Return the message with which a call is refused."""
    try:
        function(*args)
    except zoo.ConfigError as error:
        return str(error)
    return "not refused"


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        (processor,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(processor, two)
    before = keras.distribution.distribution()
    result = {
        "devices": devices.available(),
        "normalised on one": losses(NORMALISED, False),
        "normalised on both": losses(NORMALISED, True),
        "restored": keras.distribution.distribution() is before
        and not tf.distribute.has_strategy(),
    }
    if keras.backend.backend() == "tensorflow":
        result |= {"plain on one": losses(PLAIN, False), "plain on both": losses(PLAIN, True)}
    outside = zoo.build("pons2016", ["a", "b"], variant="frequency")
    with devices.scope() as count:
        result["made outside"] = refusal(devices.check_made_inside, outside, count)
        result["batch of 7"] = refusal(devices.whole_batches, 7, count)
    Path(sys.argv[1]).write_text(json.dumps(result))
