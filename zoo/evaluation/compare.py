"""Several models on the same clips and the same tags: `zoo.compare`.

corpus = zoo.data.load("mtat", "/data/magnatagatune", split="test")
result = zoo.compare(["pons2017", "choi2016"], corpus)
result                                      # a table, a line a model
result.to_csv("models.csv"); result.to_markdown("models.md"); result.plot("models.png")
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.corpus import Corpus
from zoo.errors import ConfigError, UnknownName
from zoo.evaluation import costs, intervals, metrics, onsets, scores, synonyms
from zoo.evaluation.evaluate import check
from zoo.evaluation.records import Difference, Entry
from zoo.evaluation.reports import Comparison, Evaluation
from zoo.evaluation.tags import of_tags
from zoo.registry import lookup, manifest
from zoo.utils.files import PathLike
from zoo.weights.loading import is_file_name

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel


MEANS = ("ROC-AUC", "PR-AUC", "balanced accuracy")  # over tags

# Data and split -> their names in the manifest: the data's name; the number of clips if it
# identifies the split, else words that do.
PUBLISHED: dict[tuple[str, str], tuple[str, str, int | None]] = {
    ("mtat", "test"): ("MagnaTagATune", "", 5329),
    ("mtat", "test_cleaned"): ("MagnaTagATune", "", 4332),
    ("mtg-jamendo", "test"): ("MTG-Jamendo, top 50 tags", "autotagging_top50tags-test", None),
}


def compare(
    names: "Sequence[AudioModel | PathLike] | Mapping[str, AudioModel | PathLike]",
    corpus: Corpus | PathLike,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    batch_size: int = 16,
    cache: PathLike | None = None,
    progress: bool = False,
) -> Comparison:
    """Measure several models on the same clips and the same tags.

    Only the tags that all models and the corpus know are compared, under any name, see
    `zoo.synonyms`; and only the clips that every model could score. Of a single-label corpus, clips
    of a class that is left out are left out too, and the prediction is the shared tag with the
    highest score. Everything else is as in `zoo.evaluate`.

    Speed is that of the network alone, on up to a minute of the corpus: the models take turns, and
    the median of `TURNS` turns counts. It depends on the machine and its load; the ratio to the
    first model does so less.

    Args:
        names: models, or names or files that `zoo.load` takes; or a dictionary from the names that
            tables show to the models.
        corpus: what `zoo.data.load` returns, such as one split of it; or the name of a folder or
            table.
        bootstrap: rounds; the same resamples for all models. 0 for no confidence intervals.
        seed: of the bootstrap.
        batch_size: segments that go through a network at once.
        cache: folder for decoded sound, see `zoo.data.segments`.
        progress: show bars on stderr.

    Returns:
        The comparison: an evaluation of each model, differences, sizes and speeds.

    Raises:
        UnknownName: no such model; or not a single tag that all know, with each one's labels.
        ConfigError: no model, or one twice; taggers together with onset detectors; or what
            `zoo.evaluate` raises.
    """
    begin = time.perf_counter()
    corpus = check(corpus, bootstrap, batch_size)
    models = _loaded(names)
    for model in models.values():
        scores.question(model, corpus)
    tags: dict[str, tuple[tuple[str, ...], ...]] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    if next(iter(models.values())).frame_wise:
        evaluations = _of_onsets(models, corpus, bootstrap, seed, progress)
    else:
        tags, left_out = shared_tags(models, corpus)
        options = {"batch_size": batch_size, "cache": cache, "progress": progress}
        evaluations = _of_tags(models, corpus, tags, bootstrap, seed, options)
    called = f"zoo.compare({list(models)}, {corpus.name!r}, bootstrap={bootstrap}, seed={seed})"
    evaluations = [replace(e, command=called) for e in evaluations]
    speeds = costs.speeds(list(models.values()), corpus, batch_size)
    sources = list(names.values() if isinstance(names, Mapping) else names)
    entries = tuple(
        Entry(
            name,
            costs.parameters(model),
            costs.size(model, resolved(source)),
            licence(model),
            evaluation,
            published(resolved(source), corpus, evaluation),
            speed,
            speed / speeds[0],
        )
        for (name, model), source, evaluation, speed in zip(
            models.items(), sources, evaluations, speeds, strict=True
        )
    )
    first = entries[0].evaluation
    return Comparison(
        first.data,
        first.split,
        first.clips,
        entries,
        tags,
        left_out,
        tuple(differences(entries)),
        called,
        time.perf_counter() - begin,
    )


def _loaded(names: Any) -> "dict[str, AudioModel]":
    """Return the name of each model in tables -> the model."""
    if isinstance(names, str | Path) or not isinstance(names, Iterable) or not names:
        given = names if isinstance(names, str | Path | list | tuple) else type(names).__name__
        raise ConfigError(f"names is {given!r}; give a list of models, such as ['pons2017'].")
    if isinstance(names, Mapping):
        models = {name: scores.load_model(model) for name, model in names.items()}
    else:
        models = {}
        for source in names:
            model = scores.load_model(source)
            name = (
                str(source)
                if isinstance(source, str | Path) and is_file_name(source)
                else model.name
            )
            if name in models:
                raise ConfigError(
                    f"{name} is there twice; give different models, or a dictionary with names "
                    "of your own."
                )
            models[name] = model
    if len({model.frame_wise for model in models.values()}) > 1:
        frames = [name for name, model in models.items() if model.frame_wise]
        raise ConfigError(
            f"{', '.join(frames)} detect onsets and the other models tag clips: compare them in "
            "separate calls."
        )
    return models


def shared_tags(
    models: "Mapping[str, AudioModel]", corpus: Corpus
) -> tuple[dict[str, tuple[tuple[str, ...], ...]], dict[str, tuple[str, ...]]]:
    """Return the tags that all know, as `synonyms.shared` does, and why which labels are left out.

    Raises:
        UnknownName: there is no such tag.
    """
    tags = synonyms.shared(corpus.labels, *(model.labels for model in models.values()))
    if not tags:
        lists = "; ".join(f"{name}: {', '.join(model.labels)}" for name, model in models.items())
        raise UnknownName(
            f"there is no tag that {corpus.name} and all models know. {corpus.name}: "
            f"{', '.join(corpus.labels)}; {lists}."
        )
    concepts = {name: synonyms.by_concept(model.labels) for name, model in models.items()}
    own = synonyms.by_concept(corpus.labels)
    left_out: dict[str, tuple[str, ...]] = {}
    for concept, labels in own.items():
        without = [name for name, known in concepts.items() if concept not in known]
        if without:
            reason = f"in {corpus.name}, but not known to {' and '.join(without)}"
            left_out[reason] = left_out.get(reason, ()) + labels
    knowing: dict[tuple[str, ...], list[str]] = {}  # labels not in the corpus -> their models
    for name, known in concepts.items():
        unused = tuple(label for c, labels in known.items() if c not in own for label in labels)
        if unused:
            knowing.setdefault(unused, []).append(name)
    for unused, names in knowing.items():
        left_out[f"known to {' and '.join(names)}, but not in {corpus.name}"] = unused
    return tags, left_out


def _of_tags(
    models: "Mapping[str, AudioModel]",
    corpus: Corpus,
    tags: dict[str, tuple[tuple[str, ...], ...]],
    bootstrap: int,
    seed: int,
    options: dict[str, Any],
) -> list[Evaluation]:
    """Evaluate taggers on the tags that all know and the clips that all could score."""
    predicted, taken = _timed(scores.predict, models, corpus, **options)
    failed = np.any([~np.isfinite(p.values).all(axis=1) for p in predicted], axis=0)
    own = [
        {tag: (ours, theirs[i]) for tag, (ours, *theirs) in tags.items()}
        for i in range(len(models))
    ]
    evaluations = []
    for (name, model), p, mine, seconds in zip(models.items(), predicted, own, taken, strict=True):
        values = np.where(failed[:, None], np.float32("nan"), p.values)
        e = of_tags(model, corpus, mine, p._replace(values=values), bootstrap, seed)
        evaluations.append(replace(e, model=name, seconds=seconds))
    return evaluations


def _timed(predict: Any, models: "Mapping[str, AudioModel]", *args: Any, **options: Any):
    """Return the result of `predict` for each model, and the seconds that it took."""
    results, taken = [], []
    for model in models.values():
        begin = time.perf_counter()
        results.append(predict(model, *args, **options))
        taken.append(time.perf_counter() - begin)
    return results, taken


def _of_onsets(
    models: "Mapping[str, AudioModel]", corpus: Corpus, bootstrap: int, seed: int, progress: bool
) -> list[Evaluation]:
    """Evaluate onset detectors on the clips that all could score."""
    predicted, taken = _timed(onsets.detect, models, corpus, progress)
    common = set.intersection(*({clip.clip for clip in p.clips} for p in predicted))
    return [
        replace(
            onsets.of_onsets(model, corpus, p.take(common), bootstrap, seed),
            model=name,
            seconds=seconds,
        )
        for (name, model), p, seconds in zip(models.items(), predicted, taken, strict=True)
    ]


def differences(entries: Sequence[Entry]) -> Iterator[Difference]:
    """Yield each pair's differences; nothing without a bootstrap."""
    shared, free = entries[0].evaluation.scores, None  # all have the same clips and tags
    if shared is not None:
        free = intervals.freedom(shared.targets > 0, metrics.units(shared.groups))
    for one, other in combinations(entries, 2):
        a, b = one.evaluation, other.evaluation
        for metric in a.metrics:
            if a.rounds[metric].size:
                both = a.metrics[metric], b.metrics[metric]
                rounds = a.rounds[metric], b.rounds[metric]
                fewer = free if metric in MEANS else None
                score = intervals.difference(*both, *rounds, a.groups, fewer)
                yield Difference(one.model, other.model, metric, score)


