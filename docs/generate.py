"""Write `docs/index.md`, a page and a picture for each architecture, and the tables of other pages.

    python docs/generate.py

Run it after a change of a model file's `CARD`, docstring or options, of `weights_manifest.json`, or
of the CSV files in results/ that the tables use. `tests/test_docs.py` checks that it was run.
It takes half a minute on a CPU, most of it for the spectrograms behind the filters; `python
docs/generate.py text` leaves the figures as they are.
"""

import csv
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from zoo.registry import cards, lookup, manifest
from zoo.registry.cards import Architecture, Variant
from zoo.registry.manifest import Bundled, Checkpoint, PyPI, Source
from zoo.utils import text

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "results"
BEGIN, END = "<!-- {}: written by docs/generate.py -->", "<!-- end of {} -->"
MADE = "<!-- Written by docs/generate.py from the models' cards: change those, and run it. -->"

REVIEW = """\
Jordi Pons' review, "Deep learning architectures for music audio classification: a personal
(re)view", sorts convolutional networks by two questions about the first layer: is its input a
waveform or a spectrogram, and how much knowledge of audio is in the shape of its filters? A third
question is how the back-end makes one vector of a clip. This is its grid, with our networks."""

REMARKS = """\
- A paper's other networks may belong elsewhere: `variant="waveform"` of pons2017 has minimal
  filters, `input="spectrogram"` of dieleman2014 vertical ones, and a `black_box` is among the four
  of pons2016.
- The review calls schluter2014 horizontal: its filters are small rectangles, 7 frames by 3 bands,
  longer in time than in frequency.
- The review names Dieleman 2014 for temporal pooling. The network of that paper pools in steps,
  ends in dense layers over a fixed window, and averages the windows' scores.
- The review dates Vogl's paper 2018; it is of 2017 (ISMIR)."""

BACK_ENDS = """\
A paper's own back-end is the default. `zoo.build(name, labels, backend="attention")` puts any of
these behind any front-end; one of fixed length needs `segment=seconds` too."""

COMPARE = """\
An architecture's bare name loads the checkpoint in bold. Each page says on which part of the data
a score was measured, and its source; only scores on the same part can be compared. On MagnaTagATune
some papers test on all clips and some leave out those without any of the 50 tags, which alone
raises PR-AUC from about .38 to about .45. `zoo list`, `zoo list --taxonomy` and `zoo info NAME`
show the same on the command line."""

STAGES = """\
`model.stage(name)` gives the network up to a stage, `model.embed(audio, stage=name)` its
output for a sound. Shapes are those of the default network, unless the table says otherwise."""


# --- the index ---


def index() -> str:
    """Return the index: the review's grid, the back-ends, every architecture and checkpoint."""
    from zoo.layers import backends
    from zoo.weights import keras_models

    names = lookup.list_models(trained=False)
    return document(
        MADE,
        "# The architectures",
        REVIEW,
        "## Front-ends",
        grid(names),
        REMARKS,
        "## Back-ends",
        BACK_ENDS,
        table(("back-end", "length", "in the review", "own back-end of"), back_ends(names)),
        *(
            document(f"### {name}", first_line(function), option_table([function]))
            for name, function in backends.BACKENDS.items()
        ),
        "## All of them",
        table(
            ("", "year", "task", "input", "segment", "trained parameters", "checkpoints"),
            map(architecture_row, names),
        ),
        "Segment and parameters are those of the default network, with the number of labels on its "
        "page.",
        "## Checkpoints",
        table(
            ("", "licence of the weights", "status", "published", "measured", "data"),
            (row for name in lookup.list_models() for row in checkpoint_rows(name)),
        ),
        COMPARE,
        "## What `zoo.build` takes",
        "Each architecture and back-end also has its own options; its page lists them.",
        option_table([keras_models.build]),
    )


def grid(names: Iterable[str]) -> str:
    """Return the review's grid of front-ends."""
    knowledge = dict.fromkeys(cards.FRONT_ENDS, "yes") | {cards.FRONT_ENDS[0]: "no"}
    return table(
        ("filters of the first layer", "domain knowledge", "on a waveform", "on a spectrogram"),
        (
            (row, knowledge[row], *("; ".join(map(cell, shapes.items())) for shapes in by.values()))
            for row, by in lookup.grid(names).items()
        ),
    )


