"""Tables of checkpoints and architectures for a terminal of 100 columns. Loads no framework."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from zoo.registry import cards, lookup
from zoo.registry.cards import people, seconds
from zoo.registry.manifest import Checkpoint
from zoo.utils.text import columns, count, wrapped

# --- lists ---

CHECKPOINT_HEAD = ("name", "kHz", "s", "parameters", "licence", "ROC-AUC", "PR-AUC", "data")
LEGEND = (
    "* is the default of its architecture. Scores are published; `zoo info NAME` shows the source."
)
NOT_LOADED = "? is listed from its authors' description; this project has not loaded the file yet."


def checkpoints(names: Iterable[str]) -> str:
    """Return a table of checkpoints, one line each, and the legend of its signs.

    Args:
        names: of checkpoints.

    Returns:
        Lines of text.
    """
    rows, marks = [CHECKPOINT_HEAD], set()
    about: list[list[str]] = [[]]
    for name in names:
        checkpoint = lookup.info(name).checkpoints[name]
        mark = " *" * checkpoint.default + " ?" * (checkpoint.status == "not yet loaded")
        marks |= set(mark.split())
        published = [m for m in checkpoint.metrics if m.kind == "published"]
        data = published[0].data if published else ""
        scores = {m.name: f"{m.value:.4f}" for m in published if m.data == data}
        rate, segment = checkpoint.input.sample_rate, checkpoint.input.segment
        numbers = (f"{rate / 1000:g}", seconds(segment, rate), count(checkpoint.parameters))
        areas = (scores.get("ROC-AUC", ""), scores.get("PR-AUC", ""))
        rows.append((name + mark, *numbers, checkpoint.licence.weights, *areas, short(data)))
        about.append(wrapped(described(name), "", 4))
    legend = [LEGEND, *[NOT_LOADED] * ("?" in marks)]
    table = columns(rows, right="kHz s parameters ROC-AUC PR-AUC")
    lines = [one for row, more in zip(table, about, strict=True) for one in (row, *more)]
    return "\n".join([*lines, "", *legend])


def described(name: str) -> str:
    """Return where the weights of a checkpoint are, their size, and what the network is."""
    card = lookup.info(name)
    c, a, own = card.checkpoints[name], card.architecture, card.network
    size = weight_bytes(c)
    where = "bundled" if c.bundled else "fetched when first used"
    megabytes = f", {size / 1e6:.1f} MB" if size else ""
    shape = a.shape if own is None or own.input == a.input else f"filters of {cards.filters(own)}"
    kind = own.input if own else a.input
    return f"{where}{megabytes}; {shape}, on a {kind} ({people(a)} {a.year})"


def weight_bytes(c: Checkpoint) -> int | None:
    """Return the size of a checkpoint's file; None if it is not known."""
    return next((source.bytes for source in (*c.bundled, *c.remote) if source.bytes), None)


def records(names: Iterable[str]) -> list[dict[str, Any]]:
    """Return what is known of checkpoints, fit for JSON.

    Args:
        names: of checkpoints.

    Returns:
        For each its name, architecture, task, licence, size in bytes, whether it is bundled, and
        the whole record of the manifest.
    """
    found = []
    for name in names:
        c, a = lookup.info(name).checkpoints[name], lookup.info(name).architecture
        plain = msgspec.json.decode(msgspec.json.encode(c))
        more = {"task": a.task, "description": described(name), "bytes": weight_bytes(c)}
        found.append({"name": name, **more, "is_bundled": bool(c.bundled), **plain})
    return found


def architectures(names: Sequence[str]) -> str:
    """Return a table of architectures, each with its paper in the next line.

    Args:
        names: of architectures.

    Returns:
        Lines of text.
    """
    rows = [("name", "input", "first layer", "back-end", "parameters")]
    papers: list[list[str]] = [[]]
    for name in names:
        a = lookup.architectures()[name]
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
    """Return the review's grid of front-ends, and its table of back-ends.

    Args:
        names: of architectures.

    Returns:
        Lines of text.
    """
    rows: list[tuple[str, ...]] = [("front-end", "waveform", "spectrogram")]
    for row, inputs in lookup.grid(names).items():
        cells = [[f"{s}: {', '.join(n)}" for s, n in shapes.items()] for shapes in inputs.values()]
        for i in range(max(1, *map(len, cells))):
            rows.append((row if i == 0 else "", *(c[i] if i < len(c) else "" for c in cells)))
    ends = [("back-end", "length", "of")]
    for backend, (length, _) in cards.BACKENDS.items():
        own = [name for name in names if lookup.architectures()[name].backend == backend]
        ends.append((backend, length, ", ".join(own)))
    build = "zoo.build(name, labels, backend=...) combines any of these with any front-end."
    return "\n".join([*columns(rows), "", *columns(ends), "", build])


def short(data: str) -> str:
    """Return the part of a corpus's name before the comma; of several words, the initials.

    >>> short("Million Song Dataset, Last.fm tags")
    'MSD'
    """
    name = data.partition(",")[0]
    return "".join(word[0] for word in name.split()) if " " in name else name
