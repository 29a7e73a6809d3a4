"""Figures of evaluations and comparisons.

Colours are those of Okabe and Ito, with grey for black: people with any colour vision can tell them
apart. Beyond eight models they repeat with hatches and other marks.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from zoo.errors import ConfigError, UnknownName
from zoo.evaluation.metrics import Score
from zoo.evaluation.records import ComparisonRecord, Entry, EvaluationRecord, TagScore
from zoo.evaluation.tables import name, scope, title
from zoo.utils.figures import ROW, Size, canvas, check, headline, name_rows, new, saved, short
from zoo.utils.files import PathLike
from zoo.utils.text import few

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999999", "#f0e442")
HATCHES = ("", "////", "....", "xxxx")
MARKERS = "osD^vP*X"
BAR = "#8d65b3"  # lighter than `COLOUR`, so that intervals can be seen on it
GREY = "0.55"
MOST_CLIPS = 60  # with onsets, that are named one by one
PAGE = 40  # tags that a page holds
TALLEST = 8.0  # inches of rows of a chart
AREAS = ("ROC-AUC", "PR-AUC")
CONFUSION = "confusion"
MOST_NUMBERS = 25  # classes up to which the cells of a confusion matrix show their number


# --- one model ---


def evaluation(
    e: EvaluationRecord,
    path: PathLike | None = None,
    metric: str | None = None,
    tags: Sequence[str] | int | None = None,
    figsize: Size | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw an evaluation. See `Evaluation.plot`."""
    check(path)
    if e.onsets:
        if not (metric is None and tags is None and ax is None):
            raise ConfigError("an evaluation of onsets has no tags: leave out metric, tags and ax.")
        return saved(onsets(e, path, figsize), path)
    if metric not in (None, *AREAS, CONFUSION):
        raise ConfigError(
            f"metric is {metric!r}; it is {', '.join(map(repr, (*AREAS, CONFUSION)))}."
        )
    if metric == CONFUSION and e.confusion is None:
        raise ConfigError(f"{e.data} has clips with several tags, and so no confusion matrix.")
    note = f"{e.clips:,} clips; {uncertainty(e)}"
    if metric == CONFUSION:
        side = max(3.2, 0.36 * len(e.classes) + 1.6)
        figure, axes = canvas(path, (side + 0.8, side), figsize, ax)
        confusion(axes, e)
        if ax is None:
            headline(figure, f"{e.model} on {name(e)}", note)
        return saved(figure, path)
    first = metric or AREAS[0]
    shown, gap = chosen([t.tag for t in e.tags], [area(t, first).value for t in e.tags], tags)
    rows = [e.tags[i] for i in shown]
    height = 1.5 + ROW * (len(rows) + 1)
    if metric is not None or ax is not None:
        figure, axes = canvas(path, (6, height), figsize, ax)
        panels, kinds = [axes], [first]
    else:
        side = max(3.2, 0.36 * len(e.classes) + 1.6) if e.classes else 0.0
        figure = new(path, figsize or (8.5 + side, max(height, side * 0.9)))
        kinds = [*AREAS, *[CONFUSION] * bool(e.classes)]
        widths = [1, 1, side / 4][: len(kinds)]
        panels = list(figure.subplots(1, len(kinds), width_ratios=widths))
    for axes, kind in zip(panels, kinds, strict=True):
        if kind == CONFUSION:
            confusion(axes, e)
            continue
        chance = [0.5 if kind == "ROC-AUC" else t.positives / e.clips for t in rows]
        bars(axes, [area(t, kind) for t in rows], kind, chance, e.metrics[kind])
        axes.set_yticks([])
        if gap:
            axes.axhline(gap - 0.5, color="0.35", lw=1, ls=(0, (1, 2)))
    name_rows(panels[0], [f"{t.tag} ({t.positives:,})" for t in rows], at=0)
    if ax is None:
        left_out = f"; {gap} best and {len(rows) - gap} worst of {len(e.tags)} tags" if gap else ""
        headline(figure, f"{e.model} on {name(e)}", note + left_out)
    return saved(figure, path)


def area(tag: TagScore, metric: str) -> Score:
    """Return the score of a tag by the name of its metric."""
    return tag.roc_auc if metric == "ROC-AUC" else tag.pr_auc


