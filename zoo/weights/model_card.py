"""The README.md of a model on the Hugging Face Hub: its description, origin and use.

The front matter follows the hub's model card specification, so that its search, its licence badge
and its result tables work.
"""

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zoo.inference.audio_model import AudioModel
from zoo.registry import lookup
from zoo.registry.cards import Architecture
from zoo.registry.manifest import Metric
from zoo.utils.text import markdown_table
from zoo.utils.version import __version__
from zoo.weights.origin import Origin, licence_of, origin

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

# Identifiers of huggingface.co/docs/hub/repositories-licenses; the hub refuses others.
HUB_LICENCES = {
    "apache-2.0", "mit", "isc", "bsd-2-clause", "bsd-3-clause", "mpl-2.0", "unlicense", "gpl-2.0",
    "gpl-3.0", "lgpl-3.0", "agpl-3.0", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cc-by-nc-nd-4.0", "cc-by-nd-4.0",
}  # fmt: skip


def readme(model: AudioModel, repo: str, licence: str | None = None) -> str:
    """Return the model card.

    Args:
        model: the model to upload.
        repo: "user/name" on the hub.
        licence: of the weights, an SPDX identifier if possible; None for that of their checkpoint.

    Returns:
        Markdown, with front matter in YAML.
    """
    came_from = origin(model)
    architecture = lookup.architectures()[model.architecture]
    parts = [
        f"---\n{front_matter(model, repo, came_from, licence)}---",
        f"# {repo.split('/')[1]}",
        f"{heading(architecture)}\n\n{facts(model, came_from, licence)}",
        f"## Use\n\n{usage(architecture, repo)}",
        f"## Labels\n\n{len(model.labels)}, in the order of the output:\n\n"
        f"```json\n{json.dumps(model.labels, ensure_ascii=False)}\n```",
        *origin_parts(came_from),
        f"## Paper\n\n{paper(architecture)}",
    ]
    return "\n\n".join(parts) + "\n"


def front_matter(model: AudioModel, repo: str, came_from: Origin, licence: str | None) -> str:
    """Return the metadata for the hub, in YAML."""
    from huggingface_hub import ModelCardData

    stated = licence_of(came_from, licence)
    known = stated is not None and stated.lower() in HUB_LICENCES
    task = lookup.architectures()[model.architecture].task
    base, _, _ = came_from.hub.removeprefix("hf://").partition("@")
    results = [result(m) for m in scores(came_from)]
    data = ModelCardData(
        license=stated.lower() if stated and known else ("other" if stated else None),
        license_name=None if known or not stated else re.sub(r"[^a-z0-9.]+", "-", stated.lower()),
        library_name="keras",
        pipeline_tag="audio-classification",
        tags=["audio", "music", f"music-{task}", "music-zoo", model.architecture],
        base_model=base if base and base != repo else None,
        metrics=list(dict.fromkeys(r.metric_type for r in results)) or None,
        model_name=repo.split("/")[1] if results else None,
        eval_results=results or None,
    )
    return data.to_yaml() + "\n"


def result(metric: Metric) -> "EvalResult":
    """Return a score in the hub's form."""
    from huggingface_hub import EvalResult

    return EvalResult(
        task_type="audio-classification",
        dataset_type=slug(metric.data, "-"),
        dataset_name=metric.data,
        dataset_split=metric.split,
        metric_type=slug(metric.name, "_"),
        metric_name=f"{metric.name} ({metric.kind})",
        metric_value=metric.value,
    )


def slug(text: str, joint: str) -> str:
    """Return a text in lower case, with each run of other characters than a-z, 0-9 as `joint`."""
    return re.sub(r"[^a-z0-9]+", joint, text.lower()).strip(joint)


def scores(came_from: Origin) -> tuple[Metric, ...]:
    """Return the scores of the checkpoint; none if its weights were changed."""
    return came_from.record.metrics if came_from.record and came_from.unchanged else ()


def heading(a: Architecture) -> str:
    """Return the sentence under the title."""
    return (
        f"A network for music {a.task} in the architecture of *{a.title}* ({', '.join(a.authors)}, "
        f"{a.year}), made with music-zoo {__version__}. It takes a waveform; its spectrogram, if "
        "it has one, is computed inside."
    )


def facts(model: AudioModel, came_from: Origin, licence: str | None) -> str:
    """Return the table of the network's properties."""
    config = model.get_config()
    options = ", ".join(f"{key} = {value!r}" for key, value in config["options"].items())
    seconds = model.segmentation.segment / model.sample_rate
    rows = {
        "architecture": f"`{model.architecture}`" + (f", {options}" if options else ""),
        "back-end": config["backend"] or "the paper's",
        "input": f"mono, {model.sample_rate} Hz, samples in [-1, 1]; segments of {seconds:.2f} s",
        "output": f"{len(model.labels)} labels, {config['activation']}",
        "parameters": f"{model.count_params():,}",
        "weights": weights(came_from),
        "licence of the weights": licence_of(came_from, licence) or "not stated",
    }
    if model.card.trained:
        rows["training"] = model.card.trained
    return "\n".join(markdown_table(("", ""), list(rows.items())))


def weights(came_from: Origin) -> str:
    """Describe the origin of the weights in a few words."""
    if came_from.unchanged:
        return f"`{came_from.checkpoint}`, unchanged"
    if came_from.checkpoint:
        return f"trained further, or with a new head, from `{came_from.checkpoint}`"
    return (
        f"from {came_from.hub}, possibly trained further" if came_from.hub else "the uploader's own"
    )


def usage(a: Architecture, repo: str) -> str:
    """Return the section on loading the model."""
    method = "onsets" if a.task == "onsets" else "tag"
    return (
        "```console\npip install music-zoo\n```\n\n"
        f'```python\nimport zoo\n\nmodel = zoo.load("hf://{repo}")\nmodel.{method}("song.mp3")\n```\n\n'
        f'`zoo.load("hf://{repo}@COMMIT")` pins a commit, whose files never change. '
        "Only `config.json` and `model.safetensors` are read; no code is loaded from here."
    )


def origin_parts(came_from: Origin) -> Iterable[str]:
    """Yield the sections on the checkpoint that the weights come from."""
    record = came_from.record
    if record is None:
        return
    lines = [
        f"`{came_from.checkpoint}` of music-zoo. {record.provenance}",
        f"- Weights by {', '.join(record.authors)}; licence {record.licence.weights}.",
        f"- Data: {record.licence.data}.",
    ]
    yield "## Origin of the weights\n\n" + "\n".join([lines[0], "", *lines[1:]])
    if came_from.unchanged:
        for kind, title in (("published", "by the weights' authors"), ("measured", "by music-zoo")):
            rows = [m for m in record.metrics if m.kind == kind]
            if rows:
                yield f"## Scores {kind} {title}\n\n{score_table(rows)}"
    elif record.metrics:
        yield (
            f"## Scores\n\nThe scores of `{came_from.checkpoint}` are not repeated here: these "
            "weights differ from it."
        )
    yield f"## Citation\n\n{record.citation}"


def score_table(rows: Iterable[Metric]) -> str:
    """Return scores as a table."""
    cells = (
        (m.name, f"{m.value:.4f}", m.data, m.split, f"{m.clips or ''}", m.source) for m in rows
    )
    head = ("score", "value", "data", "part", "clips", "source")
    return "\n".join(markdown_table(head, cells))


def paper(a: Architecture) -> str:
    """Return the reference of the architecture."""
    return f"{', '.join(a.authors)}, {a.year}. *{a.title}*. {a.venue}. {a.url}"
