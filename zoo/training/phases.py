"""The first phase of fine-tuning: the head alone, on embeddings."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from zoo.inference import prediction
from zoo.inference.audio_model import HEAD
from zoo.training import loop
from zoo.training.batches import Batches
from zoo.training.history import Row
from zoo.training.loop import Phase
from zoo.training.recipe import Recipe
from zoo.training.run_folder import Run
from zoo.training.validation import measures

logger = logging.getLogger(__name__)

HEAD_SECONDS = 24.0  # of each clip, about, to train the head on
HEAD_ONLY, WHOLE = "head", "whole"

Arrays = dict[str, np.ndarray]


# --- the head ---


def train_head(batches: Batches, head: Recipe, run: Run) -> list[Row]:
    """Train the head alone, in place.

    Its inputs are embeddings, scaled to zero mean and a variance near one, so that one learning
    rate suits all architectures. It starts from the model's head, or from zeros if that is new.
    After training the scaling is moved into its weights.

    Args:
        batches: model, clips and options.
        head: the recipe.
        run: saves embeddings and state.

    Returns:
        The history.
    """
    model, options = batches.model, batches.options
    validation, weights = batches.validation.corpus, batches.weights
    embedded = run.once("embeddings", lambda: embeddings(batches))
    x, y = embedded["x"], batches.train.corpus.targets[embedded["x_clips"]]
    mean, scale = x.mean(axis=0), scale_of(x)
    x, x_validation = (x - mean) / scale, (embedded["held"] - mean) / scale
    (layer,) = (model.get_layer(name) for name in HEAD)
    dense = keras.layers.Dense(layer.units, activation=model.activation, dtype="float32")
    network = keras.Sequential([keras.Input(x.shape[1:]), dense])
    network.supports_jit = model.supports_jit
    loop.compile_network(network, model.activation, head, options.jit_compile)
    kernel, bias = layer.get_weights()
    if not bias.any():  # a new head: its random weights would slow training down
        kernel = np.zeros_like(kernel)
    network.set_weights([kernel * scale[:, None], bias + mean @ kernel])
    size = head.batch_size if len(x) > head.batch_size else options.batch_size

    def feed(epoch: int) -> dict[str, Any]:
        order = np.random.default_rng((options.seed, epoch)).permutation(len(x))
        if options.drop_remainder:
            order = order[: len(x) // size * size]
        return {"x": x[order], "y": y[order], "class_weight": weights, "batch_size": size}

    def validate() -> dict[str, float]:
        kernel, bias = network.get_weights()
        values = probabilities(x_validation, kernel, bias, model.activation)
        means = prediction.clip_means(
            values, embedded["clips"], embedded["seconds"], len(validation)
        )
        return measures(
            means, validation.targets, validation.single_label, model.activation, weights
        )

    phase = Phase(HEAD_ONLY, network, feed, validate, head, steps=-(-len(x) // size))
    rows = loop.fit(phase, run, [], options.monitor, progress=options.progress)
    kernel, bias = network.get_weights()
    kernel = kernel / scale[:, None]
    layer.set_weights([kernel, bias - mean @ kernel])
    return rows


def scale_of(x: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each unit, at least a tenth of the typical one.

    A unit that hardly varies on the training clips may vary on others. Without a minimum its scaled
    values would become too large there.

    Args:
        x: (segments, units).

    Returns:
        (units,).
    """
    deviation = x.std(axis=0)
    floor = 0.1 * np.sqrt(np.mean(np.square(deviation)))
    return np.maximum(deviation, floor if floor > 0 else 1)


def probabilities(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, activation: str
) -> np.ndarray:
    """Return the predictions of a head.

    Args:
        x: embeddings (segments, units).
        kernel: (units, labels).
        bias: (labels,).
        activation: "sigmoid" or "softmax".

    Returns:
        (segments, labels) in [0, 1].
    """
    logits = (x @ kernel + bias).astype("float64")
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def embeddings(batches: Batches) -> Arrays:
    """Return the head's inputs for both corpora.

    Args:
        batches: model, clips and options.

    Returns:
        For random segments of the training clips "x" (segments, units) and "x_clips" (segments,),
        the index of the clip. For all segments of the validation clips "held" (segments, units),
        "clips" (segments,), and "seconds" (segments,): the time that no earlier segment covers.
    """
    model, size = batches.model, batches.options.batch_size
    below = model.stage(model.stages[model.stages.index(HEAD[0]) - 1])
    each = max(1, round(HEAD_SECONDS * model.sample_rate / model.segmentation.segment))
    logger.info("embedding %d segments each of %d clips", each, len(batches.train.corpus))
    x, x_clips, _ = prediction.predict_batches(below, batches.random_segments(each), size)
    x_validation, clips, seconds = prediction.predict_batches(
        below, batches.validation_segments, size
    )
    # These names are in the run folders of version 0.1.0.
    return {"x": x, "x_clips": x_clips, "held": x_validation, "clips": clips, "seconds": seconds}


# --- the whole network ---


@contextmanager
def frozen_norms(model: keras.Model) -> Iterator[None]:
    """Freeze all batch normalisations, also those inside other layers.

    Args:
        model: changed in place, and back at the end.

    Yields:
        Nothing.
    """
    layers = model._flatten_layers()  # Keras has no public method for layers inside layers
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [norm.trainable for norm in norms]
    for norm in norms:
        norm.trainable = False
    try:
        yield
    finally:
        for norm, trainable in zip(norms, before, strict=True):
            norm.trainable = trainable