def chosen(
    names: Sequence[str],
    values: Sequence[float],
    tags: Sequence[str] | int | None,
    most: int = PAGE,
) -> tuple[list[int], int]:
    """Return which tags to draw, the best first, and how many of them are above a gap.

    Args:
        names: of all tags.
        values: their scores.
        tags: these tags; or a number, of the best and of the worst each; None for all, if a page
            holds them.
        most: tags that a page holds.

    Returns:
        Numbers of tags; and after how many of them others are left out, 0 for no such gap.

    Raises:
        UnknownName: a tag that was not scored.
        ConfigError: a number below 1, or no tag.
    """
    order = np.argsort(-np.array(values), kind="stable").tolist()
    if isinstance(tags, str) or (tags is not None and not isinstance(tags, int) and not len(tags)):
        raise ConfigError(f"tags is {tags!r}; give a list of tags, or a number.")
    if tags is not None and not isinstance(tags, int):
        if unknown := [tag for tag in tags if tag not in names]:
            raise UnknownName(f"{unknown[0]!r} was not scored; {few(names, len(names), 10)} were.")
        return [i for i in order if names[i] in set(tags)], 0
    if tags is not None and tags < 1:
        raise ConfigError(f"tags is {tags}; it is a list of tags, or a number of at least 1.")
    half = tags if tags is not None else len(order) if len(order) <= most else most // 2
    if 2 * half >= len(order) or half == len(order):
        return order, 0
    return order[:half] + order[-half:], half


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
    vertical_grid(axes)


def vertical_grid(axes: Axes) -> None:
    """Draw a grid behind bars that lie on their side, and no frame but the axis below."""
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
    image = axes.imshow(share, cmap="magma_r", vmin=0, vmax=1)
    figure = axes.get_figure()
    assert figure is not None
    scale = figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8, pad=0.02)
    scale.outline.set_visible(False)
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


def onsets(e: EvaluationRecord, path: PathLike | None, figsize: Size | None) -> Figure:
    """Draw precision, recall and F of all clips, and F of each."""
    clips = sorted(e.onsets, key=lambda o: -o.f_measure)
    named = len(clips) <= MOST_CLIPS
    height = max(2.6, 1.2 + ROW * len(clips)) if named else 3.6
    figure = new(path, figsize or (9, height))
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
        vertical_grid(axes)
    headline(figure, f"{e.model} on {name(e)}", f"{e.clips:,} clips; {uncertainty(e)}")
    return figure


# --- several models ---


def comparison(
    c: ComparisonRecord,
    path: PathLike | None = None,
    what: str = "overview",
    metric: str | None = None,
    tags: Sequence[str] | int | None = None,
    figsize: Size | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw a comparison. See `Comparison.plot`."""
    check(path)
    if what not in ("overview", "tags"):
        raise ConfigError(f"what is {what!r}; it is 'overview' or 'tags'.")
    if len(c.entries) > len(PALETTE) * len(HATCHES):
        raise ConfigError(f"{len(c.entries)} models do not fit in a picture; draw fewer.")
    line = f"{scope(c)}; {uncertainty(c.entries[0].evaluation)}"
    if what == "overview":
        metric = metric or c.metrics[0]
        if metric not in c.metrics:
            raise ConfigError(f"metric is {metric!r}; it is {' or '.join(map(repr, c.metrics))}.")
        if tags is not None:
            raise ConfigError("tags are drawn by plot(what='tags').")
        size = 7.0, max(4.2, 0.3 * len(c.entries) + 1.4)
        figure, axes = canvas(path, size, figsize, ax)
        bubbles(axes, c, metric)
    else:
        metric = metric or AREAS[0]
        if not c.tags or metric not in AREAS:
            raise ConfigError(f"metric is {metric!r}; of tags it is {' or '.join(AREAS)}.")
        scores = [[area(t, metric) for t in e.evaluation.tags] for e in c.entries]
        means = np.mean([[s.value for s in row] for row in scores], axis=0)
        row = max(0.24, 0.1 * len(scores) + 0.1)  # inches
        fit = max(int(TALLEST / row), 4)
        shown, gap = chosen([t.tag for t in c.entries[0].evaluation.tags], list(means), tags, fit)
        size = 7.0, row * len(shown) + 1.6
        figure, axes = canvas(path, size, figsize, ax)
        grouped(axes, c, shown, gap, metric)
        if gap:
            line += f"; {gap} best and {len(shown) - gap} worst of {len(means)}"
    if ax is None:
        headline(figure, title(c), line)
    return saved(figure, path)


def look(i: int) -> dict:
    """Return colour and hatch of a model's patches."""
    colour, hatch = PALETTE[i % len(PALETTE)], HATCHES[i // len(PALETTE)]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "white" if hatch else colour}


def bubbles(axes: Axes, c: ComparisonRecord, metric: str) -> None:
    """Draw quality against speed, the size as the bubble's area; numbers lead to the legend."""
    x = np.array([e.speed for e in c.entries])
    y = np.array([e.evaluation.metrics[metric].value for e in c.entries])
    area = bubble_areas([e.size for e in c.entries])
    for i in np.argsort(-area):  # large ones below
        score = c.entries[i].evaluation.metrics[metric]
        if np.isfinite(score.low):
            axes.vlines(x[i], score.low, score.high, color=PALETTE[i % len(PALETTE)], lw=1.4)
        style = {**look(i), "edgecolor": "white"}
        axes.scatter(x[i], y[i], s=area[i], lw=0.8, zorder=3, alpha=0.9, **style)
        label = f"{i + 1}  {caption(c.entries[i])}"
        axes.scatter([], [], s=40, label=label.replace("$", r"\$"), **look(i))
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
    # Numbers stand at the right of their bubbles, moved up where others stand there already.
    height, width = (72 * side for side in (3.0, 6.0))  # about those of the axes, in points
    low, high = axes.get_ylim()
    points = np.stack([np.log(x / left) / np.log(right / left), (y - low) / (high - low)], axis=1)
    points *= (width, height)
    points[:, 0] += np.sqrt(area / math.pi) + 2
    for i, up in enumerate(apart(points)):
        axes.annotate(
            str(i + 1),
            (x[i], y[i]),
            xytext=(math.sqrt(area[i] / math.pi) + 2, up),
            textcoords="offset points",
            va="center",
            fontsize=8,
            zorder=4,
        )
    axes.set_xlabel("speed of the network: seconds of sound a second")
    axes.set_ylabel(metric if not c.tags else f"{metric}, mean over tags")
    axes.grid(color="0.9", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: int(labels[i].split()[0]))
    axes.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.17),
        title="area: bytes on the disk",
        title_fontsize=8,
        ncols=1 if max(map(len, labels)) > 44 else 2,
        frameon=False,
        fontsize=8,
    )


