"""Teach the head of lee2009 the tags of MagnaTagATune; its filters stay as music alone made them.

    python recipes/lee2009/filters.py FOLDER STATE
    python recipes/distillation/lessons.py CORPUS LESSONS
    python recipes/lee2009/head.py LESSONS STATE

The lessons are those of `recipes/distill.py`, `LOTS` lots of 200 segments of 3 s at most; what the
teachers said of them, on average, is what a linear head on the statistics of both layers learns to
say (`distillation/last_layer.py`). Writes

    STATE/head.npz                    kernel and bias
    results/distillation.csv          its rows, beside those of the other students
    results/distillation_tags.csv     its rows, a tag each
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import excerpts
import filters
import keras
import numpy as np
from rich.progress import track as progress

import zoo
from zoo.utils.files import replacing

sys.path.append(str(Path(__file__).resolve().parents[1]))
import distill
import last_layer
import lessons

NAME = "lee2009.zoo"
LOTS = 120
BATCH = 12


def in_batches(network: keras.Model, samples: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that hears the first samples of excerpts, padded to batches of one size."""
    predict = zoo.inference.audio_model.predict_function(network)

    def hear(sounds: np.ndarray) -> np.ndarray:
        answers = []
        for start in range(0, len(sounds), BATCH):
            part = sounds[start : start + BATCH, :samples]
            full = np.pad(part, ((0, BATCH - len(part)), (0, 0)))
            answers.append(np.asarray(predict(full))[: len(part)])
        return np.concatenate(answers)

    return hear


def bottom(model: zoo.AudioModel) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what gives the statistics that the head hears, and a name for its answers."""
    what = f"lee2009-{zoo.inference.variables.checksum(model, ('logits',))[:12]}"
    return what, in_batches(model.stage("penultimate"), model.segmentation.segment)


def statistics(
    model: zoo.AudioModel, names: Sequence[str], sounds: Sequence[np.ndarray], state: Path
) -> np.ndarray:
    """Return what the head hears of the excerpts of some tracks: (excerpts, 1800)."""
    what, hear = bottom(model)
    return excerpts.heard(what, hear, names, sounds, state)


def lessons_of(
    model: zoo.AudioModel, given: argparse.Namespace, split: str, most: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return statistics (segments, 1800) and the teachers' scores (segments, 50) of a split."""
    what, hear = bottom(model)
    x, y = [], []
    for path in progress(lessons.lots(given.lessons, split)[:most], f"{split}, lots"):
        lot = lessons.read_at(path, model.sample_rate)
        file = given.state / "heard" / what / f"{path.stem}.npy"
        x.append(excerpts.kept(file, lambda lot=lot: hear(distill.pieces(model, lot, None)[0])))
        y.append(lot.scores.reshape(-1, lot.scores.shape[-1]))
    return np.concatenate(x).astype("float32"), np.concatenate(y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", type=Path, help="that recipes/distillation/lessons.py filled")
    parser.add_argument("state", type=Path, help="that filters.py filled")
    given = parser.parse_args()
    model = filters.trained(given.state)
    found = {
        split: lessons_of(model, given, split, LOTS if split == lessons.TRAIN else None)
        for split in (lessons.TRAIN, lessons.VALIDATION, lessons.TEST)
    }
    kernel, bias = last_layer.fit(found[lessons.TRAIN], found[lessons.VALIDATION])
    with replacing(given.state / "head.npz") as file:
        np.savez(file, kernel=kernel, bias=bias, segments=len(found[lessons.TRAIN][0]))
    heard = {}
    for split in (lessons.VALIDATION, lessons.TEST):
        x, wanted = found[split]
        heard[split] = last_layer.says(x, kernel, bias), wanted
    distill.report(NAME, model, heard)


if __name__ == "__main__":
    main()
