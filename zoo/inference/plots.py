"""Figures of what a model predicts of a sound. They take arrays and names, not result objects."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo import audio
from zoo.errors import ConfigError
from zoo.utils.figures import ACCENT, COLOUR, ROW, Size, canvas, check, name_rows, new, saved, short
from zoo.utils.files import PathLike

# More columns than this are averaged before drawing: they would be narrower than a pixel.
MAX_CELLS = 1000
READABLE = 10.0  # seconds of onsets that a picture shows by default; more become a comb
TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


def taggram(
    values: np.ndarray,
    times: np.ndarray,
    seconds: np.ndarray,
    labels: Sequence[str],
    path: PathLike | None = None,
    source: str = "",
    model: str = "",
    vmax: float = 1.0,
    figsize: Size | None = None,
    ax: Axes | None = None,
    sound: audio.Source | None = None,
) -> Figure:
    """Draw a taggram: time from left to right, the first label on top. See `Taggram.plot`.

    Each row of the taggram is drawn over the time that it alone covers (`edges`). The colour scale
    goes from 0 to `vmax`.
    """
    bounds, values = merged(edges(times, seconds), values, seconds)
    duration = bounds[-1] - bounds[0]
    width = float(np.clip(7 + 1.2 * np.log2(max(duration, 1) / 30), 7, 14))
    height = 1.3 + ROW * len(labels)
    if sound is None:
        figure, axes = canvas(path, (width, height), figsize, ax)
    elif ax is not None:
        raise ConfigError("a sound needs a second pair of axes above: leave out ax, or sound.")
    else:
        check(path)
        figure = new(path, figsize or (width, height + 2.2))
        above, axes = figure.subplots(2, sharex=True, height_ratios=[2, height])
        spectrogram(above, sound, bounds[-1])
        above.tick_params("x", labelbottom=False)
    width = figure.get_figwidth() if ax is None else width
    mesh = axes.pcolormesh(
        bounds,
        np.arange(len(labels) + 1),
        values.T,
        cmap="magma_r",
        vmin=0,
        vmax=vmax,
        rasterized=True,
    )
    axes.invert_yaxis()
    name_rows(axes, labels, at=0.5)
    axes.hlines(np.arange(1, len(labels)), *bounds[[0, -1]], color="black", lw=0.6, alpha=0.2)
    axes.spines[:].set_visible(False)
    time_axis(axes, bounds[0], bounds[-1], ticks=int(width))
    figure.colorbar(mesh, ax=axes, label="score", pad=0.01, aspect=25).outline.set_visible(False)
    title(axes if sound is None else above, source, model, width)
    return saved(figure, path)


def tags(
    scores: Mapping[str, float],
    path: PathLike | None = None,
    source: str = "",
    model: str = "",
    figsize: Size | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw tags as horizontal bars, the first on top. See `Tags.plot`."""
    names, values = list(scores), list(scores.values())
    figure, axes = canvas(path, (6, 1.1 + ROW * len(names)), figsize, ax)
    bars = axes.barh(np.arange(len(names)), values, height=0.72, color=COLOUR)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8, color="0.35")
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.set_xlim(0, 1.08 * max(*values, 0.1))
    axes.set_xlabel("score")
    axes.spines[["top", "right", "left"]].set_visible(False)
    name_rows(axes, names, at=0)
    wide = figure.get_figwidth() * (1 if ax is None else axes.get_position().width)
    title(axes, source, model, wide)
    return saved(figure, path)