def caption(e: Entry) -> str:
    """Return a model's name, parameters and size."""
    million = e.parameters / 1e6
    return f"{short(e.model)}: {million:.2g} M parameters, {e.size / 1e6:.1f} MB"


def bubble_areas(sizes: Sequence[int]) -> np.ndarray:
    """Return areas in square points, in proportion to the sizes, but large enough to be seen."""
    share = np.array(sizes, "float64") / max(sizes)
    return np.maximum(900 * share, 45)


def apart(points: np.ndarray, size: tuple[float, float] = (14, 10)) -> np.ndarray:
    """Return by how much to move labels up so that none covers another.

    Args:
        points: (labels, 2) where they should stand.
        size: width and height of a label, in the same unit.

    Returns:
        (labels,).
    """
    moved = points.astype("float64")
    for place, i in enumerate(order := np.argsort(points[:, 1], kind="stable")):
        for j in order[:place]:
            if np.all(np.abs(moved[i] - moved[j]) < size):
                moved[i, 1] = moved[j, 1] + size[1]
    return moved[:, 1] - points[:, 1]


def round_numbers(low: float, high: float) -> list[float]:
    """Return round numbers between two numbers, for a logarithmic axis; fewer over a wide range."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 1.5, 2, 3, 4, 5, 7) if high / low < 12 else (1, 2, 5) if high / low < 1000 else (1,)
    numbers = [step * 10.0**power for power in powers for step in steps]
    return [number for number in numbers if low <= number <= high]


def grouped(axes: Axes, c: ComparisonRecord, shown: Sequence[int], gap: int, metric: str) -> None:
    """Draw each tag's scores by all models as marks with intervals, the best-known tag on top.

    Args:
        axes: to draw in.
        c: the comparison.
        shown: numbers of the tags.
        gap: after how many of them others are left out; 0 for none.
        metric: "ROC-AUC" or "PR-AUC".
    """
    step = 0.8 / len(c.entries)  # from one model to the next, where a tag's row is 1 high
    lows = []
    for i, entry in enumerate(c.entries):
        scores = [area(entry.evaluation.tags[j], metric) for j in shown]
        rows = np.arange(len(shown)) + (i - (len(c.entries) - 1) / 2) * step
        colour = PALETTE[i % len(PALETTE)]
        intervals(axes, scores, rows, colour)
        axes.plot(
            [s.value for s in scores],
            rows,
            label=short(entry.model).replace("$", r"\$"),
            marker=MARKERS[i % len(MARKERS)],
            ms=4,
            ls="",
            color=colour,
            mfc="white" if i >= len(PALETTE) else colour,
            zorder=3,
            clip_on=False,
        )
        lows += [np.nanmin(s) for s in scores]
    chance = metric == "ROC-AUC"
    axes.set_xlim(min(0.5, *lows) - 0.01 if chance else 0, 1.0)
    if chance:
        axes.axvline(0.5, color="0.35", lw=1)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    lines = np.arange(1, len(shown)) - 0.5
    axes.hlines(lines, *axes.get_xlim(), color="0.92", lw=0.8, zorder=0)
    if gap:
        axes.axhline(gap - 0.5, color="0.35", lw=1, ls=(0, (1, 2)))
    tags = [c.entries[0].evaluation.tags[j] for j in shown]
    name_rows(axes, [f"{t.tag} ({t.positives:,})" for t in tags], at=0)
    guess = "; .5 is what guessing gives" if chance else ""
    axes.set_xlabel(f"{metric}{guess}; in brackets: clips with the tag")
    vertical_grid(axes)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8, borderpad=0
    )


def uncertainty(e: EvaluationRecord) -> str:
    """Return a note that explains the lines through bars."""
    if not e.bootstrap:
        return "no intervals"
    return f"lines: 95 % intervals ({e.groups:,} {e.drawn}, {e.bootstrap:,} bootstrap rounds)"
