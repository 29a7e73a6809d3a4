"""`zoo tag`, `taggram`, `embed` and `onsets`: predictions for audio files."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import zoo
from zoo.cli.common import (
    FILES,
    HOP,
    MODEL,
    RUNTIME,
    Command,
    check_output,
    import_framework,
    output_option,
    to_json,
    unicode_output,
)
from zoo.errors import ConfigError, ZooError
from zoo.utils.files import escaped, replacing, write_csv
from zoo.utils.progress import bar

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor
    from zoo.inference.results import Taggram


FORMATS = ("text", "json", "csv", "audacity", "m3u8")
SUFFIXES = {".json": "json", ".jsonl": "json", ".csv": "csv", ".m3u8": "m3u8", ".m3u": "m3u8"}


@click.command("tag", cls=Command)
@FILES
@MODEL
@RUNTIME
@click.option(
    "--top",
    type=click.IntRange(0),
    default=10,
    help="Number of tags to show; 0 shows all.",
)
@click.option(
    "--tag", "only", multiple=True, help="Show only this tag. Can be given several times."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Show only tags with at least this score. Default: no limit; with --format audacity and "
    "m3u8 0.5.",
)
@HOP
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    help="The form of the result: text; json, one object per file; csv, a row per file and a "
    "column per tag; audacity, a label track of a single FILE, with the times at which it has each "
    "tag; m3u8, a playlist of the files that have a tag, with their tags as genre.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--csv", "as_csv", is_flag=True, help="The same as --format csv.")
@output_option(
    dir_okay=False,
    help="Write the result to this file instead of printing it. Without --format, .json, .jsonl, "
    ".csv and .m3u8 give that format.",
)
@click.option(
    "--write-tags",
    is_flag=True,
    help="Write the best tags into the genre of each file (MP3, FLAC, Ogg, Opus, M4A). The sound "
    "stays as it is.",
)
@click.option(
    "--min-score",
    default=0.5,
    help="Smallest score of a tag that --write-tags writes.",
)
@click.option(
    "--dry-run", is_flag=True, help="With --write-tags: show what would be written; write nothing."
)
def tag_command(
    files: tuple[str, ...],
    model: str,
    runtime: str,
    top: int,
    only: tuple[str, ...],
    threshold: float | None,
    hop: float | None,
    form: str,
    as_json: bool,
    as_csv: bool,
    output: Path | None,
    write_tags: bool,
    min_score: float,
    dry_run: bool,
) -> None:
    """Predict the tags of FILES: audio files, folders, or patterns such as '*.mp3'.

    For thousands of files use `zoo batch`, which continues where it stopped.
    """
    if as_json + as_csv + (form != "text") > 1:
        raise click.UsageError("--json, --csv and --format cannot be combined; give one of them.")
    form = "json" if as_json else "csv" if as_csv else form
    if output is not None:
        if form == "text":
            form = SUFFIXES.get(output.suffix.lower(), form)
        check_output(output, (output.suffix.lower(),))
    if dry_run and not write_tags:
        raise click.UsageError("--dry-run is for --write-tags.")
    from zoo.inference.results import check_label

    if threshold is None:
        threshold = 0.5 if form in ("audacity", "m3u8") else 0.0
    session = Session(files, model, runtime, most=1 if form == "audacity" else None)
    for label in only:
        check_label(session.model.name, label, session.model.labels)
    shown = only or session.model.labels
    with printed(output) as show:
        if form == "csv":
            show(write_csv([["file", *shown]]).rstrip("\n"))
        if form == "m3u8":
            show("#EXTM3U")
        for path, gram in session.stream(None, hop):
            tags = gram.tags(None)
            best = [(tag, score) for tag, score in tags if tag in shown][: top or None]
            scores = {tag: score for tag, score in best if score >= threshold}
            if form == "audacity":
                show(audacity(gram, [tag for tag, _ in best], threshold))
            elif form == "csv":
                show(write_csv([[str(path), *(f"{tags[tag]:.6f}" for tag in shown)]]).rstrip("\n"))
            elif form == "json":
                show(to_json({"file": str(path), "model": session.model.name, "tags": scores}))
            elif form == "text":
                show(readable(scores, shown, str(path)))
            elif scores:
                with session.counted():
                    show(playlist_entry(path, gram, scores, output))
            if write_tags:
                labels = [label for label, score in best if score >= min_score]
                session.write(path, labels, dry_run)
    session.finish()


@contextmanager
def printed(output: Path | None) -> Iterator[Callable[[str], None]]:
    """Show lines on standard output, or write them to a file, which is whole or not there.

    Args:
        output: the file; None for standard output.

    Yields:
        A function that shows lines.
    """
    if output is None:

        def show(text: str) -> None:
            click.echo(text)
            sys.stdout.flush()

        yield show
        return
    with replacing(output) as file:

        def write(text: str) -> None:
            file.write(escaped(f"{text}\n").encode())

        yield write
    click.echo(f"{output} is written.", err=True)


def playlist_entry(
    path: Path, gram: "Taggram", scores: Mapping[str, float], output: Path | None
) -> str:
    """Return the lines of a file in an extended M3U playlist.

    Args:
        path: of the audio file.
        gram: the scores of each segment.
        scores: of its tags, which become the genre.
        output: the playlist: the path is relative to its folder. None for the path as it is.

    Returns:
        Length in seconds and name, genre, path.

    Raises:
        ConfigError: the path cannot stand in a playlist.
    """
    place = str(path)
    if output is not None:
        with suppress(ValueError):  # on Windows, another drive
            place = os.path.relpath(path, output.parent)
    if "\n" in place or "\r" in place or escaped(place) != place:
        raise ConfigError(
            f"{place!r} has a line break or bytes that are not UTF-8, which a playlist cannot "
            "hold. Rename it."
        )
    place = os.path.join(os.curdir, place) if place.startswith("#") else place
    length = f"#EXTINF:{round(gram.seconds.sum())},{path.stem}"
    return f"{length}\n#EXTGENRE:{', '.join(scores)}\n{place}"


def audacity(gram: "Taggram", tags: Sequence[str], threshold: float) -> str:
    """Return the times at which a sound has each tag, as a label track of Audacity.

    Args:
        gram: the scores of each segment.
        tags: to show.
        threshold: a segment has a tag if its score is at least this.

    Returns:
        Lines of start, end (in seconds) and tag, separated by tabs, in the order of time.
    """
    rows = []
    bounds = [*(float(t) for t in gram.times), float(gram.times[-1] + gram.seconds[-1])]
    bounds[-1] = float(gram.times[0] + gram.seconds.sum())
    for label in tags:
        has = [*(gram.values[:, gram.labels.index(label)] >= threshold), False]
        start = None
        for i, now in enumerate(has):
            if now and start is None:
                start = i
            elif not now and start is not None:
                rows.append((bounds[start], bounds[i], label))
                start = None
    return "\n".join(f"{start:.3f}\t{end:.3f}\t{tag}" for start, end, tag in sorted(rows))


def readable(scores: Mapping[str, float], labels: Sequence[str], title: str) -> str:
    """Return tags as lines with bars.

    Args:
        scores: of the tags to show, in [0, 1].
        labels: of the model, for the width of the column.
        title: the first line.

    Returns:
        The text.
    """
    width = max(len(label) for label in labels)
    block = "█" if unicode_output() else "#"
    lines = [title]
    for label, score in scores.items():
        lines.append(f"  {label:<{width}}  {score:.3f}  {block * round(score * 30)}".rstrip())
    return "\n".join(lines)


@click.command("taggram", cls=Command)
@click.argument("file")
@MODEL
@RUNTIME
@HOP
@output_option(
    required=True,
    help="The file to write: a figure (.png, .pdf, .svg) or a table (.csv).",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=15,
    help="Number of tags in a figure.",
)
@click.option("--spectrogram", is_flag=True, help="Draw the spectrogram of the sound above.")
def taggram_command(
    file: str,
    model: str,
    runtime: str,
    hop: float | None,
    output: Path,
    top: int,
    spectrogram: bool,
) -> None:
    """Predict the tags of every segment of FILE, as a figure or a table over time."""
    check_output(output, (".png", ".pdf", ".svg", ".csv"))
    session = Session((file,), model, runtime, most=1)
    for path, gram in session.stream(None, hop):
        if output.suffix.lower() == ".csv":
            gram.to_csv(output)
        else:
            gram.plot(output, top=top, sound=path if spectrogram else None)
        click.echo(f"{output}: {len(gram.times)} segments of {path}")
    session.finish()


@click.command("embed", cls=Command)
@FILES
@MODEL
@RUNTIME
@HOP
@click.option(
    "--stage",
    default="penultimate",
    help="The stage of the network; `zoo info NAME` lists all.",
)
@output_option(
    required=True,
    help="One table of all files, with a vector for each (.parquet, or .npz of a folder, a table "
    "or several files); of one file an .npz with a row for each segment; or a folder, which gets "
    "such an .npz for each file, in the same subfolders.",
)
def embed_command(
    files: tuple[str, ...], model: str, runtime: str, hop: float | None, stage: str, output: Path
) -> None:
    """Write the output of a stage of the network for FILES, such as embeddings.

    FILES are audio files, folders or patterns. A single folder with a subfolder for each class, or
    a table (CSV, TSV, JSONL) with the columns path and tags, gives the labels and splits too.
    """
    single = output.suffix.lower() == ".npz"
    if output.suffix:
        check_output(output, (".npz", ".parquet"))
    one_sound = len(files) == 1 and os.path.isfile(files[0]) and not is_table(files[0])
    if output.suffix.lower() == ".parquet" or (single and not one_sound):
        write_features(labelled(files), model, runtime, hop, stage, output)
        return
    if any(is_table(file) for file in files):
        raise click.UsageError(f"-o {output}: of a table one file can be made, .npz or .parquet.")
    session = Session(files, model, runtime)
    if not single:
        output.mkdir(parents=True, exist_ok=True)
    names = npz_names(session.paths, files)
    targets = {path: output if single else output / names[path] for path in session.paths}
    if len(set(targets.values())) < len(targets):
        raise click.UsageError("FILES has a file twice; give each file once.")
    if not single and folds_case(output):
        found: dict[str, Path] = {}
        for path, target in targets.items():
            other = found.setdefault(str(target).casefold(), path)
            if other != path:
                raise click.UsageError(
                    f"{other} and {path} differ in case only, which {output} does not tell apart. "
                    "Give each a folder of its own."
                )
    for path, embedding in session.stream(stage, hop):
        targets[path].parent.mkdir(parents=True, exist_ok=True)
        embedding.save(targets[path])
        click.echo(f"{targets[path]}: {embedding.values.shape} {stage} of {path}")
    session.finish()


def is_table(file: str) -> bool:
    """Return whether a file is a table of clips, by its suffix."""
    return Path(file).suffix.lower() in (".csv", ".tsv", ".jsonl")


def labelled(files: Sequence[str]) -> "zoo.data.Corpus":
    """Return the clips of files, folders and patterns, with their labels where there are any.

    Args:
        files: of the command line.

    Returns:
        A corpus; without labels, unless it is one table, or one folder that has only subfolders.
    """
    from zoo import audio, data

    if len(files) == 1 and is_table(files[0]):
        return data.from_table(files[0])
    if any(is_table(file) for file in files):
        raise click.UsageError(f"{' '.join(files)}: give one table, or audio files and folders.")
    paths = audio.find(files)
    folder = Path(files[0])
    if len(files) == 1 and folder.is_dir() and all(path.parent != folder for path in paths):
        return data.from_folder(folder)
    return data.Corpus("files", tuple(data.Clip(path) for path in paths), ())


def write_features(
    corpus: "zoo.data.Corpus",
    model: str,
    runtime: str,
    hop: float | None,
    stage: str,
    output: Path,
) -> None:
    """Write one table with a vector for each clip.

    Args:
        corpus: the clips.
        model: name or file.
        runtime: as in `zoo.load`.
        hop: seconds from one segment to the next; None for the model's own.
        stage: of the network.
        output: a .npz or .parquet file.

    Raises:
        click.ClickException: clips failed; the exit status is 1.
    """
    from zoo.inference import features

    network = load(model, runtime)
    results = network.stream(corpus.clips, stage, hop=hop)
    with bar(network.name, len(corpus), None if len(corpus) > 1 else False) as advance:

        def shown() -> Iterator[Any]:
            for result in results:
                if isinstance(result, MemoryError):
                    raise result
                advance()
                yield result

        found = features.of_corpus(corpus, shown())
    found.save(output)
    click.echo(f"{output}: {found.X.shape} {stage} of {corpus.name}")
    finish(len(found.skipped), len(corpus), "could not be decoded")


def folds_case(folder: Path) -> bool:
    """Return whether a folder is on a file system that takes "A" and "a" for the same name.

    Args:
        folder: an existing folder.
    """
    probe = folder / ".case"
    probe.mkdir(exist_ok=True)  # a process that was killed here may have left it
    try:
        return (folder / ".CASE").exists()
    finally:
        with suppress(OSError):  # another process may have removed it
            probe.rmdir()


def npz_names(paths: Sequence[Path], arguments: Sequence[str]) -> dict[Path, Path]:
    """Return the names of .npz files, with the subfolders that the audio files have.

    Args:
        paths: of the audio files.
        arguments: the files and folders of the command line.

    Returns:
        Audio file -> path of its .npz, relative to an argument, or if two would have the same name,
        to the common folder of all files.
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
@click.option(
    "-m",
    "--model",
    default="schluter2014",
    help="The model: a name of `zoo list --task onsets`, a file (.keras or .onnx), or a folder of "
    "`zoo train`.",
)
@RUNTIME
@click.option(
    "--threshold",
    type=float,
    help="Minimum height of an onset's peak, above 0 and at most 1. Default: about 0.24.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file.")
