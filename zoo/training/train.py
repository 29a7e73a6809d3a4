"""Training a network from scratch.

For instance:

    songs = zoo.data.from_folder("songs")
    trained = zoo.train("dieleman2014", songs, folder="out")
    trained.model.tag("song.mp3")
"""

from collections.abc import Mapping
from typing import Any

from zoo.data import devices
from zoo.data.corpus import Corpus
from zoo.errors import ConfigError
from zoo.inference.audio_model import AudioModel
from zoo.registry import lookup
from zoo.training import loop, preparation
from zoo.training import recipe as recipes
from zoo.training.augment import Layers, augmented
from zoo.training.batches import Batches, TrainingOptions, whole
from zoo.training.history import check_monitor
from zoo.training.recipe import Recipe
from zoo.training.result import Trained, finished
from zoo.training.run_folder import Run
from zoo.utils.files import PathLike
from zoo.weights import loading

__all__ = ["Recipe", "Trained", "train"]


def train(
    model: AudioModel | str,
    train: Corpus,
    validation: Corpus | None = None,
    *,
    folder: PathLike | None = None,
    recipe: Recipe | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    patience: int | None = None,
    segments: int = 1,
    class_weight: str | None = "balanced",
    monitor: str = "score",
    augment: Layers | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    dtype: Any = None,
    jit_compile: bool | None = None,
    distribute: bool = False,
    cache: PathLike | None = None,
    progress: bool = True,
) -> Trained:
    """Train a network from scratch, as its paper says where it says so.

    After each epoch whole clips of the validation are scored. The model gets the weights of the
    best epoch, see `monitor`. Killed, the same call with the same `folder` goes on where it was.

    Args:
        model: an architecture of `zoo.list_models(trained=False)`, which is built with the labels
            of `train`; or a model from `zoo.build`, which is trained in place.
        train: the clips to train on. Of a corpus with splits only "train" is used.
        validation: the clips that decide when to stop and what is best. None: the split
            "validation" of `train`, or else a fifth of its groups, chosen by `seed`.
        folder: for model.keras, history.csv, history.png and settings.json; `zoo.load` opens it.
            None writes nothing.
        recipe: None for the paper's, TRAINING in the model file.
        epochs: at most, in place of the recipe's; so are the next three.
        batch_size: segments a step.
        learning_rate: at the start.
        patience: epochs without a better one, see `monitor`, before the end; 0 for no such end.
        segments: random ones of each clip an epoch.
        class_weight: "balanced": all classes count the same in the loss, where each clip has
            exactly one; None: all clips do. See `zoo.training.validation.class_weights`.
        monitor: what the best epoch is chosen by, and what `patience` waits for. "score": the
            score that is reported, accuracy where each clip has exactly one label, else ROC-AUC;
            of equal ones the epoch with the lower validation loss. "loss": the lowest validation
            loss.
        augment: layers of `zoo.augmentation`, which work in training only.
        seed: of the first weights (if `model` is a name), of the random segments, of the split.
        options: for `zoo.build` if `model` is a name, such as {"backend": "attention"}.
        dtype: a Keras dtype policy if `model` is a name, such as "mixed_bfloat16" for devices that
            are faster with it.
        jit_compile: whether to compile with XLA; None leaves it to Keras.
        distribute: share each batch out to all devices. A model that is no name must have been
            made inside `zoo.data.devices.scope`.
        cache: folder for decoded sounds, which later epochs and runs read instead of the files.
        progress: show a bar, if standard error is a terminal.

    Returns:
        `Trained`: the model, the history, the best epoch.

    Raises:
        ConfigError: arguments, labels or corpora that do not fit; the folder holds something else;
            all clips are of one class.
        TrainingError: the training diverged.
        UnknownName: no such architecture; labels that the model or the corpus has not.
        AudioError: not one clip could be decoded.
    """
    check_monitor(monitor)
    train, validation = preparation.split(train, validation, seed)
    with devices.scope(distribute) as count:
        if isinstance(model, str):
            check_architecture(model)
            activation = "softmax" if train.single_label else "sigmoid"
            given = {"activation": activation, "dtype": dtype, **(options or {})}
            onsets = lookup.info(model).architecture.task == "onsets"
            with preparation.seeded(seed):
                model = loading.build(model, ["onset"] if onsets else train.labels, **given)
        elif options or dtype is not None:
            raise ConfigError("options and dtype are for a model that is given by its name.")
        train, validation = preparation.checked(model, train, validation)
        recipe = (recipe or recipes.of(model.architecture)).with_(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, patience=patience
        )
        if not recipe.epochs:
            raise ConfigError("epochs is 0; training needs at least 1.")
        training_options = TrainingOptions(
            batch_size=recipe.batch_size,
            segments=segments,
            class_weight=class_weight,
            monitor=monitor,
            augment=augment,
            seed=seed,
            jit_compile=jit_compile,
            cache=cache,
            drop_remainder=preparation.whole_batches(model, train, recipe.batch_size, count),
            progress=progress,
        )
        batches = Batches(model, train, validation, training_options)
        augmented(model, augment or ())  # refuses layers that do not fit
        settings = {"made_by": "zoo.train", **preparation.requested(batches, origin=False)}
        with (
            Run(folder, {**settings, "recipe": recipe.to_dict()}) as run,
            batches.plain_errors(),
        ):
            phase = whole("train", batches, recipe)
            rows = loop.fit(phase, run, [], monitor, progress=progress)
            return finished(Trained, model, "trained from scratch", batches, rows, run)


def check_architecture(name: str) -> None:
    """Raise if a name is that of something trained, or of nothing."""
    if name not in lookup.architectures() and loading.is_file_name(name):
        raise ConfigError(
            f"{name} is a file or folder of a trained model, where an architecture of `zoo list "
            "--untrained` is expected. zoo.finetune trains it further."
        )
    if name not in lookup.architectures():
        raise lookup.unknown(name)
