"""Scores of networks on the clips of the real test, which are kept, and the ROC-AUC of them."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from real_clips import Clip, answers

import zoo
from zoo.evaluation import intervals, metrics, synonyms

sys.path.append(str(Path(__file__).resolve().parents[1] / "genre_test"))
from predictions import kept_scores

MEAN = "mean"
ROUNDS = 1000  # of the bootstrap


def scores(model: zoo.AudioModel, name: str, clips: Sequence[Clip], folder: Path) -> np.ndarray:
    """Return a network's scores, (clips, labels): the mean over the segments of each clip.

    Args:
        model: a tagger.
        name: for the progress bar and the folder of kept scores.
        clips: of one or more parts.
        folder: the folder that `build.py` filled.

    Raises:
        AudioError: a clip cannot be read.
    """
    sounds = {clip.clip: folder / clip.part / f"{clip.clip}.flac" for clip in clips}
    return kept_scores(model, name, sounds, folder)


def of_questions(
    values: np.ndarray, labels: Sequence[str], questions: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return a network's score of each question that its labels can answer: (clips,) each.

    Where several labels mean the same, their highest score counts (`zoo.evaluation.synonyms`).
    """
    meant = synonyms.by_concept(labels)
    known = {q: meant[synonyms.canonical(q)] for q in questions if synonyms.canonical(q) in meant}
    merged = synonyms.merged(values, labels, known)
    return dict(zip(known, merged.T, strict=True))


class Area(NamedTuple):
    """The ROC-AUC of a question, or the mean over questions, and what it was computed from."""

    score: metrics.Score
    rounds: np.ndarray  # of the bootstrap
    clips: int
    groups: int
    positive: int  # clips with the answer "yes"; 0 for the mean

    @property
    def value(self) -> float:
        """The score without its interval."""
        return self.score.value


def areas(found: Mapping[str, np.ndarray], clips: list[Clip]) -> dict[str, Area]:
    """Return the ROC-AUC of each question, and of their mean if all are answered.

    Args:
        found: from `of_questions`.
        clips: the clips of a part, in the same order.
    """
    groups = [clip.group for clip in clips]
    counts = metrics.resample(metrics.units(groups), ROUNDS, seed=0)
    asked = answers(clips)
    rows: dict[str, Area] = {}
    for question, (index, truth) in asked.items():
        if question not in found:
            continue
        columns = truth[:, None].astype("float32"), found[question][index][:, None]
        once = np.ones((len(index), 1), "float32")
        value = metrics.auc_rounds(*columns, once)[0][0, 0]
        rounds = metrics.auc_rounds(*columns, counts[index])[0][:, 0]
        of = intervals.sample(truth > 0, metrics.units([groups[i] for i in index]))
        size = len(index), len({groups[i] for i in index}), int(truth.sum())
        rows[question] = Area(intervals.roc_auc(value, of, rounds), rounds, *size)
    if len(rows) == len(asked):
        rounds = np.stack([row.rounds for row in rows.values()], axis=1)
        mean = intervals.mean([row.score for row in rows.values()], rounds, len(set(groups)))
        rows[MEAN] = Area(mean, rounds.mean(axis=1), len(clips), len(set(groups)), 0)
    return rows
