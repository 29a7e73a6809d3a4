"""Teaching a trained network other tags.

For instance:

    songs = zoo.data.from_folder("songs")
    model = zoo.load("pons2017", labels=songs.labels, activation="softmax")
    tuned = zoo.finetune(model, songs, folder="out")
    tuned.model.tag("song.mp3")
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import feeding, fitting, judging, loading, preparing
from zoo.data import devices
from zoo.data.corpus import Corpus
from zoo.errors import ConfigError
from zoo.feeding import Layers, Way
from zoo.files import PathLike
from zoo.fitting import Phase
from zoo.model import HEAD, AudioModel
from zoo.recipe import Recipe, read
from zoo.runs import Row, Run
from zoo.trained import Trained, finished, sizes

logger = logging.getLogger(__name__)

HEAD_ONLY, WHOLE = "head", "whole"
HEAD_RATE = 1e-3  # Adam's default
HEAD_PATIENCE = 20
HEAD_BATCH = 4  # times the batch size: embeddings are cheap, and several devices can share it
HEARD = 24.0  # seconds of a clip, about, that the head learns from

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Finetuned(Trained):
    """What came of a fine-tuning. The phases of the history are "head" and "whole"."""

    @property
    def head_only(self) -> bool:
        """Whether fine-tuning the whole network did not beat the head alone."""
        return self.best["phase"] == HEAD_ONLY


def finetune(
    model: AudioModel | str,
    train: Corpus,
    validation: Corpus | None = None,
    *,
    folder: PathLike | None = None,
    epochs: int = 30,
    head_epochs: int = 200,
    learning_rate: float = 1e-4,
    head_learning_rate: float = HEAD_RATE,
    batch_size: int = 16,
    patience: int = 6,
    segments: int = 1,
    class_weight: str | None = "balanced",
    augment: Layers | None = None,
    seed: int = 0,
    dtype: Any = None,
    jit_compile: bool | None = None,
    distribute: bool = False,
    cache: PathLike | None = None,
    progress: bool = True,
) -> Finetuned:
    """Train a network further, on other clips and usually for other tags.

    First the head alone, on what the network below says of random segments of each clip (about 24 s
    of it), which is computed once. Then the whole network at a lower rate, by Adam. There batch
    normalisations stay as in inference: neither their moving averages nor their scales and offsets
    change, for a few clips would spoil what they learned of many. After each epoch whole clips of
    the validation are scored. The model gets the weights with the lowest validation loss: those of
    the head phase too are in the running.

    Killed, the same call with the same `folder` goes on where it was.

    Args:
        model: from `zoo.load(name, labels=[...])`, trained in place; or a name or file, which is
            loaded with a fresh head for the labels of `train`.
        train: the clips to learn from; its labels must be the model's. Of a corpus with splits only
            "train" is used.
        validation: the clips that decide when to stop and what is best. None: the split
            "validation" of `train`, or else a fifth of its groups, drawn by `seed`.
        folder: for model.keras, history.csv, history.png and settings.json; `zoo.load` opens it.
            None writes nothing.
        epochs: of the whole network, at most; 0 trains the head alone.
        head_epochs: of the head alone, at most, with a patience of 20; 0 leaves it out.
        learning_rate: of the whole network.
        head_learning_rate: of the head alone.
        batch_size: segments a step.
        patience: epochs of the whole network without a better validation loss before the end.
        segments: random ones of each clip an epoch, for the whole network.
        class_weight: "balanced": all classes count the same in the loss, where each clip has
            exactly one; None: all clips do. See `zoo.judging.class_weights`.
        augment: layers of `zoo.augmentation`, which work in training the whole network only.
        seed: of the fresh head (if `model` is a name), of what is drawn, of the division.
        dtype: a Keras dtype policy if `model` is a name, such as "mixed_bfloat16" for devices that
            are faster with it.
        jit_compile: whether to compile with XLA; None leaves it to Keras.
        distribute: share each batch out to all devices. A model that is no name must have been
            made inside `zoo.data.devices.scope`.
        cache: folder for decoded sounds, which later epochs and runs read instead of the files.
        progress: show a bar, if standard error is a terminal.

    Returns:
        `Finetuned`: the model, the history, the best epoch.

    Raises:
        ConfigError: arguments, labels or corpora that do not fit; the folder holds something else;
            the training diverged.
        UnknownName: no such model; labels that the model or the corpus has not.
        AudioError: not one clip could be heard.
    """
    if not epochs and not head_epochs:
        raise ConfigError("epochs and head_epochs are both 0; there is nothing to do.")
    train, validation = preparing.parted(train, validation, seed)
    head = recipe(head_learning_rate, HEAD_BATCH * batch_size, head_epochs, HEAD_PATIENCE)
    tune = recipe(learning_rate, batch_size, epochs, patience)
    with devices.scope(distribute) as count:
        if not isinstance(model, AudioModel):
            activation = "softmax" if train.single_label else "sigmoid"
            with preparing.seeded(seed):
                model = loading.load(model, train.labels, activation=activation, dtype=dtype)
        elif dtype is not None:
            raise ConfigError("dtype is for a model that is given by its name.")
        train, validation = preparing.checked(model, train, validation)
        way = Way(
            batch_size=batch_size,
            segments=segments,
            class_weight=class_weight,
            augment=augment,
            seed=seed,
            jit_compile=jit_compile,
            cache=cache,
            drop_remainder=preparing.whole_batches(model, train, batch_size, count),
            progress=progress,
        )
        if model.frame_wise:
            head = head.with_(epochs=0)  # its labels are the same, and so is its head
        asked = preparing.asked(model, train, validation, way, origin=True)
        recipes = {HEAD_ONLY: head.to_dict(), WHOLE: tune.to_dict()}
        run = Run(folder, {"made_by": "zoo.finetune", **asked, "recipes": recipes})
        rows: list[Row] = []
        with feeding.plainly():
            if head.epochs and fitting.phase_of(run.state()) != WHOLE:
                rows = train_head(model, train, validation, head, way, run)
            if tune.epochs:
                with norms_at_rest(model):
                    phase = feeding.whole(WHOLE, model, train, validation, tune, way)
                    rows = fitting.fit(phase, run, rows, progress=progress)
    lesson = f"{before(model)} on {sizes(train, validation)}"
    return finished(Finetuned, model, lesson, rows, run)


def recipe(rate: float, batch_size: int, epochs: int, patience: int) -> Recipe:
    """Return a recipe with Adam at a rate that stays."""
    fields = {"learning_rate": rate, "batch_size": batch_size, "epochs": epochs}
    return read({**fields, "patience": patience, "schedule": None}, "finetune")


def before(model: AudioModel) -> str:
    """Return the start of what its card will say of a model, as it is before fine-tuning."""
    card = model.card
    if card.trained:
        return f"{card.trained}; then fine-tuned"
    origin = next(iter(card.checkpoints), card.origin) or f"an untrained {model.architecture}"
    return f"fine-tuned from {origin}"


# --- the head ---


def train_head(
    model: AudioModel, train: Corpus, validation: Corpus, head: Recipe, way: Way, run: Run
) -> list[Row]:
    """Train the head alone, in place; return the history.

    It sees embeddings whose units have zero mean and a variance near one, so that one learning
    rate suits all architectures. It starts as the model's own, or from zero if that was never
    trained, and in the end the scaling goes into its weights.
    """
    heard = run.once("embeddings", lambda: embeddings(model, train, validation, way))
    x, y = heard["x"], train.targets[heard["x_clips"]]
    mean, scale = x.mean(axis=0), scale_of(x)
    x, held = (x - mean) / scale, (heard["held"] - mean) / scale
    weights = judging.class_weights(train, way.class_weight)
    (ours,) = (model.get_layer(name) for name in HEAD)
    network = keras.Sequential([keras.Input(x.shape[1:]), like(ours, model.activation)])
    network.supports_jit = model.supports_jit
    way.compiled(network, model.activation, head)
    kernel, bias = ours.get_weights()
    if not bias.any():  # fresh: chance would have its say for long, and in some directions for ever
        kernel = np.zeros_like(kernel)
    network.set_weights([kernel * scale[:, None], bias + mean @ kernel])
    size = head.batch_size if len(x) > head.batch_size else way.batch_size

    def feed(epoch: int) -> dict[str, Any]:
        order = np.random.default_rng((way.seed, epoch)).permutation(len(x))
        if way.drop_remainder:
            order = order[: len(x) // size * size]
        return {"x": x[order], "y": y[order], "class_weight": weights, "batch_size": size}

    def judge() -> dict[str, float]:
        kernel, bias = network.get_weights()
        values = probabilities(held, kernel, bias, model.activation)
        means = judging.clip_means(values, heard["clips"], heard["seconds"], len(validation))
        return judging.measures(
            means, validation.targets, validation.single_label, model.activation, weights
        )

    phase = Phase(HEAD_ONLY, network, feed, judge, head, steps=-(-len(x) // size))
    rows = fitting.fit(phase, run, [], progress=way.progress)
    kernel, bias = network.get_weights()
    kernel = kernel / scale[:, None]
    ours.set_weights([kernel, bias - mean @ kernel])
    return rows


def scale_of(x: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each unit, raised to a tenth of the typical one.

    A unit that hardly moves on the training clips may well move on others, and must not be blown up
    out of proportion.
    """
    deviation = x.std(axis=0)
    floor = 0.1 * np.sqrt(np.mean(np.square(deviation)))
    return np.maximum(deviation, floor if floor > 0 else 1)


