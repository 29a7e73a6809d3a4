"""What all figures share: size, colours, file formats, saving."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.errors import ConfigError
from zoo.utils.files import PathLike, replacing

if TYPE_CHECKING:
    pass


SUFFIXES = (".png", ".pdf", ".svg")
DPI = 200
ROW = 0.25  # inches of height for a label
COLOUR = "#51127c"  # of bars and curves: from magma, the colour map of taggrams
ACCENT = "#f1605d"


class Picture(Figure):
    """A figure that notebooks show by themselves, with or without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        write(self, buffer, "png")
        return buffer.getvalue()


def name_rows(axes: Axes, names: Sequence[str], at: float) -> None:
    """Write a label beside each row; a dollar sign in it is no mathematics."""
    axes.set_yticks(np.arange(len(names)) + at, names, parse_math=False)
    axes.tick_params("y", length=0)


def check(path: PathLike | None) -> None:
    """Raise ConfigError, before any work, if a picture cannot have this name."""
    if path is not None and Path(path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"cannot draw {path}: the name must end in {', '.join(SUFFIXES)}.")


def saved(figure: Figure, path: PathLike | None) -> Figure:
    """Save a figure if a path is given; return it."""
    if path is not None:
        with replacing(path) as file:
            write(figure, file, Path(path).suffix.lower().removeprefix("."))
    return figure


def write(figure: Figure, file, suffix: str) -> None:
    """Write a figure to an open file; letters that the font lacks become boxes, silently."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(file, format=suffix, dpi=DPI)


# --- pieces ---


def headline(figure: Figure, name: str, line: str) -> None:
    """Write a title and a line of explanation below it, at the left of the figure."""
    figure.suptitle(f"{name}\n{line}", x=0.01, ha="left", fontsize=10.5, parse_math=False)


def short(name: str, most: int = 36) -> str:
    """Return a name with its middle left out if it is long."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
