"""Teach the head of lee2009 the tags of MagnaTagATune; its filters stay as music alone made them.

    python recipes/lee2009/filters.py FOLDER STATE
    python recipes/lee2009/head.py FOLDER STATE

Nobody labelled the games' music. `pons2017.mtt` hears up to 3 excerpts of 3 s of each track of
`TAUGHT_GAMES`, and 6 of those of the other splits. Its scores are what a linear head on the
statistics of both layers learns to say (least cross-entropy; the decay is that of the least loss
on the validation split). With several `TEACHERS` it would be the mean of their
scores. The statistics are standardised for that, and the standardisation is folded into the head.
Writes

    STATE/head.npz              kernel and bias
    results/lee2009_head.csv    on the test split's games: for each tag, and on average

"ROC-AUC" there asks whether excerpts that the teacher gives more than .3 come before the others;
it is counted for tags with 20 such excerpts or more. It says how well the student follows its
teacher on music of games that neither layer nor head heard, and nothing about listeners. With half
an hour of taught excerpts: .767 over the 10 tags that count, mean rank correlation .447.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import excerpts
import filters
import keras
import numpy as np
from scipy.optimize import minimize
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

import zoo
from zoo.files import replacing, table

TEACHERS = ("pons2017.mtt",)
SPLITS = ("train", "validation", "test")
DECAYS = (1.0, 0.3, 0.1, 0.03, 0.01)
PRESENT, FEWEST = 0.3, 20  # a tag is there above this score; a tag counts with so many of these
# Train-split games that the teacher heard: with more time it would be all of them.
TAUGHT_GAMES = (
    "0ad-data", "asc-music", "caveexpress-data", "colobot-common-sounds", "davegnukem-data",
    "endless-sky-data", "enigma-data", "extremetuxracer-data", "fillets-ng-data",
    "foobillardplus-data", "freeciv-data", "freecol", "freedink-data", "freedroidrpg-data",
    "freeorion-data", "fretsonfire-songs-sectoid", "frozen-bubble-data", "gigalomania-data",
    "lordsawar-data", "miceamaze", "naev-data", "nexuiz-music", "pink-pony-data",
)  # fmt: skip
MOST, TAUGHT = 6, 3  # excerpts of a track; of these, those to train on: teachers are slow
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


def taught(found: excerpts.Excerpts, state: Path) -> np.ndarray:
    """Return the mean of the teachers' scores: (excerpts, 50)."""
    said = []
    for name in TEACHERS:
        model = zoo.load(name)
        hear = in_batches(model, model.segmentation.segment)
        said.append(excerpts.heard(name, hear, found.names, found.sounds, state))
    return np.mean(said, axis=0)


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


def compare(said: np.ndarray, taught: np.ndarray, labels: tuple[str, ...]) -> list[list[str]]:
    """Return the lines of the table: how a student's scores follow the teachers', by tag."""
    header = ["tag", f"excerpts above {PRESENT}", "ROC-AUC", "rank correlation"]
    lines, aucs = [], []
    for i, label in enumerate(labels):
        there = taught[:, i] > PRESENT
        counts = FEWEST <= there.sum() < len(there)
        if counts:
            aucs.append(roc_auc_score(there, said[:, i]))
        rank = spearmanr(said[:, i], taught[:, i]).statistic
        error = np.abs(said[:, i] - taught[:, i]).mean()
        auc = f"{aucs[-1]:.4f}" if counts else ""
        lines.append([label, str(there.sum()), auc, f"{rank:.4f}", f"{error:.4f}"])
    ranks = np.mean([float(line[3]) for line in lines])
    whole = f"mean ({len(aucs)} tags for ROC-AUC, {len(labels)} for the others)"
    error = np.abs(said - taught).mean()
    mean = [whole, str(len(said)), f"{np.mean(aucs):.4f}", f"{ranks:.4f}", f"{error:.4f}"]
    return [[*header, "mean absolute error"], mean, *lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="that recipes/corpus/build.py filled")
    parser.add_argument("state", type=Path, help="that filters.py filled")
    parser.add_argument("--results", type=Path, default=filters.RESULTS)
    given = parser.parse_args()
    found = {
        split: excerpts.of_games(given.folder, split, given.state).fewer(MOST) for split in SPLITS
    }
    found["train"] = found["train"].of(TAUGHT_GAMES).fewer(TAUGHT)
    for split, some in found.items():
        print(f"{split}: {some}")
    y = {split: taught(some, given.state) for split, some in found.items()}
    model = filters.trained(given.state)
    x = {
        split: statistics(model, some.names, some.sounds, given.state)
        for split, some in found.items()
    }
    mean, scale = x["train"].mean(axis=0), x["train"].std(axis=0) + 1e-3
    z = {split: (x[split] - mean) / scale for split in ("train", "validation")}
    data = [(part["train"], part["validation"]) for part in (z, y)]
    kernel, bias = fold(*fit(*data), mean, scale)
    with replacing(given.state / "head.npz") as file:
        np.savez(file, kernel=kernel, bias=bias)
    said = 1 / (1 + np.exp(-(x["test"] @ kernel + bias)))
    lines = compare(said, y["test"], model.labels)
    print(*lines[:2], sep="\n")
    table(lines, given.results / "lee2009_head.csv")


if __name__ == "__main__":
    main()
