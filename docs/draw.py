"""Figures of the first layer's filters, to scale, on their input.

`generate.py` calls `picture`. The shapes are those of an architecture's `CARD`. The background
is the example clip: its waveform, or the spectrogram that the network computes from it.
"""

import importlib
from pathlib import Path
from types import ModuleType

import keras
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import ConnectionPatch, Rectangle

from zoo import audio
from zoo.registry.cards import Architecture, Variant

CLIP = Path(__file__).parents[1] / "examples" / "audio" / "bach_prelude_c_major.flac"
START = 0.5  # seconds into the clip

TALL, LONG, SMALL = "#51127c", "#d6336c", "#0b7285"
TIMES = "\N{MULTIPLICATION SIGN}"
FEW = 12  # frames or bands: a filter within that both ways is small
WIDTH, ROW = 9.0, 2.0  # inches
WHOLE = 300  # frames: a longer spectrogram is shown in part
SHARES = (2, 5)  # widths of the whole and of the part beside it
STYLE = {
    "svg.hashsalt": "zoo",
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "0.4",
    "axes.labelcolor": "0.3",
}


def picture(a: Architecture, path: Path) -> None:
    """Draw an architecture's networks, one below the other, and write the file."""
    networks = different(a.variants)
    module = importlib.import_module(f"zoo.models.{a.name}")
    with matplotlib.rc_context(STYLE):
        heights = [ROW * (1.5 if v.over_mean else 1) for v in networks.values()]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        rows = figure.subfigures(
            len(networks), 1, squeeze=False, hspace=0.08, height_ratios=heights
        )[:, 0]
        for row, (name, variant) in zip(rows, networks.items(), strict=True):
            row.suptitle(name, x=0.01, ha="left", weight="bold", size=9)
            waveform = sound(variant)
            if variant.plane is None:
                on_waveform(row, variant, waveform)
            else:
                on_spectrogram(row, variant, spectrogram(module, variant, waveform))
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def different(variants: dict[str, Variant]) -> dict[str, Variant]:
    """Return the variants whose filter shapes differ from those of all variants before."""
    found: dict[tuple, tuple[str, Variant]] = {}
    for name, v in variants.items():
        shapes = tuple(shape[:2] for shape in v.filters), tuple(v.over_mean)
        found.setdefault(shapes, (name, v))
    return dict(found.values())


# --- the background ---


def sound(v: Variant) -> np.ndarray:
    """Return as much of the example clip as a network's segment has, (samples,)."""
    start = round(START * v.sample_rate)
    return audio.load(CLIP, v.sample_rate)[start : start + v.segment]


def spectrogram(module: ModuleType, v: Variant, waveform: np.ndarray) -> np.ndarray:
    """Return a network's spectrogram of a waveform as grey values, 0 to 1: (frames, bands)."""
    x = keras.Input((len(waveform),))
    features = keras.Model(x, module.frontend(x, **v.options)["features"])(waveform[None])
    image = keras.ops.convert_to_numpy(features)[0]
    image = image[..., 0] if image.ndim == 3 else image
    low, high = np.percentile(image, (20, 99.8))
    image = np.clip((image - low) / (high - low), 0, 1)
    image **= np.log(0.25) / np.log(image.mean())  # as light on average whatever the compression
    return np.round(15 * image) / 15  # few grey values: small files


