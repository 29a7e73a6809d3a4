"""Classify genres from few labels, on features that lee2009 learned without labels.

    python recipes/genre_test/fetch.py GENRES
    python recipes/lee2009/filters.py FOLDER STATE
    python recipes/lee2009/fewshot.py GENRES STATE

The experiment of Lee et al. 2009, on other music: 1, 2, 3 or 5 tracks of each class are labelled. A
linear classifier is trained on their excerpts of 3 s, and predicts the class of excerpts of other
tracks; 20 draws. Features are mean, maximum and standard deviation over time of

    RAW           log-magnitude spectrum (161 bands)
    RAW level     the same without the excerpt's level and scale: the input of the filters
    MFCC          20 coefficients, from librosa
    L1, L2        pooled activations of the layers; L1+L2 both
    untrained     both layers with their initial filters

The classifier is the same logistic regression for all. Its features are standardised, then divided
by the square root of their number, so that more features do not mean weaker regularisation; C = 10.
Tracks come from the public genre test set (`recipes/genre_test/tracks.csv`); neither they nor their
artists were in the training.

**Leave one artist out.** A draw sets one artist of each class aside. All tracks of these artists
are the test; the training uses the others. Classes are those of several artists of which one can be
set aside with 5 tracks left. A draw that leaves fewer is repeated (so the artist of 4 of the 8
ambient tracks is always among the others). All features and sizes get the same draws; tracks for 1
are among those for 2, and so on.

Accuracy is the mean over classes, so that chance is one over their number. The command writes mean
and standard error over the draws to results/lee2009_fewshot.csv and .png. The draws share tracks:
the error does not say how the result would differ on another collection.

**Result.** The paper, as we remember it, finds layer 1 above MFCC at every size. (We could not read
it, so none of its numbers is beside ours.) We do not find this. On our music the layers do not
differ clearly from MFCC: L1 is .01 to .04 above with 1 to 3 tracks and .05 below with 5, up to two
standard errors. Nor do they differ from filters that were never trained. The plain spectrum is
best, or next to best, at every size. With C = 1 or 100 this stays the same. With the mean alone as
statistics the trained layers are a little above the untrained ones, and RAW above both. The set is
small, and the test has one artist of each class at a time.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import draws
import excerpts
import filters
import head
import librosa
import numpy as np
import pictures
from rich.progress import track as progress
from sklearn.linear_model import LogisticRegression

from zoo.utils.files import write_csv

sys.path.append(str(Path(__file__).resolve().parents[1] / "genre_test"))
import tracks

SIZES = (1, 2, 3, 5)
DRAWS = 20
EXCERPTS = 20  # a track
C = 10.0
FEATURES = ("RAW", "RAW level", "MFCC", "L1", "L2", "L1+L2", "untrained")


def summary(x: np.ndarray) -> np.ndarray:
    """Mean, maximum and standard deviation over time: (excerpts, frames, n) -> (excerpts, 3 n)."""
    return np.concatenate([x.mean(axis=1), x.max(axis=1), x.std(axis=1)], axis=-1)


def mfcc(sounds: np.ndarray) -> np.ndarray:
    """Return the summary of 20 MFCCs in windows of lee2009's length: (excerpts, 60)."""
    options = {"sr": excerpts.RATE, "n_mfcc": 20, "n_mels": 40, "n_fft": 320, "hop_length": 160}
    found = librosa.feature.mfcc(y=sounds[:, :48000], **options)  # (excerpts, 20, frames)
    return summary(found.transpose(0, 2, 1))


def features(
    names: Sequence[str], sounds: Sequence[np.ndarray], state: Path
) -> dict[str, np.ndarray]:
    """Return all features: (excerpts, n) each, the excerpts track by track."""
    model, fresh = filters.trained(state), filters.build()
    samples = model.segmentation.segment
    fresh.get_layer("whitened").set_weights(model.get_layer("whitened").get_weights())
    spectrum, level = (
        head.in_batches(model.stage(name), samples) for name in ("features", "normalised")
    )
    networks = {
        "RAW": lambda x: summary(spectrum(x)),
        "RAW level": lambda x: summary(level(x)),
        "MFCC": mfcc,
        "untrained": head.in_batches(fresh.stage("penultimate"), samples),
    }
    found = {
        what: excerpts.outputs(what, network, names, sounds, state)
        for what, network in networks.items()
    }
    found["L1+L2"] = head.statistics(model, names, sounds, state)
    found["L1"], found["L2"] = np.split(found["L1+L2"], 2, axis=1)
    return found


