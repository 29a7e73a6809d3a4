"""`zoo batch`: a whole library into a Parquet data set."""

import re
from pathlib import Path
from typing import Any

import click

from zoo.cli.common import HOP, RUNTIME, Command, output_option
from zoo.errors import Unfinished
from zoo.utils.text import plural

WRONG, INTERRUPTED = 2, 3


class Shard(click.ParamType):
    """A shard i/n, as two numbers."""

    name = "I/N"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Read "3/8"; see click."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+)/(\d+)", value)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value!r}: expected i/n with i from 1 to n, such as 1/8.", param, ctx)
        return int(found[1]), int(found[2])


class BatchCommand(Command):
    """A command whose wrong calls end with exit status 2, and interruptions with 3."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see click."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            cause = error.__cause__
            if isinstance(cause, (Unfinished, OSError)) and not isinstance(
                cause, FileNotFoundError
            ):
                setattr(error, "exit_code", INTERRUPTED)  # noqa: B010 (click: of the class)
            elif cause is not None:
                setattr(error, "exit_code", WRONG)  # noqa: B010
            raise
        except KeyboardInterrupt:
            message = "Stopped. What was done is written; give the same command again to go on."
            click.echo(message, err=True)
            ctx.exit(INTERRUPTED)


@click.command("batch", cls=BatchCommand)
@click.argument("model")
@click.argument("sources", nargs=-1, required=True)
@output_option(required=True, help="Folder of the results.")
@click.option("--segments", is_flag=True, help="Write a row for each segment, too.")
@click.option(
    "--embed",
    multiple=True,
    metavar="STAGE",
    help="Write the output of this stage of the network; `zoo info NAME` lists all. Can be given "
    "several times.",
)
@click.option(
    "--tags/--no-tags",
    default=None,
    help="Whether to write the scores of the tags. Default: yes, unless the model finds onsets.",
)
@click.option(
    "--onsets/--no-onsets",
    default=None,
    help="Whether to write the times of onsets. Default: yes, if the model finds them.",
)
@HOP
@RUNTIME
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of processes, each with one thread. Default: the number of cores.",
)
@click.option(
    "--shard",
    type=Shard(),
    default=(1, 1),
    show_default=False,
    help="Take only the tracks of the I-th of N shards. N machines can write into one folder so.",
)
@click.option(
    "--timeout",
    default=300.0,
    help="Seconds that a track may take for each started hour of its sound.",
)
@click.option(
    "--memory",
    default=4.0,
    help="GB of memory that the process of a track may take.",
)
@click.option("--part", type=click.IntRange(1), default=500, help="Tracks in a file.")
@click.option("--column", default="path", help="Column of the paths in lists.")
@click.option("--retry", is_flag=True, help="Try tracks again that failed in an earlier run.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Delete the results of other settings or another model that are in the folder.",
)
@click.option(
    "--export",
    "export_format",
    type=click.Choice(["csv", "jsonl"]),
    help="At the end, write the results as tables of this format, too.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Where processes run: on this machine, or on a Ray cluster.",
)
@click.option("--address", help="Address of the Ray cluster. Default: the one that Ray finds.")
def batch_command(
    model: str, sources: tuple[str, ...], output: Path, export_format: str | None, **options: Any
) -> None:
    """Predict all SOURCES with MODEL, and write a Parquet data set.

    SOURCES are audio files, folders, patterns such as '*.mp3', lists of paths (.txt, .m3u, .csv,
    .tsv, .parquet; other columns are carried to the results), and addresses such as
    s3://bucket/folder.

    The results are OUTPUT/tracks/*.parquet, with --segments OUTPUT/segments/*.parquet, and
    OUTPUT/failed.parquet. Give the same command again to go on after an interruption, or when
    files were added or have changed.

    The exit status is 0 if all is well, 1 if tracks failed, 2 for a wrong call, and 3 if the run
    was interrupted, by Ctrl-C or a full disk.
    """
    from zoo.batching import export, run  # not above: `zoo --help` is fast without

    done = run.batch(model, sources, output, **options)
    if export_format:
        for path in export.export(output, export_format):
            click.echo(f"{path}")
    before = f", {done.tracks_before:,} were done before" if done.tracks_before else ""
    click.echo(
        f"{output}: {plural(done.tracks, 'track')}, {done.seconds / 3600:.2f} hours of audio, in "
        f"{done.elapsed:.1f} s{before}."
    )
    failed = done.failed + done.failed_before
    if failed:
        raise click.ClickException(
            f"{plural(failed, 'track')} failed; {output / 'failed.parquet'} has the reasons; "
            "--retry tries again."
        )
