"""Batches for training and validation, and the phase that trains the whole network."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo.data.corpus import Corpus
from zoo.errors import ZooError
from zoo.inference import prediction
from zoo.inference.audio_model import AudioModel
from zoo.training import loop
from zoo.training.augment import Layers, augmented, is_mixup
from zoo.training.loop import Phase
from zoo.training.recipe import Recipe
from zoo.training.validation import class_weights, measures
from zoo.utils.files import PathLike

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The arguments that `zoo.train` and `zoo.finetune` share. They describe them."""

    batch_size: int
    segments: int
    class_weight: str | None
    monitor: str
    augment: Layers | None
    seed: int
    jit_compile: bool | None
    cache: PathLike | None
    drop_remainder: bool
    progress: bool

    def mixed(self, data: "tf.data.Dataset", epoch: int) -> "tf.data.Dataset":
        """Apply the layers of `augment` that mix targets too, with a seed of the epoch.

        Args:
            data: batches of (waveform, targets).
            epoch: its number, from 0.

        Returns:
            Batches of the same shapes.
        """
        for layer in self.augment or ():
            if is_mixup(layer):
                config = layer.get_config()
                own = self.seed if config["seed"] is None else config["seed"]
                (seed,) = np.random.SeedSequence((own, epoch)).generate_state(1)
                config["seed"] = int(seed >> 1)  # fits a signed integer
                data = data.map(type(layer).from_config(config))
        return data


class Batches:
    """The batches of a training run. Each corpus is opened once.

    Args:
        model: to be trained.
        train: training clips.
        validation: validation clips.
        options: of the training.

    Attributes:
        train: source of the training segments; its `corpus` holds the clips.
        validation: source of the validation segments.
        weights: of the classes in the loss; None for equal weights.

    Raises:
        ConfigError: an option is not valid.
    """

    def __init__(
        self, model: AudioModel, train: Corpus, validation: Corpus, options: TrainingOptions
    ):
        # It loads TensorFlow, so only when a training starts.
        from zoo.data.pipeline import dataset

        self.model, self.options = model, options
        self.random = dataset.PipelineOptions(
            training=True,
            batch_size=options.batch_size,
            segments=options.segments,
            seed=options.seed,
            drop_remainder=options.drop_remainder,
        )
        self.every = dataset.PipelineOptions(batch_size=options.batch_size)
        self.train = dataset.Segments(train, model, options.cache)
        self.validation = dataset.Segments(validation, model, options.cache)
        self.weights = class_weights(train, options.class_weight)

    @functools.cached_property
    def _epochs(self) -> "tf.data.Dataset":
        return self.train.labelled(self.random, by_epoch=True)

    def epoch(self, number: int) -> "tf.data.Dataset":
        """Return the training batches of an epoch: random segments and their targets.

        Args:
            number: of the epoch, from 0.

        Returns:
            A dataset of (waveform (batch, samples), targets).
        """
        self.train.epoch = number
        return self.options.mixed(self._epochs, number)

    def random_segments(self, each: int) -> "tf.data.Dataset":
        """Return random segments of each training clip.

        Args:
            each: how many of each clip.

        Returns:
            A dataset of (waveform (batch, samples), index of the clip (batch,), seconds (batch,)).
        """
        self.train.epoch = 0
        options = dataclasses.replace(self.random, segments=each, drop_remainder=False)
        return self.train.numbered(options, by_epoch=True)

    @functools.cached_property
    def validation_segments(self) -> "tf.data.Dataset":
        """All segments of the validation clips, with the index of the clip and new seconds."""
        return self.validation.numbered(self.every)

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Replace TensorFlow's error if no clip could be decoded, or the cache is damaged.

        Yields:
            Nothing.

        Raises:
            AudioError: no clip could be decoded.
            ConfigError: the cache of decoded audio is damaged.
        """
        try:
            yield
        except ZooError:
            raise
        except Exception as error:
            for source in (self.train, self.validation):
                source.check_any_left()
            if self.options.cache is not None and type(error).__name__ == "DataLossError":
                from zoo.data.pipeline import shards  # as above: TensorFlow is loaded by now

                raise shards.damaged(self.options.cache) from error
            raise


def whole(name: str, batches: Batches, recipe: Recipe) -> Phase:
    """Return the phase that trains all trainable weights of a network.

    Args:
        name: of the phase.
        batches: model, batches and options.
        recipe: epochs, learning rate and optimiser.

    Returns:
        The phase, its network compiled.
    """
    model, options = batches.model, batches.options
    network = augmented(model, options.augment or ())
    network.supports_jit = model.supports_jit
    loop.compile_network(network, model.activation, recipe, options.jit_compile)
    own = seeds(network)
    generators = [v for v in network.variables if "seed_generator" in v.path]
    for i, generator in enumerate(generators):  # dropout repeats itself for the same seed
        state = own.get(id(generator), [options.seed, i])
        generator.assign(np.array(state, generator.dtype))
    for layer in network._flatten_layers():
        drawn = getattr(layer, "seed_generator", None)
        # On PyTorch, Keras's dropout passes over a generator that was made without a seed.
        if isinstance(drawn, keras.random.SeedGenerator) and drawn._initial_seed is None:
            drawn._initial_seed = options.seed

    def feed(epoch: int) -> dict[str, Any]:
        return {"x": batches.epoch(epoch), "class_weight": batches.weights}

    validate = frame_validation(batches) if model.frame_wise else clip_validation(batches)
    steps = -(-len(batches.train.corpus) * options.segments // options.batch_size)
    return Phase(name, network, feed, validate, recipe, steps)


def seeds(network: keras.Model) -> dict[int, list[int]]:
    """Return the first state of each generator whose layer a user gave a seed, by its id."""
    return {
        id(variable): [layer.seed, 0]
        for layer in network._flatten_layers()
        if isinstance(getattr(layer, "seed", None), Integral)
        for variable in layer.variables
        if "seed_generator" in variable.path
    }


def clip_validation(batches: Batches) -> Callable[[], dict[str, float]]:
    """Return the validation of whole clips.

    Args:
        batches: model and validation clips.

    Returns:
        A function without arguments: loss and score of the model with its current weights.
    """
    model, validation = batches.model, batches.validation.corpus
    network = model.stage("probabilities")

    def validate() -> dict[str, float]:
        values, clips, seconds = prediction.predict_batches(
            network, batches.validation_segments, batches.options.batch_size
        )
        means = prediction.clip_means(values, clips, seconds, len(validation))
        return measures(
            means, validation.targets, validation.single_label, model.activation, batches.weights
        )

    return validate


def frame_validation(batches: Batches) -> Callable[[], dict[str, float]]:
    """Return the validation of single frames.

    Args:
        batches: model and validation clips with onsets.

    Returns:
        A function without arguments: loss and score of the model with its current weights.
    """
    model = batches.model
    network = model.stage("probabilities")
    frames = batches.validation.labelled(batches.every)

    def validate() -> dict[str, float]:
        values, targets = prediction.predict_batches(network, frames, batches.options.batch_size)
        flat = (values.reshape(-1, values.shape[-1]), targets.reshape(-1, values.shape[-1]))
        return measures(*flat, False, model.activation, None)

    return validate
