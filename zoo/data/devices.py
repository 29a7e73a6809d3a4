"""Data-parallel training: every device has the network and gets its share of each batch.

    with devices.scope(distribute=True) as count:
        model = zoo.load("pons2017", labels=["jazz", "rock"])
        model.compile("adam", "binary_crossentropy")
    model.fit(...)

It uses `tf.distribute.MirroredStrategy` and, on JAX, `keras.distribution.DataParallel`. Both take
the mean of the gradients over the whole batch, so a batch of 32 on two devices has the same effect
as a batch of 32 on one. Two things depend on the framework:

    - Batch normalisation. JAX computes mean and variance over the whole batch, as one device does.
      TensorFlow computes them over each device's share, and stores their mean over the devices:
      with 2 clips per device the network becomes another one, with 16 hardly.
    - The size of a batch. JAX can only split a batch into equal parts, also the last batch of an
      epoch and those of the validation; see `whole_batches`. TensorFlow splits any batch.

Under TensorFlow, dropout masks differ from those on one device.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras

from zoo.errors import ConfigError

logger = logging.getLogger(__name__)


@contextmanager
def scope(distribute: bool = True) -> Iterator[int]:
    """Train models that are made inside this scope on all devices of the machine.

    The network must be built (or loaded) and compiled inside. On JAX it must also be trained
    inside; on TensorFlow it can be.

    Args:
        distribute: False uses one device.

    Yields:
        The number of devices. If there is only one, this is logged.

    Raises:
        ConfigError: the backend is PyTorch, for which Keras has no data-parallel training.
    """
    if not distribute:
        yield 1
        return
    found = available()
    if len(found) == 1:
        logger.warning("distribute: there is only one device, %s; training on it alone.", found[0])
        yield 1
        return
    logger.info("distribute: each batch is split over %s.", ", ".join(found))
    if keras.backend.backend() == "tensorflow":
        entered = _strategy(tuple(found)).scope()
    else:
        entered = _data_parallel(found)
    with entered:
        yield len(found)


def available() -> list[str]:
    """Return the names of the devices that `scope` uses.

    Returns:
        The GPUs; without any, the CPUs, usually one.

    Raises:
        ConfigError: as `scope`.
    """
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ConfigError(
            f"distribute works on the TensorFlow and JAX backends of Keras, not on {backend}; "
            "set the environment variable KERAS_BACKEND to one of them before starting Python, or "
            "train on one device."
        )
    return keras.distribution.list_devices()


def check_made_inside(model: keras.Model, count: int) -> None:
    """Check that a model was made inside the scope; others would train on one device.

    Args:
        model: to be trained inside `scope`.
        count: number of devices, from `scope`.

    Raises:
        ConfigError: it was made outside.
    """
    if count > 1 and any(_copies(variable) != count for variable in model.variables):
        raise ConfigError(
            f"{model.name} was made outside of zoo.data.devices.scope, so it is on one device "
            f"and not on {count}; build or load it inside."
        )


def whole_batches(batch_size: int, count: int) -> bool:
    """Check that the devices can share a batch; return whether to drop a smaller last batch.

    Args:
        batch_size: segments per batch, over all devices.
        count: number of devices, from `scope`.

    Returns:
        Whether datasets need `drop_remainder=True`.

    Raises:
        ConfigError: the batch size is not a multiple of the number of devices.
    """
    if batch_size % count:
        raise ConfigError(
            f"batch_size is {batch_size}, which {count} devices cannot share equally; give a "
            f"multiple of {count}."
        )
    return count > 1 and keras.backend.backend() == "jax"


def _copies(variable: keras.Variable) -> int:
    """Count the devices that a variable is on."""
    if keras.backend.backend() == "jax":
        return len(variable.value.devices())
    return len(getattr(variable.value, "values", [None]))


@cache
def _strategy(found: tuple[str, ...]) -> Any:
    """Make TensorFlow's strategy once: a second one would reuse the first one's message keys."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(found)


@contextmanager
def _data_parallel(found: list[str]) -> Iterator[None]:
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=found))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
