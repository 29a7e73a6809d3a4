"""How evaluations and comparisons read: in a terminal, as CSV, as Markdown."""

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.evaluation.metrics import Score
from zoo.evaluation.records import ComparisonRecord, Entry, EvaluationRecord, TagScore
from zoo.utils.text import columns, count, markdown_table, plural, wrapped

Row = tuple[str, ...]

SPEED = "speed: seconds of sound that the network takes in a second (relative to the first model)"
RECORD = ("model", "data", "split", "clips")  # columns of every CSV


# --- one model ---


def evaluation(e: EvaluationRecord) -> str:
    """Return an evaluation as text for a terminal."""
    length = f"{e.audio / 3600:.2f} h" if e.audio >= 3600 else f"{e.audio / 60:.1f} min"
    lines = [
        f"{e.model} on {name(e)}: {plural(e.clips, 'clip')}, {length}, scored in {e.seconds:.0f} s"
    ]
    width = max(map(len, e.metrics))
    lines += [f"  {metric:<{width}}  {score}" for metric, score in e.metrics.items()]
    if e.bootstrap:
        lines.append(f"  [95 % intervals: {resampled(e)}]")
    if e.tags:
        rows: list[Row] = [("tag", "clips", "ROC-AUC", "PR-AUC")]
        rows += [(t.tag, f"{t.positives:,}", str(t.roc_auc), str(t.pr_auc)) for t in e.tags]
        lines += ["", *columns(rows, right="clips")]
    if e.onsets:
        rows = [("clip", "onsets", "found", "F", "precision", "recall")]
        for o in e.onsets:
            ratios = (f"{r:.3f}" for r in (o.f_measure, o.precision, o.recall))
            rows.append((o.clip, str(o.onsets), str(o.found), *ratios))
        lines += ["", *columns(rows, right="onsets found F precision recall")]
    for title, left in (("not scored", e.skipped), ("not decoded", e.failures)):
        if left:
            lines += ["", f"{title}: {len(left)}", *(f"  {s.name}: {s.reason}" for s in left)]
    return "\n".join(lines)


def evaluation_csv(e: EvaluationRecord) -> Iterator[Sequence[str]]:
    """Yield the rows of a CSV file: all together, then each tag, or each clip with onsets."""
    start = (e.model, e.data, e.split, str(e.clips))
    if e.onsets:
        yield (*RECORD, "clip", "onsets", "found", "right", "F", "precision", "recall")
        sums = [str(sum(getattr(o, n) for o in e.onsets)) for n in ("onsets", "found", "right")]
        yield (*start, "all", *sums, *(f"{score.value:.6f}" for score in e.metrics.values()))
        for o in e.onsets:
            ratios = (f"{r:.6f}" for r in (o.f_measure, o.precision, o.recall))
            yield (*start, o.clip, str(o.onsets), str(o.found), str(o.right), *ratios)
        return
    heads = [head for metric in e.metrics for head in bounds(metric)]
    yield (*RECORD, "tag", "positives", *heads, "note")
    yield (*start, "all", "", *(cell for s in e.metrics.values() for cell in cells(s)), "")
    rest = [""] * (len(heads) - 6)  # accuracies are those of all tags together
    for t in e.tags:
        note = "" if t.labels == (t.tag,) else f"the model's {', '.join(t.labels)}"
        areas = (*cells(t.roc_auc), *cells(t.pr_auc))
        yield (*start, t.tag, str(t.positives), *areas, *rest, note)
    for s in e.skipped:
        yield (*start, s.name, "", *[""] * len(heads), s.reason)


# --- several models ---


def comparison(c: ComparisonRecord) -> str:
    """Return a comparison as text for a terminal."""
    lines = [f"{title(c)}: {scope(c)}", ""]
    lines += [*columns(models(c), right="parameters MB speed"), SPEED]
    if c.differences:
        rows = [("", *c.metrics), *differences(c)]
        lines += ["", f"[95 % intervals: {resampled(c.entries[0].evaluation)}]", ""]
        lines += ["differences, one minus the other", *(f"  {line}" for line in columns(rows))]
        lines += ["  * the interval leaves out 0"] * any(d.clear for d in c.differences)
    if c.left_out:
        lines += ["", "not compared"]
        for why, labels in c.left_out.items():
            lines += wrapped(f"{why}: {', '.join(labels)}", "")
    return "\n".join(lines)


def comparison_markdown(c: ComparisonRecord) -> str:
    """Return a comparison as Markdown."""
    head, *rows = models(c)
    lines = [f"**{title(c)}**: {scope(c)}.", "", *markdown_table(head, rows), "", f"{SPEED}."]
    if c.differences:
        intervals = f"95 % intervals ({resampled(c.entries[0].evaluation)})"
        what = f"One minus the other, with {intervals}; * where the interval leaves out 0:"
        lines += ["", what, "", *markdown_table(("", *c.metrics), list(differences(c)))]
    if c.tags:
        compared = ", ".join(t.tag for t in c.entries[0].evaluation.tags)
        lines += ["", f"Compared: {compared}."]
    if c.left_out:
        lines += [
            "",
            "Not compared:",
            "",
            *(f"- {why}: {', '.join(n)}" for why, n in c.left_out.items()),
        ]
    return "\n".join([*lines, "", f"`{c.command}`, {c.seconds:.0f} s.", ""])


