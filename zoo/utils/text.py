"""Text for a terminal of 100 columns: wrapped lines, columns, tables."""

import textwrap
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

WIDTH = 100
LABEL = 12  # width of the labels at the left of a card, in characters


def label_lines(labels: Sequence[str], indent: int) -> list[str]:
    """Return a list of labels in lines, beside their number."""
    return wrapped(", ".join(labels), plural(len(labels), "label"), indent)


def count(number: int | None) -> str:
    """Return a number of parameters: "787,159"."""
    return "" if number is None else f"{number:,}"


def plural(number: int, word: str) -> str:
    """Return "1 label", "50 labels"."""
    return f"{number} {word}{'s' * (number != 1)}"


def wrapped(text: str, label: str, indent: int = 2) -> list[str]:
    """Wrap a text to lines of at most `WIDTH` characters, beside its label.

    Args:
        text: the text; an empty one gives no lines.
        label: the word at the left of the first line.
        indent: spaces before the label.

    Returns:
        The lines.
    """
    start = " " * indent + (f"{label:<{LABEL}}" if label else "")
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def indented(lines: Iterable[str]) -> list[str]:
    """Return lines indented by 4 spaces."""
    return [f"    {line}" for line in lines]


def columns(rows: Sequence[Sequence[str]], right: str = "", width: int = WIDTH) -> list[str]:
    """Return rows of a table as lines with aligned columns.

    Args:
        rows: the head, then the other rows; all cells are strings.
        right: heads of the columns to align to the right, separated by spaces.
        width: in characters; a last cell that exceeds it continues in the next line.

    Returns:
        The lines.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    flush = [head in right.split() for head in rows[0]]
    lines = []
    for *cells, last in rows:
        start = "".join(
            f"{cell:>{size}}  " if to_right else f"{cell:<{size}}  "
            for cell, size, to_right in zip(cells, widths[:-1], flush[:-1], strict=True)
        )
        parts = textwrap.wrap(last, max(width - before, 20), break_on_hyphens=False) or [""]
        if flush[-1]:
            parts = [part.rjust(widths[-1]) for part in parts]
        lines += [(start + parts[0]).rstrip(), *(" " * before + part for part in parts[1:])]
    return lines


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return the lines of a table in Markdown.

    Args:
        head: titles of the columns.
        rows: their cells.

    Returns:
        The lines.
    """
    lines = [head, tuple("---" for _ in head), *rows]
    return [
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    ]


def few(names: Iterable[str], total: int, most: int = 5) -> str:
    """Join the first few of many names.

    >>> few(["a", "b", "c"], 3, most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(islice(names, most))
    return f"{shown} and {total - most:,} more" if total > most else shown
