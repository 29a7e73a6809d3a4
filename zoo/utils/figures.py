"""Size, colours, fonts, file formats and saving of all figures."""

import io
import sys
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from zoo.errors import ConfigError
from zoo.utils.files import PathLike, replacing

SUFFIXES = (".png", ".pdf", ".svg")
DPI = 200
ROW = 0.25  # inches: height of the row of a label
COLOUR = "#51127c"  # of bars and curves: from magma, the colour map of taggrams
ACCENT = "#f1605d"


Size = tuple[float, float]  # width and height in inches


class Picture(Figure):
    """A figure that notebooks display, whether or not pyplot knows it."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Tell pyplot that the figure is shown: a notebook would show it again below the cell."""
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close(self)
        return {}  # what shows it is IPython's own way of showing figures, or the next method

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        write(self, buffer, "png")
        return buffer.getvalue()


def canvas(
    path: PathLike | None, size: Size, figsize: Size | None = None, ax: Axes | None = None
) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes, or the axes given with their figure.

    Args:
        path: where the picture will be saved; None for a figure to show.
        size: width and height in inches.
        figsize: these instead.
        ax: draw here.

    Returns:
        The figure and the axes.

    Raises:
        ConfigError: both `ax` and `path` or `figsize` are given.
    """
    check(path)
    if ax is None:
        figure = new(path, figsize or size)
        return figure, figure.add_subplot()
    if path is not None or figsize is not None:
        raise ConfigError(
            "ax is a part of your own figure: set figsize where you make it, and save it with "
            "figure.savefig. Leave out path and figsize, or ax."
        )
    found = ax.get_figure()
    assert found is not None
    return found if isinstance(found, Figure) else found.figure, ax


def new(path: PathLike | None, size: Size) -> Figure:
    """Return an empty figure.

    Args:
        path: where it will be saved. With None it is a figure to show: pyplot gets to know it, if
            pyplot is loaded or this is a notebook, so that `plt.show()` shows it.
        size: width and height in inches.

    Returns:
        The figure.
    """
    shell = sys.modules.get("IPython")
    if path is None and ("matplotlib.pyplot" in sys.modules or (shell and shell.get_ipython())):
        import matplotlib.pyplot as plt  # slow to load, and of no use to scripts without it

        with plt.rc_context({"figure.max_open_warning": 0}):
            return plt.figure(figsize=size, layout="constrained", FigureClass=Picture)
    return Picture(figsize=size, layout="constrained")


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
    use_fonts(figure)
    if path is not None:
        with replacing(path) as file:
            write(figure, file, Path(path).suffix.lower().removeprefix("."))
    return figure


def write(figure: Figure, file: IO[bytes], suffix: str) -> None:
    """Write a figure to an open file; `use_fonts` has warned of letters that become boxes.

    Args:
        figure: the figure.
        file: open for writing bytes.
        suffix: "png", "pdf" or "svg".
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        dated = {"Date": None} if suffix == "svg" else None  # the same picture, the same file
        figure.savefig(file, format=suffix, dpi=DPI, metadata=dated)


# --- fonts ---

# Families with Chinese, Japanese and Korean letters, as systems have them.
FAMILIES = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR",
    "Source Han Sans", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic", "Meiryo",
    "Microsoft YaHei", "SimHei", "Malgun Gothic", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "IPAexGothic", "IPAGothic", "TakaoPGothic", "VL PGothic", "NanumGothic",
    "Arial Unicode MS", "Unifont",
)  # fmt: skip
_warned: set[str] = set()


def use_fonts(figure: Figure) -> None:
    """Give texts whose letters the font lacks an installed font that has them.

    Args:
        figure: with all its texts.

    Warns:
        UserWarning: once, if no installed font has them; they are drawn as boxes.
    """
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        content = text.get_text()
        if content.isascii():
            continue
        usual = text.get_fontfamily()
        missing = lacking(content, font_manager.findfont(text.get_fontproperties()))
        if not missing:
            continue
        if family := family_with(missing):
            text.set_fontfamily([*usual, family])
        elif "fonts" not in _warned:
            _warned.add("fonts")
            warnings.warn(
                f"no installed font has the letters {missing[:10]!r}: they are drawn as boxes. "
                "Install a font such as Noto Sans CJK (fonts-noto-cjk on Debian and Ubuntu).",
                stacklevel=5,
            )


def lacking(text: str, path: str) -> str:
    """Return the letters of a text that a font lacks.

    Args:
        text: the text.
        path: of the font's file.

    Returns:
        Each such letter once.
    """
    font = font_manager.get_font(path)
    return "".join(c for c in dict.fromkeys(text) if c > " " and not font.get_char_index(ord(c)))


def family_with(letters: str) -> str | None:
    """Return an installed family of `FAMILIES` that has all these letters; None for none.

    Args:
        letters: the letters.

    Returns:
        Its name.
    """
    installed = set(font_manager.get_font_names())
    names = (name for name in FAMILIES if name in installed)
    # The regular font of the family: others, such as an oblique one, may have fewer letters.
    return next((name for name in names if not lacking(letters, font_manager.findfont(name))), None)


# --- pieces ---


def headline(figure: Figure, name: str, line: str) -> None:
    """Write a title and an explanation below it, at the left of the figure.

    Args:
        figure: where to write.
        name: the title.
        line: the explanation.
    """
    wide = max(int(11.5 * figure.get_figwidth()), 30)  # characters
    lines = [*textwrap.wrap(name, wide), *textwrap.wrap(line, wide)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=10.5, parse_math=False)


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
