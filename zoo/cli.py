"""The command line: `zoo list`, `info`, `tag`, `taggram`, `embed`, `onsets`, `fetch`, `push`.

Frameworks are imported when a command needs them, so that `zoo --help` answers at once.
"""

import csv
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import zoo
from zoo import registry
from zoo.errors import UnknownName, ZooError

if TYPE_CHECKING:
    from zoo.model import AudioModel
    from zoo.results import Tags

MODEL = click.option(
    "-m", "--model", default="pons2017", show_default=True, help="A name of `zoo list`, or a file."
)
HOP = click.option("--hop", type=float, help="Seconds from one segment to the next.")
FILES = click.argument("files", nargs=-1, required=True)


class Command(click.Command):
    """A command whose expected errors are one line on stderr and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (ZooError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(zoo.__version__, prog_name="zoo")
def main() -> None:
    """Tag music, and look inside the networks that do it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's greetings, not its errors
    warnings.showwarning = lambda message, *_, **__: click.echo(f"Warning: {message}", err=True)


@main.command("list", cls=Command)
@click.argument("pattern", default="*")
@click.option("--task", help="Only models for this task: tagging, onsets.")
@click.option("--licence", help="Only weights under this licence; a pattern, such as 'CC*'.")
@click.option("--untrained", is_flag=True, help="List architectures, which `zoo.build` takes.")
@click.option("--taxonomy", is_flag=True, help="Show them in the grid of Pons' review.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(
    pattern: str,
    task: str | None,
    licence: str | None,
    untrained: bool,
    taxonomy: bool,
    as_json: bool,
) -> None:
    """List what can be loaded; PATTERN is a shell pattern such as 'pons*'."""
    from zoo import text

    names = zoo.list_models(pattern, task, licence, trained=not (untrained or taxonomy))
    if as_json:
        click.echo(json.dumps(registry.grid(names) if taxonomy else names, indent=1))
    elif taxonomy:
        click.echo(text.taxonomy(names))
    else:
        click.echo(text.architectures(names) if untrained else text.checkpoints(names))


@main.command("info", cls=Command)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info_command(name: str, as_json: bool) -> None:
    """Show the card of NAME: paper, stages, labels, licences, metrics."""
    card = zoo.info(name)
    click.echo(json.dumps(card.to_dict(), indent=1) if as_json else str(card))


