"""`zoo evaluate` and `zoo compare`: how good models are on labelled clips."""

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import zoo
from zoo.cli.common import Command, check_output, import_framework, to_json, with_options
from zoo.cli.weights import expanded

if TYPE_CHECKING:
    from zoo.data.corpus import Corpus
    from zoo.evaluation.reports import Comparison, Evaluation

PICTURES = (".png", ".pdf", ".svg")

OPTIONS = (
    click.option(
        "--data",
        required=True,
        metavar="FOLDER_OR_TABLE",
        help="A folder with a subfolder a class; a table (CSV, TSV, JSONL) with columns path and "
        "tags; or a dataset, such as mtat:FOLDER or onsets:FOLDER.",
    ),
    click.option(
        "--split", help="Only this one, such as test; '#test' after the data is the same."
    ),
    click.option(
        "--bootstrap",
        type=click.IntRange(0),
        default=1000,
        show_default=True,
        help="Resamples for the confidence intervals; 0 for none.",
    ),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        default=16,
        show_default=True,
        help="Segments that go through a network at once.",
    ),
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for decoded sounds; a second run is faster.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)


@click.command("evaluate", cls=Command)
@click.argument("name")
@with_options(OPTIONS)
@click.option("--shared", is_flag=True, help="Leave out tags that the model does not know.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A row a tag (.csv), everything (.json), a picture (.png, .pdf, .svg), the score of each "
    "clip (.npz), or a folder for all of these.",
)
def evaluate_command(
    name: str, shared: bool, output: Path | None, as_json: bool, **given: Any
) -> None:
    """Measure the model NAME on labelled clips: a name of `zoo list`, a file, or a folder.

    ROC-AUC and PR-AUC of each tag with confidence intervals; for classes accuracy as well; for
    onsets precision, recall and F.
    """
    check_target(output, (".csv", ".json", *PICTURES, ".npz"))
    corpus = opened(given.pop("data"), given.pop("split"))
    import_framework()
    result = zoo.evaluate(name, corpus, shared=shared, progress=sys.stderr.isatty(), **given)
    tell(result, as_json, output, write_evaluation)


def write_evaluation(result: "Evaluation", output: Path) -> None:
    """Write an evaluation to a file, or all of it into a folder."""
    if not output.suffix:
        output.mkdir(parents=True, exist_ok=True)
        names = ["evaluation.csv", "evaluation.json", "evaluation.png"]
        for file in [*names, *(["scores.npz"] if result.scores else [])]:
            write_evaluation(result, output / file)
    elif output.suffix.lower() == ".csv":
        result.to_csv(output)
    elif output.suffix.lower() == ".json":
        write_json(result.to_dict(), output)
    elif output.suffix.lower() in PICTURES:
        result.plot(output)
    elif result.scores is None:
        raise zoo.ConfigError(f"-o {output}: an evaluation of onsets has no scores of clips.")
    else:
        result.scores.save(output)


@click.command("compare", cls=Command)
@click.argument("names", nargs=-1, required=True)
@with_options(OPTIONS)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A row a model (.csv), the tables (.md), everything (.json), a picture (.png, .pdf, "
    ".svg), or a folder for all of these.",
)
def compare_command(
    names: tuple[str, ...], output: Path | None, as_json: bool, **given: Any
) -> None:
    """Measure the models NAMES on the tags that all of them and the data know.

    NAMES are names of `zoo list`, patterns such as 'pons2017*', files, or folders. Speeds are
    relative to the first.
    """
    check_target(output, (".csv", ".md", ".json", *PICTURES))
    corpus = opened(given.pop("data"), given.pop("split"))
    import_framework()
    models = [model for name in names for model in meant(name)]
    result = zoo.compare(models, corpus, progress=sys.stderr.isatty(), **given)
    tell(result, as_json, output, write_comparison)


def write_comparison(result: "Comparison", output: Path) -> None:
    """Write a comparison to a file, or all of it into a folder."""
    if not output.suffix:
        output.mkdir(parents=True, exist_ok=True)
        for what in ("models", "tags", "differences"):
            result.to_csv(output / f"{what}.csv", what)
        for suffix in (".md", ".json", ".png"):
            write_comparison(result, output / f"comparison{suffix}")
    elif output.suffix.lower() == ".csv":
        result.to_csv(output)
    elif output.suffix.lower() == ".md":
        result.to_markdown(output)
    elif output.suffix.lower() == ".json":
        write_json(result.to_dict(), output)
    else:
        result.plot(output)


# --- what both need ---


def opened(data: str, split: str | None) -> "Corpus":
    """Open the clips that a command line names."""
    if split is not None and "#" in data and not Path(data).exists():
        raise click.UsageError(f"--data {data} names a split, and so does --split {split}.")
    from zoo import data as corpora

    return corpora.open_corpus(data if split is None else f"{data}#{split}")


def meant(name: str) -> list[str]:
    """Return the models that a name means: several if it is a pattern."""
    return expanded([name]) if set(name) & set("*?[") else [name]


def check_target(output: Path | None, suffixes: tuple[str, ...]) -> None:
    """Raise before the work if an output cannot be written; without a suffix it is a folder."""
    if output is not None and output.suffix:
        check_output(output, suffixes)
    elif output is not None and output.is_file():
        raise click.UsageError(f"-o {output}: a file, where a folder is expected.")


def tell(result: Any, as_json: bool, output: Path | None, write: Callable) -> None:
    """Print what was measured, and write it where that was asked for."""
    result = replace(result, command=command_line())
    click.echo(to_json(result.to_dict()) if as_json else repr(result))
    if output is not None:
        write(result, output)


def command_line() -> str:
    """Return what was typed, options at their defaults left out."""
    context = click.get_current_context()
    words = ["zoo", str(context.info_name)]
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if value is None or value == parameter.get_default(context):
            continue
        if isinstance(parameter, click.Argument):
            words += value if isinstance(value, tuple) else [str(value)]
        else:
            flag = parameter.opts[-1]
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words)


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write JSON that a person can read too."""
    from zoo.utils.files import replacing

    with replacing(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False).encode())
