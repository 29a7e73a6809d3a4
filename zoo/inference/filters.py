"""The weights of a network's first layer: `zoo.filters`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo.errors import ConfigError
from zoo.utils.figures import Size, check, headline, new, saved
from zoo.utils.files import PathLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from zoo.inference.audio_model import AudioModel

WIDTH = 9.0  # inches
COLUMNS = 16  # filters in a row


@dataclass(frozen=True, eq=False, repr=False)
class Filters(Mapping[str, np.ndarray]):
    """The filters of a first layer, by the name of the layer; several if it has several shapes.

    Attributes:
        values_of: name of a layer -> its filters: on a spectrogram (filters, frames, bands), on a
            waveform (filters, samples); float32.
        model: name of the model.
    """

    values_of: dict[str, np.ndarray]
    model: str

    def __getitem__(self, layer: str) -> np.ndarray:
        return self.values_of[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)

    def __repr__(self) -> str:
        shapes = (f"{name} {' x '.join(map(str, f.shape))}" for name, f in self.items())
        return f"Filters of {self.model}: {', '.join(shapes)}"

    def plot(
        self, path: PathLike | None = None, most: int = 32, *, figsize: Size | None = None
    ) -> "Figure":
        """Draw the filters, those with the largest weights first.

        On a spectrogram each is a picture with time from left to right and low bands below; red is
        above 0 and blue below, each filter on its own scale. On a waveform it is a curve.

        Args:
            path: save the figure here; .png, .pdf or .svg. None for a figure to show.
            most: filters of each layer.
            figsize: width and height in inches; None for what fits.

        Returns:
            The figure.

        Raises:
            ConfigError: `most` is below 1.
        """
        check(path)
        if most < 1:
            raise ConfigError(f"most is {most}; it is at least 1.")
        shown = {name: strongest(f, most) for name, f in self.items()}
        rows = {name: -(-len(f) // COLUMNS) for name, f in shown.items()}
        heights = [0.35 + 0.62 * n for n in rows.values()]
        figure = new(path, figsize or (WIDTH, sum(heights) + 0.4))
        parts = figure.subfigures(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, (name, found) in zip(parts, shown.items(), strict=True):
            size = " x ".join(map(str, found.shape[1:]))
            unit = "samples" if found.ndim == 2 else "frames x bands"
            part.suptitle(
                f"{name}: {size} {unit}, {len(found)} of {len(self[name])} filters",
                x=0.01,
                ha="left",
                fontsize=9,
            )
            panels = part.subplots(rows[name], COLUMNS, squeeze=False).ravel()
            for axes, one in zip(panels, found, strict=False):
                draw_one(axes, one)
            for axes in panels[len(found) :]:
                axes.set_axis_off()
        headline(figure, f"First layer of {self.model}", "")
        return saved(figure, path)


def strongest(found: np.ndarray, most: int) -> np.ndarray:
    """Return the filters with the largest norms, in that order."""
    norms = np.linalg.norm(found.reshape(len(found), -1), axis=1)
    return found[np.argsort(-norms, kind="stable")[:most]]


def draw_one(axes: "Axes", one: np.ndarray) -> None:
    """Draw a filter: a picture of (frames, bands), or a curve of (samples,)."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(lw=0.4, color="0.6")
    largest = max(float(np.abs(one).max()), 1e-12)
    if one.ndim == 1:
        axes.axhline(0, color="0.8", lw=0.5)
        axes.plot(one, color="#51127c", lw=0.9)
        axes.set_ylim(-1.1 * largest, 1.1 * largest)
        return
    axes.imshow(
        one.T,
        cmap="RdBu_r",
        vmin=-largest,
        vmax=largest,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
    )


def filters(model: "AudioModel") -> Filters:
    """Return the weights of a network's first layer, as arrays to look at.

    The first layer is every convolution, or dense layer over a spectrogram's frames, with no other
    such layer between it and the input. What computes the spectrogram does not count; of lee2009
    the filters are over the components of its whitening, not over bands.

    Args:
        model: what `zoo.load` or `zoo.build` returns, in Keras.

    Returns:
        Layer -> filters; `plot` draws them.

    Raises:
        ConfigError: the model runs in another runtime, which does not show its weights.

    >>> import zoo
    >>> filters = zoo.filters(zoo.load("schluter2014"))
    >>> [f.shape for f in filters.values()]
    [(10, 7, 3)]
    """
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"{getattr(model, 'name', model)!r} does not run in Keras, which has the weights: "
            "zoo.load(name) without runtime."
        )
    found = {layer.name: shaped(layer) for layer in first(model)}
    return Filters(found, model.name)


def first(model: keras.Model) -> list[Any]:
    """Return the layers with kernels that have no other such layer before them."""
    after: dict[int, bool] = {}  # of each layer: whether a kernel is in it or before it
    found = []
    for layer in model.operations:  # layers, and operations between them
        before = any(after.get(id(one), False) for one in parents(layer))
        own = kernel_of(layer) is not None
        if own and not before:
            found.append(layer)
        after[id(layer)] = own or before
    return found


def kernel_of(layer: Any) -> Any:
    """Return a layer's kernel, or that of the convolution inside it; None if it has none.

    A whitening is no layer that learns filters: it turns the axes of the spectrogram.
    """
    if hasattr(layer, "unwhiten"):
        return None
    inside = getattr(layer, "conv", None)
    return getattr(layer if inside is None else inside, "kernel", None)


def parents(layer: Any) -> list[Any]:
    """Return the layers whose outputs a layer takes."""
    try:
        inputs = keras.tree.flatten(layer.input)
    except (AttributeError, ValueError):  # an input has none
        return []
    return [tensor._keras_history.operation for tensor in inputs]


def shaped(layer: Any) -> np.ndarray:
    """Return a layer's kernel as (filters, frames, bands) or (filters, samples), float32."""
    kernel = keras.ops.convert_to_numpy(keras.ops.cast(kernel_of(layer), "float32"))
    kernel = np.moveaxis(kernel, -1, 0)
    if kernel.ndim == 4:  # (filters, frames, bands, channels): several channels are averaged
        return kernel.mean(axis=-1)
    return kernel[..., 0] if kernel.shape[-1] == 1 else kernel
