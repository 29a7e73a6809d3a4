"""Records that describe architectures, and their text. Loads no framework."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from zoo.errors import ConfigError
from zoo.registry.manifest import Checkpoint, Metric
from zoo.utils.frames import html_text
from zoo.utils.text import LABEL, WIDTH, columns, count, indented, label_lines, plural, wrapped
from zoo.utils.version import __version__

# The review's front-ends, by the filters of the first layer, and its back-ends: name -> (the length
# of sound that it takes, the paper that the review names for it).
FRONT_ENDS = ("minimal filters", "one filter shape", "many filter shapes")
BACKENDS = {
    "temporal_pooling": ("any", "Dieleman 2014, Pons 2017"),
    "attention": ("any", "Raffel 2016"),
    "rnn": ("any", "Vogl 2017"),
    "fully_convolutional": ("fixed", "Choi 2016"),
    "mlp": ("fixed", "Schlüter and Böck 2014"),
}


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the networks that a model file can build, in numbers. The tests check the numbers.

    Attributes:
        options: arguments of `zoo.build` for this network; none for the default.
        parameters: number of trainable parameters with `Architecture.labels` outputs.
        sample_rate: in Hz.
        segment: length of the input in samples.
        plane: (frames, bands) of the spectrogram at the first layer; None for a waveform.
        bands: name of the second axis of the plane.
        filters: of the first layer, one entry per shape: (frames, bands, count); on a waveform
            (samples, stride, count).
        over_mean: (frames, count) of the filters on the mean over all bands.
    """

    options: dict[str, Any] = {}
    parameters: int
    sample_rate: int
    segment: int
    plane: tuple[int, int] | None = None
    bands: str = "bands"
    filters: list[tuple[int, int, int]]
    over_mean: list[tuple[int, int]] = []

    @property
    def input(self) -> str:
        """What the first layer sees: "waveform" or "spectrogram"."""
        return "spectrogram" if self.plane else "waveform"


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The description of an architecture: the `CARD` of its model file.

    Attributes:
        input: "waveform" or "spectrogram": the input of the default network's first layer.
        domain_knowledge: whether the shape of its filters is based on knowledge of audio.
        many_shapes: whether the first layer has several shapes in parallel.
        shape: the review's term for the shapes, such as "vertical".
        filters: the filters in a sentence.
        backend: the paper's, by its name in `zoo.layers.backends`.
        stages: name -> description.
        variants: the networks of the file by name, the default first.
        labels: number of outputs for which the parameters of the variants are counted.
        notes: what a user must know first.
    """

    name: str
    title: str
    authors: list[str]
    year: int
    venue: str
    url: str
    task: str
    input: str
    domain_knowledge: bool
    many_shapes: bool = False
    shape: str = ""
    filters: str
    backend: str
    stages: dict[str, str]
    variants: dict[str, Variant] = {}
    labels: int = 50
    notes: str = ""

    @property
    def front_end(self) -> str:
        """Its row in the review's grid, one of `FRONT_ENDS`."""
        return FRONT_ENDS[1 + self.many_shapes if self.domain_knowledge else 0]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An architecture and its checkpoints: what `zoo.info` returns and what a model carries.

    Attributes:
        name: of the architecture or the checkpoint.
        architecture: its description.
        checkpoints: all of the architecture, or the one that a model's weights come from.
        origin: the commit that a model was loaded from, "hf://user/repo@<commit>"; else "".
        trained: note on later training by `zoo.train` or `zoo.finetune`; "" for none.
        labels: the outputs of a model, in order; none on the card of an architecture or checkpoint.
    """

    name: str
    architecture: Architecture
    checkpoints: dict[str, Checkpoint]
    origin: str = ""
    trained: str = ""
    labels: tuple[str, ...] = ()

    @property
    def network(self) -> Variant | None:
        """That of the checkpoint, or of the model; of an architecture the default one."""
        own = self.name != self.architecture.name and len(self.checkpoints) == 1
        options = next(iter(self.checkpoints.values())).options if own else {}
        return network(self.architecture, options)

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain dictionaries, lists, strings and numbers."""
        return msgspec.json.decode(msgspec.json.encode(self))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Card":
        """Make a card from the result of `to_dict`.

        Args:
            content: the dictionary.

        Returns:
            The card.

        Raises:
            ConfigError: a field that this version does not know, or a missing one.
        """
        try:
            return msgspec.convert(content, cls)
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"the card does not fit this version of music-zoo, {__version__}: {error}. "
                "Expected is what Card.to_dict returns. If a newer version wrote it, upgrade: "
                "pip install --upgrade music-zoo."
            ) from error

    def __str__(self) -> str:
        return card(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_text(str(self))


def card(c: Card) -> str:
    """Return a card as text of at most 100 columns."""
    a = c.architecture
    knowledge = f"{'' if a.domain_knowledge else 'no '}domain knowledge"
    own, other = c.network, ""
    if own and own.input != a.input:
        other = f". These weights: {filters(own)}, on a {own.input}"
    lines = [
        *wrapped(f"{c.name}: {a.title}", "", 0),
        *wrapped(f"{', '.join(a.authors)}, {a.year}. {a.venue}. {a.url}", "paper"),
        *wrapped(a.task, "task"),
        *wrapped(f"{a.front_end}: {a.shape}; on a {a.input}; {knowledge}{other}", "front-end"),
        *wrapped(a.filters, "filters"),
        *wrapped(f"{a.backend} ({length(a)})", "back-end"),
        *wrapped(c.origin, "origin"),
        *wrapped(c.trained, "history"),
        *wrapped(a.notes, "notes"),
    ]
    if a.variants:
        lines += ["", f"  networks, with {plural(a.labels, 'label')}", *indented(variants(a))]
    lines += ["", "  stages", *indented(columns(list(a.stages.items())))]
    if c.labels and not c.checkpoints:
        lines += ["", *label_lines(c.labels, 2)]
    for name, checkpoint in c.checkpoints.items():
        lines += ["", *describe(name, checkpoint)]
    return "\n".join(lines)


def network(a: Architecture, given: Mapping[str, Any]) -> Variant | None:
    """Return the network of a model file that options build; None if the file describes none.

    Args:
        a: the architecture.
        given: arguments of `zoo.build`.
    """
    fitting = [v for v in a.variants.values() if v.options.items() <= given.items()]
    return max(fitting, key=lambda v: len(v.options), default=None)


def length(a: Architecture) -> str:
    """Describe the length of sound that an architecture's back-end takes, as in the review."""
    known = BACKENDS.get(a.backend)
    return f"in the review, of {known[0]} length" if known else "not in the review"


def variants(a: Architecture) -> list[str]:
    """Return a table of the networks of a model file."""
    spectrogram = next((v for v in a.variants.values() if v.plane), None)
    shapes = "first layer" + (f", frames x {spectrogram.bands}" if spectrogram else "")
    rows = [("name", "options", "kHz", "s", "parameters", shapes)]
    for name, v in a.variants.items():
        rate, length = f"{v.sample_rate / 1000:g}", seconds(v.segment, v.sample_rate)
        rows.append((name, options(v), rate, length, count(v.parameters), filters(v)))
    return columns(rows, right="kHz s parameters", width=WIDTH - 4)


def options(v: Variant | Checkpoint) -> str:
    """Return options as arguments of a call of `zoo.build`."""
    return ", ".join(f"{key}={value!r}" for key, value in v.options.items())


def filters(v: Variant) -> str:
    """Return the shapes of the first layer's filters, in frames x bands or in samples."""
    if v.plane is None:
        return ", ".join(f"{size} samples, stride {stride}" for size, stride, _ in v.filters)
    shapes = ", ".join(f"{frames}x{bands}" for frames, bands, _ in v.filters)
    if not v.over_mean:
        return shapes
    lengths = ", ".join(str(frames) for frames, _ in v.over_mean)
    return f"{shapes}; over the mean of all {v.bands} {lengths}"


def describe(name: str, checkpoint: Checkpoint) -> list[str]:
    """Return the lines that describe a checkpoint."""
    source = checkpoint.input
    title = "from checkpoint" if checkpoint.status == "changed since" else "checkpoint"
    parameters = f"{count(checkpoint.parameters)} trained" if checkpoint.parameters else ""
    lines = [
        f"  {title} {name}" + (" (default)" if checkpoint.default else ""),
        *wrapped(", ".join(checkpoint.authors), "weights by", 4),
        *wrapped(checkpoint.licence.weights, "licence", 4),
        *wrapped(checkpoint.licence.data, "data", 4),
        *wrapped(checkpoint.status, "status", 4),
        *(wrapped(options(checkpoint), "options", 4) if checkpoint.options else ()),
        *wrapped(f"{source.sample_rate} Hz, {source.description}", "input", 4),
        *wrapped(parameters, "parameters", 4),
        *wrapped(checkpoint.provenance, "provenance", 4),
        *wrapped(checkpoint.citation, "cite", 4),
    ]
    for (data, split), metrics in scores(checkpoint.metrics).items():
        known = [m.clips for kinds in metrics.values() for m in kinds.values() if m.clips]
        clips = f"; {known[0]:,} clip{'s' * (known[0] != 1)}" if known else ""
        lines += wrapped(f"{data}: {split}{clips}", "scores", 4)
        lines += [" " * (4 + LABEL) + line for line in score_table(metrics)]
    return lines + label_lines(checkpoint.labels, 4)


Scores = dict[str, dict[str, Metric]]


def scores(metrics: Iterable[Metric]) -> dict[tuple[str, str], Scores]:
    """Group the published and the measured scores on the same data.

    Args:
        metrics: of a checkpoint.

    Returns:
        (data, split) -> name of the metric -> "published" or "measured" -> score.
    """
    found: dict[tuple[str, str], Scores] = {}
    for m in metrics:
        found.setdefault((m.data, m.split), {}).setdefault(m.name, {})[m.kind] = m
    return found


def score_table(metrics: Scores) -> list[str]:
    """Return a table with a column of published and a column of measured scores."""
    rows: list[tuple[str, ...]] = [("", "published", "measured", "source")]
    for name, kinds in metrics.items():
        values = [f"{kinds[k].value:.4f}" if k in kinds else "" for k in rows[0][1:3]]
        rows.append((name, *values, "; ".join(m.source for m in kinds.values())))
    return columns(rows, right="published measured", width=WIDTH - 4 - LABEL)


# --- pieces ---


def people(a: Architecture) -> str:
    """Return the authors' surnames; of three or more, the first and "et al."."""
    surnames = [author.split()[-1] for author in a.authors]
    return " and ".join(surnames) if len(surnames) < 3 else f"{surnames[0]} et al."


def seconds(samples: int | None, sample_rate: int) -> str:
    """Return the length of a segment in seconds; "any" for None."""
    return "any" if samples is None else f"{samples / sample_rate:.2f}"
