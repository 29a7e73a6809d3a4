"""Fine-tuning: training a trained network on other clips, usually for other tags.

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
from zoo.training.phases import HEAD_ONLY, WHOLE, frozen_norms, train_head
from zoo.training.recipe import Recipe, read
from zoo.training.result import Trained, finished
from zoo.training.run_folder import Run
from zoo.utils.files import PathLike
from zoo.weights import loading

HEAD_RATE = 1e-3  # Adam's default
HEAD_PATIENCE = 20
HEAD_BATCH = 4  # times the batch size: embeddings need little memory


@dataclass(frozen=True, eq=False, repr=False)
class Finetuned(Trained):
    """The result of `zoo.finetune`. The phases of the history are "head" and "whole"."""

    @property
    def head_only(self) -> bool:
        """Whether the best epoch is one of the head alone."""
        return self.best["phase"] == HEAD_ONLY


def finetune(
    model: AudioModel | str,
    train: Corpus | PathLike,
    validation: Corpus | PathLike | None = None,
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
    """Train a trained network on other clips, usually for other tags.

    First the head is trained alone, on embeddings of random segments of each clip (about 24 s per
    clip), which are computed once. Then Adam trains the whole network at a lower rate. Batch
    normalisations are frozen: a few clips would spoil their statistics. After each epoch whole
    validation clips are scored. The model gets the weights of the best epoch of both phases, see
    `monitor`.

    An interrupted run resumes with the same call and the same `folder`.

    Args:
        model: from `zoo.load(name, labels=[...])`, trained in place; or a name or file, which is
            loaded with a new head for the labels of `train`.
        train: training clips, or the name of a folder or table of them. Their labels must be the
            model's. Of a corpus with splits only "train" is used.
        validation: validation clips, which decide when to stop and which epoch is best. None: the
            split "validation" of `train`, or else a fifth of its groups, chosen by `seed`.
        folder: for model.keras, history.csv, history.png and settings.json; `zoo.load` opens it.
            None writes nothing.
        epochs: most epochs of the whole network; 0 trains the head alone.
        head_epochs: most epochs of the head alone, with a patience of 20; 0 skips this phase.
        learning_rate: for the whole network.
        head_learning_rate: for the head alone.
        batch_size: segments per step.
        patience: stop after this many epochs of the whole network without a better one, see
            `monitor`; 0 never stops early.
        segments: random segments of each clip per epoch, for the whole network.
        class_weight: "balanced": all classes count the same in the loss if each clip has exactly
            one label. None: all clips count the same. See
            `zoo.training.validation.class_weights`.
        monitor: what the best epoch is chosen by, and what `patience` counts. "score": accuracy
            if each clip has exactly one label, else ROC-AUC; of equal scores, the lower validation
            loss. "loss": the lowest validation loss.
        augment: layers of `zoo.augmentation`, active only while the whole network is trained.
        seed: of the new head (if `model` is a name), the random segments and the split.
        dtype: a Keras dtype policy if `model` is a name, such as "mixed_bfloat16", which is faster
            on some devices.
        jit_compile: whether to compile with XLA; None lets Keras decide.
        distribute: split each batch over all devices. A model that is not a name must have been
            made inside `zoo.data.devices.scope`.
        cache: folder for decoded audio, which later epochs and runs read instead of the files.
        progress: show a progress bar if standard error is a terminal.

    Returns:
        `Finetuned`: the model, the history, the best epoch.

    Raises:
        ConfigError: arguments, labels or corpora are not valid or do not match; the folder holds
            something else; all clips are of one class.
        TrainingError: the training diverged.
        UnknownName: there is no such model, or model and corpus have different labels.
        AudioError: no clip could be decoded.
    """
    if not epochs and not head_epochs:
        raise ConfigError("epochs and head_epochs are both 0; one of them must be 1 or more.")
    check_monitor(monitor)
    train, validation = preparation.opened(train, validation, seed)
    head = recipe(head_learning_rate, HEAD_BATCH * batch_size, head_epochs, HEAD_PATIENCE)
    tune = recipe(learning_rate, batch_size, epochs, patience)
    with devices.scope(distribute) as count:
        if not isinstance(model, AudioModel):
            activation = "softmax" if train.single_label else "sigmoid"
            with preparation.seeded(seed):
                model = loading.load(model, train.labels, activation=activation, dtype=dtype)
        elif dtype is not None:
            raise ConfigError("dtype can be given only if the model is a name or a file.")
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
            head = head.with_(epochs=0)  # it keeps its labels and its head
        batches = Batches(model, train, validation, options)
        if tune.epochs:
            augmented(model, augment or ())  # checks the layers
        settings = {"made_by": "zoo.finetune", **preparation.requested(batches, origin=True)}
        recipes = {HEAD_ONLY: head.to_dict(), WHOLE: tune.to_dict()}
        start = training_note(model)
        with Run(folder, {**settings, "recipes": recipes}) as run, batches.plain_errors():
            rows: list[Row] = []
            if head.epochs and loop.phase_of(run.state()) != WHOLE:
                rows = train_head(batches, head, run)
            if tune.epochs:
                with frozen_norms(model):
                    phase = whole(WHOLE, batches, tune)
                    rows = loop.fit(phase, run, rows, monitor, progress=progress)
            return finished(Finetuned, model, start, batches, rows, run)


def recipe(rate: float, batch_size: int, epochs: int, patience: int) -> Recipe:
    """Return a recipe with Adam and a constant learning rate.

    Args:
        rate: learning rate.
        batch_size: segments per step.
        epochs: most epochs.
        patience: epochs without a better one before the end.

    Returns:
        The recipe.

    Raises:
        ConfigError: a value is not valid.
    """
    fields = {"learning_rate": rate, "batch_size": batch_size, "epochs": epochs}
    return read({**fields, "patience": patience, "schedule": None}, "finetune")


def training_note(model: AudioModel) -> str:
    """Return the start of a model's new training note.

    Args:
        model: before fine-tuning.

    Returns:
        Such as "fine-tuned from pons2017.mtt".
    """
    card = model.card
    if card.trained:
        return f"{card.trained}; then fine-tuned"
    origin = next(iter(card.checkpoints), card.origin) or f"an untrained {model.architecture}"
    return f"fine-tuned from {origin}"