def onsets(
    times: np.ndarray,
    activation: np.ndarray,
    frame_rate: float,
    path: PathLike | None = None,
    sound: audio.Source | None = None,
    source: str = "",
    model: str = "",
    start: float = 0.0,
    end: float | None = None,
    figsize: Size | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the activation as a curve and the onsets as lines. See `Onsets.plot`."""
    whole = len(activation) / frame_rate
    if not 0 <= start < whole or (end is not None and end <= start):
        raise ConfigError(
            f"start is {start} and end {end}; the sound has {whole:.2f} s, and start must lie in "
            "it and before end."
        )
    cut = end is None and whole - start > READABLE * 1.2
    end = min(start + READABLE if cut else whole if end is None else end, whole)
    times = times[(times >= start) & (times < end)]
    first = math.floor(start * frame_rate)
    activation = activation[first : math.ceil(end * frame_rate)]
    duration = end - start
    width = float(np.clip(7 + 1.2 * np.log2(max(duration, 1) / 5), 7, 14))
    if sound is None:
        figure, axes = canvas(path, (width, 2.6), figsize, ax)
        rows = [axes]
    elif ax is not None:
        raise ConfigError("a sound needs a second pair of axes below: leave out ax, or sound.")
    else:
        check(path)
        figure = new(path, figsize or (width, 5.2))
        rows = list(figure.subplots(2, sharex=True))
        axes = rows[0]
    top = max(1.0, np.max(activation, where=np.isfinite(activation), initial=0))
    thickness = float(np.clip(150 / max(len(times), 1), 0.08, 1.2))
    axes.vlines(times, 0, 1.05 * top, color=ACCENT, lw=thickness, label="onset")
    frames = (first + np.arange(len(activation))) / frame_rate
    axes.plot(frames, activation, color=COLOUR, lw=1, label="activation")
    axes.set_ylim(0, 1.05 * top)
    axes.set_ylabel("activation")
    axes.spines[["top", "right"]].set_visible(False)
    if sound is not None:
        spectrogram(rows[1], sound, end, start, end if end < whole else None)
        rows[1].vlines(times, *rows[1].get_ylim(), color="white", lw=thickness / 2)
    time_axis(rows[-1], start, end, ticks=int(width))
    shown = f", {start:g} to {end:g} of {whole:.0f} s" if duration < whole else ""
    width = figure.get_figwidth() if ax is None else width
    if ax is None and width >= 7:
        above: Any = {"loc": "lower right", "bbox_to_anchor": (1, 1), "frameon": False}
        axes.legend(**above, ncols=2, borderaxespad=0)
    else:
        axes.legend(loc="upper right", fontsize=8)
    title(axes, source, f"{model}{shown}", width - 2)
    return saved(figure, path)


def spectrogram(
    axes: Axes, sound: audio.Source, end: float, start: float = 0.0, stop: float | None = None
) -> None:
    """Draw a sound's spectrogram over the audible range, its loudest 70 dB.

    From `start` to `end`, in seconds; `stop` ends the decoding there, None at the sound's end.

    Windows of 46 ms, 11.6 ms apart; of a long sound, neighbours are averaged while it is read, so
    that there are never more than `MAX_CELLS` columns.
    """
    rate, n_fft, hop = 22050, 1024, 256
    per = max(1, math.ceil((end - start) * rate / hop / MAX_CELLS))  # windows in a column
    power: list[np.ndarray] = []
    window = np.hanning(n_fft)
    after = np.zeros(n_fft // 2 + (per - 1) * hop)
    waiting = np.zeros(n_fft // 2)  # the first window's centre is the beginning of the sound
    for block in chain(audio.stream(sound, rate, start, stop), [after]):
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= n_fft + (per - 1) * hop:
            windows = np.lib.stride_tricks.sliding_window_view(waiting, n_fft)[: per * hop : hop]
            power.append(np.square(np.abs(np.fft.rfft(windows * window))).mean(axis=0))
            waiting = waiting[per * hop :]
    decibels = 10 * np.log10(np.array(power).T[1:] + 1e-10)  # (bins, columns)
    times = start + (np.arange(len(power) + 1) - 0.5) * per * hop / rate
    bins = (np.arange(n_fft // 2 + 1) + 0.5) * rate / n_fft
    top = decibels.max()
    axes.pcolormesh(times, bins, decibels, cmap="magma", vmin=top - 70, vmax=top, rasterized=True)
    axes.set_yscale("log")
    axes.set_yticks([100, 1000, 10000], ["100", "1k", "10k"])
    axes.set_ylim(40, rate / 2)
    axes.set_ylabel("frequency (Hz)")
    axes.spines[:].set_visible(False)


def edges(times: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return where the cells of a taggram begin and end, (segments + 1,) in seconds.

    A cell is drawn where its segment brings fresh audio, so the last one, which may reach back
    into the one before, is as wide as what it adds. Where segments overlap throughout (a hop
    shorter than the segment), two neighbours share their overlap evenly.
    """
    bounds = times[0] + np.append(0, np.cumsum(seconds))
    overlap = bounds[1:-1] - times[1:]  # of each segment with all that were before it
    if len(overlap) > 1 and overlap[0] > 1e-3:
        bounds[1:-1] -= overlap / 2
    return bounds


def merged(
    bounds: np.ndarray, values: np.ndarray, seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbours until at most `MAX_CELLS` cells are left; fewer are returned unchanged."""
    group = -(-len(values) // MAX_CELLS)
    if group == 1:
        return bounds, values
    starts = np.arange(0, len(values), group)
    weights = np.maximum(np.add.reduceat(seconds, starts), 1e-9)
    sums = np.add.reduceat(values * seconds[:, None], starts)
    return bounds[np.append(starts, len(values))], sums / weights[:, None]


def time_axis(axes: Axes, start: float, end: float, ticks: int) -> None:
    """Set round tick marks: seconds, from a minute and a half on min:s, from an hour on h:min."""
    step = next((s for s in TICK_STEPS if (end - start) / s <= ticks), TICK_STEPS[-1])
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    marks = step * np.arange(first, last + 1)
    if end <= 90:
        names, unit = [f"{t:g}" for t in marks.round(1)], "s"
    elif end < 3600:
        names, unit = [f"{t // 60:.0f}:{t % 60:02.0f}" for t in marks], "min:s"
    else:
        names, unit = [f"{t // 3600:.0f}:{t % 3600 // 60:02.0f}" for t in marks], "h:min"
    axes.set_xticks(marks, names)
    axes.set_xlim(start, end)
    axes.set_xlabel(f"time ({unit})")


def title(axes: Axes, source: str, model: str, width: float) -> None:
    """Write the file's name and the model's above the axes, shortened to `width` inches."""
    name = short(Path(source).name or source, max(int(8 * width) - len(model), 12))
    size = 1.1 * matplotlib.rcParams["font.size"]
    axes.set_title(f"{name} · {model}", loc="left", fontsize=size, parse_math=False)
