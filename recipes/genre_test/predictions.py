"""A checkpoint's scores of the tracks of the test set, kept in the folder so that a run resumes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import Progress

import zoo
from zoo.data.corpus import Corpus
from zoo.evaluation.scores import Predictions
from zoo.inference import variables


def predict(model: zoo.AudioModel, corpus: Corpus, folder: Path) -> Predictions:
    """Return the scores of every clip: the mean over its segments, weighted by their seconds.

    Args:
        model: a tagger.
        corpus: whole tracks of the folder.
        folder: folder of the test set; its `scores/MODEL-WEIGHTS/` has a file for each track.

    Raises:
        AudioError: a track cannot be read.
    """
    kept = folder / "scores" / f"{model.name}-{variables.checksum(model)[:12]}"
    kept.mkdir(parents=True, exist_ok=True)
    paths = [clip.path for clip in corpus.clips]
    files = [kept / f"{'_'.join(path.relative_to(folder).parts)}.npy" for path in paths]
    todo = [i for i, file in enumerate(files) if not file.is_file()]
    with Progress(transient=True) as bar:
        task = bar.add_task(model.name, total=len(files), completed=len(files) - len(todo))
        for i, scores in zip(todo, clip_scores(model, [paths[i] for i in todo]), strict=True):
            part = files[i].with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, scores)
            part.replace(files[i])
            bar.advance(task)
    seconds = np.array([soundfile.info(path).duration for path in paths])
    return Predictions(np.stack([np.load(file) for file in files]), seconds, ())


def clip_scores(model: zoo.AudioModel, paths: list[Path]) -> Iterator[np.ndarray]:
    """Yield the (labels,) scores of each file; raise the error of a file that has none."""
    for gram in model.stream(paths):
        if isinstance(gram, Exception):
            raise gram
        yield gram.mean()
