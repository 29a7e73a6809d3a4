"""Teach the head of lee2009 the tags of MagnaTagATune; its filters stay as music alone made them.

    python recipes/lee2009/filters.py FOLDER STATE
    python recipes/distillation/lessons.py CORPUS LESSONS
    python recipes/lee2009/head.py LESSONS STATE

The lessons are those of `recipes/distill.py`, `LOTS` lots of 200 segments of 3 s at most; what the
teachers said of them, on average, is what a linear head on the statistics of both layers learns to
say (least cross-entropy; the decay is that of the least loss on the validation lessons). The
statistics are standardised for that, and the standardisation is folded into the head. Writes

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
from scipy.optimize import minimize

import zoo
from zoo.files import replacing

sys.path.append(str(Path(__file__).resolve().parents[1]))
import distill
import following
import lessons

NAME = "lee2009.zoo"
DECAYS = (1.0, 0.3, 0.1, 0.03, 0.01)
LOTS = 120
BATCH = 12


def fold(
    kernel: np.ndarray, bias: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a head that says of x what the given one says of (x - mean) / scale."""
    folded = kernel / scale[:, None]
    return folded, bias - mean @ folded


def in_batches(network: keras.Model, samples: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that hears the first samples of excerpts, padded to batches of one size."""
    predict = zoo.model.predict_function(network)

    def hear(sounds: np.ndarray) -> np.ndarray:
        answers = []
        for start in range(0, len(sounds), BATCH):
            part = sounds[start : start + BATCH, :samples]
            full = np.pad(part, ((0, BATCH - len(part)), (0, 0)))
            answers.append(np.asarray(predict(full))[: len(part)])
        return np.concatenate(answers)

    return hear


def statistics(
    model: zoo.AudioModel, names: Sequence[str], sounds: Sequence[np.ndarray], state: Path
) -> np.ndarray:
    """Return what the head hears of the excerpts of some tracks: (excerpts, 1800)."""
    what = f"lee2009-{zoo.loading.checksum(model, ('logits',))[:12]}"
    hear = in_batches(model.stage("penultimate"), model.segmentation.segment)
    return excerpts.heard(what, hear, names, sounds, state)


def fit(
    x: tuple[np.ndarray, np.ndarray], y: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear head on standardised statistics; return its kernel and bias.

    The least cross-entropy, by L-BFGS from a head that says of every excerpt how often a tag comes.

    Args:
        x: statistics of the train and of the validation split.
        y: the teachers' scores, likewise.
    """
    often = y[0].mean(axis=0)
    weights = np.vstack([np.zeros((x[0].shape[1], len(often))), np.log(often / (1 - often))])
    found = []
    for decay in DECAYS:  # from the strongest, each from where the one before ended
        weights = minimize(
            loss, weights.ravel(), (*(part[0] for part in (x, y)), decay),
            jac=True, method="L-BFGS-B", options={"maxiter": 60},
        ).x.reshape(weights.shape)  # fmt: skip
        found.append((loss(weights.ravel(), x[1], y[1], 0.0)[0], weights))
        print(f"decay {decay:g}: validation loss {found[-1][0]:.4f}", flush=True)
    _, best = min(found, key=lambda pair: pair[0])
    return best[:-1], best[-1]


def loss(
    weights: np.ndarray, x: np.ndarray, y: np.ndarray, decay: float
) -> tuple[float, np.ndarray]:
    """Return the cross-entropy, a mean over excerpts and tags, with decay; and its gradient."""
    weights = weights.reshape(-1, y.shape[1])
    kernel, bias = weights[:-1], weights[-1]
    z = x @ kernel.astype(x.dtype) + bias
    value = np.mean(np.logaddexp(0, z) - y * z) + decay / 2 * np.square(kernel).sum() / y.shape[1]
    error = (1 / (1 + np.exp(-z)) - y) / y.size
    gradient = np.vstack([x.T @ error.astype(x.dtype) + decay / y.shape[1] * kernel, error.sum(0)])
    return float(value), gradient.ravel().astype(float)


def lessons_of(
    model: zoo.AudioModel, given: argparse.Namespace, split: str, most: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return statistics (segments, 1800) and the teachers' scores (segments, 50) of a split."""
    what = f"lee2009-{zoo.loading.checksum(model, ('logits',))[:12]}"
    hear = in_batches(model.stage("penultimate"), model.segmentation.segment)
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
    x = found[lessons.TRAIN][0]
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    z = [(found[split][0] - mean) / scale for split in (lessons.TRAIN, lessons.VALIDATION)]
    y = [found[split][1] for split in (lessons.TRAIN, lessons.VALIDATION)]
    kernel, bias = fold(*fit((z[0], z[1]), (y[0], y[1])), mean, scale)
    with replacing(given.state / "head.npz") as file:
        np.savez(file, kernel=kernel, bias=bias, segments=len(x))
    rows = []
    for split in (lessons.VALIDATION, lessons.TEST):
        x, wanted = found[split]
        tags = following.follow(1 / (1 + np.exp(-(x @ kernel + bias))), wanted, model.labels)
        rows.append(distill.scored(NAME, split, tags, len(wanted), model))
        print(*rows[-1])
    following.merge(distill.RESULTS / "distillation.csv", distill.SCORES, rows)
    following.merge(
        distill.RESULTS / "distillation_tags.csv", distill.TAGS, distill.by_tag(NAME, tags)
    )


if __name__ == "__main__":
    main()
