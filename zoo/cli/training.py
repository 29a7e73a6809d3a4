"""`zoo finetune` and `zoo train`: train a network, in a folder that `zoo tag -m` takes."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import zoo
from zoo.cli.common import Command, import_framework, output_option, with_options
from zoo.utils.options import option

if TYPE_CHECKING:
    from zoo.training.result import Trained


# name on the command line -> layer of `zoo.augmentation`, used with its defaults
AUGMENTATIONS = {
    "gain": "Gain",
    "noise": "Noise",
    "mixup": "Mixup",
    "time-mask": "TimeMask",
    "frequency-mask": "FrequencyMask",
}

OPTIONS = (
    click.option(
        "--data",
        required=True,
        metavar="FOLDER_OR_TABLE",
        help="The training clips: a folder with a subfolder for each class; a table (CSV, TSV, "
        "JSONL) with the columns path and tags; or a dataset, such as mtat:FOLDER. '#train' after "
        "it uses only that split.",
    ),
    output_option(
        required=True,
        help="The folder to write: a new one, or that of an interrupted run, which resumes.",
    ),
    click.option(
        "--validation",
        metavar="FOLDER_OR_TABLE",
        help="The validation clips, named as in --data. They decide when to stop and which epoch "
        "is best. Default: the split 'validation' of the data, or else a fifth of its groups.",
    ),
    click.option(
        "--epochs",
        type=click.IntRange(0),
        help="Maximum number of epochs. Default: 30 for finetune, the paper's for train.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        help="Segments per step. Default: 16 for finetune, the paper's for train.",
    ),
    click.option(
        "--learning-rate",
        type=float,
        help="Learning rate at the start. Default: 0.0001 for finetune, the paper's for train.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(0),
        help="Stop after this many epochs without improvement; 0 never stops early. Default: 6 for "
        "finetune, the paper's for train.",
    ),
    click.option(
        "--monitor",
        type=click.Choice(["score", "loss"]),
        default="score",
        help="Keep the epoch with the best validation score (accuracy if each clip has one label, "
        "else ROC-AUC), or with the lowest validation loss. --patience uses the same value.",
    ),
    click.option(
        "--segments",
        type=click.IntRange(1),
        default=1,
        help="Number of random segments of each clip per epoch.",
    ),
    click.option(
        "--augment",
        help=f"Augment the training clips: a list of {','.join(AUGMENTATIONS)}, or 'all'. Default: "
        "no augmentation.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        help="Seed of new weights, random segments and the split.",
    ),
    click.option(
        "--dtype",
        help="Keras dtype policy, such as mixed_bfloat16, which is faster on some devices. "
        "Default: that of Keras, usually float32.",
    ),
    click.option("--jit-compile", is_flag=True, help="Compile with XLA. Default: Keras decides."),
    click.option("--distribute", is_flag=True, help="Split each batch over all devices."),
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Save decoded audio in this folder, so that epochs after the first are faster. "
        "Default: no cache.",
    ),
)


@click.command("finetune", cls=Command)
@click.argument("name")
@with_options(OPTIONS)
@click.option(
    "--head-epochs",
    type=click.IntRange(0),
    help="Maximum number of epochs for the head alone; 0 skips this phase. Default: 200.",
)
def finetune_command(name: str, head_epochs: int | None, **given: Any) -> None:
    """Train the checkpoint NAME on your own clips and tags.

    First the head is trained alone, then the whole network at a lower learning rate. OUTPUT gets
    model.keras, history.csv, history.png and settings.json; `zoo tag -m OUTPUT song.flac` uses it.
    After an interruption the same command resumes.
    """
    run(lambda arguments: zoo.finetune(name, **arguments), head_epochs=head_epochs, **given)


@click.command("train", cls=Command)
@click.argument("architecture")
@with_options(OPTIONS)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the architecture, its back-end or `zoo.build`. Can be given several times.",
)
def train_command(architecture: str, options: tuple[str, ...], **given: Any) -> None:
    """Train ARCHITECTURE from scratch on your own clips, with the settings of its paper.

    OUTPUT gets model.keras, history.csv, history.png and settings.json; `zoo tag -m OUTPUT
    song.flac` uses it. After an interruption the same command resumes.
    """
    values = dict(map(option, options))
    run(lambda arguments: zoo.train(architecture, options=values, **arguments), **given)


def run(
    function: Callable[[dict[str, Any]], "Trained"],
    *,
    data: str,
    output: Path,
    validation: str | None,
    augment: str | None,
    jit_compile: bool,
    **given: Any,
) -> None:
    """Open the corpora, train, and print the result.

    Args:
        function: trains, with the arguments of `zoo.train`.
        data: name of the training corpus.
        output: the run folder.
        validation: name of the validation corpus; None for none.
        augment: names of augmentations, with commas; None for none.
        jit_compile: True to compile with XLA; False lets Keras decide.
        **given: other arguments; None for their default.

    Raises:
        click.ClickException: the training was interrupted.
    """
    names = augmentations(augment)
    import_framework()
    from zoo.data import open_corpus
    from zoo.training import run_folder

    run_folder.check_free(output)
    corpora = {"train": open_corpus(data)}
    if validation is not None:
        corpora["validation"] = open_corpus(validation)
    arguments = {
        **corpora,
        "folder": output,
        "augment": layers(names),
        "jit_compile": jit_compile or None,
        **{key: value for key, value in given.items() if value is not None},
    }
    try:
        with logging_to_stderr():
            trained = function(arguments)
    except KeyboardInterrupt:
        hint = " The same command resumes." if (output / "state.npz").is_file() else ""
        raise click.ClickException(f"interrupted.{hint}") from None
    click.echo(summary(trained, output))


def augmentations(text: str | None) -> list[str]:
    """Return the names of augmentations in a list with commas.

    Args:
        text: the list, or "all"; None for none.

    Returns:
        The names.

    Raises:
        click.UsageError: a name is unknown.
    """
    if text is None:
        return []
    names = list(AUGMENTATIONS) if text == "all" else text.split(",")
    for name in names:
        if name not in AUGMENTATIONS:
            raise click.UsageError(
                f"--augment {text}: {name!r} is unknown; choose from {', '.join(AUGMENTATIONS)}."
            )
    return names


def layers(names: list[str]) -> list | None:
    """Make augmentation layers with their defaults.

    Args:
        names: from `augmentations`.

    Returns:
        The layers; None for no names.
    """
    if not names:
        return None
    from zoo.layers import augmentation

    return [getattr(augmentation, AUGMENTATIONS[name])() for name in names]


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Show the library's log on standard error; on a terminal, which has a bar, only warnings.

    Yields:
        Nothing.
    """
    logger, handler = logging.getLogger("zoo"), logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING if sys.stderr.isatty() else logging.INFO)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def summary(trained: "Trained", output: Path) -> str:
    """Return the last lines of output.

    Args:
        trained: the result.
        output: the run folder.

    Returns:
        The text.
    """
    from zoo.training.history import monitored

    best = trained.best
    names = {"val_accuracy": "accuracy", "val_roc_auc": "macro ROC-AUC"}
    score = next(name for name in best if name in names)
    lines = [
        f"best of {len(trained.history)} epochs by {monitored(best, trained.monitor)}: "
        f"{best['phase']} {best['epoch']}; on the "
        f"validation {names[score]} {best[score]:.4f}, loss {best['val_loss']:.4f}"
    ]
    if getattr(trained, "head_only", False) and trained.history[-1]["phase"] != "head":
        lines.append("the model with only its head trained was better and was kept")
    lines += [f"{output}: {trained.model.card.trained}", f"try it: zoo tag -m {output} song.flac"]
    return "\n".join(lines)
