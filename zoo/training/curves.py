"""The plot of a training: loss and score after each epoch."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo.training.history import SCORES, Row
from zoo.utils import figures
from zoo.utils.files import PathLike

NAMES = {"loss": "training", "val_loss": "validation", **SCORES}


def history(rows: Sequence[Row], best: Row, model: str, path: PathLike | None = None) -> Figure:
    """Plot a history: the losses on the left, the validation score on the right.

    Args:
        rows: the epochs in order. A line separates phases.
        best: the row to mark.
        model: name for the title.
        path: .png, .pdf or .svg file to write; None writes nothing.

    Returns:
        The figure.

    Raises:
        ConfigError: the path has another suffix.
    """
    figures.check(path)
    figure = figures.Picture(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = range(1, len(rows) + 1)
    (score,) = (name for name in rows[0] if name in SCORES)
    for axes, names in ((left, ("loss", "val_loss")), (right, (score,))):
        for name in names:
            colour = figures.ACCENT if name == "loss" else figures.COLOUR
            few = "o" if len(rows) < 20 else ""
            values = [row[name] for row in rows]
            axes.plot(epochs, values, few + "-", ms=3, lw=1.2, color=colour, label=NAMES[name])
        finish(axes, rows, rows.index(best) + 1)
    left.set_ylabel("loss")
    left.legend(frameon=False)
    right.set_ylabel(f"{NAMES[score]} of the validation")
    values = [row[score] for row in rows if row[score] == row[score]]  # no NaN
    right.set_ylim(max(min([*values, 0.5]) - 0.05, 0), 1.02)
    marked = f"best {best['phase']} {best['epoch']}: {NAMES[score]} {best[score]:.3f}"
    figure.suptitle(f"{model} · {marked}", x=0.01, ha="left", fontsize=11, parse_math=False)
    return figures.saved(figure, path)


def finish(axes: Axes, rows: Sequence[Row], best: int) -> None:
    """Mark the best epoch and the start of each phase; label the axis.

    Args:
        axes: with one x value for each epoch, from 1.
        rows: the epochs in order.
        best: number of the best epoch, from 1.
    """
    axes.axvline(best, color="0.75", lw=1, zorder=0)
    starts = [i for i, row in enumerate(rows) if i == 0 or row["phase"] != rows[i - 1]["phase"]]
    for i in starts:
        if i:
            axes.axvline(i + 0.5, color="0.6", lw=1, ls=":", zorder=0)
        if len(starts) > 1:
            axes.annotate(
                rows[i]["phase"],
                (i + 0.5, 1),
                xytext=(3, 2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="bottom",
                fontsize=8,
                color="0.4",
            )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
