"""Scores of networks on the clips of the real test, which are kept, and the ROC-AUC of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from real_clips import Clip, answers
from rich.progress import track

import zoo
from zoo.evaluation import metrics, synonyms
from zoo.inference import variables
from zoo.utils.files import replacing

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
    kept = folder / "scores" / f"{name}-{variables.checksum(model)[:12]}"
    kept.mkdir(parents=True, exist_ok=True)
    files = [kept / f"{clip.clip}.npy" for clip in clips]
    todo = [i for i, file in enumerate(files) if not file.is_file()]
    paths = [folder / clips[i].part / f"{clips[i].clip}.flac" for i in todo]
    grams = model.stream(paths) if paths else ()
    for i, gram in zip(todo, track(grams, name, total=len(paths)), strict=True):
        if isinstance(gram, Exception):
            raise gram
        with replacing(files[i]) as file:
            np.save(file, gram.mean())
    return np.stack([np.load(file) for file in files])


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


def areas(
    found: Mapping[str, np.ndarray], clips: list[Clip]
) -> dict[str, tuple[metrics.Score, int, int, int]]:
    """Return ROC-AUC, clips, groups and clips with "yes" for each question, and for their mean.

    Args:
        found: from `of_questions`.
        clips: the clips of a part, in the same order.
    """
    groups = [clip.group for clip in clips]
    counts = metrics.resample(metrics.units(groups), ROUNDS, seed=0)
    values, rounds, rows = [], [], {}
    asked = answers(clips)
    for question, (index, truth) in asked.items():
        if question not in found:
            continue
        columns = truth[:, None].astype("float32"), found[question][index][:, None]
        once = np.ones((len(index), 1), "float32")
        value = metrics.auc_rounds(*columns, once)[0][0, 0]
        resampled = metrics.auc_rounds(*columns, counts[index])[0][:, 0]
        size = len(index), len({groups[i] for i in index}), int(truth.sum())
        rows[question] = (metrics.with_interval(value, resampled), *size)
        values.append(value)
        rounds.append(resampled)
    if len(values) == len(asked):
        whole = metrics.macro_rounds(np.stack(rounds, axis=1), np.array(values))
        mean = metrics.with_interval(np.mean(values), whole)
        rows[MEAN] = (mean, len(clips), len(set(groups)), 0)
    return rows
