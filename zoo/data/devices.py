"""Data-parallel training: every device holds the network and hears its share of each batch.

    with devices.scope(distribute=True) as count:
        model = zoo.load("pons2017", labels=["jazz", "rock"])
        model.compile("adam", "binary_crossentropy")
    model.fit(...)

Nothing of it is ours: `tf.distribute.MirroredStrategy` and, on JAX,
`keras.distribution.DataParallel` do the work. Both take the mean of the gradients over the whole
batch, so that a batch of 32 on two devices teaches what a batch of 32 on one does. Two things
differ by the framework:

    - Batch normalisation. JAX takes its mean and variance over the whole batch, as one device
      does. TensorFlow takes them over each device's share, and stores the mean over the devices of
      what they found: with 2 sounds a device that is another network, with 16 hardly.
    - The size of a batch. JAX can only share out a batch that the number of devices divides, the
      last one of an epoch and those of the validation too; see `whole_batches`. TensorFlow shares
      out any batch.

Dropout draws other masks than on one device under TensorFlow.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import keras

from zoo.errors import ConfigError

logger = logging.getLogger(__name__)


@contextmanager
def scope(distribute: bool = True) -> Iterator[int]:
    """Make models inside for training on all devices of this machine.

    The network must be built (or loaded) and compiled inside. On JAX it must be trained inside
    too; on TensorFlow that does no harm.

    Args:
        distribute: False changes nothing: one device, whatever the framework.

    Yields:
        The number of devices. With only one nothing is shared out, and the log says so.

    Raises:
        ConfigError: the backend is PyTorch, whose means of data-parallel training Keras does not
            reach.
    """
    if not distribute:
        yield 1
        return
    found = available()
    if len(found) == 1:
        logger.warning("distribute: there is only one device, %s; training on it alone.", found[0])
        yield 1
        return
    logger.info("distribute: each batch is shared out to %s.", ", ".join(found))
    if keras.backend.backend() == "tensorflow":
        entered = _strategy(tuple(found)).scope()
    else:
        entered = _data_parallel(found)
    with entered:
        yield len(found)


def available() -> list[str]:
    """Return the names of the devices that `scope` shares batches out to.

    The graphics cards; where there is none, the processors, usually one.

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
    """Raise ConfigError if a model was made outside the scope: it would train on one device.

    Args:
        model: to be trained inside `scope`.
        count: of devices, as `scope` yields it.
    """
    if count > 1 and any(_copies(variable) != count for variable in model.variables):
        raise ConfigError(
            f"{model.name} was made outside of zoo.data.devices.scope, so it lies on one device "
            f"and not on {count}; build or load it inside."
        )


def whole_batches(batch_size: int, count: int) -> bool:
    """Check that a batch can be shared out; say whether the rest of an epoch must be dropped.

    Args:
        batch_size: sounds a batch, over all devices.
        count: of devices, as `scope` yields it.

    Returns:
        Whether datasets need `drop_remainder=True`.

    Raises:
        ConfigError: the devices do not divide the batch size.
    """
    if batch_size % count:
        raise ConfigError(
            f"batch_size is {batch_size}, which {count} devices cannot share equally; take a "
            f"multiple of {count}."
        )
    return count > 1 and keras.backend.backend() == "jax"


def _copies(variable: keras.Variable) -> int:
    """Count the devices that a variable lies on."""
    if keras.backend.backend() == "jax":
        return len(variable.value.devices())
    return len(getattr(variable.value, "values", [None]))


@cache
def _strategy(found: tuple[str, ...]):
    """Make TensorFlow's strategy, once: a second one would reuse the first one's message keys."""
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
