"""Options of commands that follow from a function's parameters."""

import ast
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    pass


def option(text: str) -> tuple[str, Any]:
    """Read KEY=VALUE; a value that is no Python literal is a string.

    >>> option("filters=[8, 16]")
    ('filters', [8, 16])
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--option {text}: expected KEY=VALUE, such as variant=waveform.")
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value