def accuracy(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """Train on some excerpts; return the share of correct predictions, a mean over classes.

    Args:
        x: (excerpts, n) features.
        y: (excerpts,) classes.
        train: which excerpts to train on.
        test: which excerpts to predict.
    """
    mean, scale = x[train].mean(axis=0), x[train].std(axis=0) + 1e-3
    z = (x - mean) / scale / np.sqrt(x.shape[1])
    classifier = LogisticRegression(C=C, max_iter=1000).fit(z[train], y[train])
    right = classifier.predict(z[test]) == y[test]
    return float(np.mean([right[y[test] == name].mean() for name in np.unique(y[test])]))


def measure(
    found: dict[str, np.ndarray],
    genres: Sequence[str],
    artists: Sequence[str],
    sampled: list[draws.Draw],
) -> dict[tuple[str, int], np.ndarray]:
    """Return the accuracies: (feature, tracks a class) -> (draws,)."""
    of = np.repeat(np.arange(len(genres)), EXCERPTS)  # the track of each excerpt
    y = np.repeat(np.array(genres), EXCERPTS)
    results: dict[tuple[str, int], list[float]] = {}
    for draw in progress(sampled, "draws"):
        test = np.isin(of, draw.test)
        for name, size in itertools.product(FEATURES, SIZES):
            train = np.isin(of, [i for part in draw.train for i in part[:size]])
            results.setdefault((name, size), []).append(accuracy(found[name], y, train, test))
    return {key: np.array(values) for key, values in results.items()}


def error(values: np.ndarray) -> float:
    """Standard error of the mean over draws."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def rows(results: dict[tuple[str, int], np.ndarray], names: Sequence[str]) -> list[list[str]]:
    """Return the lines of the table."""
    lines = [["feature", "tracks a class", "accuracy", "standard error", "above MFCC",
              "standard error of that", "draws", "classes", "chance", "which classes"]]  # fmt: skip
    for (name, size), values in results.items():
        gain = values - results["MFCC", size]
        numbers = [values.mean(), error(values), gain.mean(), error(gain)]
        end = [str(len(values)), str(len(names)), f"{1 / len(names):.4f}", ", ".join(names)]
        lines.append([name, str(size), *(f"{number:.4f}" for number in numbers), *end])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "genres",
        type=Path,
        nargs="?",
        help="The folder that recipes/genre_test/fetch.py filled.",
    )
    parser.add_argument("state", type=Path, nargs="?", help="The folder that filters.py filled.")
    parser.add_argument(
        "--picture", action="store_true", help="Only draw the figure of the table in results/."
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=filters.RESULTS,
        help="The folder to write results to. Default: results/ of the checkout.",
    )
    given = parser.parse_args()
    if given.picture:
        pictures.redraw_fewshot(given.results)
        return
    if given.state is None:
        parser.error("give the folders genres and state, or --picture")
    corpus = tracks.corpus(given.genres)
    genres, artists = zip(*((clip.tags[0], clip.group) for clip in corpus.clips), strict=True)
    names = draws.classes(genres, artists)
    print(f"{len(genres)} tracks; classes: {', '.join(names)}")
    files, sounds = [], []
    for clip in progress(corpus.clips, "excerpts"):
        files.append(f"genre-{'_'.join(clip.path.relative_to(given.genres).parts)}-{EXCERPTS}")
        file = given.state / "excerpts" / f"{files[-1]}.npy"
        sounds.append(excerpts.kept(file, lambda path=clip.path: excerpts.cut(path, EXCERPTS)))
    found = features(files, sounds, given.state)
    results = measure(found, genres, artists, draws.draws(genres, artists, DRAWS))
    lines = rows(results, names)
    print(*(" ".join(line[:6]) for line in lines), sep="\n")
    means = {key: (values.mean(), error(values)) for key, values in results.items()}
    write_csv(lines, given.results / "lee2009_fewshot.csv")
    pictures.draw_fewshot(means, names, given.results / "lee2009_fewshot.png")


if __name__ == "__main__":
    main()