@main.command("tag", cls=Command)
@FILES
@MODEL
@click.option("--top", default=10, show_default=True, help="How many tags; 0 for all.")
@HOP
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table: a row a file, a column a tag.")
def tag_command(
    files: tuple[str, ...], model: str, top: int, hop: float | None, as_json: bool, as_csv: bool
) -> None:
    """Score FILES: audio files, folders, or patterns such as '*.mp3'."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    session = Session(files, model)
    writer = csv.writer(sys.stdout)
    if as_csv:
        writer.writerow(["file", *session.model.labels])
    for path, heard in session.hear("probabilities", hop):
        tags = session.taggram(path, heard).tags(top or None)
        if as_csv:
            writer.writerow([path, *(f"{score:.6f}" for score in tags.scores)])
        elif as_json:
            content = {"file": str(path), "model": session.model.name, "tags": tags.to_dict()}
            click.echo(json.dumps(content, ensure_ascii=False))
        else:
            click.echo(readable(tags, str(path)))
        sys.stdout.flush()
    session.finish()


def readable(tags: "Tags", title: str) -> str:
    """Return tags as lines with bars."""
    width = max(len(label) for label in tags.labels)
    lines = [title]
    for label, score in tags.to_dict().items():
        lines.append(f"  {label:<{width}}  {score:.3f}  {'█' * round(score * 30)}".rstrip())
    return "\n".join(lines)


@main.command("taggram", cls=Command)
@click.argument("file")
@MODEL
@HOP
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help=".png, .pdf, .svg, .csv"
)
@click.option("--top", default=15, show_default=True, help="How many tags a picture shows.")
def taggram_command(file: str, model: str, hop: float | None, output: Path, top: int) -> None:
    """Score every segment of FILE over time: a picture, or a table."""
    check_output(output, (".png", ".pdf", ".svg", ".csv"))
    session = Session((file,), model)
    for path, heard in session.hear("probabilities", hop):
        gram = session.taggram(path, heard)
        if output.suffix == ".csv":
            gram.to_csv(output)
        else:
            gram.plot(output, top=top)
        click.echo(f"{output}: {len(gram.times)} segments of {path}")
    session.finish()


@main.command("embed", cls=Command)
@FILES
@MODEL
@HOP
@click.option("--stage", default="penultimate", show_default=True, help="See `zoo info NAME`.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="One file: OUT.npz. Several: a folder, one .npz a file.",
)
def embed_command(
    files: tuple[str, ...], model: str, hop: float | None, stage: str, output: Path
) -> None:
    """Write what a stage of the network says of FILES."""
    session = Session(files, model)
    single = output.suffix == ".npz"
    if single and len(session.paths) > 1:
        raise click.UsageError(f"{len(session.paths)} files do not fit in one {output}: -o FOLDER.")
    if not single:
        output.mkdir(parents=True, exist_ok=True)
    else:
        check_output(output, (".npz",))
    targets = {path: output if single else output / f"{path.name}.npz" for path in session.paths}
    if len(set(targets.values())) < len(targets):
        raise click.UsageError("two of the files have the same name; embed them one by one.")
    for path, heard in session.hear(stage, hop):
        embedding = session.embedding(path, heard, stage)
        embedding.save(targets[path])
        click.echo(f"{targets[path]}: {embedding.values.shape} {stage} of {path}")
    session.finish()


@main.command("onsets", cls=Command)
@FILES
@click.option(
    "-m", "--model", default="schluter2014.madmom", show_default=True, help="See `zoo list`."
)
@click.option(
    "--threshold",
    type=float,
    help="Lowest height of a peak, above 0 and at most 1; about .24 if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
def onsets_command(
    files: tuple[str, ...], model: str, threshold: float | None, as_json: bool
) -> None:
    """Print the times in seconds at which notes begin in FILES."""
    session = Session(files, model)
    for path, found in session.onsets(threshold):
        times = [round(time, 3) for time in found.times.tolist()]
        if as_json:
            content = {"file": str(path), "model": found.model, "onsets": times}
            click.echo(json.dumps(content, ensure_ascii=False))
        else:
            click.echo("\n".join([str(path), *(f"  {time:.3f}" for time in times)]))
        sys.stdout.flush()
    session.finish()


@main.command("fetch", cls=Command)
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Fetch all that `zoo list` shows.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Fill a folder that ZOO_MIRROR can name instead of the cache.",
)
def fetch_command(names: tuple[str, ...], everything: bool, folder: Path | None) -> None:
    """Fetch the weights of NAMES, so that they load without a network.

    NAMES are names of `zoo list`, patterns such as 'choi2016*', or hf://user/repo@revision.
    """
    if bool(names) == everything:
        raise click.UsageError("give NAMES, or --all.")
    if folder and any(name.startswith("hf://") for name in names):
        raise click.UsageError("--to is not for hf:// models: copy the folder HF_HOME instead.")
    wanted = zoo.list_models() if everything else expanded(names)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as shelf:
        for name in wanted:
            try:
                click.echo(fetched(name, folder, Path(shelf)))
            except (ZooError, OSError) as error:
                failed += 1
                click.echo(f"Error: {error}", err=True)
    if failed:
        raise click.ClickException(f"{failed} of {len(wanted)} could not be fetched.")


def expanded(names: Sequence[str]) -> list[str]:
    """Return the checkpoints that names and patterns mean, each once; hf:// stays as it is."""
    wanted: list[str] = []
    for name in names:
        if name.startswith("hf://"):
            wanted.append(name)
        elif not set(name) & set("*?["):
            wanted.append(registry.resolve(name))
        elif found := zoo.list_models(name):
            wanted += found
        else:
            raise UnknownName(f"no checkpoint fits {name!r}; `zoo list` shows what there is.")
    return list(dict.fromkeys(wanted))