def cell(shape: tuple[str, list[str]]) -> str:
    """Return a shape with the architectures that have it."""
    return f"{shape[0]}: {', '.join(map(link, shape[1]))}"


def back_ends(names: Iterable[str]) -> Iterable[tuple[str, ...]]:
    """Yield a row for each back-end."""
    known = lookup.architectures()
    for backend, (length, review) in cards.BACKENDS.items():
        own = ", ".join(link(name) for name in names if known[name].backend == backend)
        yield f"[`{backend}`](#{backend})", length, review, own


def architecture_row(name: str) -> tuple[str, ...]:
    """Return an architecture's row in the index."""
    card = lookup.info(name)
    a, (default, *_) = card.architecture, card.architecture.variants.values()
    length = segment_length(default)
    own = f"{len(card.checkpoints)}" if card.checkpoints else ""
    return (
        link(name),
        str(a.year),
        a.task,
        a.input,
        length,
        f"{default.parameters:,}",
        own,
    )


def checkpoint_rows(name: str) -> Iterable[tuple[str, ...]]:
    """Yield a checkpoint's rows in the index: one for each part of data, or one."""
    checkpoint = lookup.info(name).checkpoints[name]
    label = f"[{name}](models/{checkpoint.architecture}.md#{anchor(name)})"
    label = f"**{label}**" if checkpoint.default else label
    first = (label, checkpoint.licence.weights, checkpoint.status)
    found = cards.scores(checkpoint.metrics)
    if not found:
        yield (*first, "", "", "")
    for (data, _), metrics in found.items():
        published, measured = (
            ", ".join(
                f"{m} {kinds[kind].value:.4f}" for m, kinds in metrics.items() if kind in kinds
            )
            for kind in ("published", "measured")
        )
        yield (*first, published, measured, data)


# --- a page ---


def page(name: str) -> str:
    """Return the page of an architecture."""
    card = lookup.info(name)
    a = card.architecture
    module = importlib.import_module(f"zoo.models.{name}")
    idea, rest = docstring(module.__doc__)
    functions = [module.segmentation, module.frontend, module.backend]
    return document(
        MADE,
        f"# {name}",
        f"{', '.join(a.authors)}, {a.year}. *{a.title}*. {a.venue}. <{a.url}>",
        idea,
        f"![The filters of the first layer, drawn on the input]({name}.svg)",
        caption(a),
        table(("", ""), facts(a)),
        "## Networks",
        f"Trained parameters with {text.plural(a.labels, 'label')}.",
        table(
            ("", "`zoo.build(...)`", "sample rate", "segment", "parameters", "first layer"),
            ((variant, *variant_row(v)) for variant, v in a.variants.items()),
        ),
        "## Options",
        "Those of `zoo.build` are in the [index](../index.md#what-zoobuild-takes).",
        option_table(functions),
        "## Stages",
        STAGES,
        table(("stage", "meaning"), ((f"`{stage}`", what) for stage, what in a.stages.items())),
        "## Use",
        usage(name, a, next(iter(card.checkpoints), None)),
        "## Checkpoints",
        *(
            [checkpoint_part(key, c) for key, c in card.checkpoints.items()]
            or ["None: there are no published weights that the zoo may distribute or fetch."]
        ),
        "## Sources of the numbers",
        f"From the top of [zoo/models/{name}.py](../../zoo/models/{name}.py).",
        f"```text\n{rest}\n```",
    )


def docstring(content: str) -> tuple[str, str]:
    """Split a model file's docstring: the paragraph on the idea, and the rest below the title."""
    _, *paragraphs = inspect.cleandoc(content).split("\n\n")
    (idea,) = (p for p in paragraphs if p.startswith("The idea. "))
    paragraphs.remove(idea)
    return idea.removeprefix("The idea. "), "\n\n".join(paragraphs)


