"""Write what of `docs/` is made from code: the review, the models, the API, the tables of pages.

    python docs/generate.py

Run it after a change of a model file's `CARD`, docstring or options, of a public name or a command,
of `weights_manifest.json`, or of the CSV files in results/ that the tables use.
`tests/test_docs.py` checks that it was run. It takes half a minute on a CPU, most of it for the
spectrograms behind the filters; `python docs/generate.py text` leaves the figures as they are.
"""

import importlib
import inspect
import re
import statistics
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import leaderboard

import zoo
from zoo.cli import main as command_line
from zoo.registry import cards, lookup
from zoo.registry.cards import Architecture, Variant
from zoo.registry.leaderboard import Row
from zoo.registry.manifest import Bundled, Checkpoint, PyPI, Source
from zoo.utils import text

DOCS = Path(__file__).resolve().parent
RESULTS = leaderboard.RESULTS
result = leaderboard.result
BEGIN, END = "<!-- {}: written by docs/generate.py -->", "<!-- end of {} -->"
MADE = "<!-- Written by docs/generate.py from the models' cards: change those, and run it. -->"

REVIEW = """\
Jordi Pons' review, "Deep learning architectures for music audio classification: a personal
(re)view", sorts convolutional networks by two questions about the first layer: is its input a
waveform or a spectrogram, and how much knowledge of audio is in the shape of its filters? A third
question is how the back-end makes one vector of a clip. This is its grid, with our networks.
`zoo list --taxonomy` prints it."""

HISTORY = """\
Seven papers in eight years, in their order (pons2016 is the eighth file: the study that led to
pons2017). What a network sees at once is a segment; what its first layer sees is a filter on it."""

FILTERS = """\
The filters of each first layer, drawn to scale on the input for the example clip. Click on a
picture for its page."""

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

STAGES = """\
`model.stage(name)` gives the network up to a stage, `model.embed(audio, stage=name)` its
output for a sound. Shapes are those of the default network, unless the table says otherwise."""


# --- the review and the list of architectures ---


def review() -> str:
    """Return the review's grid, what each network sees, and the back-ends."""
    from zoo.layers import backends
    from zoo.weights import keras_models

    names = lookup.list_models(trained=False)
    by_year = sorted(names, key=lambda name: lookup.architecture(name).year)
    return document(
        MADE,
        "# The review",
        REVIEW,
        "## Front-ends",
        grid(names),
        REMARKS,
        "## History and what each architecture sees",
        HISTORY,
        table(
            (
                "year",
                "network",
                "authors",
                "input",
                "segment",
                "what the first layer sees",
                "back-end",
            ),
            map(history_row, by_year),
        ),
        "## Filters",
        FILTERS,
        *(
            f"### {name}\n\n[![The filters of {name}](models/{name}.svg)](models/{name}.md)"
            for name in by_year
        ),
        "## Back-ends",
        BACK_ENDS,
        table(("back-end", "length", "in the review", "own back-end of"), back_ends(names)),
        *(
            document(f"### {name}", first_line(function), option_table([function]))
            for name, function in backends.BACKENDS.items()
        ),
        "## What `zoo.build` takes",
        "Each architecture and back-end also has its own options; its page lists them.",
        option_table([keras_models.build]),
    )


def history_row(name: str) -> tuple[str, ...]:
    """Return an architecture's row in the history."""
    a = lookup.architecture(name)
    default = next(iter(a.variants.values()))
    return (
        str(a.year),
        link(name),
        cards.people(a),
        f"{a.input}, {default.sample_rate / 1000:g} kHz",
        segment_length(default),
        f"{a.shape}: {cards.filters(default)}",
        f"[{a.backend}](#{a.backend})",
    )


