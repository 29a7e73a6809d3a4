"""Shared parts of the commands: options, one-line errors, early checks."""

import io
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from zoo.errors import BandWarning, ConfigError, ShortWarning, ZooError
from zoo.utils.lazy import framework_errors, quiet

MODEL = click.option(
    "-m",
    "--model",
    default="pons2017",
    help="The model: a name of `zoo list`, a file (.keras or .onnx), or a folder of `zoo train`.",
)
HOP = click.option(
    "--hop",
    type=float,
    help="Seconds from the start of one segment to the next. Default: that of the model.",
)
RUNTIME = click.option(
    "--runtime",
    type=click.Choice(["auto", "onnx", "openvino", "keras"]),
    default="auto",
    help="What computes the network. 'auto' uses ONNX Runtime, which starts at once, where it can "
    "run the model; Keras for your own .keras files and folders of `zoo train`.",
)


def output_option(*names: str, dir_okay: bool = True, **options: Any) -> Callable[[Any], Any]:
    """Return the option -o, whose value is a path.

    Args:
        names: of the parameter, if it is not `output`.
        dir_okay: whether a folder will do.
        options: others of `click.option`.
    """
    kind = click.Path(path_type=Path, dir_okay=dir_okay)
    return click.option("-o", "--output", *names, type=kind, callback=_can_be_written, **options)


def _can_be_written(_: click.Context, __: click.Parameter, value: Any) -> Any:
    """Refuse an output, before the work, whose folder does not let files be written."""
    for path in value if isinstance(value, tuple) else filter(None, (value,)):
        whole = path.absolute()
        folder = next(place for place in (whole, *whole.parents) if place.is_dir())
        if not os.access(folder, os.W_OK):
            raise click.UsageError(f"-o {path}: the folder {folder} is not writable.")
    return value


FILES = click.argument("files", nargs=-1, required=True)


def with_options(options: Sequence[Callable]) -> Callable[[Callable], Callable]:
    """Return a decorator that adds options to a command.

    Args:
        options: from `click.option`, in the order of the help.

    Returns:
        The decorator.
    """

    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


class Command(click.Command):
    """A command whose expected errors are one line on standard error, with exit status 1.

    An option with a single value must not be given twice: one value would be ignored.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; see click."""
        *_, given = self.make_parser(ctx).parse_args(list(args))
        for option, times in Counter(given).items():
            if isinstance(option, click.Option) and not option.multiple and times > 1:
                raise click.UsageError(
                    f"{option.opts[-1]} is given {times} times; expected once.", ctx
                )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see click."""
        try:
            with framework_errors():
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of the output has stopped: click ends without a message
        except (ZooError, OSError) as error:
            raise click.ClickException(str(error)) from error


class Warnings:
    """Shows warnings. Of a kind that many files share, it shows the first and a count."""

    shared = {  # noqa: RUF012
        ShortWarning: "shorter than a segment of the model and were repeated to fill it",
        BandWarning: "recorded at a lower rate than the model expects",
    }

    def __init__(self) -> None:
        self.counts: Counter[type[Warning]] = Counter()

    def show(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        """Show a warning. Replaces `warnings.showwarning`.

        Args:
            message: of the warning.
            category: its class.
        """
        self.counts[category] += 1
        if category not in self.shared or self.counts[category] == 1:
            click.echo(f"Warning: {message}", err=True)

    def finish(self) -> None:
        """Show the number of warnings that were hidden."""
        for category, words in self.shared.items():
            if self.counts[category] > 1:
                count = self.counts[category] - 1
                click.echo(f"Warning: {count:,} more files are {words}.", err=True)


def prepare_streams() -> None:
    """Make all text writable to the standard streams: escape characters that an encoding lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def unicode_output() -> bool:
    """Return whether standard output can show any character.

    Returns:
        True for Unicode encodings.
    """
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def to_json(content: Any, indent: int | None = None) -> str:
    """Return JSON for standard output.

    Args:
        content: to convert.
        indent: spaces per level; None for a single line.

    Returns:
        The JSON text.
    """
    return json.dumps(content, ensure_ascii=not unicode_output(), indent=indent)


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Check an output file before the work.

    Args:
        path: of the file.
        suffixes: the allowed ones.

    Raises:
        click.UsageError: another suffix, or the folder does not exist.
    """
    if path.suffix.lower() not in suffixes:
        raise click.UsageError(f"-o {path}: the name must end in {', '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise click.UsageError(f"-o {path}: there is no folder {path.parent}.")


def import_framework() -> None:
    """Import Keras and its backend, without TensorFlow's start-up messages.

    TensorFlow's warnings about retracing, which appear if several models run, are hidden too.

    Raises:
        ConfigError: Keras or its backend cannot be imported.
    """
    logging.getLogger("tensorflow").addFilter(lambda log: "retracing" not in log.getMessage())
    try:
        with quiet():
            import keras  # noqa: F401
    except (ImportError, ValueError) as error:  # ValueError: Keras has no such backend
        backend = os.environ.get("KERAS_BACKEND")
        named = f"KERAS_BACKEND={backend}" if backend else "its settings in ~/.keras/keras.json"
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"Keras cannot be imported with {named}: {reason}. Install what is missing, or set "
            "KERAS_BACKEND to tensorflow, jax or torch."
        ) from error