def caption(a: Architecture) -> str:
    """Return the caption of the figure."""
    words = "To scale: the filters of the first layer, on the networks' input for the example clip."
    if any(v.plane is None for v in a.variants.values()):
        words += " Dashed: the next positions of a filter."
    for bands, plane in {v.bands: v.plane for v in a.variants.values() if v.plane}.items():
        if bands != "bands":
            words += f" It shows the spectrogram before it is reduced to {plane[1]} {bands}."
    return f"*{words}*"


def facts(a: Architecture) -> Iterable[tuple[str, str]]:
    """Yield the rows that place an architecture in the review's grid."""
    knowledge = "with" if a.domain_knowledge else "without"
    yield "task", a.task
    yield "front-end", f"{a.front_end}, {a.shape}, on a {a.input}; {knowledge} domain knowledge"
    yield "filters", a.filters
    yield "back-end", f"[{a.backend}](../index.md#{a.backend}); {cards.length(a)}"
    if a.notes:
        yield "notes", a.notes


def variant_row(v: Variant) -> tuple[str, ...]:
    """Return a network's row in a page, after its name."""
    options = f"`{cards.options(v)}`" if v.options else "default"
    shapes = cards.filters(v)
    if v.plane is not None:
        shapes += f" (frames x {v.bands}, of {v.plane[0]} x {v.plane[1]})"
    return options, f"{v.sample_rate:,} Hz", segment_length(v), f"{v.parameters:,}", shapes


def segment_length(v: Variant) -> str:
    """Return the length of a segment."""
    return f"{cards.seconds(v.segment, v.sample_rate)} s"


def usage(name: str, a: Architecture, checkpoint: str | None) -> str:
    """Return how to build it, which the tests run, and how to load it, which needs a network."""
    labels, call = (["onset"], "onsets") if a.task == "onsets" else (["calm", "wild"], "tag")
    build = f"import zoo\n\nmodel = zoo.build({name!r}, {labels!r})  # untrained\nmodel.summary()"
    build = build.replace("'", '"').replace("model.summary()", "print(model.stages)")
    load = ""
    if checkpoint:
        load = f'```py\nmodel = zoo.load("{checkpoint}")\nprint(model.{call}("song.mp3"))\n```'
    return document(f"```python\n{build}\n```", load).strip()


def checkpoint_part(name: str, c: Checkpoint) -> str:
    """Return the section of a checkpoint."""
    rows = [
        ("weights by", ", ".join(c.authors)),
        ("licence of the weights", c.licence.weights),
        ("training data", c.licence.data),
        ("status", c.status),
        ("options", f"`{cards.options(c)}`" if c.options else ""),
        ("trained parameters", text.count(c.parameters)),
        ("input", f"{c.input.sample_rate:,} Hz, {c.input.description}"),
        ("provenance", c.provenance),
        ("from", "; then ".join(map(origin, c.sources))),
        ("to cite", c.citation),
    ]
    scores = [
        (metric, *values(kinds), data, split, clips(kinds), sources(kinds))
        for (data, split), metrics in cards.scores(c.metrics).items()
        for metric, kinds in metrics.items()
    ]
    head = ("score", "published", "measured", "data", "part", "clips", "source")
    return document(
        f"### {name}",
        f"The default of `{c.architecture}`." if c.default else "",
        table(("", ""), (row for row in rows if row[1])),
        table(head, scores) if scores else "No score is published for these weights.",
        f"<details><summary>{text.plural(len(c.labels), 'label')}, in the order of the output"
        f"</summary>\n\n{', '.join(c.labels)}\n\n</details>",
    )


def values(kinds: dict) -> tuple[str, str]:
    """Return the published and the measured value of a score."""
    published, measured = (
        f"{kinds[kind].value:.4f}" if kind in kinds else "" for kind in ("published", "measured")
    )
    return published, measured


def clips(kinds: dict) -> str:
    """Return how many clips were scored."""
    return next((f"{m.clips:,}" for m in kinds.values() if m.clips), "not given")


def sources(kinds: dict) -> str:
    """Return the sources of the values."""
    return "; ".join(dict.fromkeys(m.source for m in kinds.values()))


