"""Scores of a network for many files, kept in a folder so that a run resumes or is repeated."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import Progress

import zoo
from zoo.data.corpus import Corpus
from zoo.evaluation.scores import Predictions
from zoo.inference import variables
from zoo.utils.files import replacing


def kept_scores(
    model: zoo.AudioModel, name: str, sounds: Mapping[str, Path], folder: Path
) -> np.ndarray:
    """Return the scores of sounds, (sounds, labels): the mean over the segments of each.

    Args:
        model: a tagger.
        name: of the model.
        sounds: name of a sound, as a file name -> its file.
        folder: its `scores/NAME-WEIGHTS/` has, or gets, a file for each sound.

    Raises:
        AudioError: a sound cannot be read.
    """
    kept = folder / "scores" / f"{name}-{variables.checksum(model)[:12]}"
    kept.mkdir(parents=True, exist_ok=True)
    files = {sound: kept / f"{sound}.npy" for sound in sounds}
    todo = [sound for sound, file in files.items() if not file.is_file()]
    grams = model.stream([sounds[sound] for sound in todo]) if todo else ()
    with Progress(transient=True) as bar:
        task = bar.add_task(name, total=len(files), completed=len(files) - len(todo))
        for sound, gram in zip(todo, grams, strict=True):
            if isinstance(gram, Exception):
                raise gram
            with replacing(files[sound]) as file:
                np.save(file, gram.mean())
            bar.advance(task)
    return np.stack([np.load(file) for file in files.values()])


def predict(model: zoo.AudioModel, corpus: Corpus, folder: Path) -> Predictions:
    """Return the scores of every clip: the mean over its segments, weighted by their seconds.

    Args:
        model: a tagger.
        corpus: whole tracks of the folder.
        folder: folder of the test set; its `scores/MODEL-WEIGHTS/` has a file for each track.

    Raises:
        AudioError: a track cannot be read.
    """
    paths = [clip.path for clip in corpus.clips]
    sounds = {"_".join(path.relative_to(folder).parts): path for path in paths}
    scores = kept_scores(model, model.name, sounds, folder)
    seconds = np.array([soundfile.info(path).duration for path in paths])
    return Predictions(scores, seconds, ())