@click.option(
    "--start",
    type=click.FloatRange(0),
    default=0.0,
    help="Where a figure begins, in seconds.",
)
@click.option(
    "--end",
    type=click.FloatRange(0),
    help="Where a figure ends, in seconds. Default: 10 s after its start.",
)
@output_option(
    "outputs",
    multiple=True,
    help="For a single FILE, write instead of print: a time in seconds per line (.csv, .txt), a "
    "figure of activation and spectrogram (.png, .pdf, .svg), or the audio with a click at each "
    "onset (.wav). Can be given several times.",
)
def onsets_command(
    files: tuple[str, ...],
    model: str,
    runtime: str,
    threshold: float | None,
    as_json: bool,
    start: float,
    end: float | None,
    outputs: tuple[Path, ...],
) -> None:
    """Find the onsets in FILES, the times in seconds at which notes start."""
    for output in outputs:
        check_output(output, (".csv", ".txt", ".png", ".pdf", ".svg", ".wav"))
    session = Session(files, model, runtime, most=1 if outputs else None)
    for output in outputs:
        if output.exists() and output.samefile(session.paths[0]):
            raise click.UsageError(f"-o {output} is the input file; give another name.")
    for path, found in session.onsets(threshold):
        for output in outputs:
            write_onsets(found, path, output, start, end)
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