def origin(source: Source) -> str:
    """Return the place of a weight file."""
    if isinstance(source, Bundled):
        return "the package itself"
    if isinstance(source, PyPI):
        return f"`{source.file}` of {source.project} {source.version} on the Python package index"
    return f"<{source.url}>"


# --- options ---


def option_table(functions: list[Callable]) -> str:
    """Return a table of the keyword-only arguments of functions, from their docstrings."""
    rows: dict[str, tuple[str, str, str]] = {}
    for function in functions:
        described = arguments(function)
        for p in inspect.signature(function).parameters.values():
            if p.kind is p.KEYWORD_ONLY and (p.name not in rows or not rows[p.name][2]):
                meaning = described.get(p.name, "")
                meaning = "" if meaning.startswith("as in ") else meaning
                rows[p.name] = (f"`{p.name}`", f"`{p.default!r}`", meaning)
    return table(("option", "default", "meaning"), rows.values()) if rows else "None."


def arguments(function: Callable) -> dict[str, str]:
    """Return the description of each argument in a function's docstring."""
    _, _, section = (inspect.getdoc(function) or "").partition("Args:\n")
    found = re.findall(r"^    \*{0,2}(\w+): (.+(?:\n {5,}.+)*)", section.split("\n\n")[0], re.M)
    below = "[below](#sources-of-the-numbers)"
    return {
        name: " ".join(words.split()).replace("the top of this file", below)
        for name, words in found
    }


def first_line(function: Callable) -> str:
    """Return the first line of a function's docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


# --- Markdown ---


def document(*parts: str) -> str:
    """Return parts with an empty line between them; empty parts are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table."""
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in r)} |" for r in lines)


def link(name: str) -> str:
    """Return a link from the index to an architecture's page."""
    return f"[{name}](models/{name}.md)"


def anchor(heading: str) -> str:
    """Return the name that GitHub gives a heading: without its dots."""
    return heading.lower().replace(".", "")


# --- the tables of other pages ---


def models() -> str:
    """Return the checkpoints, with published and measured scores in separate columns."""
    genres, students, real = result("genre_test"), result("distillation"), result("real_test")
    on_real = {r["checkpoint"]: r for r in real if (r["part"], r["question"]) == ("test", "mean")}
    by_genre = {row["checkpoint"]: row for row in genres if row["genre"] == "mean of 4 genres"}
    follows = {row["model"]: row for row in students if row["split"] == "test"}
    rows = []
    for name, checkpoint in manifest.load().checkpoints.items():
        if checkpoint.architecture == "schluter2014":
            continue
        label = f"`{name}`"
        label = f"**{label}**" if checkpoint.default else label
        where = "in the package" if isinstance(checkpoint.sources[0], Bundled) else "fetched"
        published = "; ".join(
            f"{m.value:.3f} ({m.data.partition(',')[0]})"
            for m in checkpoint.metrics
            if (m.name, m.kind) == ("ROC-AUC", "published")
        )
        measured = [with_interval(found.get(name, {})) for found in (on_real, by_genre)]
        teachers = ""
        if name in follows:
            of = follows[name]
            teachers = f"{float(of['ROC-AUC']):.3f} ({of['tags counted']} tags)"
        size, licence = f"{checkpoint.parameters:,}", checkpoint.licence.weights
        rows.append((label, size, where, licence, published, *measured, teachers))
    head = (
        "checkpoint", "parameters", "weights", "licence", "ROC-AUC, published",
        "real players, measured",
        "four genres of the genre test, measured", "against its teachers, measured",
    )  # fmt: skip
    return table(head, rows)


