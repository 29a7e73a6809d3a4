"""Size, colours, file formats and saving of all figures."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.errors import ConfigError
from zoo.utils.files import PathLike, replacing

SUFFIXES = (".png", ".pdf", ".svg")
DPI = 200
ROW = 0.25  # inches: height of the row of a label
COLOUR = "#51127c"  # of bars and curves: from magma, the colour map of taggrams
ACCENT = "#f1605d"


class Picture(Figure):
    """A figure that notebooks display without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        write(self, buffer, "png")
        return buffer.getvalue()


def name_rows(axes: Axes, names: Sequence[str], at: float) -> None:
    """Write a label beside each row; a dollar sign starts no formula.

    Args:
        axes: where to write.
        names: a label for each row.
        at: offset of the labels, in rows.
    """
    axes.set_yticks(np.arange(len(names)) + at, names, parse_math=False)
    axes.tick_params("y", length=0)


def check(path: PathLike | None) -> None:
    """Check the suffix of a picture's file name, before any work.

    Args:
        path: of the picture; None is accepted.

    Raises:
        ConfigError: the suffix is not one of `SUFFIXES`.
    """
    if path is not None and Path(path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"cannot draw {path}: the name must end in {', '.join(SUFFIXES)}.")


def saved(figure: Figure, path: PathLike | None) -> Figure:
    """Save a figure if a path is given; return it.

    Args:
        figure: the figure.
        path: where to save it, with a suffix of `SUFFIXES`; None to not save.

    Returns:
        The same figure.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    if path is not None:
        with replacing(path) as file:
            write(figure, file, Path(path).suffix.lower().removeprefix("."))
    return figure


def write(figure: Figure, file: IO[bytes], suffix: str) -> None:
    """Write a figure to an open file; letters that the font lacks become boxes, without a warning.

    Args:
        figure: the figure.
        file: open for writing bytes.
        suffix: "png", "pdf" or "svg".
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(file, format=suffix, dpi=DPI)


# --- pieces ---


def headline(figure: Figure, name: str, line: str) -> None:
    """Write a title and one line of explanation below it, at the left of the figure.

    Args:
        figure: where to write.
        name: the title.
        line: the explanation.
    """
    figure.suptitle(f"{name}\n{line}", x=0.01, ha="left", fontsize=10.5, parse_math=False)


def short(name: str, most: int = 36) -> str:
    """Shorten a long name by leaving out its middle.

    Args:
        name: the name.
        most: greatest length of the result, in characters.

    Returns:
        The name, or its two ends joined by an ellipsis.
    """
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
