"""`zoo evaluate` and `zoo compare`: score models on labelled clips."""

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import zoo
from zoo.cli.common import (
    Command,
    check_output,
    import_framework,
    output_option,
    to_json,
    with_options,
)
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
        help="The clips: a folder with a subfolder for each class; a table (CSV, TSV, JSONL) with "
        "the columns path and tags; or a dataset, such as mtat:FOLDER or onsets:FOLDER.",
    ),
    click.option(
        "--split",
        help="Use only this split, such as test. '#test' after the data has the same effect. "
        "Default: all clips.",
    ),
    click.option(
        "--bootstrap",
        type=click.IntRange(0),
        default=1000,
        help="Number of bootstrap rounds that widen the 95 % confidence intervals where the clips "
        "of a group are alike, and that compare models; 0 gives no intervals.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        help="Seed of the bootstrap.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        default=16,
        help="Number of segments that the network processes at once.",
    ),
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Save decoded audio in this folder, so that later runs are faster. Default: no cache.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object."),
)


@click.command("evaluate", cls=Command)
@click.argument("name")
@with_options(OPTIONS)
@click.option("--shared", is_flag=True, help="Ignore tags that the model lacks.")
@output_option(
    help="Also write the result: a row per tag (.csv), everything (.json), a figure (.png, .pdf, "
    ".svg), the scores of each clip (.npz), or a folder with all of these.",
)
def evaluate_command(
    name: str, shared: bool, output: Path | None, as_json: bool, **given: Any
) -> None:
    """Evaluate the model NAME on labelled clips.

    NAME is a name of `zoo list`, a file, or a folder. The result is ROC-AUC and PR-AUC of each tag
    with confidence intervals; for classes also accuracy; for onsets precision, recall and F.
    """
    check_target(output, (".csv", ".json", *PICTURES, ".npz"))
    corpus = opened(given.pop("data"), given.pop("split"))
    import_framework()
    result = zoo.evaluate(name, corpus, shared=shared, progress=sys.stderr.isatty(), **given)
    show(result, as_json, output, write_evaluation)


def write_evaluation(result: "Evaluation", output: Path) -> None:
    """Write an evaluation.

    Args:
        result: the evaluation.
        output: a file, whose suffix gives the format; or a folder for all formats.

    Raises:
        ConfigError: a .npz for an evaluation without scores of clips.
    """
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
@output_option(
    help="Also write the result: a row per model (.csv), the tables (.md), everything (.json), a "
    "figure (.png, .pdf, .svg), or a folder with all of these.",
)
def compare_command(
    names: tuple[str, ...], output: Path | None, as_json: bool, **given: Any
) -> None:
    """Compare the models NAMES on the tags that all of them and the data have.

    NAMES are names of `zoo list`, patterns such as 'pons2017*', files, or folders. Speeds are
    relative to the first model.
    """
    check_target(output, (".csv", ".md", ".json", *PICTURES))
    corpus = opened(given.pop("data"), given.pop("split"))
    import_framework()
    models = [model for name in names for model in matching(name)]
    result = zoo.compare(models, corpus, progress=sys.stderr.isatty(), **given)
    show(result, as_json, output, write_comparison)


def write_comparison(result: "Comparison", output: Path) -> None:
    """Write a comparison.

    Args:
        result: the comparison.
        output: a file, whose suffix gives the format; or a folder for all formats.
    """
    if not output.suffix:
        output.mkdir(parents=True, exist_ok=True)
        for table in ("models", "tags", "differences"):
            result.to_csv(output / f"{table}.csv", table)
        for suffix in (".md", ".json", ".png"):
            write_comparison(result, output / f"comparison{suffix}")
        if result.tags:
            result.plot(output / "tags.png", "tags")
    elif output.suffix.lower() == ".csv":
        result.to_csv(output)
    elif output.suffix.lower() == ".md":
        result.to_markdown(output)
    elif output.suffix.lower() == ".json":
        write_json(result.to_dict(), output)
    else:
        result.plot(output)


# --- shared functions ---


def opened(data: str, split: str | None) -> "Corpus":
    """Open the corpus that a command line names.

    Args:
        data: as for `zoo.data.open_corpus`.
        split: of --split; None for none.

    Returns:
        The corpus.

    Raises:
        click.UsageError: both arguments name a split.
    """
    if split is not None and "#" in data and not Path(data).exists():
        raise click.UsageError(
            f"--data {data} and --split {split} both name a split; give only one of them."
        )
    from zoo import data as corpora

    return corpora.open_corpus(data if split is None else f"{data}#{split}")


def matching(name: str) -> list[str]:
    """Return the models that match a name.

    Args:
        name: a name, file or folder; or a pattern with *, ? or [.

    Returns:
        The names; for other names than patterns the name itself.
    """
    return expanded([name]) if set(name) & set("*?[") else [name]


def check_target(output: Path | None, suffixes: tuple[str, ...]) -> None:
    """Check an output before the work.

    Args:
        output: a file; without a suffix a folder; None for none.
        suffixes: the allowed ones.

    Raises:
        click.UsageError: it cannot be written.
    """
    if output is not None and output.suffix:
        check_output(output, suffixes)
    elif output is not None and output.is_file():
        raise click.UsageError(f"-o {output} is a file; expected a folder.")


def show(result: Any, as_json: bool, output: Path | None, write: Callable) -> None:
    """Print a result, and write it to the output if one is given.

    Args:
        result: an evaluation or a comparison.
        as_json: print JSON instead of text.
        output: file or folder; None writes nothing.
        write: function of result and output.
    """
    result = replace(result, command=command_line())
    click.echo(to_json(result.to_dict()) if as_json else repr(result))
    if output is not None:
        write(result, output)


def command_line() -> str:
    """Return the command line, without options that have their default value.

    Returns:
        Such as "zoo evaluate pons2017 --data songs".
    """
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
    """Write JSON with line breaks and indents.

    Args:
        content: to write.
        path: of the file.
    """
    from zoo.utils.files import write_text

    write_text(json.dumps(content, indent=1, ensure_ascii=False), path)