def resolved(source: Any) -> Any:
    """Return the checkpoint that an architecture's name means; anything else unchanged."""
    if isinstance(source, str) and not is_file_name(source) and not source.startswith("hf://"):
        return lookup.resolve(source)
    return source


def licence(model: "AudioModel") -> str:
    """Return the licence of a model's weights, or of those that it was made from."""
    terms = (c.licence.weights for c in model.card.checkpoints.values())
    return ", ".join(dict.fromkeys(terms))


def published(source: Any, corpus: Corpus, evaluation: Evaluation) -> dict[str, float]:
    """Return the scores that a checkpoint's authors published for what was measured here.

    Nothing unless data and split are the same, all clips are there but for a few that cannot be
    read, and all of the checkpoint's tags were compared, none merged.
    """
    checkpoint = manifest.load().checkpoints.get(source) if isinstance(source, str) else None
    measured = (corpus.data, corpus.split_name)
    if checkpoint is None or measured not in PUBLISHED:
        return {}
    data, words, clips = PUBLISHED[measured]
    if {(t.tag,) for t in evaluation.tags} != {(label,) for label in checkpoint.labels}:
        return {}
    if clips and not 0.99 * clips <= evaluation.clips <= clips:
        return {}
    return {
        m.name: m.value
        for m in checkpoint.metrics
        if m.kind == "published"
        and m.data == data
        and (words in m.split if clips is None else m.clips == clips)
    }