def write_onsets(
    found: "zoo.Onsets", path: Path, output: Path, start: float = 0.0, end: float | None = None
) -> None:
    """Write onsets as text, a figure, or audio with clicks.

    Args:
        found: the onsets.
        path: of the audio file.
        output: file to write; its suffix gives the format.
        start: of a figure, in seconds.
        end: of a figure, in seconds; None for 10 s after its start.
    """
    if output.suffix.lower() in (".csv", ".txt"):
        found.to_csv(output)
    elif output.suffix.lower() == ".wav":
        found.to_wav(output, path)
    else:
        found.plot(output, path, start=start, end=end)


def load(model: str, runtime: str) -> "Predictor":
    """Load a model, and on a terminal say where its weights are from.

    Args:
        model: name or file.
        runtime: as in `zoo.load`; or "auto", ONNX Runtime where there is a graph of the model.

    Raises:
        ZooError: as `zoo.load`.
    """
    from zoo.registry import lookup, saved
    from zoo.weights import runtimes

    if lookup.is_file_name(model) and not model.startswith("hf://"):
        saved.find(model)  # if there is none, say so before Keras is imported
    if runtime == "auto":
        runtime = "onnx" if runtimes.has_graph(model) else "keras"
    if runtime == "keras":
        import_framework()
    loaded: Predictor = zoo.load(model, runtime=runtime)
    if sys.stderr.isatty():
        from zoo.weights import fetch

        for name, checkpoint in loaded.card.checkpoints.items():
            click.echo(fetch.about(name, checkpoint), err=True)
    return loaded


