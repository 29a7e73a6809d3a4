"""Figures of lee2009: filters learned without labels, their training, and few-shot accuracy."""

import csv
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

import zoo
from zoo.training import cdbn
from zoo.utils import figures

TARGET = 0.05
LAYERS = (("crbm1", "layer 1", figures.COLOUR), ("crbm2", "layer 2", figures.ACCENT))


def draw_filters(model: zoo.AudioModel, path: Path, rows: int = 5, columns: int = 16) -> None:
    """Draw the filters with the largest norm on the frequency axis, sorted from low to high."""
    kernel = keras.ops.convert_to_numpy(model.get_layer("crbm1").kernel)  # (frames, 80, filters)
    filters = model.get_layer("whitened").unwhiten(kernel.transpose(2, 0, 1))  # (.., frames, 161)
    norms = np.sqrt(np.square(filters).sum(axis=(1, 2)))
    chosen = filters[np.argsort(-norms)[: rows * columns]]
    profile = np.square(chosen).sum(axis=1)
    centre = (profile * np.arange(profile.shape[1])).sum(axis=1) / profile.sum(axis=1)
    chosen = chosen[np.argsort(centre)]

    figure = Figure((12, 8.5), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    frames, top = chosen.shape[1], model.sample_rate / 2000
    for axis, values in zip(axes.flat, chosen, strict=False):
        limit = np.abs(values).max()
        axis.imshow(
            values.T,
            origin="lower",
            aspect="auto",
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            extent=(0, 10 * frames, 0, top),
        )
        axis.set(xticks=[5 * frames, 10 * frames], yticks=[0, 2, 4, 6, 8])
        axis.tick_params(labelsize=7, length=2)
    axes[rows // 2, 0].set_ylabel("frequency (kHz)")
    figure.supxlabel("time (ms)", fontsize=9)
    figure.suptitle(
        f"lee2009: {len(chosen)} of {len(filters)} first-layer filters learned from music "
        "without labels\nthe largest, from low to high; red: more energy than around, blue: less",
        fontsize=11,
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03)
    figure.savefig(path, dpi=100)


def draw_curves(history: cdbn.History, title: str, path: Path) -> None:
    """Draw what `pretrain` measured, a point for each epoch."""
    figure = Figure((9, 3.6), layout="constrained")
    errors, activations = figure.subplots(1, 2)
    for name, label, colour in LAYERS:
        epochs = np.arange(1, 1 + len(history[name]["reconstruction_error"]))
        errors.plot(epochs, history[name]["reconstruction_error"], color=colour, label=label)
        activations.plot(epochs, history[name]["mean_activation"], color=colour, label=label)
    activations.axhline(TARGET, color="black", linestyle=":", label="target")
    errors.set(ylabel="reconstruction error (mean square)", ylim=(0, None))
    activations.set(ylabel="mean activation of the hidden units", ylim=(0, None))
    for axis in (errors, activations):
        axis.set(xlabel="epoch of 100 updates", xlim=(0, None))
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110)


def write_table(history: cdbn.History, path: Path) -> None:
    """Write what `pretrain` measured, a line for each epoch."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["layer", "epoch", *cdbn.MEASURES])
        for layer, (name, _, _) in enumerate(LAYERS, 1):
            values = zip(*(history[name][measure] for measure in cdbn.MEASURES), strict=True)
            for epoch, pair in enumerate(values, 1):
                table.writerow([layer, epoch, *(f"{value:.6f}" for value in pair)])


FEATURES = {  # as the legend explains them
    "RAW": "RAW: log spectrum",
    "RAW level": "RAW level: spectrum without its level",
    "MFCC": "MFCC: 20 coefficients",
    "L1": "L1: first learned layer",
    "L2": "L2: second learned layer",
    "L1+L2": "L1+L2: both layers",
    "untrained": "untrained: both, initial filters",
}


def draw_fewshot(
    results: dict[tuple[str, int], tuple[float, float]], names: Sequence[str], path: Path
) -> None:
    """Draw accuracy over the number of labelled tracks, a line for each feature.

    Args:
        results: (feature, tracks a class) -> mean and standard error.
        names: names of the classes.
        path: file to write.
    """
    sizes = sorted({size for _, size in results})
    figure = Figure((9.5, 4.6), layout="constrained")
    axes = figure.subplots()
    looks = {"RAW": ("0.5", "-"), "RAW level": ("0.5", ":"), "MFCC": ("black", "-"),
             "L1": (figures.COLOUR, "-"), "L2": (figures.COLOUR, "--"),
             "L1+L2": (figures.ACCENT, "-"),
             "untrained": (figures.ACCENT, ":")}  # fmt: skip
    for i, (name, (colour, style)) in enumerate(looks.items()):
        values = [results[name, size] for size in sizes]
        places = np.array(sizes) + 0.03 * (i - 3)  # side by side
        axes.errorbar(
            places,
            [mean for mean, _ in values],
            yerr=[error for _, error in values],
            color=colour,
            linestyle=style,
            marker="o",
            ms=4,
            label=FEATURES.get(name, name),
        )
    axes.axhline(1 / len(names), color="0.7", lw=1)
    axes.annotate("chance", (sizes[-1], 1 / len(names)), va="bottom", ha="right", color="0.5")
    axes.set(
        xticks=sizes,
        xlabel="labelled tracks of each class",
        ylabel="accuracy on 3 s, mean over classes",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(
        f"{', '.join(names)}: game music of artists not trained on,\n"
        "mean and standard error of 20 draws",
        fontsize=11,
    )
    figure.savefig(path, dpi=110)


def redraw_fewshot(results: Path) -> None:
    """Draw the figure of the table lee2009_fewshot.csv again.

    Args:
        results: the folder of both.
    """
    with (results / "lee2009_fewshot.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    means = {
        (row["feature"], int(row["tracks a class"])): (
            float(row["accuracy"]),
            float(row["standard error"]),
        )
        for row in rows
    }
    names = rows[0]["which classes"].split(", ")
    draw_fewshot(means, names, results / "lee2009_fewshot.png")
