"""From a model and corpora to what is trained: checks, divisions, the feed, and the end of it all.

`zoo.train` and `zoo.finetune` share this.
"""

import hashlib
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import fitting, judging, loading
from zoo.data import devices
from zoo.data.corpus import Corpus
from zoo.errors import ConfigError, UnknownName
from zoo.files import PathLike
from zoo.fitting import Phase
from zoo.model import HEAD, AudioModel
from zoo.recipe import Recipe
from zoo.runs import Row, Run, describe

logger = logging.getLogger(__name__)

HELD_BACK = 0.2  # of the clips, for the validation, where none is given

Layers = Sequence[keras.layers.Layer]


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a training.

    Attributes:
        model: with the best weights.
        history: a row for each epoch: "phase", "epoch" (from 1 on), "learning_rate", "loss" (of
            the training, with dropout and class weights), "val_loss" (of whole clips: the mean over
            their segments), and "val_accuracy" or "val_roc_auc" (macro).
        best: the row whose weights the model has, the one with the lowest "val_loss".
        folder: where it was written; None for nowhere.
    """

    model: AudioModel
    history: list[Row]
    best: Row
    folder: Path | None

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {self.best[name]:.4f}" for name in [*self.best][4:])
        return (
            f"{type(self).__name__}({self.model.name}, {len(self.history)} epochs; best: "
            f"{self.best['phase']} {self.best['epoch']}, {scores})"
        )

    def plot(self, path: PathLike | None = None):
        """Draw loss and score after each epoch.

        Args:
            path: .png, .pdf or .svg file to write; None for none.

        Returns:
            A matplotlib figure.
        """
        from zoo import curves

        return curves.history(self.history, self.best, self.model.name, path)


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the sounds get to the network, and how it computes. See `zoo.train`."""

    batch_size: int
    segments: int
    class_weight: str | None
    augment: Layers | None
    seed: int
    jit_compile: bool | None
    cache: PathLike | None
    drop_remainder: bool
    progress: bool

    def dataset(self, corpus: Corpus, model: AudioModel, segments: int, epoch: int):
        """Return random segments of the clips, others for another number of the epoch."""
        from zoo.data import pipeline

        (seed,) = np.random.SeedSequence((self.seed, epoch)).generate_state(1)
        return pipeline.dataset(
            corpus,
            model,
            training=True,
            batch_size=self.batch_size,
            segments=segments,
            seed=int(seed >> 1),  # what fits in a signed integer
            cache=self.cache,
            drop_remainder=self.drop_remainder,
        )

    def hear(self, corpus: Corpus, network: keras.Model, model: AudioModel):
        """Return what a part of the model says of all segments; see `judging.hear`."""
        from zoo.data import pipeline

        segments = pipeline.segments(corpus, model, batch_size=self.batch_size, cache=self.cache)
        return judging.hear(network, segments, self.batch_size)

    def optimised(self, network: keras.Model, activation: str, recipe: Recipe) -> keras.Model:
        """Return the network, compiled."""
        optimizer = fitting.make_optimizer(recipe)
        return fitting.compiled(network, activation, optimizer, self.jit_compile)


# --- before ---


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make what Keras draws first weights from repeatable; put Python's generator back after."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def parted(train: Corpus, validation: Corpus | None, seed: int) -> tuple[Corpus, Corpus]:
    """Return what to learn from and what to validate on.

    Args:
        train: of one with splits, "train" is taken; of one with none of that name, all clips that
            are not in another split.
        validation: likewise "validation". None: the split of `train`, or a part of its groups.
        seed: of that division.

    Raises:
        ConfigError: there are too few groups to divide; says what to do.
    """
    if validation is not None:
        if "validation" in validation.splits:
            validation = validation.split("validation")
        return _learned_from(train), validation
    if "validation" in train.splits:
        return _learned_from(train), train.split("validation")
    rest = _learned_from(train)
    try:
        divided = rest.divide({"train": 1 - HELD_BACK, "validation": HELD_BACK}, seed)
    except ConfigError as error:
        raise ConfigError(
            f"no validation was given, and {train.name} cannot be divided: {error} Give a corpus "
            "as validation, or more clips."
        ) from error
    train, validation = divided.split("train"), divided.split("validation")
    logger.info(
        "no validation was given: %d of %d clips are held back.", len(validation), len(rest)
    )
    return train, validation


def _learned_from(corpus: Corpus) -> Corpus:
    if "train" in corpus.splits:
        return corpus.split("train")
    taken = {i for indices in corpus.splits.values() for i in indices}
    return corpus.take(i for i in range(len(corpus)) if i not in taken) if taken else corpus