def models(c: ComparisonRecord) -> list[Row]:
    """Return a row for each model, with a head; published scores only if there are any."""
    known = [metric for metric in c.metrics if any(metric in e.published for e in c.entries)]
    head = ("model", "parameters", "MB", "licence", *c.metrics)
    rows: list[Row] = [(*head, *(f"published {metric}" for metric in known), "speed")]
    for e in c.entries:
        scores = (str(score) for score in e.evaluation.metrics.values())
        known_scores = (f"{e.published[m]:.4f}" if m in e.published else "" for m in known)
        cost = (count(e.parameters), f"{e.size / 1e6:.1f}", e.licence)
        rows.append((e.model, *cost, *scores, *known_scores, f"{e.speed:.0f} ({e.relative:.2f})"))
    return rows


def differences(c: ComparisonRecord) -> Iterator[Row]:
    """Yield a row for each pair: its names, then each metric's difference."""
    for first in range(0, len(c.differences), len(c.metrics)):
        pair = c.differences[first : first + len(c.metrics)]
        yield (f"{pair[0].model} - {pair[0].other}", *(signed(d.score) for d in pair))


def comparison_csv(c: ComparisonRecord, what: str) -> Iterator[Sequence[str]]:
    """Yield the rows of a CSV file of "models", "tags" or "differences"."""
    if what == "differences":
        yield (*RECORD[1:], "metric", "model", "other", "difference", "low", "high")
        for d in c.differences:
            yield (*record(c), d.metric, d.model, d.other, *cells(d.score))
    elif what == "tags":
        for i, entry in enumerate(c.entries):
            rows = list(evaluation_csv(entry.evaluation))
            yield from rows if i == 0 else rows[1:]
    else:
        heads = [head for metric in c.metrics for head in (*bounds(metric), f"published {metric}")]
        cost = ("parameters", "bytes", "licence", "audio s per s", "relative speed")
        yield (*RECORD, "tags", *heads, *cost, "weights sha256")
        yield from (model_row(c, entry) for entry in c.entries)


def model_row(c: ComparisonRecord, e: Entry) -> Row:
    """Return a model's row of a CSV file."""
    scores: list[str] = []
    for metric, score in e.evaluation.metrics.items():
        theirs = f"{e.published[metric]:.6f}" if metric in e.published else ""
        scores += [*cells(score), theirs]
    cost = (str(e.parameters), str(e.size), e.licence, f"{e.speed:.2f}", f"{e.relative:.3f}")
    tags = str(len(e.evaluation.tags)) if c.tags else ""
    return (e.model, *record(c), tags, *scores, *cost, e.evaluation.weights)


# --- pieces ---


def name(of: EvaluationRecord | ComparisonRecord) -> str:
    """Return data and split as in a call."""
    return f"{of.data}/{of.split}" if of.split else of.data


def record(c: ComparisonRecord) -> Row:
    """Return data, split and number of clips."""
    return (c.data, c.split, str(c.clips))


def title(c: ComparisonRecord) -> str:
    """Return "3 models on mtat/test"."""
    return f"{plural(len(c.entries), 'model')} on {name(c)}"


def scope(c: ComparisonRecord) -> str:
    """Return how many clips and tags were compared, in words."""
    clips = f"{c.clips:,} clips" if c.clips != 1 else "1 clip"
    tags = plural(len(c.entries[0].evaluation.tags), "tag")
    return f"{clips}, {tags} that all know" if c.tags else clips


def resampled(e: EvaluationRecord) -> str:
    """Return what the intervals count as independent, and the rounds of their bootstrap."""
    return f"{e.groups:,} {e.drawn}, {e.bootstrap:,} bootstrap rounds"


def bounds(metric: str) -> Row:
    """Return the heads of a score's three columns."""
    return (metric, f"{metric} low", f"{metric} high")


def numbers(tag: TagScore) -> dict[str, float]:
    """Return both scores of a tag with their bounds, by the heads of a table."""
    both = {"ROC-AUC": tag.roc_auc, "PR-AUC": tag.pr_auc}
    return {h: v for m, score in both.items() for h, v in zip(bounds(m), score, strict=True)}


def model_numbers(e: Entry) -> dict[str, str | float]:
    """Return a model's scores with their bounds, its size and speed, by the heads of a table."""
    scores = e.evaluation.metrics.items()
    found = {h: v for m, score in scores for h, v in zip(bounds(m), score, strict=True)}
    cost: dict[str, str | float] = {
        "parameters": e.parameters,
        "bytes": e.size,
        "licence": e.licence,
    }
    return {"model": e.model, **found, **cost, "audio s per s": e.speed}


def cells(score: Score) -> Row:
    """Return a score and its interval for a CSV file; nothing where there is none."""
    return tuple("" if np.isnan(v) else f"{v:.6f}" for v in score)


def signed(score: Score) -> str:
    """Return a difference with its interval; a star where the interval excludes 0."""
    if np.isnan(score.low):
        return f"{score.value:+.4f}"
    star = " *" if score.low > 0 or score.high < 0 else ""
    return f"{score.value:+.4f} [{score.low:+.4f}, {score.high:+.4f}]{star}"
