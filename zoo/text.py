"""How cards and lists of models read in a terminal of 100 columns. Loads no framework."""

import textwrap
from collections.abc import Iterable, Sequence

from zoo import registry
from zoo.registry import Architecture, Card, Variant
from zoo.weights.manifest import Checkpoint, Metric

WIDTH = 100
LABEL = 12  # columns of the words at the left of a card


# --- lists ---

CHECKPOINT_HEAD = ("name", "kHz", "s", "parameters", "licence", "ROC-AUC", "PR-AUC", "data")
LEGEND = (
    "* is what the bare name means. Scores are those published; `zoo info NAME` tells their source."
)
NOT_LOADED = "? is listed from its authors' description: this project could not yet open the file."


def checkpoints(names: Iterable[str]) -> str:
    """Return a table of checkpoints: a line each, then what its signs mean."""
    rows, marks = [CHECKPOINT_HEAD], set()
    for name in names:
        checkpoint = registry.info(name).checkpoints[name]
        mark = " *" * checkpoint.default + " ?" * (checkpoint.status == "not yet loaded")
        marks |= set(mark.split())
        published = [m for m in checkpoint.metrics if m.kind == "published"]
        data = published[0].data if published else ""
        scores = {m.name: f"{m.value:.4f}" for m in published if m.data == data}
        rows.append(
            (
                name + mark,
                f"{checkpoint.input.sample_rate / 1000:g}",
                seconds(checkpoint.input.segment, checkpoint.input.sample_rate),
                count(checkpoint.parameters),
                checkpoint.licence.weights,
                scores.get("ROC-AUC", ""),
                scores.get("PR-AUC", ""),
                short(data),
            )
        )
    legend = [LEGEND, *[NOT_LOADED] * ("?" in marks)]
    return "\n".join([*columns(rows, right="kHz s parameters ROC-AUC PR-AUC"), "", *legend])


def architectures(names: Sequence[str]) -> str:
    """Return a table of architectures: a line each, and its paper below it."""
    rows = [("name", "input", "first layer", "back-end", "parameters")]
    papers: list[list[str]] = [[]]
    for name in names:
        a = registry.architectures()[name]
        default = next(iter(a.variants.values()), None)
        kind = a.front_end.replace("filter shape", "shape").removesuffix(" filters")
        parameters = count(default.parameters if default else None)
        rows.append((name, a.input, f"{kind}: {a.shape}", a.backend, parameters))
        papers.append(wrapped(f"{people(a)} {a.year}. {a.title}.", "", 4))
    table = columns(rows, right="parameters")
    return "\n".join(
        line for row, paper in zip(table, papers, strict=True) for line in (row, *paper)
    )


def taxonomy(names: Sequence[str]) -> str:
    """Return the review's grid of front-ends, and below it that of back-ends."""
    rows: list[tuple[str, ...]] = [("front-end", "waveform", "spectrogram")]
    for row, inputs in registry.grid(names).items():
        cells = [[f"{s}: {', '.join(n)}" for s, n in shapes.items()] for shapes in inputs.values()]
        for i in range(max(1, *map(len, cells))):
            rows.append((row if i == 0 else "", *(c[i] if i < len(c) else "" for c in cells)))
    ends = [("back-end", "length", "of")]
    for backend, (length, _) in registry.BACKENDS.items():
        own = [name for name in names if registry.architectures()[name].backend == backend]
        ends.append((backend, length, ", ".join(own)))
    build = "zoo.build(name, labels, backend=...) puts any of these behind any front-end."
    return "\n".join([*columns(rows), "", *columns(ends), "", build])


# --- cards ---


def card(c: Card) -> str:
    """Return all that is known of an architecture and its checkpoints."""
    a = c.architecture
    knowledge = f"{'' if a.domain_knowledge else 'no '}domain knowledge"
    lines = [
        *wrapped(f"{c.name}: {a.title}", "", 0),
        *wrapped(f"{', '.join(a.authors)}, {a.year}. {a.venue}. {a.url}", "paper"),
        *wrapped(a.task, "task"),
        *wrapped(f"{a.front_end}: {a.shape}; on a {a.input}; {knowledge}", "front-end"),
        *wrapped(a.filters, "filters"),
        *wrapped(f"{a.backend} ({length(a)})", "back-end"),
        *wrapped(c.origin, "origin"),
        *wrapped(c.trained, "history"),
        *wrapped(a.notes, "notes"),
    ]
    if a.variants:
        lines += ["", f"  networks, with {plural(a.labels, 'label')}", *indented(variants(a))]
    lines += ["", "  stages", *indented(columns(list(a.stages.items())))]
    for name, checkpoint in c.checkpoints.items():
        lines += ["", *describe(name, checkpoint)]
    return "\n".join(lines)


def length(a: Architecture) -> str:
    """Return what length of sound a back-end like an architecture's own takes, in words."""
    known = registry.BACKENDS.get(a.backend)
    return f"in the review, of {known[0]} length" if known else "not in the review"


