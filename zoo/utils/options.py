"""Options of commands that set the parameters of a function."""

import ast
from typing import Any

import click


def option(text: str) -> tuple[str, Any]:
    """Read KEY=VALUE; a value that is not a Python literal is a string.

    Args:
        text: what the user typed after `--option`.

    Returns:
        Key and value.

    Raises:
        click.UsageError: the text is not KEY=VALUE.

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