def finish(failed: int, total: int, verb: str) -> None:
    """End a command.

    Args:
        failed: files that failed; each error was shown.
        total: files.
        verb: what could not be done with those that failed.

    Raises:
        click.ClickException: files failed; the exit status is 1.
    """
    if failed and total == 1:
        raise click.exceptions.Exit(1)  # the error above says it all
    if failed:
        raise click.ClickException(f"{failed} of {total} files {verb}.")


class Session:
    """A model and the files of a command; counts the files that failed.

    Args:
        files: files, folders and patterns.
        model: name or file.
        runtime: as in `zoo.load`.
        most: maximum number of files; None for any number.

    Raises:
        click.UsageError: there are more files.
        ZooError: as `zoo.load`.
    """

    model: "Predictor"

    def __init__(self, files: Sequence[str], model: str, runtime: str, most: int | None = None):
        from zoo import audio

        self.paths = audio.find(files)
        if most is not None and len(self.paths) > most:
            raise click.UsageError(
                f"{' '.join(files)}: {len(self.paths)} audio files; expected {most}, since the "
                "output is one file. Give one, or run the command for each."
            )
        self.model = load(model, runtime)
        self.failed, self.verb = 0, "could not be decoded"

    def stream(self, stage: str | None, hop: float | None) -> Iterator[tuple[Path, Any]]:
        """Predict, and show errors on standard error.

        Args:
            stage: of the network; None for the tags.
            hop: seconds from one segment to the next; None for the model's own.

        Yields:
            File and result of each file that did not fail.
        """
        yield from self._show(self.model.stream(self.paths, stage, hop=hop))

    def onsets(self, threshold: float | None) -> Iterator[tuple[Path, "zoo.Onsets"]]:
        """Find onsets, and show errors on standard error.

        Args:
            threshold: minimum height of a peak; None for the default.

        Yields:
            File and onsets of each file that did not fail.
        """
        options = {} if threshold is None else {"threshold": threshold}

        def results() -> Iterator[Any]:
            for path in self.paths:
                try:
                    yield self.model.onsets(path, **options)
                except Exception as error:
                    yield error

        yield from self._show(results())

    def write(self, path: Path, labels: list[str], dry_run: bool) -> None:
        """Write tags into a file, and show that, or an error, on standard error.

        Args:
            path: of the file.
            labels: the tags; of none, nothing is written.
            dry_run: show only what would be written.
        """
        from zoo.audio import metadata

        with self.counted():
            if labels and not dry_run:
                metadata.write_tags(path, labels)
            done = "would be written" if dry_run else "written"
            what = f"genre {'; '.join(labels)!r}" if labels else "no tag has that score; nothing"
            click.echo(f"{path}: {what} {done}", err=True)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Show an error of writing what was predicted of a file, and count the file as failed."""
        try:
            yield
        except (ZooError, OSError) as error:
            self.failed += 1
            self.verb = "could not be decoded or written"
            click.echo(f"Error: {error}", err=True)

    def _show(self, results: Iterator[Any]) -> Iterator[tuple[Path, Any]]:
        shown = None if len(self.paths) > 1 else False
        with bar(self.model.name, len(self.paths), shown) as advance:
            for path, result in zip(self.paths, results, strict=True):
                if isinstance(result, MemoryError):
                    raise result
                if isinstance(result, Exception):  # of whatever kind: the others go on
                    self.failed += 1
                    known = isinstance(result, (ZooError, OSError))
                    text = f"{result}" if known else f"{path}: {type(result).__name__}: {result}"
                    click.echo(f"Error: {text}", err=True)
                else:
                    yield path, result
                advance()

    def finish(self) -> None:
        """End the command.

        Raises:
            click.ClickException: files failed; the exit status is 1.
        """
        finish(self.failed, len(self.paths), self.verb)