def like(head: keras.layers.Dense, activation: str) -> keras.layers.Dense:
    """Return a head of as many labels, with its activation, in float32."""
    return keras.layers.Dense(head.units, activation=activation, dtype="float32")


def probabilities(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, activation: str
) -> np.ndarray:
    """Return what a head says: (segments, units) -> (segments, labels)."""
    logits = (x @ kernel + bias).astype("float64")
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def embeddings(model: AudioModel, train: Corpus, validation: Corpus, way: Way) -> Arrays:
    """Return what the network below the head says of both corpora.

    Returns:
        Of random segments of the training clips "x" (segments, units) and "x_clips" (segments,),
        the number of the clip; of all segments of the validation clips "held" (segments, units),
        "clips" (segments,) and "seconds" (segments,), how much sound each adds.
    """
    below = model.stage(model.stages[model.stages.index(HEAD[0]) - 1])
    each = max(1, round(HEARD * model.sample_rate / model.segmentation.segment))
    logger.info("hearing %d segments each of %d clips", each, len(train))
    x, x_clips, _ = judging.hear(below, way.some(train, model, each), way.batch_size)
    held, clips, seconds = judging.hear(below, way.all(validation, model), way.batch_size)
    return {"x": x, "x_clips": x_clips, "held": held, "clips": clips, "seconds": seconds}


# --- the whole network ---


@contextmanager
def norms_at_rest(model: keras.Model) -> Iterator[None]:
    """Keep batch normalisations as in inference, those inside of other layers too."""
    layers = model._flatten_layers()  # Keras has no public way to those inside of layers
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [norm.trainable for norm in norms]
    for norm in norms:
        norm.trainable = False
    try:
        yield
    finally:
        for norm, trainable in zip(norms, before, strict=True):
            norm.trainable = trainable
