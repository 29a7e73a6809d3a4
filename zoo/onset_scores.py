"""How well a model finds onsets: precision, recall and F of mir_eval."""

from typing import TYPE_CHECKING

import numpy as np

from zoo import metrics, scoring
from zoo.data.corpus import Corpus
from zoo.errors import ConfigError, ZooError
from zoo.evaluation import ClipOnsets, Evaluation, record

if TYPE_CHECKING:
    from zoo.model import AudioModel

# Seconds by which an onset may be early or late: Schlüter and Böck 2014.
WINDOW = 0.025


def evaluate(
    model: "AudioModel", corpus: Corpus, bootstrap: int, seed: int, progress: bool = False
) -> Evaluation:
    """Find the onsets of every clip and count those that are right; see `zoo.evaluate`.

    Precision, recall and F are those of all clips together: their counts are summed first, as in
    the paper, so that a clip weighs as much as it has onsets.

    Raises:
        ConfigError: no clip has `onsets`, or the model finds none of any kind.
        ZooError: no clip could be heard.
    """
    if all(clip.onsets is None for clip in corpus.clips):
        raise ConfigError(
            f"{corpus.name} does not say when its onsets are, which {model.name} is measured by: "
            "give its clips `onsets`, in seconds."
        )
    found: list[ClipOnsets] = []
    heard, groups, failures = [], [], []
    with scoring.bar(f"{model.name} hears {corpus.name}", len(corpus), progress) as advance:
        for i, (clip, group) in enumerate(zip(corpus.clips, corpus.groups, strict=True), 1):
            try:
                if clip.onsets is None:
                    raise ConfigError("nobody says when its onsets are")
                sound = scoring.excerpt(clip, model.sample_rate)
                times = model.onsets((sound, model.sample_rate)).times
            except (ZooError, OSError) as error:
                failures.append(scoring.skip(clip, str(error)))
            else:
                found.append(counted(clip.name, np.array(clip.onsets), times))
                heard.append(len(sound) / model.sample_rate)
                groups.append(group)
            advance(i)
    if not found:
        reasons = "; ".join(f"{f.name}: {f.reason}" for f in failures[:3])
        raise ZooError(f"{corpus.name}: no clip is left to score. {reasons}")
    counts = metrics.draw(metrics.units(groups), bootstrap, seed)
    return Evaluation(
        **record(model, corpus, tuple(groups), np.array(heard), counts.shape[1], seed),
        metrics=summed(found, counts),
        onsets=tuple(found),
        failures=tuple(failures),
    )


def counted(name: str, onsets: np.ndarray, found: np.ndarray) -> ClipOnsets:
    """Count the onsets that were found: the largest matching within `WINDOW`, by mir_eval.

    Args:
        name: of the clip.
        onsets: (onsets,) seconds, those that there are.
        found: (found,) seconds, those that the model gave.
    """
    from mir_eval.util import match_events  # type: ignore[import-untyped]

    right = (
        match_events(np.sort(onsets), np.sort(found), WINDOW) if len(onsets) * len(found) else ()
    )
    return ClipOnsets(name, len(onsets), len(found), len(right))


def summed(clips: list[ClipOnsets], counts: np.ndarray) -> dict[str, metrics.Score]:
    """Return F, precision and recall of all clips together, with their intervals.

    Args:
        clips: what was counted of each.
        counts: (clips, rounds), how often each was drawn.
    """
    numbers = np.array([(c.onsets, c.found, c.right) for c in clips], "float64").T
    every = numbers.sum(axis=1)
    rounds = numbers @ counts  # (3, rounds)
    scores = {}
    for name, below in (("F", [0.5, 0.5, 0]), ("precision", [0, 1, 0]), ("recall", [1, 0, 0])):
        weights = np.array(below)
        total, totals = weights @ every, weights @ rounds
        value = every[2] / total if total else 0.0
        ratio = np.divide(rounds[2], totals, out=np.zeros_like(totals), where=totals > 0)
        scores[name] = metrics.with_interval(value, ratio)
    return scores
