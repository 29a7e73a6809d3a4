"""How well a model finds onsets: precision, recall and F of mir_eval."""

from collections.abc import Container
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zoo import audio
from zoo.data.corpus import Corpus, Skipped
from zoo.errors import ConfigError, ZooError
from zoo.evaluation import intervals, metrics
from zoo.evaluation.records import ClipOnsets
from zoo.evaluation.reports import Evaluation
from zoo.evaluation.scores import skip
from zoo.evaluation.tags import record
from zoo.utils.progress import bar

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel

# Seconds by which an onset may be early or late: Schlüter and Böck 2014.
WINDOW = 0.025


class Detections(NamedTuple):
    """What a model found in a corpus."""

    clips: list[ClipOnsets]
    groups: list[str]  # of each of them
    seconds: list[float]  # of sound
    failures: tuple[Skipped, ...]

    def take(self, names: Container[str]) -> "Detections":
        """Return what was found in some of the clips, by name."""
        keep = [i for i, clip in enumerate(self.clips) if clip.clip in names]
        return Detections(
            [self.clips[i] for i in keep],
            [self.groups[i] for i in keep],
            [self.seconds[i] for i in keep],
            self.failures,
        )


def detect(model: "AudioModel", corpus: Corpus, progress: bool = False) -> Detections:
    """Find the onsets of every clip and count those that are right.

    Raises:
        ConfigError: no clip has annotated onsets, or the model does not detect onsets.
        ZooError: no clip could be decoded.
    """
    if all(clip.onsets is None for clip in corpus.clips):
        raise ConfigError(
            f"{corpus.name} has no annotated onsets, by which {model.name} is measured: give its "
            "clips `onsets`, in seconds."
        )
    found: list[ClipOnsets] = []
    groups, seconds, failures = [], [], []
    with bar(f"{model.name} on {corpus.name}", len(corpus), progress) as advance:
        for clip, group in zip(corpus.clips, corpus.groups, strict=True):
            if clip.onsets is None:
                failures.append(skip(clip, "its onsets are not annotated"))
                advance()
                continue
            try:
                sound = audio.load(clip.path, model.sample_rate, clip.start, clip.end)
                times = model.onsets((sound, model.sample_rate)).times
            except (ZooError, OSError) as error:
                failures.append(skip(clip, str(error)))
            else:
                found.append(counted(clip.name, np.array(clip.onsets), times))
                seconds.append(len(sound) / model.sample_rate)
                groups.append(group)
            advance()
    if not found:
        reasons = "; ".join(f"{f.name}: {f.reason}" for f in failures[:3])
        raise ZooError(f"{corpus.name}: no clip is left to score. {reasons}")
    return Detections(found, groups, seconds, tuple(failures))


def of_onsets(
    model: "AudioModel", corpus: Corpus, detections: Detections, bootstrap: int, seed: int
) -> Evaluation:
    """Return the evaluation of the onsets found in a corpus; see `zoo.evaluate`.

    Precision, recall and F are those of all clips together: their counts are summed first, so that
    a clip weighs as much as it has onsets.
    """
    counts = metrics.resample(metrics.units(detections.groups), bootstrap, seed)
    scores, rounds = summed(detections.clips, counts, len(set(detections.groups)))
    seconds = np.array(detections.seconds)
    return Evaluation(
        **record(model, corpus, tuple(detections.groups), seconds, counts.shape[1], seed),
        metrics=scores,
        onsets=tuple(detections.clips),
        failures=detections.failures,
        rounds=rounds,
    )


def counted(name: str, onsets: np.ndarray, found: np.ndarray) -> ClipOnsets:
    """Count the onsets that were found: the largest matching within `WINDOW`, by mir_eval.

    Args:
        name: of the clip.
        onsets: (onsets,) seconds, the annotated ones.
        found: (found,) seconds, the detected ones.
    """
    from mir_eval.util import match_events  # type: ignore[import-untyped]

    right = (
        match_events(np.sort(onsets), np.sort(found), WINDOW) if len(onsets) * len(found) else ()
    )
    return ClipOnsets(name, len(onsets), len(found), len(right))


def summed(
    clips: list[ClipOnsets], counts: np.ndarray, groups: int
) -> tuple[dict[str, metrics.Score], dict[str, np.ndarray]]:
    """Return F, precision and recall of all clips together, with intervals; and a bootstrap's.

    Args:
        clips: what was counted of each.
        counts: (clips, rounds), the weight of each in each round.
        groups: of the clips.
    """
    numbers = np.array([(c.onsets, c.found, c.right) for c in clips], "float64").T
    every, weighted = numbers.sum(axis=1), numbers @ counts  # (3,), (3, rounds)
    scores, rounds = {}, {}
    for name, below in (("F", [0.5, 0.5, 0]), ("precision", [0, 1, 0]), ("recall", [1, 0, 0])):
        total, totals = np.dot(below, every), np.dot(below, weighted)
        value = every[2] / total if total else 0.0
        rounds[name] = np.divide(weighted[2], totals, out=np.zeros_like(totals), where=totals > 0)
        scores[name] = intervals.ratio(value, int(total), groups, rounds[name])
    return scores, rounds
