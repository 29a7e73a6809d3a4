"""How sounds get to a network in training and validation, and the phase that trains all of it."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo.data.corpus import Corpus
from zoo.errors import AudioError, ZooError
from zoo.inference import prediction
from zoo.inference.audio_model import AudioModel
from zoo.training import loop
from zoo.training.augment import Layers, augmented, is_mixup
from zoo.training.loop import Phase
from zoo.training.recipe import Recipe
from zoo.training.validation import class_weights, measures
from zoo.utils.files import PathLike


@dataclass(frozen=True, kw_only=True)
class Way:
    """What both kinds of training take of their arguments. See `zoo.train`."""

    batch_size: int
    segments: int
    class_weight: str | None
    augment: Layers | None
    seed: int
    jit_compile: bool | None
    cache: PathLike | None
    drop_remainder: bool
    progress: bool

    def seed_of(self, epoch: int) -> int:
        """Return a seed that epochs do not share."""
        (seed,) = np.random.SeedSequence((self.seed, epoch)).generate_state(1)
        return int(seed >> 1)  # what fits in a signed integer

    def epoch(self, corpus: Corpus, model: AudioModel, epoch: int):
        """Return the data set of an epoch: random segments with their targets."""
        from zoo.data.pipeline import dataset

        data = dataset.dataset(
            corpus,
            model,
            training=True,
            batch_size=self.batch_size,
            segments=self.segments,
            seed=self.seed_of(epoch),
            cache=self.cache,
            drop_remainder=self.drop_remainder,
        )
        for layer in self.augment or ():
            if is_mixup(layer):
                again = {**layer.get_config(), "seed": self.seed_of(epoch)}
                data = data.map(type(layer).from_config(again))
        return data

    def some(self, corpus: Corpus, model: AudioModel, segments: int):
        """Return random segments of each clip, with the number of the clip."""
        from zoo.data.pipeline import dataset

        return dataset.segments(
            corpus,
            model,
            training=True,
            batch_size=self.batch_size,
            segments=segments,
            seed=self.seed_of(0),
            cache=self.cache,
        )

    def all(self, corpus: Corpus, model: AudioModel):
        """Return all segments, with the number of the clip."""
        from zoo.data.pipeline import dataset

        return dataset.segments(corpus, model, batch_size=self.batch_size, cache=self.cache)

    def frames(self, corpus: Corpus, model: AudioModel):
        """Return all segments with the targets of their frames."""
        from zoo.data.pipeline import dataset

        return dataset.dataset(corpus, model, batch_size=self.batch_size, cache=self.cache)

    def compiled(self, network: keras.Model, activation: str, recipe: Recipe) -> keras.Model:
        """Return the network, compiled."""
        optimizer = loop.make_optimizer(recipe)
        return loop.compiled(network, activation, optimizer, self.jit_compile)


def whole(
    name: str, model: AudioModel, train: Corpus, validation: Corpus, recipe: Recipe, way: Way
) -> Phase:
    """Return the phase that trains all of a network that is trainable."""
    network = augmented(model, way.augment or ())
    network.supports_jit = model.supports_jit
    way.compiled(network, model.activation, recipe)
    generators = [v for v in network.variables if "seed_generator" in v.path]
    for i, generator in enumerate(generators):  # dropout repeats itself for the same seed
        generator.assign(np.array([way.seed, i], generator.dtype))
    weights = class_weights(train, way.class_weight)

    def feed(epoch: int) -> dict[str, Any]:
        return {"x": way.epoch(train, model, epoch), "class_weight": weights}

    judge = frame_judge if model.frame_wise else clip_judge
    steps = -(-len(train) * way.segments // way.batch_size)
    return Phase(name, network, feed, judge(model, validation, weights, way), recipe, steps)


Judge = Callable[[], dict[str, float]]


def clip_judge(
    model: AudioModel, validation: Corpus, weights: dict[int, float] | None, way: Way
) -> Judge:
    """Return what scores whole clips with the model as it is."""
    network, data = model.stage("probabilities"), way.all(validation, model)

    def judge() -> dict[str, float]:
        values, clips, seconds = prediction.predict_batches(network, data, way.batch_size)
        means = prediction.clip_means(values, clips, seconds, len(validation))
        return measures(
            means, validation.targets, validation.single_label, model.activation, weights
        )

    return judge


def frame_judge(
    model: AudioModel, validation: Corpus, weights: dict[int, float] | None, way: Way
) -> Judge:
    """Return what scores frames, each by itself, with the model as it is."""
    network, data = model.stage("probabilities"), way.frames(validation, model)

    def judge() -> dict[str, float]:
        values, targets = prediction.predict_batches(network, data, way.batch_size)
        flat = (values.reshape(-1, values.shape[-1]), targets.reshape(-1, values.shape[-1]))
        return measures(*flat, False, model.activation, None)

    return judge


# --- what the data have to say ---


@contextmanager
def plainly() -> Iterator[None]:
    """Log the same words about the data once, and raise what tf.data wraps in its own errors.

    Each epoch has a data set of its own, which would name a broken file again.
    """
    logger, said = logging.getLogger("zoo.data.pipeline.dataset"), set[str]()

    def fresh(record: logging.LogRecord) -> bool:
        before = len(said)
        said.add(record.getMessage())
        return len(said) > before

    logger.addFilter(fresh)
    try:
        yield
    except Exception as error:
        wrapped = re.search(r"zoo\.errors\.AudioError: (.+)", str(error))
        if wrapped is None or isinstance(error, ZooError):
            raise
        raise AudioError(wrapped[1]) from error
    finally:
        logger.removeFilter(fresh)