def fetched(name: str, folder: Path | None, shelf: Path) -> str:
    """Fetch a checkpoint into the cache, or its source into a folder; return what to say of it."""
    from zoo.weights import fetch, manifest

    if name.startswith("hf://"):
        from zoo import repository

        snapshot = repository.fetch(name)
        return f"{snapshot.url}\n  {snapshot.weights.parent}"
    file = fetch.mirror(name, folder) if folder else fetch.path(name, shelf=shelf)
    about = fetch.about(name, manifest.load().checkpoint(name))
    return f"{about}\n  {file or 'travels with the package'}"


@main.command("push", cls=Command)
@click.argument("model")
@click.argument("url")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--message", help="Of the commit.")
@click.option("--licence", help="Of the weights, such as MIT; default: that of their origin.")
def push_command(
    model: str, url: str, private: bool, message: str | None, licence: str | None
) -> None:
    """Upload MODEL, a name or a saved file, to the Hugging Face Hub: hf://user/repo."""
    click.echo(zoo.push(zoo.load(model), url, private, message, licence))


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise before the work, not after it, if an output file cannot be written."""
    if path.suffix not in suffixes:
        raise click.UsageError(f"-o {path}: the name must end in {', '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise click.UsageError(f"-o {path}: there is no folder {path.parent}.")


def import_framework() -> None:
    """Import Keras and what it runs on, without TensorFlow's greetings.

    They are written to the process's error stream before any of TensorFlow's settings counts. What
    goes wrong in an import is an exception all the same.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


class Session:
    """A model, the files to hear, and those that failed."""

    model: "AudioModel"

    def __init__(self, files: Sequence[str], model: str):
        from zoo import audio

        self.paths = audio.find(files)
        import_framework()
        self.model = zoo.load(model)
        self.failed = 0
        if sys.stderr.isatty():
            from zoo.weights import fetch

            for name, checkpoint in self.model.card.checkpoints.items():
                click.echo(fetch.about(name, checkpoint), err=True)

    def hear(self, stage: str, hop: float | None) -> Iterator[tuple[Path, Any]]:
        """Yield each file with what the model heard; say on stderr which files failed."""
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        pairs = zip(self.paths, self.model.hear(self.paths, stage, hop=hop), strict=True)
        many = len(self.paths) > 1 and console.is_terminal
        shown = track(pairs, "Listening", total=len(self.paths), console=console) if many else pairs
        for path, heard in shown:
            if isinstance(heard, (ZooError, OSError)):
                self.failed += 1
                click.echo(f"Error: {heard}", err=True)
            elif isinstance(heard, Exception):
                raise heard
            else:
                yield path, heard

    def onsets(self, threshold: float | None) -> Iterator[tuple[Path, "zoo.Onsets"]]:
        """Yield each file with its onsets; say on stderr which files failed."""
        picking = {} if threshold is None else {"threshold": threshold}
        for path in self.paths:
            try:
                found = self.model.onsets(path, **picking)
            except (ZooError, OSError) as error:
                self.failed += 1
                click.echo(f"Error: {error}", err=True)
            else:
                yield path, found

    def taggram(self, path: Path, heard: Any) -> "zoo.Taggram":
        """Return what was heard as a taggram."""
        labels = self.model.labels
        return zoo.Taggram(
            heard.values, heard.times, heard.seconds, labels, str(path), self.model.name
        )

    def embedding(self, path: Path, heard: Any, stage: str) -> "zoo.Embedding":
        """Return what was heard as an embedding."""
        return zoo.Embedding(
            heard.values, heard.times, heard.seconds, stage, str(path), self.model.name
        )

    def finish(self) -> None:
        """Exit with status 1 if a file failed."""
        if self.failed:
            total = len(self.paths)
            raise click.ClickException(f"{self.failed} of {total} files could not be heard.")