def with_interval(row: Mapping[str, str]) -> str:
    """Return the ROC-AUC of a row of results with its interval; "" if it has none."""
    if not row.get("ROC-AUC"):
        return ""
    value, low, high = (float(row[f"ROC-AUC{end}"]) for end in ("", " low", " high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def result(name: str) -> list[dict[str, str]]:
    """Return the rows of a table in `results/`, none if it is not there."""
    path = RESULTS / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def onset_scores() -> str:
    """Return F of the onset detectors on each held-out part; nothing if none was measured."""
    rows: dict[str, dict[str, str]] = {}
    for row in result("onsets"):
        kind = row["threshold"].partition(":")[0]
        name = row["detector"] if row["detector"].endswith(".zoo") else f"{row['detector']}, {kind}"
        found = rows.setdefault(row["part"], {"onsets": row["onsets"]})
        found[name] = f"{float(row['F']):.3f}"
    names = dict.fromkeys(name for found in rows.values() for name in found)
    lines = ((part, *(found.get(name, "") for name in names)) for part, found in rows.items())
    return table(("F, 25 ms", *names), lines) if rows else ""


def exports() -> str:
    """Return error, size and speed of exported files; nothing if none was measured."""
    head = ("model", "format", "error", "MB", "ms a segment")
    rows = (
        (
            f"`{row['model']}`",
            f"{row['format']} {row['quantize']}".strip(),
            row["error"] or row["reason"],
            row["megabytes"],
            row["milliseconds"],
        )
        for row in result("export")
    )
    return table(head, rows) if result("export") else ""


def export_grid() -> str:
    """Return how many cells of the grid are exported, and why the others are not."""
    rows = result("export_grid")
    refused = [row for row in rows if row["reason"]]
    done = len(rows) - len(refused)
    lines = [f"- {r['frontend']} with {r['backend']}: {r['reason']}" for r in refused]
    return "\n".join([f"{done} of {len(rows)} cells are exported and read back.", "", *lines])


def precisions() -> str:
    """Return scores in fewer bits beside those of float32; nothing if none was measured."""
    rows = result("precision")
    head = ("model", "weights", "ROC-AUC on real players", "largest difference", "mean difference")
    lines = (
        (
            f"`{r['checkpoint']}`",
            r["precision"],
            r["ROC-AUC"] or r["reason"],
            r["largest"],
            r["mean"],
        )
        for r in rows
    )
    return table(head, lines) if rows else ""


def coverage() -> str:
    """Return how often intervals hold the true value; cells outside 92 to 97 % have a mark."""
    head = ("score", "clips", "groups", "with the tag", "true value", "mean score", "coverage",
            "of the mean score", "width")  # fmt: skip
    lines = []
    for r in result("interval_coverage"):
        share = float(r["coverage"])
        mark = "" if 0.92 <= share <= 0.97 else " **low**" if share < 0.92 else " wide"
        cells = [r[h] for h in ("score", "clips", "groups", "with the tag", "true value")]
        usual = f"{100 * float(r['coverage of the mean score']):.1f} %"
        more = [r["mean score"], f"{100 * share:.1f} %{mark}", usual, r["width"]]
        lines.append([*cells, *more])
    return table(head, lines)


def filled(path: Path, tables: dict[str, Callable[[], str]]) -> str:
    """Return a document with updated tables."""
    content = path.read_text(encoding="utf-8")
    for name, make in tables.items():
        before, begin, rest = content.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        content = f"{before}{begin}\n\n{make()}\n\n{end}{after}"
    return content


# --- the command ---


def pages() -> dict[Path, str]:
    """Return the content of every file of text that this command writes."""
    architectures = lookup.architectures()
    exported = DOCS / "export.md"
    return {
        DOCS / "weights.md": filled(DOCS / "weights.md", {"models": models}),
        DOCS / "onsets.md": filled(DOCS / "onsets.md", {"onsets": onset_scores}),
        exported: filled(
            exported, {"exports": exports, "grid": export_grid, "precisions": precisions}
        ),
        DOCS / "intervals.md": filled(DOCS / "intervals.md", {"coverage": coverage}),
        DOCS / "index.md": index(),
        **{DOCS / "models" / f"{name}.md": page(name) for name in architectures},
    }


def main() -> None:
    """Write everything."""
    (DOCS / "models").mkdir(exist_ok=True)
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
    if sys.argv[1:] != ["text"]:
        from zoo.inference.drawing import draw  # it loads Keras

        for name in lookup.architectures():
            draw(name, DOCS / "models" / f"{name}.svg")


if __name__ == "__main__":
    main()
