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
from zoo.weights import keras_models, loading

__all__ = ["Recipe", "Trained", "train"]


def train(
    model: AudioModel | str,
    train: Corpus | PathLike,
    validation: Corpus | PathLike | None = None,
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
    """Train a network from scratch, with the settings of its paper where the paper gives them.

    After each epoch whole validation clips are scored. The model gets the weights of the best
    epoch, see `monitor`. An interrupted run resumes with the same call and the same `folder`.

    Args:
        model: an architecture of `zoo.list_models(trained=False)`, which is built with the labels
            of `train`; or a model from `zoo.build`, which is trained in place.
        train: training clips, or the name of a folder or table of them. Of a corpus with splits
            only "train" is used.
        validation: validation clips, which decide when to stop and which epoch is best. None: the
            split "validation" of `train`, or else a fifth of its groups, chosen by `seed`.
        folder: for model.keras, history.csv, history.png and settings.json; `zoo.load` opens it.
            None writes nothing.
        recipe: the settings; None for TRAINING in the model file.
        epochs: most epochs. This and the next three replace the recipe's values; None keeps them.
        batch_size: segments per step.
        learning_rate: at the start.
        patience: stop after this many epochs without a better one, see `monitor`; 0 never stops
            early.
        segments: random segments of each clip per epoch.
        class_weight: "balanced": all classes count the same in the loss if each clip has exactly
            one label. None: all clips count the same. See
            `zoo.training.validation.class_weights`.
        monitor: what the best epoch is chosen by, and what `patience` counts. "score": accuracy
            if each clip has exactly one label, else ROC-AUC; of equal scores, the lower validation
            loss. "loss": the lowest validation loss.
        augment: layers of `zoo.augmentation`, active only in training.
        seed: of the first weights (if `model` is a name), the random segments and the split.
        options: for `zoo.build` if `model` is a name, such as {"backend": "attention"}.
        dtype: a Keras dtype policy if `model` is a name, such as "mixed_bfloat16", which is faster
            on some devices.
        jit_compile: whether to compile with XLA; None lets Keras decide.
        distribute: split each batch over all devices. A model that is not a name must have been
            made inside `zoo.data.devices.scope`.
        cache: folder for decoded audio, which later epochs and runs read instead of the files.
        progress: show a progress bar if standard error is a terminal.

    Returns:
        `Trained`: the model, the history, the best epoch.

    Raises:
        ConfigError: arguments, labels or corpora are not valid or do not match; the folder holds
            something else; all clips are of one class.
        TrainingError: the training diverged.
        UnknownName: there is no such architecture, or model and corpus have different labels.
        AudioError: no clip could be decoded.
    """
    check_monitor(monitor)
    train, validation = preparation.opened(train, validation, seed)
    with devices.scope(distribute) as count:
        if isinstance(model, str):
            check_architecture(model)
            activation = "softmax" if train.single_label else "sigmoid"
            arguments = {"activation": activation, "dtype": dtype, **(options or {})}
            onsets = lookup.info(model).architecture.task == "onsets"
            with preparation.seeded(seed):
                model = keras_models.build(
                    model, ["onset"] if onsets else train.labels, **arguments
                )
        elif options or dtype is not None:
            raise ConfigError("options and dtype can be given only if the model is a name.")
        train, validation = preparation.checked(model, train, validation)
        recipe = (recipe or recipes.of(model.architecture)).with_(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, patience=patience
        )
        if not recipe.epochs:
            raise ConfigError("epochs is 0; training needs 1 or more.")
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
        augmented(model, augment or ())  # checks the layers
        settings = {"made_by": "zoo.train", **preparation.requested(batches, origin=False)}
        with (
            Run(folder, {**settings, "recipe": recipe.to_dict()}) as run,
            batches.plain_errors(),
        ):
            phase = whole("train", batches, recipe)
            rows = loop.fit(phase, run, [], monitor, progress=progress)
            return finished(Trained, model, "trained from scratch", batches, rows, run)


def check_architecture(name: str) -> None:
    """Check the name of an architecture.

    Args:
        name: such as "pons2017".

    Raises:
        ConfigError: it is a file of a trained model.
        UnknownName: there is no such architecture.
    """
    if name in lookup.architectures():
        return
    if loading.is_file_name(name):
        raise ConfigError(
            f"{name} is a file or folder of a trained model; expected an architecture of `zoo list "
            "--untrained`. To train this model further, use zoo.finetune."
        )
    raise lookup.unknown(name)
