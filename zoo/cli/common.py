"""What the commands share: options, one-line errors, checks before the work."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from zoo.errors import ZooError

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
    """A command whose expected errors are one line on stderr and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (ZooError, OSError) as error:
            raise click.ClickException(str(error)) from error


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise before the work, not after it, if an output file cannot be written."""
    if path.suffix not in suffixes:
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
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
