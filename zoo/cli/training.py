"""`zoo finetune` and `zoo train`: a network of one's own, in a folder that `zoo tag -m` takes."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import zoo
from zoo.cli.common import Command, import_framework, with_options
from zoo.utils.options import option

if TYPE_CHECKING:
    from zoo.training.result import Trained


# name on the command line -> layer of `zoo.augmentation`, with its own defaults
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
        help="A folder with a subfolder a class; a table (CSV, TSV, JSONL) with columns path and "
        "tags; or a dataset, such as mtat:FOLDER. '#train' after it takes that split alone.",
    ),
    click.option(
        "-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder."
    ),
    click.option(
        "--validation",
        metavar="FOLDER_OR_TABLE",
        help="Clips that say when to stop; by default the split 'validation' of the data, or else "
        "a fifth of their groups.",
    ),
    click.option("--epochs", type=click.IntRange(0), help="At most, over all clips."),
    click.option("--batch-size", type=click.IntRange(1), help="Segments a step."),
    click.option("--learning-rate", type=float, help="At the start."),
    click.option("--patience", type=click.IntRange(0), help="Epochs without improvement."),
    click.option(
        "--monitor",
        type=click.Choice(["score", "loss"]),
        default="score",
        show_default=True,
        help="Keep the epoch with the best score on the validation (accuracy where each clip has "
        "one label, else ROC-AUC), or the one with the lowest loss. --patience waits for the same.",
    ),
    click.option(
        "--segments",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Random ones of each clip an epoch.",
    ),
    click.option(
        "--augment",
        help=f"Change what is heard in training: some of {','.join(AUGMENTATIONS)}, or 'all'.",
    ),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
    click.option("--dtype", help="Such as mixed_bfloat16, on devices that are faster with it."),
    click.option("--jit-compile", is_flag=True, help="Compile with XLA."),
    click.option("--distribute", is_flag=True, help="Share each batch out to all devices."),
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for decoded sounds; epochs from the second on are faster.",
    ),
)


@click.command("finetune", cls=Command)
@click.argument("name")
@with_options(OPTIONS)
@click.option("--head-epochs", type=click.IntRange(0), help="Of the head alone, at most.")
def finetune_command(name: str, head_epochs: int | None, **given: Any) -> None:
    """Teach the checkpoint NAME the tags of your own clips.

    First its head alone, then the whole network at a lower rate. OUTPUT gets model.keras,
    history.csv, history.png and settings.json; `zoo tag -m OUTPUT song.flac` uses it. Interrupted,
    the same command goes on.
    """
    learn(lambda arguments: zoo.finetune(name, **arguments), head_epochs=head_epochs, **given)


@click.command("train", cls=Command)
@click.argument("architecture")
@with_options(OPTIONS)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of the architecture, its back-end, or `zoo.build`; may be repeated.",
)
def train_command(architecture: str, options: tuple[str, ...], **given: Any) -> None:
    """Train ARCHITECTURE from nothing, as its paper says, on your own clips.

    OUTPUT gets model.keras, history.csv, history.png and settings.json; `zoo tag -m OUTPUT
    song.flac` uses it. Interrupted, the same command goes on.
    """
    chosen = dict(map(option, options))
    learn(lambda arguments: zoo.train(architecture, options=chosen, **arguments), **given)


def learn(
    function: Callable[[dict[str, Any]], "Trained"],
    *,
    data: str,
    output: Path,
    validation: str | None,
    augment: str | None,
    jit_compile: bool,
    **given: Any,
) -> None:
    """Open the corpora, train, and say what came of it."""
    from zoo.data import open_corpus
    from zoo.training import run_folder

    names = augmentations(augment)
    run_folder.check_free(output)
    corpora = {"train": open_corpus(data)}
    if validation is not None:
        corpora["validation"] = open_corpus(validation)
    import_framework()
    arguments = {
        **corpora,
        "folder": output,
        "augment": layers(names),
        "jit_compile": jit_compile or None,
        **{key: value for key, value in given.items() if value is not None},
    }
    try:
        with told():
            trained = function(arguments)
    except KeyboardInterrupt:
        hint = " The same command goes on." if (output / "state.npz").is_file() else ""
        raise click.ClickException(f"interrupted.{hint}") from None
    click.echo(summary(trained, output))


def augmentations(text: str | None) -> list[str]:
    """Return the names in a list with commas; raise UsageError for one that there is not."""
    if text is None:
        return []
    names = list(AUGMENTATIONS) if text == "all" else text.split(",")
    for name in names:
        if name not in AUGMENTATIONS:
            raise click.UsageError(
                f"--augment {text}: there is no {name!r}; there are {', '.join(AUGMENTATIONS)}."
            )
    return names


def layers(names: list[str]) -> list | None:
    """Make the layers; None for none."""
    if not names:
        return None
    from zoo.layers import augmentation

    return [getattr(augmentation, AUGMENTATIONS[name])() for name in names]


@contextmanager
def told() -> Iterator[None]:
    """Write what the library logs to standard error: on a terminal, where a bar moves, warnings."""
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
    """Return what is printed in the end."""
    from zoo.training.history import monitored

    score = next(name for name in trained.best if name in ("val_accuracy", "val_roc_auc"))
    what = {"val_accuracy": "accuracy", "val_roc_auc": "macro ROC-AUC"}[score]
    best = trained.best
    lines = [
        f"best of {len(trained.history)} epochs by {monitored(best, trained.monitor)}: "
        f"{best['phase']} {best['epoch']}; on the "
        f"validation {what} {best[score]:.4f}, loss {best['val_loss']:.4f}"
    ]
    if getattr(trained, "head_only", False) and trained.history[-1]["phase"] != "head":
        lines.append("training the whole network did not beat its new head alone, which was kept")
    lines += [f"{output}: {trained.model.card.trained}", f"try it: zoo tag -m {output} song.flac"]
    return "\n".join(lines)
