"""Figures of the first layer's filters, to scale, on their input: `zoo.draw`.

The shapes are those of an architecture's `CARD`. The background is a sound: its waveform, or the
spectrogram that the network computes from it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import matplotlib
import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import ConnectionPatch, Rectangle

from zoo import audio
from zoo.errors import ConfigError
from zoo.inference.assembly import import_architecture
from zoo.registry import lookup
from zoo.registry.cards import Architecture, Variant
from zoo.utils.figures import Size, check, new, saved
from zoo.utils.files import PathLike

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor

CLIPS = (  # the example: in a wheel, and in a checkout
    Path(__file__).parents[1] / "web" / "example" / "bach_prelude_c_major.flac",
    Path(__file__).parents[2] / "examples" / "audio" / "bach_prelude_c_major.flac",
)
START = 0.5  # seconds into the clip

TALL, LONG, SMALL = "#51127c", "#d6336c", "#0b7285"
TIMES = "\N{MULTIPLICATION SIGN}"
NEWLINE = "\n"
FEW = 12  # frames or bands: a filter within that both ways is small
WIDTH, ROW = 9.0, 2.0  # inches
WHOLE = 300  # frames: a longer spectrogram is shown in part
SHARES = (2, 5)  # widths of the whole and of the part beside it
STYLE: Any = {
    "svg.hashsalt": "zoo",
    "svg.fonttype": "none",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "0.4",
    "axes.labelcolor": "0.3",
}


def draw(
    model: "Predictor | str",
    path: PathLike | None = None,
    sound: audio.Source | None = None,
    *,
    figsize: Size | None = None,
) -> Figure:
    """Draw the filters of a network's first layer, to scale, on the input that they move over.

    Of an architecture all networks that differ in these filters are drawn, one below the other; of
    a model its own alone.

    Args:
        model: what `zoo.load` or `zoo.build` returns; or a name of `zoo.list_models`.
        path: save the figure here; .png, .pdf or .svg. None for a figure to show.
        sound: the input, as in `AudioModel.tag`; None for the example clip, a prelude by Bach.
        figsize: width and height in inches; None for what fits.

    Returns:
        The figure.

    Raises:
        UnknownName: there is no such model.

    >>> import zoo
    >>> figure = zoo.draw("pons2017")
    """
    check(path)
    if isinstance(model, str):
        a = lookup.info(model).architecture
        networks = different(a.variants)
    else:
        a = model.card.architecture
        networks = network_of(model) or different(a.variants)
    with matplotlib.rc_context(STYLE):
        return saved(picture(a, networks, path, sound, figsize), path)


def network_of(model: "Predictor") -> dict[str, Variant]:
    """Return the network of an architecture's card that a model is, by its name in the card."""
    known = model.card.architecture.variants
    options = {k: list(v) if isinstance(v, tuple) else v for k, v in model.options.items()}
    fitting = [name for name, v in known.items() if v.options.items() <= options.items()]
    best = max(fitting, key=lambda name: len(known[name].options), default=None)
    if best is None:
        return {}
    v = known[best]
    if v.options.keys() >= options.keys():
        return {best: v}
    # Other options may change how many filters there are, but not their shapes.
    uncounted = [(*shape[:2], 0) for shape in v.filters]
    over_mean = [(frames, 0) for frames, _ in v.over_mean]
    return {best: msgspec.structs.replace(v, filters=uncounted, over_mean=over_mean)}


def amount(count: int, before: str) -> str:
    """Return the number of filters as text after something; nothing for 0, an unknown number."""
    return f"{before}{count} filters" if count else ""


def picture(
    a: Architecture,
    networks: dict[str, Variant],
    path: PathLike | None = None,
    source: audio.Source | None = None,
    figsize: Size | None = None,
) -> Figure:
    """Draw networks of an architecture, one below the other."""
    module = import_architecture(a.name)
    heights = [ROW * (1.5 if v.over_mean else 1) for v in networks.values()]
    figure = new(path, figsize or (WIDTH, sum(heights)))
    rows = figure.subfigures(len(networks), 1, squeeze=False, hspace=0.08, height_ratios=heights)[
        :, 0
    ]
    for row, (name, variant) in zip(rows, networks.items(), strict=True):
        row.suptitle(name, x=0.01, ha="left", weight="bold", size=9)
        waveform = sound(variant, source)
        if variant.plane is None:
            on_waveform(row, variant, waveform)
        else:
            on_spectrogram(row, variant, spectrogram(module, variant, waveform))
    return figure


def different(variants: dict[str, Variant]) -> dict[str, Variant]:
    """Return the variants whose filter shapes differ from those of all variants before."""
    found: dict[tuple, tuple[str, Variant]] = {}
    for name, v in variants.items():
        shapes = tuple(shape[:2] for shape in v.filters), tuple(v.over_mean)
        found.setdefault(shapes, (name, v))
    return dict(found.values())


# --- the background ---


def sound(v: Variant, source: audio.Source | None) -> np.ndarray:
    """Return as much of a sound as a network's segment has, (samples,); it is repeated if short."""
    if source is not None:
        return np.resize(audio.load(source, v.sample_rate), v.segment)
    clip = next((path for path in CLIPS if path.is_file()), None)
    if clip is None:
        raise ConfigError("the example clip is not in this installation: give a sound.")
    start = round(START * v.sample_rate)
    return audio.load(clip, v.sample_rate)[start : start + v.segment]


def spectrogram(module: Any, v: Variant, waveform: np.ndarray) -> np.ndarray:
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
        text = f"{frames} {TIMES} {bands}{amount(count, NEWLINE)}"
        note(axes, x + frames + gap, y + bands / 2, text, colour, "center")
        x += frames + gap + room
    for i, (frames, bands, count) in enumerate(long):
        y = bottom + height * (len(long) - i - 0.65) / len(long)
        rectangle(axes, (x, y), frames, bands, LONG)
        note(
            axes,
            x,
            y + bands + 0.015 * height,
            f"{frames} {TIMES} {bands}{amount(count, ', ')}",
            LONG,
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
        note(axes, x, y + 0.5, f"{frames} frames{amount(count, ', ')}", LONG, "center")


def rectangle(axes: Axes, corner, width: float, height: float, colour: str, **style) -> None:
    """Draw a filter."""
    look: Any = {"facecolor": f"{colour}70", "edgecolor": colour, "lw": 1.0} | style
    axes.add_patch(Rectangle(corner, width, height, zorder=3, **look))


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
    at = start + np.arange(samples) + 0.5
    if samples < 100:
        part.stem(at, x, linefmt="0.5", markerfmt=".", basefmt=" ")
    else:
        part.plot(at, x, color="0.45", lw=0.9)
    part.set(xlim=(start, start + samples), ylim=(-high, 1.7 * high), xticks=[], yticks=[])
    part.set_xlabel(f"{samples:,} samples, {1000 * samples / v.sample_rate:.3g} ms")
    magnify(whole, part)
    left = start + 0.03 * samples
    for (length, stride, count), colour in zip(v.filters, (SMALL, LONG, TALL), strict=False):
        for i in (2, 1, 0):
            style = {"facecolor": "none", "ls": (0, (2, 2)), "lw": 0.7} if i else {}
            corner = left + i * stride, -0.95 * high
            rectangle(part, corner, length, 1.9 * high, colour, **style)
        text = f"{length} samples, stride {stride}{amount(count, NEWLINE)}"
        note(part, left, 1.03 * high, text, colour)
        left += room * samples
