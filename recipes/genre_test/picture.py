"""The picture of the genre test: means with intervals, and each genre of each checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo import plot
from zoo.evaluation import Evaluation

MEANS = (("mean of 5 genres", plot.COLOUR, "o"), ("mean of 4 genres", plot.ACCENT, "s"))


def draw(
    results: dict[str, dict[str, Evaluation]],
    genres: Sequence[str],
    notes: Sequence[str],
    path: Path,
) -> None:
    """Draw the evaluations of each checkpoint, the best on top.

    Args:
        results: checkpoint -> mean -> evaluation.
        genres: columns of the table on the right.
        notes: written below the picture.
        path: of the picture.
    """
    names = sorted(
        results, key=lambda name: -results[name]["mean of 4 genres"].metrics["ROC-AUC"].value
    )
    height = 2.3 + 0.38 * len(names) + 0.17 * len(notes)
    figure = Figure((11, height), layout="constrained")
    means, each = figure.subplots(1, 2, width_ratios=(1, 1), sharey=True)
    draw_means(means, names, results)
    draw_genres(each, names, results, genres)
    means.set_yticks(range(len(names)), names)
    means.set_ylim(len(names) - 0.5, -0.5)
    figure.suptitle(
        "Genre test: music of free games, genres as written by its artists", fontsize=12
    )
    figure.supxlabel("\n".join(notes), fontsize=8, x=0.01, ha="left", color="0.3")
    figure.savefig(path, dpi=130)


def draw_means(axes: Axes, names: Sequence[str], results: dict) -> None:
    """Draw the mean ROC-AUC over five and over four genres with its interval."""
    for shift, (mean, colour, marker) in zip((-0.14, 0.14), MEANS, strict=True):
        found = [(i, results[name][mean]) for i, name in enumerate(names) if mean in results[name]]
        value, low, high = np.array([e.metrics["ROC-AUC"] for _, e in found]).T
        places = np.array([i for i, _ in found]) + shift
        label = mean if len(found[0][1].tags) == 5 else f"{mean}, without classical"
        spread = [value - low, high - value]
        axes.errorbar(value, places, xerr=spread, color=colour, fmt=marker, ms=5, label=label)
    axes.axvline(0.5, color="0.6", linestyle=":", lw=1)
    axes.set(xlim=(0.4, 1), xlabel="ROC-AUC, with 95 % interval over artists")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", fontsize=8)


def draw_genres(axes: Axes, names: Sequence[str], results: dict, genres: Sequence[str]) -> None:
    """Draw the ROC-AUC of every genre, against all other tracks, as coloured cells."""
    values = np.full((len(names), len(genres)), np.nan)
    count = dict.fromkeys(genres, 0)
    for row, name in enumerate(names):
        for tag in next(iter(results[name].values())).tags:  # of the five genres, if it has them
            values[row, genres.index(tag.tag)] = tag.roc_auc.value
            count[tag.tag] = tag.positives
    axes.imshow(values, aspect="auto", cmap="magma", vmin=0.4, vmax=1)
    for (row, column), value in np.ndenumerate(values):
        text, colour = ("no such tag", "0.5") if np.isnan(value) else (f"{value:.2f}", "white")
        dark = np.isnan(value) or value < 0.8
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=7 if np.isnan(value) else 9,
            color=colour if dark else "black",
        )
    axes.set_xticks(range(len(genres)), [f"{genre}\n{count[genre]} tracks" for genre in genres])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("ROC-AUC of each genre against all other tracks", fontsize=10)