def checked(model: AudioModel, train: Corpus, validation: Corpus) -> tuple[Corpus, Corpus]:
    """Return the corpora in the model's order of labels.

    Raises:
        ConfigError: the model judges frames; its labels are not those of `train`, or its
            activation is not for such clips; a corpus is empty.
        UnknownName: a corpus has labels that the model has not.
    """
    if model.frame_wise:
        raise ConfigError(f"{model.name} judges frames; tags of whole clips cannot train it.")
    for corpus in (train, validation):
        if not len(corpus):
            raise ConfigError(f"{corpus.name} has no clips to learn from or to validate on.")
    missing = [label for label in model.labels if label not in train.labels]
    if missing:
        raise UnknownName(
            f"{model.name} has labels that {train.name} has not: {', '.join(missing)}. The corpus "
            f"has: {', '.join(train.labels)}. Give a model these with zoo.load(name, labels=[...])."
        )
    train, validation = train.with_labels(model.labels), validation.with_labels(model.labels)
    if activation(model) == "softmax":
        for corpus in (train, validation):
            if not corpus.single_label and (corpus.targets.sum(axis=1) != 1).any():
                raise ConfigError(
                    f"{model.name} gives each clip one label (softmax), and {corpus.name} has "
                    "clips with none or several: load or build it with activation='sigmoid'."
                )
    elif train.single_label:
        logger.warning(
            "%s: each clip has one label, and %s judges each label by itself (sigmoid); "
            "activation='softmax' is for that.",
            train.name,
            model.name,
        )
    shared = {clip.path for clip in train.clips} & {clip.path for clip in validation.clips}
    if shared:
        logger.warning(
            "%d files, such as %s, are both learned from and validated on: that flatters.",
            len(shared),
            min(shared),
        )
    return train, validation


def activation(model: AudioModel) -> str:
    """Return "sigmoid" or "softmax"."""
    return model.get_config()["activation"]


def whole_batches(model: AudioModel, train: Corpus, batch_size: int, count: int) -> bool:
    """Say whether the rest of an epoch must be dropped, so that `count` devices share all batches.

    Raises:
        ConfigError: the devices cannot share a batch; the model is not on them all.
    """
    devices.check_made_inside(model, count)
    drop = devices.whole_batches(batch_size, count)
    if drop and len(train) < batch_size:
        raise ConfigError(
            f"{train.name} has {len(train)} clips, fewer than the {batch_size} of a batch, which "
            f"{count} devices share: take a smaller batch_size."
        )
    return drop


def asked(
    model: AudioModel, train: Corpus, validation: Corpus, way: Way, origin: bool
) -> dict[str, Any]:
    """Return what the outcome of a run depends on, as JSON can hold it.

    Args:
        model: to be trained.
        train: to learn from.
        validation: to validate on.
        way: how.
        origin: whether the weights below the head matter: they do where training starts from them.
    """
    network = {k: v for k, v in model.get_config().items() if k != "card"}
    return {
        "model": network | ({"sha256": digest(model)} if origin else {}),
        "train": describe(train),
        "validation": describe(validation),
        "batch_size": way.batch_size,
        "segments": way.segments,
        "class_weight": way.class_weight,
        "augment": [
            # Keras counts names up within a process
            {"class": type(layer).__name__, **layer.get_config(), "name": None}
            for layer in way.augment or ()
        ],
        "seed": way.seed,
    }


def digest(model: AudioModel) -> str:
    """Return the sha256 of all weights but the head's, which may be fresh."""
    sha256 = hashlib.sha256()
    for path, variable in loading.variables(model).items():
        if path.split("/")[0] not in HEAD:
            sha256.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).tobytes())
    return sha256.hexdigest()


# --- what is trained ---


def whole(
    name: str, model: AudioModel, train: Corpus, validation: Corpus, recipe: Recipe, way: Way
) -> Phase:
    """Return the phase that trains all of a network that is trainable."""
    network = keras.Model(model.input, model.output, name=model.name)
    if way.augment:
        network = augmented(model, way.augment)
    network.supports_jit = model.supports_jit
    weights = judging.class_weights(train, way.class_weight)
    answers = model.stage("probabilities")

    def feed(epoch: int) -> dict[str, Any]:
        return {"x": way.dataset(train, model, way.segments, epoch), "class_weight": weights}

    def judge() -> dict[str, float]:
        answered, clips, seconds = way.hear(validation, answers, model)
        means = judging.clip_means(answered, clips, seconds, len(validation))
        return judging.measures(means, validation, activation(model), weights)

    generators = [v for v in network.variables if "seed_generator" in v.path]
    for i, generator in enumerate(generators):  # dropout repeats itself for the same seed
        generator.assign(np.array([way.seed, i], generator.dtype))
    steps = -(-len(train) * way.segments // way.batch_size)
    way.optimised(network, activation(model), recipe)
    return Phase(name, network, feed, judge, recipe, steps)


def augmented(model: AudioModel, augment: Layers) -> keras.Model:
    """Return a network that shares the model's weights and changes what it hears in training."""
    from zoo import augmentation

    masks = (augmentation.TimeMask, augmentation.FrequencyMask)
    return augmentation.augment(
        model,
        waveform=[layer for layer in augment if not isinstance(layer, masks)],
        features=[layer for layer in augment if isinstance(layer, masks)],
    )


# --- after ---


def finished(kind: type[Trained], model: AudioModel, lesson: str, rows: list[Row], run: Run) -> Any:
    """Write down what the model has learned, in its card and in the run's folder.

    Args:
        kind: of the result.
        model: trained.
        lesson: what it has learned, for its card.
        rows: the history.
        run: its folder.
    """
    from zoo import model_card

    origin = model_card.origin(model)
    best = fitting.best_of(rows)
    model.record(lesson)
    run.finish(model, rows, best, model_card.licence_text(origin))
    return kind(model, rows, best, run.folder)


def sizes(train: Corpus, validation: Corpus) -> str:
    """Return what was learned from, in words."""
    learned = f"{train.name}: {len(train):,} clips, {len(train.labels)} labels"
    return f"{learned}; the best epoch was chosen on {len(validation):,} others"
