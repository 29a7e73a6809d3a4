"""`zoo tag`, `taggram`, `embed` and `onsets`: what a model makes of sounds."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import zoo
from zoo.cli.common import (
    FILES,
    HOP,
    MODEL,
    Command,
    check_output,
    import_framework,
    to_json,
    unicode_output,
)
from zoo.errors import ZooError
from zoo.utils.files import write_csv
from zoo.utils.progress import bar

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel
    from zoo.inference.results import Tags


@click.command("tag", cls=Command)
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
    if as_csv:
        click.echo(write_csv([["file", *session.model.labels]]), nl=False)
    for path, gram in session.stream(None, hop):
        tags = gram.tags(top or None)
        if as_csv:
            row = [str(path), *(f"{score:.6f}" for score in tags.scores)]
            click.echo(write_csv([row]), nl=False)
        elif as_json:
            content = {"file": str(path), "model": session.model.name, "tags": tags.to_dict()}
            click.echo(to_json(content))
        else:
            click.echo(readable(tags, str(path)))
        sys.stdout.flush()
    session.finish()


def readable(tags: "Tags", title: str) -> str:
    """Return tags as lines with bars."""
    width = max(len(label) for label in tags.labels)
    block = "█" if unicode_output() else "#"
    lines = [title]
    for label, score in tags.to_dict().items():
        lines.append(f"  {label:<{width}}  {score:.3f}  {block * round(score * 30)}".rstrip())
    return "\n".join(lines)


@click.command("taggram", cls=Command)
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
    session = Session((file,), model, most=1)
    for path, gram in session.stream(None, hop):
        if output.suffix.lower() == ".csv":
            gram.to_csv(output)
        else:
            gram.plot(output, top=top)
        click.echo(f"{output}: {len(gram.times)} segments of {path}")
    session.finish()


@click.command("embed", cls=Command)
@FILES
@MODEL
@HOP
@click.option("--stage", default="penultimate", show_default=True, help="See `zoo info NAME`.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="One file: OUT.npz. Several: a folder, with an .npz for each file in folders like theirs.",
)
def embed_command(
    files: tuple[str, ...], model: str, hop: float | None, stage: str, output: Path
) -> None:
    """Write what a stage of the network says of FILES."""
    single = output.suffix.lower() == ".npz"
    if single:
        check_output(output, (".npz",))
    session = Session(files, model)
    if single and len(session.paths) > 1:
        raise click.UsageError(f"{len(session.paths)} files do not fit in one {output}: -o FOLDER.")
    if not single:
        output.mkdir(parents=True, exist_ok=True)
    names = npz_names(session.paths, files)
    targets = {path: output if single else output / names[path] for path in session.paths}
    if len(set(targets.values())) < len(targets):
        raise click.UsageError("a file is named twice.")
    for path, embedding in session.stream(stage, hop):
        targets[path].parent.mkdir(parents=True, exist_ok=True)
        embedding.save(targets[path])
        click.echo(f"{targets[path]}: {embedding.values.shape} {stage} of {path}")
    session.finish()


def npz_names(paths: Sequence[Path], arguments: Sequence[str]) -> dict[Path, Path]:
    """Return for each file the name of its .npz: with the folders that it has below an argument.

    If two would be the same, with the folders that it has below the one that holds all files.
    """
    folders = [argument for argument in arguments if os.path.isdir(argument)]
    names = {
        path: next(
            (path.relative_to(f) for f in folders if path.is_relative_to(f)), Path(path.name)
        )
        for path in paths
    }
    if len(set(names.values())) < len(names):
        full = {path: Path(os.path.abspath(path)) for path in paths}
        common = os.path.commonpath([path.parent for path in full.values()])
        names = {path: whole.relative_to(common) for path, whole in full.items()}
    return {path: name.with_name(f"{name.name}.npz") for path, name in names.items()}


@click.command("onsets", cls=Command)
@FILES
@click.option("-m", "--model", default="schluter2014", show_default=True, help="See `zoo list`.")
@click.option(
    "--threshold",
    type=float,
    help="Lowest height of a peak, above 0 and at most 1; about .24 if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Of one FILE: .csv or .txt, a time in seconds a line; .png, .pdf, .svg, activation and "
    "spectrogram; .wav, the sound with a click at each onset. May be repeated.",
)
def onsets_command(
    files: tuple[str, ...],
    model: str,
    threshold: float | None,
    as_json: bool,
    outputs: tuple[Path, ...],
) -> None:
    """Find the times in seconds at which notes begin in FILES: print them, or write them."""
    for output in outputs:
        check_output(output, (".csv", ".txt", ".png", ".pdf", ".svg", ".wav"))
    session = Session(files, model, most=1 if outputs else None)
    for output in outputs:
        if output.exists() and output.samefile(session.paths[0]):
            raise click.UsageError(f"-o {output} is the sound itself; give another name.")
    for path, found in session.onsets(threshold):
        for output in outputs:
            write_onsets(found, path, output)
            click.echo(f"{output}: {len(found)} onsets of {path}")
        if outputs:
            continue
        times = [round(time, 3) for time in found.times.tolist()]
        if as_json:
            content = {"file": str(path), "model": found.model, "onsets": times}
            click.echo(to_json(content))
        else:
            click.echo("\n".join([str(path), *(f"  {time:.3f}" for time in times)]))
        sys.stdout.flush()
    session.finish()


def write_onsets(found: "zoo.Onsets", path: Path, output: Path) -> None:
    """Write onsets as text, a picture, or a sound with clicks, by the ending of the name."""
    if output.suffix.lower() in (".csv", ".txt"):
        found.to_csv(output)
    elif output.suffix.lower() == ".wav":
        found.to_wav(output, path)
    else:
        found.plot(output, path)


class Session:
    """A model, the files to hear, and those that failed."""

    model: "AudioModel"

    def __init__(self, files: Sequence[str], model: str, most: int | None = None):
        from zoo import audio

        self.paths = audio.find(files)
        if most is not None and len(self.paths) > most:
            raise click.UsageError(
                f"{' '.join(files)}: {len(self.paths)} sounds, where {most} is expected, since all "
                "would be written to the same file. Name one, or run the command for each."
            )
        import_framework()
        self.model = zoo.load(model)
        self.failed = 0
        if sys.stderr.isatty():
            from zoo.weights import fetch

            for name, checkpoint in self.model.card.checkpoints.items():
                click.echo(fetch.about(name, checkpoint), err=True)

    def stream(self, stage: str | None, hop: float | None) -> Iterator[tuple[Path, Any]]:
        """Yield each file with its result; report on stderr which files failed."""
        pairs = zip(self.paths, self.model.stream(self.paths, stage, hop=hop), strict=True)
        shown = None if len(self.paths) > 1 else False
        with bar(self.model.name, len(self.paths), shown) as advance:
            for path, result in pairs:
                if isinstance(result, (ZooError, OSError)):
                    self.failed += 1
                    click.echo(f"Error: {result}", err=True)
                elif isinstance(result, Exception):
                    raise result
                else:
                    yield path, result
                advance()

    def onsets(self, threshold: float | None) -> Iterator[tuple[Path, "zoo.Onsets"]]:
        """Yield each file with its onsets; say on stderr which files failed."""
        picking = {} if threshold is None else {"threshold": threshold}
        shown = None if len(self.paths) > 1 else False
        with bar(self.model.name, len(self.paths), shown) as advance:
            for path in self.paths:
                try:
                    found = self.model.onsets(path, **picking)
                except (ZooError, OSError) as error:
                    self.failed += 1
                    click.echo(f"Error: {error}", err=True)
                else:
                    yield path, found
                advance()

    def finish(self) -> None:
        """Exit with status 1 if a file failed."""
        if self.failed:
            total = len(self.paths)
            raise click.ClickException(f"{self.failed} of {total} files could not be heard.")