def show(axes: Axes, image: np.ndarray, plane: tuple[int, int], first: int, frames: int) -> None:
    """Draw some frames of a spectrogram, in the coordinates of its plane."""
    part = image[first : first + frames]
    axes.imshow(
        part[:: -(-len(part) // 500)].T,  # the picture has no more columns than that
        cmap="Greys",
        vmin=0,
        vmax=1.6,
        extent=(first, first + frames, 0, plane[1]),
        aspect="auto",
        origin="lower",
        interpolation="none",
    )
    axes.set(xticks=[], yticks=[])


def magnify(whole: Axes, part: Axes) -> None:
    """Mark the part in the whole."""
    (left, right), (bottom, top) = part.get_xlim(), part.get_ylim()
    low, high = whole.get_ylim()
    margin = 0.04 * (high - low)
    bottom, top = max(bottom, low + margin), min(top, high - margin)
    box = Rectangle((left, bottom), right - left, top - bottom, fill=False, lw=0.8, zorder=4)
    whole.add_patch(box)
    for y, side in ((top, (0, 1)), (bottom, (0, 0))):
        line = ConnectionPatch(
            (right, y), side, "data", "axes fraction", axesA=whole, axesB=part, lw=0.5
        )
        line.set_in_layout(False)
        part.add_artist(line)


# --- spectrograms ---


def on_spectrogram(row: SubFigure, v: Variant, image: np.ndarray) -> None:
    """Draw filters on the whole spectrogram, or on a part of it beside the whole."""
    assert v.plane is not None
    left, bottom, width, height = shown(v, v.plane)
    whole = (width, height) == v.plane
    grid = row.subplots(
        2 if v.over_mean else 1,
        1 if whole else 2,
        squeeze=False,
        width_ratios=[1] if whole else SHARES,
        height_ratios=[3, 1.8] if v.over_mean else [1],
    )
    part = grid[0, -1]
    show(part, image, v.plane, left, width)
    part.set(xlim=(left, left + width), ylim=(bottom, bottom + height))
    part.set(xlabel=f"{width} frames", ylabel=f"{height} {v.bands}")
    if not whole:
        show(grid[0, 0], image, v.plane, 0, v.plane[0])
        grid[0, 0].set(ylabel=f"{v.plane[1]} {v.bands}")
        magnify(grid[0, 0], part)
    grid[0, 0].set(xlabel=f"{v.plane[0]:,} frames, {v.segment / v.sample_rate:.1f} s")
    place(part, v.filters)
    if v.over_mean:
        for axes in grid[1, :-1]:
            axes.set_axis_off()
        over_mean(grid[1, -1], v, image.mean(axis=1)[left : left + width])


def shown(v: Variant, plane: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a part of the plane that fits the filters: left, bottom, width, height."""
    frames, bands = plane
    if frames <= WHOLE:
        return 0, 0, frames, bands
    if all(max(shape[:2]) <= FEW for shape in v.filters):
        return frames // 4, bands // 6, 60, 24
    longest = max(shape[0] for shape in (*v.filters, *v.over_mean))
    return frames // 4, 0, longest + 75, bands


def place(axes: Axes, filters: list[tuple[int, int, int]]) -> None:
    """Draw filters: tall and small ones from left to right, then long ones below each other."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    width, height = right - left, top - bottom
    gap = 0.008 * width
    room = width * (0.085 if width < WHOLE * 0.7 else 0.12)  # for the text beside a filter
    x = left + 2 * gap
    upright = [shape for shape in filters if shape[0] <= max(shape[1], FEW)]
    long = [shape for shape in filters if shape not in upright]
    for frames, bands, count in upright:
        low = 0.4 if bands <= FEW else 0.05
        y = bottom + min(low * height, (height - bands) / 2)
        colour = SMALL if bands <= FEW else TALL
        rectangle(axes, (x, y), frames, bands, colour)
        text = f"{frames} {TIMES} {bands}\n{count} filters"
        note(axes, x + frames + gap, y + bands / 2, text, colour, "center")
        x += frames + gap + room
    for i, (frames, bands, count) in enumerate(long):
        y = bottom + height * (len(long) - i - 0.65) / len(long)
        rectangle(axes, (x, y), frames, bands, LONG)
        note(
            axes, x, y + bands + 0.015 * height, f"{frames} {TIMES} {bands}, {count} filters", LONG
        )


def over_mean(axes: Axes, v: Variant, mean: np.ndarray) -> None:
    """Draw filters on the mean of all bands as bars, on the curve of that mean."""
    high, width = len(v.over_mean), len(mean)
    axes.set(xlim=(0, width), ylim=(0, high), xticks=[], yticks=[], ylabel=f"mean of\n{v.bands}")
    curve = high * (mean - mean.min()) / np.ptp(mean)
    axes.fill_between(np.arange(width) + 0.5, curve, color="0.85", lw=0)
    for i, (frames, count) in enumerate(v.over_mean):
        y = high - 1 - i
        rectangle(axes, (0.016 * width, y + 0.2), frames, 0.6, LONG)
        x = 0.024 * width + frames
        note(axes, x, y + 0.5, f"{frames} frames, {count} filters", LONG, "center")


def rectangle(axes: Axes, corner, width: float, height: float, colour: str, **style) -> None:
    """Draw a filter."""
    style = {"facecolor": f"{colour}70", "edgecolor": colour, "lw": 1.0} | style
    axes.add_patch(Rectangle(corner, width, height, zorder=3, **style))


def note(axes: Axes, x: float, y: float, text: str, colour: str, va: str = "bottom") -> None:
    """Write a filter's label."""
    paper = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.5}
    axes.text(x, y, text, color=colour, va=va, linespacing=1.3, zorder=4, bbox=paper)


# --- waveforms ---


def on_waveform(row: SubFigure, v: Variant, waveform: np.ndarray) -> None:
    """Draw the whole segment, and beside it enough samples to show the filters."""
    whole, part = row.subplots(1, 2, width_ratios=SHARES)
    limit = 1.05 * np.abs(waveform).max()
    peaks = np.abs(waveform[: len(waveform) // 300 * 300]).reshape(300, -1).max(axis=1)
    t = np.linspace(0, len(waveform), 300)
    whole.fill_between(t, -peaks, peaks, color="0.6", lw=0)
    whole.set(xlim=(0, len(waveform)), ylim=(-limit, limit), xticks=[], yticks=[])
    whole.set_xlabel(f"{v.segment:,} samples, {v.segment / v.sample_rate:.1f} s")

    room = 0.22  # of the width, for the text above a filter
    last, stride, _ = v.filters[-1]
    samples = round((last + 2.3 * stride) / (0.97 - room * (len(v.filters) - 1)))
    samples = max(samples, 30)
    start = int(np.abs(waveform[: len(waveform) // 2]).argmax())
    x = waveform[start : start + samples]
    high = 1.15 * np.abs(x).max()
    t = start + np.arange(samples) + 0.5
    if samples < 100:
        part.stem(t, x, linefmt="0.5", markerfmt=".", basefmt=" ")
    else:
        part.plot(t, x, color="0.45", lw=0.9)
    part.set(xlim=(start, start + samples), ylim=(-high, 1.7 * high), xticks=[], yticks=[])
    part.set_xlabel(f"{samples:,} samples, {1000 * samples / v.sample_rate:.3g} ms")
    magnify(whole, part)
    left = start + 0.03 * samples
    for (length, stride, count), colour in zip(v.filters, (SMALL, LONG, TALL), strict=False):
        for i in (2, 1, 0):
            style = {"facecolor": "none", "ls": (0, (2, 2)), "lw": 0.7} if i else {}
            corner = left + i * stride, -0.95 * high
            rectangle(part, corner, length, 1.9 * high, colour, **style)
        text = f"{length} samples, stride {stride}\n{count} filters"
        note(part, left, 1.03 * high, text, colour)
        left += room * samples
