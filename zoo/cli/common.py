"""What the commands share: options, one-line errors, checks before the work."""

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

MODEL = click.option(
    "-m", "--model", default="pons2017", show_default=True, help="A name of `zoo list`, or a file."
)
HOP = click.option("--hop", type=float, help="Seconds from one segment to the next.")
FILES = click.argument("files", nargs=-1, required=True)


def with_options(options: Sequence[Callable]) -> Callable[[Callable], Callable]:
    """Return a decorator that adds options, in their order, to a command."""

    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


class Command(click.Command):
    """A command whose expected errors are one line on stderr and exit status 1.

    An option that takes one value is given once: of two, one would be ignored.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what was typed."""
        *_, given = self.make_parser(ctx).parse_args(list(args))
        for option, times in Counter(given).items():
            if isinstance(option, click.Option) and not option.multiple and times > 1:
                raise click.UsageError(
                    f"{option.opts[-1]} is given {times} times, where one is expected.", ctx
                )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read the output has enough: click ends quietly
        except (ZooError, OSError) as error:
            raise click.ClickException(str(error)) from error


class Warnings:
    """Shows warnings; of a kind that many files of a collection share, the first and a count."""

    shared = {  # noqa: RUF012
        ShortWarning: "as short: each was repeated to fill what the model takes at once",
        BandWarning: "recorded at a lower rate than the model expects",
    }

    def __init__(self) -> None:
        self.counts: Counter[type[Warning]] = Counter()

    def show(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        """Show a warning, in place of `warnings.showwarning`."""
        self.counts[category] += 1
        if category not in self.shared or self.counts[category] == 1:
            click.echo(f"Warning: {message}", err=True)

    def finish(self) -> None:
        """Say how many were not shown."""
        for category, words in self.shared.items():
            if self.counts[category] > 1:
                click.echo(f"Warning: {self.counts[category] - 1:,} more are {words}.", err=True)


def prepare_streams() -> None:
    """Make sure that whatever is written can be: escape what an encoding lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def unicode_output() -> bool:
    """Say whether standard output takes any character."""
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def to_json(content: Any, indent: int | None = None) -> str:
    """Return JSON for standard output."""
    return json.dumps(content, ensure_ascii=not unicode_output(), indent=indent)


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise before the work, not after it, if an output file cannot be written."""
    if path.suffix.lower() not in suffixes:
        raise click.UsageError(f"-o {path}: the name must end in {', '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise click.UsageError(f"-o {path}: there is no folder {path.parent}.")


def import_framework() -> None:
    """Import Keras and what it runs on, without TensorFlow's greetings.

    They are written to the process's error stream before any of TensorFlow's settings counts. What
    goes wrong in an import is an exception all the same. Nor shall TensorFlow advise the user on
    how to write loops, which it does when several models are traced in turn.
    """
    logging.getLogger("tensorflow").addFilter(lambda said: "retracing" not in said.getMessage())
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras  # noqa: F401
    except (ImportError, ValueError) as error:  # ValueError: Keras knows no such backend
        backend = os.environ.get("KERAS_BACKEND")
        named = f"KERAS_BACKEND={backend}" if backend else "its settings in ~/.keras/keras.json"
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"Keras cannot be imported with {named}: {reason}. Install what is missing, or set "
            "KERAS_BACKEND to tensorflow, jax or torch."
        ) from error
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