def models() -> str:
    """Return the list of architectures."""
    return document(
        MADE,
        "# Models",
        "One page for each architecture: the paper, its networks and options, the filters, every "
        "checkpoint with its scores, licence and labels. `zoo.info(NAME)` and `zoo info NAME` show "
        "the same. [Choose a model](choosing.md) says which to take, the [leaderboard]"
        "(leaderboard.md) compares all checkpoints, and on [sound examples](sounds.md) you hear "
        "what they were given.",
        table(
            ("", "year", "task", "input", "segment", "trained parameters", "checkpoints"),
            map(architecture_row, lookup.list_models(trained=False)),
        ),
        "Segment and parameters are those of the default network, with the number of labels on its "
        "page. An architecture without a checkpoint is for `zoo.build` and `zoo.train`.",
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
    """Return an architecture's row in the list."""
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
        "Those of `zoo.build` are in the [review](../review.md#what-zoobuild-takes).",
        option_table(functions),
        "## Stages",
        STAGES,
        table(("stage", "meaning"), ((f"`{stage}`", what) for stage, what in a.stages.items())),
        "## Use",
        usage(name, a, lookup.default_checkpoint(name) or next(iter(card.checkpoints), None)),
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
    yield "back-end", f"[{a.backend}](../review.md#{a.backend}); {cards.length(a)}"
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


# --- extras ---

# Extra of pyproject.toml -> what it is for.
EXTRAS = {
    "aac": "nothing any more: what it brought is in the base; old requirements keep working",
    "batch": "[`zoo batch`](batch.md): a library into Parquet",
    "dev": "lint and types, for contributors",
    "docs": "this site: `mkdocs build --strict -f docs/site/mkdocs.yml`",
    "export": "[export](export.md) to ONNX, LiteRT, OpenVINO, SavedModel",
    "jax": "JAX as the framework: `KERAS_BACKEND=jax`",
    "notebooks": "to run the notebooks in `examples/`",
    "openvino": '`zoo.load(name, runtime="openvino")`',
    "ray": "`zoo batch --engine ray`, on a cluster",
    "remote": "sources and results on S3 and HTTP",
    "tensorflow-io": "[decoding in TensorFlow's graph](data.md#which-decoder), in an environment "
    "of its own",
    "test": "the tests",
    "torch": "PyTorch as the framework: `KERAS_BACKEND=torch`",
    "web-test": "the tests of the page, with a browser",
}


def extras() -> str:
    """Return the table of extras."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = project["optional-dependencies"]
    rows = (
        (f"`{name}`", EXTRAS[name], ", ".join(f"`{n}`" for n in named[name]))
        for name in sorted(named)
    )
    return document(
        MADE,
        "# Extras",
        f"`pip install 'music-zoo[export,batch]'` installs the zoo with two of them. The base has "
        f"what tagging, training and evaluation need: "
        f"{', '.join(f'`{n}`' for n in project['dependencies'])}.",
        table(("extra", "for", "installs"), rows),
    )


# --- the API and the command line ---

# Folder of the package -> page of the API, title, what it holds.
API = {
    "weights": ("loading", "Load, build, export", "From a name or a file to a model, and back."),
    "registry": ("registry", "Lists and cards", "What there is. Loads no framework."),
    "inference": ("inference", "Models and results", "What a model predicts of a sound."),
    "audio": ("audio", "Audio", "From a file or an array to samples and segments."),
    "data": ("data", "Data", "Corpora and pipelines."),
    "batching": ("batching", "Batch", "Many files into a Parquet data set."),
    "evaluation": ("evaluation", "Evaluation", "How good a model is."),
    "training": ("training", "Training", "Train and fine-tune."),
    "layers": ("augmentation", "Augmentation", "Keras layers that change training audio."),
    "errors": ("errors", "Errors", "What is raised."),
}


# Modules that a face offers -> their public names.
OFFERED = {
    "zoo.augmentation": "Gain Noise TimeMask FrequencyMask Mixup",
    "zoo.cdbn": "pretrain",
    "zoo.synonyms": "normalised canonical shared merged",
    "zoo.data.devices": "scope available",
}


def public() -> dict[str, dict[str, object]]:
    """Return the folder of the package -> public name -> the function or class."""
    found: dict[str, dict[str, object]] = {folder: {} for folder in API}
    faces = {"zoo": zoo, "zoo.data": zoo.data, "zoo.audio": zoo.audio}
    listed = {face: module.__all__ for face, module in faces.items()}
    for face, names in {**listed, **{m: names.split() for m, names in OFFERED.items()}}.items():
        for name in names:
            value = getattr(attribute(face), name)
            if inspect.isfunction(value) or inspect.isclass(value):  # no module, no constant
                found[value.__module__.split(".")[1]][f"{face}.{name}"] = value
    return found


def attribute(face: str) -> object:
    """Return a module by its public name, such as "zoo.data.devices"."""
    value: object = zoo
    for name in face.split(".")[1:]:
        value = getattr(value, name)
    return value


def api() -> dict[Path, str]:
    """Return the pages of the API: mkdocstrings fills them from the docstrings."""
    names = public()
    index = [
        document(
            f"## {title}",
            about,
            table(
                ("name", ""),
                ((f"[`{n}`]({page}.md#{n})", first_line(v)) for n, v in names[folder].items()),
            ),
        )
        for folder, (page, title, about) in API.items()
    ]
    pages = {
        "index": document(
            MADE,
            "# API reference",
            "The list of functions and classes: every public name, from its docstring. `import "
            "zoo` loads no framework; a name is imported when it is first used. [The command line]"
            "(../cli.md) has its own page.",
            *index,
        )
    }
    for folder, (page, title, about) in API.items():
        entries = (f"## `{n}` {{#{n}}}\n\n::: {path(v)}" for n, v in names[folder].items())
        pages[page] = document(MADE, f"# {title}", about, *entries)
    return {DOCS / "api" / f"{name}.md": content for name, content in pages.items()}


def path(value: object) -> str:
    """Return the place where a function or class is defined."""
    return f"{value.__module__}.{value.__qualname__}"


def commands() -> str:
    """Return the help of every command."""
    parts = []
    group = click.Context(command_line, info_name="zoo", **command_line.context_settings)
    for name, command in command_line.commands.items():
        context = click.Context(command, parent=group, info_name=name, terminal_width=100)
        parts.append(f"## zoo {name}\n\n```text\n{command.get_help(context)}\n```")
    return document(
        MADE,
        "# The command line",
        "`zoo COMMAND --help` prints the same. A bad file does not stop the rest; the exit status "
        "says at the end whether one failed.",
        *parts,
    )


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
    """Return a link from a page of `docs/` to an architecture's page."""
    return f"[{name}](models/{name}.md)"


def anchor(heading: str) -> str:
    """Return the name that GitHub gives a heading: without its dots."""
    return heading.lower().replace(".", "")


# --- the tables of other pages ---


def board() -> str:
    """Return the leaderboard: published and measured scores in separate columns."""
    head = (
        "checkpoint", "task", "licence", "weights", "parameters", "MB", "ROC-AUC, published",
        "PR-AUC, published", "on", "real players, measured", "genres, measured",
        "against its teachers, measured", "onsets F, measured", "s a segment", "ms, ONNX",
        "ms, LiteRT", "ms, OpenVINO", "ms, SavedModel", "ms, from a file", "ms, in the browser",
    )  # fmt: skip
    return table(head, map(board_row, leaderboard.rows()))


def board_row(r: Row) -> tuple[str, ...]:
    """Return a checkpoint's row of the leaderboard."""
    label = f"[{r.checkpoint}](models/{r.architecture}.md#{anchor(r.checkpoint)})"
    teachers = digits(r.teachers_roc_auc, 3) + (
        f" ({r.teachers_tags} tags)" * bool(r.teachers_tags)
    )
    times = (r.ms_onnx, r.ms_litert, r.ms_openvino, r.ms_savedmodel, r.ms_file, r.ms_page)
    return (
        f"**{label}**" if r.default else label,
        r.task,
        r.licence,
        r.weights,
        text.count(r.parameters),
        digits(r.megabytes, 1),
        digits(r.published_roc_auc, 3),
        digits(r.published_pr_auc, 3),
        r.published_data or "",
        with_interval(r.players_roc_auc, r.players_low, r.players_high),
        with_interval(r.genres_roc_auc, r.genres_low, r.genres_high),
        teachers,
        digits(r.onsets_f, 3),
        digits(r.segment, 2),
        *(digits(t, 1) for t in times),
    )


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return a score with its interval; "" if there is none."""
    return "" if value is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def digits(value: float | None, after: int) -> str:
    """Return a number with some digits after the point; "" if there is none."""
    return "" if value is None else f"{value:.{after}f}"


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


def stroke_scores() -> str:
    """Return the scores of the onset detectors on strokes; nothing if none was measured."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in result("onset_strokes"):
        if row["part"] != "strokes_test":
            continue
        kind = row["threshold"].partition(":")[0]
        alone = row["detector"].startswith("schluter2014.zoo") and kind == "default"
        name = row["detector"] if alone else f"{row['detector']}, {kind}"
        wide = f"{float(row['window']) * 1000:.0f} ms"
        measures = ("precision", "recall", "F") if row["of"] == "all" else ("recall",)
        for measure in measures:
            of = f"{measure}, {wide}" if row["of"] == "all" else f"recall, {row['class']}"
            cell = f"{float(row[measure]):.3f}"
            if measure == "recall":
                cell += f" ({float(row['recall low']):.2f} to {float(row['recall high']):.2f})"
            found.setdefault((of, row["onsets"]), {})[name] = cell
    names = dict.fromkeys(name for cells in found.values() for name in cells)
    lines = ((*key, *(cells.get(name, "") for name in names)) for key, cells in found.items())
    return table(("strokes_test", "onsets", *names), lines) if found else ""


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
    head = (
        "model",
        "weights",
        "ROC-AUC on the genre test",
        "largest difference",
        "mean difference",
    )
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


def spread(ratios: list[float]) -> str:
    """Return the median and the range."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def speeds() -> str:
    """Return how fast each runtime is beside Keras, from the turns of `benchmarks/tagging.py`."""
    rows = result("tagging_speed")
    about = ("model", "format", "round", "track_seconds", "matrix_gflops")
    columns = [c for c in rows[0] if c not in about]
    ratios = (f"{c} / Keras" for c in columns if c != "Keras")
    head = ("model", "format", "Keras, times real time", *ratios)
    lines = []
    for model, suffix in sorted({(row["model"], row["format"]) for row in rows}):
        rounds = [row for row in rows if (row["model"], row["format"]) == (model, suffix)]
        real = [float(r["track_seconds"]) / float(r["Keras"]) for r in rounds]
        cells = [f"{statistics.median(real):.0f}"]
        for column in columns:
            if column == "Keras":
                continue
            own = [float(r["Keras"]) / float(r[column]) for r in rounds if r[column]]
            cells.append(spread(own) if own else "")
        lines.append((f"`{model}`", suffix, *cells))
    return table(head, lines)


def batch_speeds() -> str:
    """Return the speed and memory of `zoo batch` and others, from `benchmarks/batch.py`."""
    rows = result("batch")
    seconds = {(row["contender"], row["round"]): float(row["seconds"]) for row in rows}
    rounds = list(dict.fromkeys(row["round"] for row in rows))
    lines = []
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == name]
        real = [float(row["hours"]) * 3600 / float(row["seconds"]) for row in own]
        cells = [name, f"{statistics.median(real):.0f}"]
        for base in ("musicnn", "zoo batch, 1 worker"):
            ratios = [seconds[base, r] / seconds[name, r] for r in rounds]
            cells.append("1" if base == name else spread(ratios))
        lines.append((*cells, str(max(int(row["peak_mb"]) for row in own))))
    head = ("", "times real time", "times musicnn", "times one worker", "memory of a process, MB")
    return table(head, lines)


def fuzz() -> str:
    """Return what damaged files gave, by kind and version; nothing if none was tried."""
    rows = result("fuzz")
    if not rows:
        return ""
    names = [name for name in rows[0] if name not in ("version", "seed", "kind")]
    sounds = {row["kind"] for row in rows if row["version"] == "before"}
    lines: list[tuple[str, ...]] = []
    for version, what in (("before", "sounds"), ("after", "sounds"), ("after", "others")):
        these = [
            row
            for row in rows
            if row["version"] == version and (row["kind"] in sounds) == (what == "sounds")
        ]
        lines += [(version, row["kind"], *(row[name] for name in names)) for row in these]
        total = (f"{sum(int(row[name]) for row in these):,}" for name in names)
        lines.append((version, f"all {what}", *total))
    return table(("version", "kind", *names), lines)


def faults() -> str:
    """Return how many faults each command was given while it wrote; nothing if none was tried."""
    rows = result("faults")
    if not rows:
        return ""
    kills = "random SIGKILL"
    names = list(dict.fromkeys(r["fault"] for r in rows if not r["fault"].endswith(kills)))
    lines = []
    for writer in sorted({row["writer"] for row in rows}):
        own = [row for row in rows if row["writer"] == writer]
        cases = dict.fromkeys((*names, kills), 0)
        for row in own:
            cases[kills if row["fault"].endswith(kills) else row["fault"]] += int(row["cases"])
        equal = sum(int(row["equal"]) for row in own)
        counts = [*cases.values(), equal, sum(cases.values()) - equal]
        lines.append((writer, *map(str, counts)))
    return table(("command", *names, kills, "equal", "not equal"), lines)


def machines() -> str:
    """Return how far the scores of other processors are from those of x86-64."""
    rows = result("machines")
    found = []
    for machine in dict.fromkeys(row["machine"] for row in rows):
        own = [row for row in rows if row["machine"] == machine]
        most = max(float(row["largest difference"]) for row in own)
        about = (own[0][name] for name in ("byte order", "Python", "ONNX Runtime"))
        found.append((machine, *about, f"{len(own)}", f"{most:.1e}"))
    head = ("machine", "byte order", "Python", "ONNX Runtime", "checkpoints", "largest difference")
    return table(head, found)


SOUNDS = """\
Each clip with the three best tags that every default checkpoint gives it, from one run of
`python docs/sounds.py` (`results/sounds.csv`). The clips are **rendered** from written music by a
sampler, and few: they show how the networks differ, not how good they are. Their origin and
licences: [clips](../examples/clips/README.md), [Bach](../examples/audio/README.md)."""


def sounds() -> str:
    """Return the page with clips to play and their best tags."""
    parts, rows = [], result("sounds")
    for file in dict.fromkeys(row["file"] for row in rows):
        own = [row for row in rows if row["file"] == file]
        title = Path(file).stem.replace("_", " ").replace("-", " ").capitalize()
        player = f'<audio controls preload="none" src="../{file}"></audio>'
        found = ((f"`{row['model']}`", row["tags"]) for row in own)
        parts.append(document(f"## {title}", player, table(("model", "best tags"), found)))
    return document(MADE, "# Sound examples", SOUNDS, *parts)


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
        RESULTS / leaderboard.FILE_NAME: leaderboard.text(),
        DOCS / "leaderboard.md": filled(DOCS / "leaderboard.md", {"leaderboard": board}),
        DOCS / "devices.md": filled(DOCS / "devices.md", {"speeds": speeds}),
        DOCS / "batch.md": filled(DOCS / "batch.md", {"speed of batches": batch_speeds}),
        DOCS / "onsets.md": filled(
            DOCS / "onsets.md", {"onsets": onset_scores, "strokes": stroke_scores}
        ),
        exported: filled(
            exported, {"exports": exports, "grid": export_grid, "precisions": precisions}
        ),
        DOCS / "intervals.md": filled(DOCS / "intervals.md", {"coverage": coverage}),
        DOCS / "promises.md": filled(DOCS / "promises.md", {"machines": machines}),
        DOCS / "reliability.md": filled(DOCS / "reliability.md", {"fuzz": fuzz, "faults": faults}),
        DOCS / "review.md": review(),
        DOCS / "models.md": models(),
        DOCS / "sounds.md": sounds(),
        DOCS / "cli.md": commands(),
        DOCS / "extras.md": extras(),
        **api(),
        **{DOCS / "models" / f"{name}.md": page(name) for name in architectures},
    }


def main() -> None:
    """Write everything."""
    for folder in ("models", "api"):
        (DOCS / folder).mkdir(exist_ok=True)
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
    if sys.argv[1:] != ["text"]:
        from zoo.inference.drawing import draw  # it loads Keras

        for name in lookup.architectures():
            draw(name, DOCS / "models" / f"{name}.svg")


if __name__ == "__main__":
    main()