def variants(a: Architecture) -> list[str]:
    """Return a table of the networks of a model file."""
    spectrogram = next((v for v in a.variants.values() if v.plane), None)
    shapes = "first layer" + (f", frames x {spectrogram.bands}" if spectrogram else "")
    rows = [("name", "options", "kHz", "s", "parameters", shapes)]
    for name, v in a.variants.items():
        rows.append(
            (
                name,
                options(v),
                f"{v.sample_rate / 1000:g}",
                seconds(v.segment, v.sample_rate),
                count(v.parameters),
                filters(v),
            )
        )
    return columns(rows, right="kHz s parameters", width=WIDTH - 4)


def options(v: Variant | Checkpoint) -> str:
    """Return options as one writes them in a call of `zoo.build`."""
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
    """Return the lines in which a person reads of a checkpoint."""
    hears = checkpoint.input
    lines = [
        f"  checkpoint {name}" + (" (default)" if checkpoint.default else ""),
        *wrapped(", ".join(checkpoint.authors), "weights by", 4),
        *wrapped(checkpoint.licence.weights, "licence", 4),
        *wrapped(checkpoint.licence.data, "data", 4),
        *wrapped(checkpoint.status, "status", 4),
        *(wrapped(options(checkpoint), "options", 4) if checkpoint.options else ()),
        *wrapped(f"{hears.sample_rate} Hz, {hears.description}", "input", 4),
        *wrapped(f"{count(checkpoint.parameters)} trained", "parameters", 4),
        *wrapped(checkpoint.provenance, "provenance", 4),
        *wrapped(checkpoint.citation, "cite", 4),
    ]
    for (data, split), metrics in scores(checkpoint.metrics).items():
        clips = next(
            (
                f"; {m.clips:,} clips"
                for kinds in metrics.values()
                for m in kinds.values()
                if m.clips
            ),
            "",
        )
        lines += wrapped(f"{data}: {split}{clips}", "scores", 4)
        lines += [" " * (4 + LABEL) + line for line in score_table(metrics)]
    return lines + wrapped(", ".join(checkpoint.labels), plural(len(checkpoint.labels), "label"), 4)


Scores = dict[str, dict[str, Metric]]


def scores(metrics: Iterable[Metric]) -> dict[tuple[str, str], Scores]:
    """Bring together what was published and what was measured on the same sounds.

    Returns:
        For each (data, split), for each metric: "published" and "measured", where there.
    """
    found: dict[tuple[str, str], Scores] = {}
    for m in metrics:
        found.setdefault((m.data, m.split), {}).setdefault(m.name, {})[m.kind] = m
    return found


def score_table(metrics: Scores) -> list[str]:
    """Return a table with a column for what was published and one for what was measured."""
    rows: list[tuple[str, ...]] = [("", "published", "measured", "source")]
    for name, kinds in metrics.items():
        values = [f"{kinds[k].value:.4f}" if k in kinds else "" for k in rows[0][1:3]]
        rows.append((name, *values, "; ".join(m.source for m in kinds.values())))
    return columns(rows, right="published measured", width=WIDTH - 4 - LABEL)


# --- pieces ---


def people(a: Architecture) -> str:
    """Return the authors' surnames, "et al." for more than two."""
    surnames = [author.split()[-1] for author in a.authors]
    return " and ".join(surnames) if len(surnames) < 3 else f"{surnames[0]} et al."


def seconds(samples: int | None, sample_rate: int) -> str:
    """Return the length of a segment; "any" where there is none."""
    return "any" if samples is None else f"{samples / sample_rate:.2f}"


def count(number: int | None) -> str:
    """Return a number of parameters: "787,159"."""
    return "" if number is None else f"{number:,}"


def plural(number: int, word: str) -> str:
    """Return "1 label", "50 labels"."""
    return f"{number} {word}{'s' * (number != 1)}"


def short(data: str) -> str:
    """Return a corpus's name without what follows its comma; initials where it is several words.

    >>> short("Million Song Dataset, Last.fm tags")
    'MSD'
    """
    name = data.partition(",")[0]
    return "".join(word[0] for word in name.split()) if " " in name else name


def wrapped(text: str, label: str, indent: int = 2) -> list[str]:
    """Return a text in lines of at most `WIDTH`, beside its label; nothing for no text."""
    start = " " * indent + (f"{label:<{LABEL}}" if label else "")
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def indented(lines: Iterable[str]) -> list[str]:
    """Return lines a step further to the right."""
    return [f"    {line}" for line in lines]


def columns(rows: Sequence[Sequence[str]], right: str = "", width: int = WIDTH) -> list[str]:
    """Return rows of a table as lines with aligned columns.

    Args:
        rows: the first of them the head; all cells are strings.
        right: heads of the columns that are aligned to the right.
        width: a last cell that would go beyond it goes on in the next line.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    flush = [head in right.split() for head in rows[0]]
    lines = []
    for *cells, last in rows:
        start = "".join(
            f"{cell:>{size}}  " if to_right else f"{cell:<{size}}  "
            for cell, size, to_right in zip(cells, widths[:-1], flush[:-1], strict=True)
        )
        parts = textwrap.wrap(last, max(width - before, 20), break_on_hyphens=False) or [""]
        if flush[-1]:
            parts = [part.rjust(widths[-1]) for part in parts]
        lines += [(start + parts[0]).rstrip(), *(" " * before + part for part in parts[1:])]
    return lines
