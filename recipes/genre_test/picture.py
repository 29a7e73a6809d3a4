"""The picture of the genre test: means with intervals, and each genre of each checkpoint."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.utils import figures

MEANS = (("mean of 5 genres", figures.COLOUR, "o"), ("mean of 4 genres", figures.ACCENT, "s"))


Row = Mapping[str, str]  # of results/genre_test.csv


def draw(table: Iterable[Row], genres: Sequence[str], notes: Sequence[str], path: Path) -> None:
    """Draw the scores of each checkpoint, the best on top.

    Args:
        table: rows of results/genre_test.csv.
        genres: columns of the table on the right.
        notes: text below the figure.
        path: file to write.
    """
    results: dict[str, dict[str, Row]] = {}
    for row in table:
        if row["ROC-AUC"]:
            results.setdefault(row["checkpoint"], {})[row["genre"]] = row
    names = sorted(results, key=lambda name: -float(results[name]["mean of 4 genres"]["ROC-AUC"]))
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
    ends = ("", " low", " high")
    for shift, (mean, colour, marker) in zip((-0.14, 0.14), MEANS, strict=True):
        found = [(i, results[name][mean]) for i, name in enumerate(names) if mean in results[name]]
        scores = [[float(row[f"ROC-AUC{end}"]) for end in ends] for _, row in found]
        value, low, high = np.array(scores).T
        places = np.array([i for i, _ in found]) + shift
        label = f"{mean}, without classical" if "4" in mean else mean
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
        for column, genre in enumerate(genres):
            if genre in results[name]:
                values[row, column] = float(results[name][genre]["ROC-AUC"])
                count[genre] = int(results[name][genre]["tracks"])
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
