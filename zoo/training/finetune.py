"""Training a trained network further, for other tags.

For instance:

    songs = zoo.data.from_folder("songs")
    model = zoo.load("pons2017", labels=songs.labels, activation="softmax")
    tuned = zoo.finetune(model, songs, folder="out")
    tuned.model.tag("song.mp3")
"""

from dataclasses import dataclass
from typing import Any

from zoo.data import devices
from zoo.data.corpus import Corpus
from zoo.errors import ConfigError
from zoo.inference.audio_model import AudioModel
from zoo.training import loop, preparation
from zoo.training.augment import Layers, augmented
from zoo.training.batches import Batches, TrainingOptions, whole
from zoo.training.history import Row, check_monitor
from zoo.training.phases import HEAD_ONLY, WHOLE, norms_at_rest, train_head
from zoo.training.recipe import Recipe, read
from zoo.training.result import Trained, finished
from zoo.training.run_folder import Run
from zoo.utils.files import PathLike
from zoo.weights import loading

HEAD_RATE = 1e-3  # Adam's default
HEAD_PATIENCE = 20
HEAD_BATCH = 4  # times the batch size: embeddings are cheap, and several devices can share it


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
    monitor: str = "score",
    augment: Layers | None = None,
    seed: int = 0,
    dtype: Any = None,
    jit_compile: bool | None = None,
    distribute: bool = False,
    cache: PathLike | None = None,
    progress: bool = True,
) -> Finetuned:
    """Train a network further, on other clips and usually for other tags.

    First the head alone, on embeddings of random segments of each clip (about 24 s of it), computed
    once. Then the whole network at a lower rate, by Adam. There batch normalisations stay as in
    inference: neither their moving averages nor their scales and offsets change, for a few clips
    would spoil what they learned of many. After each epoch whole clips of the validation are
    scored. The model gets the weights of the best epoch of both phases, see `monitor`.

    Killed, the same call with the same `folder` goes on where it was.

    Args:
        model: from `zoo.load(name, labels=[...])`, trained in place; or a name or file, which is
            loaded with a fresh head for the labels of `train`.
        train: the clips to train on; its labels must be the model's. Of a corpus with splits only
            "train" is used.
        validation: the clips that decide when to stop and what is best. None: the split
            "validation" of `train`, or else a fifth of its groups, chosen by `seed`.
        folder: for model.keras, history.csv, history.png and settings.json; `zoo.load` opens it.
            None writes nothing.
        epochs: of the whole network, at most; 0 trains the head alone.
        head_epochs: of the head alone, at most, with a patience of 20; 0 leaves it out.
        learning_rate: of the whole network.
        head_learning_rate: of the head alone.
        batch_size: segments a step.
        patience: epochs of the whole network without a better one, see `monitor`, before the end.
        segments: random ones of each clip an epoch, for the whole network.
        class_weight: "balanced": all classes count the same in the loss, where each clip has
            exactly one; None: all clips do. See `zoo.training.validation.class_weights`.
        monitor: what the best epoch is chosen by, and what `patience` waits for. "score": the
            score that is reported, accuracy where each clip has exactly one label, else ROC-AUC;
            of equal ones the epoch with the lower validation loss. "loss": the lowest validation
            loss.
        augment: layers of `zoo.augmentation`, which work in training the whole network only.
        seed: of the fresh head (if `model` is a name), of the random segments, of the split.
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
            all clips are of one class.
        TrainingError: the training diverged.
        UnknownName: no such model; labels that the model or the corpus has not.
        AudioError: not one clip could be decoded.
    """
    if not epochs and not head_epochs:
        raise ConfigError("epochs and head_epochs are both 0; there is nothing to do.")
    check_monitor(monitor)
    train, validation = preparation.split(train, validation, seed)
    head = recipe(head_learning_rate, HEAD_BATCH * batch_size, head_epochs, HEAD_PATIENCE)
    tune = recipe(learning_rate, batch_size, epochs, patience)
    with devices.scope(distribute) as count:
        if not isinstance(model, AudioModel):
            activation = "softmax" if train.single_label else "sigmoid"
            with preparation.seeded(seed):
                model = loading.load(model, train.labels, activation=activation, dtype=dtype)
        elif dtype is not None:
            raise ConfigError("dtype is for a model that is given by its name.")
        train, validation = preparation.checked(model, train, validation)
        options = TrainingOptions(
            batch_size=batch_size,
            segments=segments,
            class_weight=class_weight,
            monitor=monitor,
            augment=augment,
            seed=seed,
            jit_compile=jit_compile,
            cache=cache,
            drop_remainder=preparation.whole_batches(model, train, batch_size, count),
            progress=progress,
        )
        if model.frame_wise:
            head = head.with_(epochs=0)  # its labels are the same, and so is its head
        batches = Batches(model, train, validation, options)
        if tune.epochs:
            augmented(model, augment or ())  # refuses layers that do not fit
        settings = {"made_by": "zoo.finetune", **preparation.requested(batches, origin=True)}
        recipes = {HEAD_ONLY: head.to_dict(), WHOLE: tune.to_dict()}
        start = before(model)
        with Run(folder, {**settings, "recipes": recipes}) as run, batches.plain_errors():
            rows: list[Row] = []
            if head.epochs and loop.phase_of(run.state()) != WHOLE:
                rows = train_head(batches, head, run)
            if tune.epochs:
                with norms_at_rest(model):
                    phase = whole(WHOLE, batches, tune)
                    rows = loop.fit(phase, run, rows, monitor, progress=progress)
            return finished(Finetuned, model, start, batches, rows, run)


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
