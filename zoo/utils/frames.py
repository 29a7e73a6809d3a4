"""Tables for notebooks: data frames of pandas, and HTML."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.utils.lazy import required

if TYPE_CHECKING:
    import pandas


def dataframe(columns: Mapping[str, Any]) -> "pandas.DataFrame":
    """Return a data frame.

    Args:
        columns: name -> values, equally many in each.

    Returns:
        The data frame.

    Raises:
        ConfigError: pandas is not installed.
    """
    pandas = required("pandas", "to_dataframe needs pandas: pip install pandas.")
    return pandas.DataFrame(dict(columns))


def html_table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """Return a table for a notebook.

    Args:
        head: titles of the columns.
        rows: their cells.
        caption: text above; line breaks stay.

    Returns:
        HTML, with all characters escaped that mean something in it.
    """
    above = f"<p>{html.escape(caption).replace(chr(10), '<br>')}</p>" if caption else ""
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    lines = (
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"{above}<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def html_text(text: str) -> str:
    """Return text that keeps its columns in a notebook.

    Args:
        text: lines for a terminal.

    Returns:
        HTML.
    """
    return f'<pre style="white-space: pre-wrap">{html.escape(text)}</pre>'
