"""Figures of evaluations and comparisons.

Colours are those of Okabe and Ito, with grey for black: people with any colour vision can tell them
apart. Beyond eight models they repeat with hatches and other marks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from zoo.errors import ConfigError
from zoo.evaluation.metrics import Score
from zoo.evaluation.records import ComparisonRecord, Entry, EvaluationRecord
from zoo.evaluation.tables import name, scope, title
from zoo.utils.figures import ROW, Picture, check, headline, name_rows, saved, short
from zoo.utils.files import PathLike

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999999", "#f0e442")
HATCHES = ("", "////", "....", "xxxx")
MARKERS = "osD^vP*X"
BAR = "#8d65b3"  # lighter than `COLOUR`, so that intervals can be seen on it
GREY = "0.55"
MOST_CLIPS = 60  # with onsets, that are named one by one
MOST_BARS = 100  # of all tags and models together
MOST_NUMBERS = 25  # classes up to which the cells of a confusion matrix show their number


# --- one model ---


def evaluation(e: EvaluationRecord, path: PathLike | None = None) -> Figure:
    """Draw an evaluation. See `Evaluation.plot`."""
    check(path)
    if e.onsets:
        return saved(onsets(e), path)
    height = 1.5 + ROW * (len(e.tags) + 1)
    classes = len(e.classes)
    side = max(3.2, 0.36 * classes + 1.6) if classes else 0.0
    figure = Picture(figsize=(8.5 + side, max(height, side * 0.9)), layout="constrained")
    widths = [1, 1] if not classes else [1, 1, side / 4]
    panels = figure.subplots(1, len(widths), width_ratios=widths)
    tags = sorted(e.tags, key=lambda t: -t.roc_auc.value)
    chance = [t.positives / e.clips for t in tags]
    bars(panels[0], [t.roc_auc for t in tags], "ROC-AUC", [0.5] * len(tags), e.metrics["ROC-AUC"])
    bars(panels[1], [t.pr_auc for t in tags], "PR-AUC", chance, e.metrics["PR-AUC"])
    name_rows(panels[0], [f"{t.tag} ({t.positives:,})" for t in tags], at=0)
    panels[1].set_yticks([])
    if classes:
        confusion(panels[2], e)
    headline(figure, f"{e.model} on {name(e)}", f"{e.clips:,} clips; {uncertainty(e)}")
    return saved(figure, path)


def bars(
    axes: Axes, scores: Sequence[Score], metric: str, chance: Sequence[float], mean: Score
) -> None:
    """Draw a bar for each tag, from the score of guessing to its own, with its interval."""
    rows = np.arange(len(scores))
    values, start = np.array([s.value for s in scores]), np.array(chance)
    axes.barh(rows, values - start, left=start, height=0.66, color=BAR)
    intervals(axes, scores, rows)
    low = 0.0 if metric == "PR-AUC" else min(0.5, *(np.nanmin(s) for s in scores)) - 0.01
    axes.set_xlim(low, 1.005)
    axes.vlines(start, rows - 0.42, rows + 0.42, color="0.35", lw=1)
    axes.axvline(mean.value, color=GREY, lw=1, ls=(0, (4, 3)), zorder=0)
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.set_title(f"{metric}: mean {mean.value:.3f}", loc="left", fontsize=10)
    note = (
        "in brackets: clips with the tag"
        if metric == "PR-AUC"
        else "bars start where guessing does"
    )
    axes.set_xlabel(note, fontsize=9, color="0.35")
    axes.grid(axis="x", color="0.9", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def intervals(axes: Axes, scores: Sequence[Score], rows: np.ndarray, colour: str = "0.15") -> None:
    """Draw the intervals of scores as lines; none where there is none."""
    low, high = (np.array([s[i] for s in scores]) for i in (1, 2))
    known = np.isfinite(low)
    axes.hlines(rows[known], low[known], high[known], color=colour, lw=1.1)


def confusion(axes: Axes, e: EvaluationRecord) -> None:
    """Draw a confusion matrix: a row for each truth; colours are shares of the row."""
    matrix = e.confusion
    assert matrix is not None
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="magma_r", vmin=0, vmax=1)
    numbers = np.arange(len(e.classes))
    axes.set_xticks(numbers, e.classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(numbers, e.classes)
    axes.tick_params(length=0)
    if len(numbers) <= MOST_NUMBERS:
        for row, column in np.argwhere(matrix > 0):
            dark = share[row, column] > 0.5
            axes.text(
                *(column, row, f"{matrix[row, column]:,}"),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
    axes.set_ylabel("truth")
    axes.set_xlabel(f"prediction; accuracy {e.metrics['accuracy'].value:.3f}")
    axes.spines[:].set_visible(False)


def onsets(e: EvaluationRecord) -> Figure:
    """Draw precision, recall and F of all clips, and F of each."""
    clips = sorted(e.onsets, key=lambda o: -o.f_measure)
    named = len(clips) <= MOST_CLIPS
    height = max(2.6, 1.2 + ROW * len(clips)) if named else 3.6
    figure = Picture(figsize=(9, height), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
    names = list(e.metrics)
    rows = np.arange(len(names))
    left.barh(rows, [e.metrics[n].value for n in names], height=0.6, color=BAR)
    intervals(left, list(e.metrics.values()), rows)
    name_rows(left, [f"{n} {e.metrics[n].value:.3f}" for n in names], at=0)
    left.invert_yaxis()
    left.set_xlabel("all clips together")
    values = [o.f_measure for o in clips]
    if named:
        right.barh(np.arange(len(clips)), values, height=0.66, color=BAR)
        name_rows(right, [f"{short(Path(o.clip).name)} ({o.onsets:,})" for o in clips], at=0)
        right.set_ylim(len(clips) - 0.4, -0.6)
        right.set_xlabel("F of each clip (its onsets)")
    else:
        right.fill_between(np.arange(len(clips)) + 1, values, step="mid", color=BAR)
        right.set_ylim(0, 1)
        right.set_xlabel("clips, the best first")
        right.set_ylabel("F")
    for axes in (left, *((right,) if named else ())):
        axes.set_xlim(0, 1)
        axes.grid(axis="x", color="0.9", lw=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
    headline(figure, f"{e.model} on {name(e)}", f"{e.clips:,} clips; {uncertainty(e)}")
    return figure


# --- several models ---


def comparison(c: ComparisonRecord, path: PathLike | None = None) -> Figure:
    """Draw a comparison. See `Comparison.plot`."""
    check(path)
    tags = [t.tag for t in c.entries[0].evaluation.tags]
    if len(c.entries) > len(PALETTE) * len(HATCHES):
        raise ConfigError(f"{len(c.entries)} models do not fit in a picture; draw fewer.")
    dense = len(tags) * len(c.entries) > MOST_BARS
    height = 0.03 if dense else 0.17  # inches for each model
    band = height * len(c.entries) + 0.2  # and for each tag
    lower = band * len(tags) + 0.7 if tags else 0.0
    upper = max(4.0, 0.42 * len(c.entries) + 1.2)
    figure = Picture(figsize=(10, upper + lower + 0.6), layout="constrained")
    heights = [upper, lower] if tags else [upper]
    panels = np.atleast_1d(figure.subplots(len(heights), 1, height_ratios=heights))
    bubbles(panels[0], c)
    if tags:
        grouped(panels[1], c, tags, height / band)
    first = c.entries[0].evaluation
    line = f"{scope(c)}; {uncertainty(first)}"
    headline(figure, title(c), line)
    return saved(figure, path)


def look(i: int) -> dict:
    """Return colour and hatch of a model's patches."""
    colour, hatch = PALETTE[i % len(PALETTE)], HATCHES[i // len(PALETTE)]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "white" if hatch else colour}


def bubbles(axes: Axes, c: ComparisonRecord) -> None:
    """Draw quality against speed, the size as the bubble's area, names in a column at the right."""
    metric = c.metrics[0]
    x = np.array([e.speed for e in c.entries])
    y = np.array([e.evaluation.metrics[metric].value for e in c.entries])
    area = bubble_areas([e.size for e in c.entries])
    for i in np.argsort(-area):  # large ones below
        score = c.entries[i].evaluation.metrics[metric]
        if np.isfinite(score.low):
            axes.vlines(x[i], score.low, score.high, color=PALETTE[i % len(PALETTE)], lw=1.4)
        style = {**look(i), "edgecolor": "white"}
        axes.scatter(x[i], y[i], s=area[i], lw=0.8, zorder=3, alpha=0.9, **style)
    bounds = [b for e in c.entries for b in e.evaluation.metrics[metric] if np.isfinite(b)]
    low, high = min(bounds), max(bounds)
    margin = max(0.12 * (high - low), 0.01)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xscale("log")
    left, right = x.min() / 1.5, x.max() * 1.5
    axes.set_xlim(left, right)
    ticks = round_numbers(left, right)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("speed of the network: seconds of sound a second; area: bytes on the disk")
    axes.set_ylabel(metric if not c.tags else f"{metric}, mean over tags")
    axes.grid(color="0.9", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    low, high = axes.get_ylim()
    heights = spread((y - low) / (high - low), min(0.065, 0.92 / len(y)))
    for i, height in enumerate(heights):
        axes.annotate(
            caption(c.entries[i]),
            (x[i], y[i]),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": PALETTE[i % len(PALETTE)],
                "lw": 0.7,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
            zorder=2,
        )


def caption(e: Entry) -> str:
    """Return a model's name, parameters and size."""
    million = e.parameters / 1e6
    return f"{short(e.model)}: {million:.2g} M parameters, {e.size / 1e6:.1f} MB"


def bubble_areas(sizes: Sequence[int]) -> np.ndarray:
    """Return areas in square points, in proportion to the sizes, but large enough to be seen."""
    share = np.array(sizes, "float64") / max(sizes)
    return np.maximum(900 * share, 45)


def spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Move heights between 0 and 1 apart until neighbours are `gap` from each other, in order."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    # Pushed up only, and pushed down only; halfway between the gaps are kept as well.
    up = np.maximum.accumulate(heights[order] - steps) + steps
    down = np.minimum.accumulate((heights[order] - steps)[::-1])[::-1] + steps
    apart = (up + down) / 2
    apart += np.maximum(0, -apart[0])
    apart = np.minimum(apart, 1 + steps - steps[-1])
    moved = np.empty_like(apart)
    moved[order] = apart
    return moved


def round_numbers(low: float, high: float) -> list[float]:
    """Return round numbers between two numbers, for a logarithmic axis; fewer over a wide range."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 1.5, 2, 3, 4, 5, 7) if high / low < 12 else (1, 2, 5) if high / low < 1000 else (1,)
    numbers = [step * 10.0**power for power in powers for step in steps]
    return [number for number in numbers if low <= number <= high]


def grouped(axes: Axes, c: ComparisonRecord, tags: Sequence[str], step: float) -> None:
    """Draw each tag's scores by all models, the best-known tag on top.

    Args:
        axes: to draw in.
        c: the comparison.
        tags: names of the rows.
        step: from one model to the next, where a tag's row is 1 high. Where there is no room for
            bars, scores are drawn as marks, without intervals.
    """
    scores = [[t.roc_auc for t in e.evaluation.tags] for e in c.entries]
    mean = np.mean([[s.value for s in row] for row in scores], axis=0)
    order = np.argsort(-mean, kind="stable")
    dense = len(tags) * len(scores) > MOST_BARS
    for i, (entry, row) in enumerate(zip(c.entries, scores, strict=True)):
        rows = np.arange(len(tags)) + (i - (len(scores) - 1) / 2) * step
        values, colour = np.array([row[j].value for j in order]), PALETTE[i % len(PALETTE)]
        if dense:
            mark: dict = {"marker": MARKERS[i % len(MARKERS)], "ms": 5, "ls": "", "color": colour}
            hollow = "white" if i >= len(PALETTE) else colour
            axes.plot(values, rows, label=short(entry.model), mfc=hollow, zorder=3, **mark)
        else:
            place: dict = {"left": 0.5, "height": 0.86 * step, "lw": 0}
            axes.barh(rows, values - 0.5, label=short(entry.model), **place, **look(i))
            intervals(axes, [row[j] for j in order], rows)
    low = min(0.5, *(float(np.nanmin(s)) for row in scores for s in row))
    axes.set_xlim(low - 0.01, 1.005)
    axes.axvline(0.5, color="0.35", lw=1)
    axes.set_ylim(len(tags) - 0.5, -0.5)
    axes.hlines(np.arange(1, len(tags)) - 0.5, *axes.get_xlim(), color="0.92", lw=0.8, zorder=0)
    positives = [t.positives for t in c.entries[0].evaluation.tags]
    name_rows(axes, [f"{tags[j]} ({positives[j]:,})" for j in order], at=0)
    note = " (no intervals)" * dense
    axes.set_xlabel(f"ROC-AUC{note}; .5 is what guessing gives; in brackets: clips with the tag")
    axes.grid(axis="x", color="0.9", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5)


def uncertainty(e: EvaluationRecord) -> str:
    """Return a note that explains the lines through bars."""
    if not e.bootstrap:
        return "no intervals"
    return f"lines: 95 % intervals ({e.bootstrap:,} resamples of {e.groups:,} {e.drawn})"
