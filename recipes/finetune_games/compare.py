"""Compare a fine-tuned network with one trained from scratch, and with MFCCs.

    python recipes/finetune_games/data.py FOLDER
    python recipes/finetune_games/compare.py FOLDER

Three classifiers predict from which of eight games a piece of music is. They are trained on the
same 192 clips of 64 tracks, and validated on the same 72 clips of 24 others:

    fine-tuned       zoo finetune pons2017 --data FOLDER/clips.csv -o FOLDER/finetuned
                     --monitor loss
    from scratch     zoo train pons2017 --data FOLDER/clips.csv -o FOLDER/from_scratch
                     --monitor loss --batch-size 16 --epochs 60 --patience 20
    MFCC             20 MFCCs and their differences, mean and standard deviation over each clip
                     (librosa's defaults), standardised; logistic regression, its C chosen by the
                     validation loss

"From scratch" is the same network with the recipe of its model file, but with the batches of
fine-tuning and an end that suits so few clips: twice the epochs of fine-tuning and three times its
patience. Both networks keep the weights of the epoch with the lowest validation loss. The test is
120 clips of 40 tracks that were in neither training nor validation.

This is the second such experiment. The classes of the first were six styles of rendered `mma`
grooves, with different style files in training, validation and test. There fine-tuning reached .71
on the validation (six style files). On the 18 style files of the test it reached only .25 with the
soundfonts of the training (288 clips) and .25 with another one (216 clips); the MFCCs had .32 and
.31, and chance is .17. After we saw this, we replaced it by real music, before its network from
scratch was trained to the end.

It writes `results/finetune_games.csv` and `.png`. The intervals are those of `docs/intervals.md`: a
track is a group, and its weights in the bootstrap are the same for all three classifiers. When it
was stopped and is started again, it continues where it was; three quarters of an hour on two cores.
"""

import argparse
import csv
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import zoo
from zoo.data import from_table
from zoo.data.corpus import Corpus
from zoo.evaluation import intervals
from zoo.evaluation.compare import MEANS
from zoo.evaluation.metrics import Score, units
from zoo.evaluation.scores import Scores
from zoo.evaluation.tags import single_label, tag_scores
from zoo.utils import figures
from zoo.utils.files import write_csv

RESULTS = Path(__file__).parents[2] / "results"
RUNS = {
    "fine-tuned": ("finetune", "finetuned", ()),
    "from scratch": (
        "train",
        "from_scratch",
        ("--batch-size", "16", "--epochs", "60", "--patience", "20"),
    ),
}
COLOURS = {"fine-tuned": figures.COLOUR, "from scratch": figures.ACCENT, "MFCC": "0.55"}
MEASURES = ("accuracy", "balanced accuracy", "ROC-AUC", "PR-AUC")
ROUNDS = 1000


def command(kind: str, output: str, options: Sequence[str], folder: Path) -> list[str]:
    """Return the command line that trains a network."""
    places = ["--data", folder / "clips.csv", "-o", folder / output, "--monitor", "loss"]
    return ["zoo", kind, "pons2017", *map(str, places), *options]


def train(words: list[str]) -> None:
    """Run a zoo command, unless its result is there; it resumes by itself."""
    print("$", " ".join(words))
    if not (Path(words[words.index("-o") + 1]) / "model.keras").is_file():
        subprocess.run([sys.executable, "-m", *words], check=True)


def of_network(model: zoo.AudioModel, test: Corpus) -> Scores:
    """Return a network's scores of the test clips."""
    return zoo.evaluate(model, test.with_labels(model.labels), bootstrap=0).scores


def of_mfcc(corpus: Corpus, folder: Path) -> tuple[Scores, float]:
    """Train the logistic regression; return its scores of the test clips, and its C."""
    x, y = features(corpus, folder / "mfcc.npy"), corpus.targets.argmax(axis=1)
    train, validation, test = (list(corpus.splits[s]) for s in ("train", "validation", "test"))

    def fitted(c: float):
        regression = LogisticRegression(C=c, max_iter=5000)
        return make_pipeline(StandardScaler(), regression).fit(x[train], y[train])

    every = 10.0 ** np.arange(-4, 3)
    losses = [log_loss(y[validation], fitted(c).predict_proba(x[validation])) for c in every]
    best = float(every[np.argmin(losses)])
    values = fitted(best).predict_proba(x[test]).astype("float32")
    part = corpus.split("test")
    clips = tuple(clip.name for clip in part.clips)
    return Scores(clips, tuple(part.groups), part.labels, values, part.targets, True), best


def features(corpus: Corpus, kept: Path) -> np.ndarray:
    """Return (clips, 80): mean and deviation of 20 MFCCs and of their differences."""
    if not kept.is_file():
        rows = []
        for clip in track(corpus.clips, "MFCCs"):
            sound = librosa.load(clip.path, offset=clip.start, duration=clip.end - clip.start)[0]
            mfcc = librosa.feature.mfcc(y=sound, n_mfcc=20)
            both = np.concatenate([mfcc, librosa.feature.delta(mfcc)])
            rows.append(np.concatenate([both.mean(axis=1), both.std(axis=1)]))
        np.save(kept, np.stack(rows))
    return np.load(kept)


def measured(scores: Scores, counts: np.ndarray) -> dict[str, tuple[Score, np.ndarray]]:
    """Return each measure with its interval, and its value in every round of the bootstrap."""
    found, rounds, _ = single_label(scores, counts)
    own = {tag: ((tag,), (tag,)) for tag in scores.tags}
    each, _, of_each = tag_scores(scores, own, counts)
    groups = len(set(scores.groups))
    for name, column in (("ROC-AUC", "roc_auc"), ("PR-AUC", "pr_auc")):
        found[name] = intervals.mean([getattr(tag, column) for tag in each], of_each[name], groups)
        rounds[name] = of_each[name].mean(axis=1)
    return {measure: (found[measure], rounds[measure]) for measure in MEASURES}


def lines(found: dict[str, dict], how: dict[str, str], scores: Scores) -> list[list[str]]:
    """Return the rows of the table: the classifiers, then the lead of the first one."""
    size = [str(len(scores.clips)), str(len(set(scores.groups)))]
    bounds = [f"{m}{end}" for m in MEASURES for end in ("", " low", " high")]
    rows = [["classifier", "clips", "tracks", *bounds, "how"]]
    for name, measures in found.items():
        numbers = [f"{v:.4f}" for m in MEASURES for v in measures[m][0]]
        rows.append([name, *size, *numbers, how[name]])
    best, *others = found
    free = intervals.freedom(scores.targets > 0, units(scores.groups))
    for name in others:
        numbers = []
        for m in MEASURES:
            (one, rounds), (other, paired) = found[best][m], found[name][m]
            fewer = free if m in MEANS else None
            difference = intervals.difference(one, other, rounds, paired, int(size[1]), fewer)
            numbers += [f"{v:.4f}" for v in difference]
        rows.append([f"{best} - {name}", *size, *numbers, "resampled in pairs"])
    return rows


# --- the figure ---


def draw(found: dict, tuned: Scores, histories: dict, path: Path) -> None:
    """Draw the measures, both training curves, and the confusion of the fine-tuned network.

    Args:
        found: classifier -> measures.
        tuned: the fine-tuned network's scores of the test clips.
        histories: training histories of the two networks.
        path: file to write.
    """
    figure = Figure((13.5, 4.5), layout="constrained")
    measures, curves, confusion = figure.subplots(1, 3, width_ratios=(1.1, 1, 1.05))
    draw_measures(measures, found, len(tuned.tags))
    draw_curves(curves, histories, len(tuned.tags))
    draw_confusion(confusion, tuned)
    figure.suptitle(
        f"From which game is this music? {len(tuned.clips)} test clips of "
        f"{len(set(tuned.groups))} tracks that no classifier was trained on",
        fontsize=12,
    )
    figure.savefig(path, dpi=120)


def draw_measures(axes: Axes, found: dict, classes: int) -> None:
    """Draw each classifier's measures as bars with their intervals."""
    shown, chance = ("accuracy", "ROC-AUC"), (1 / classes, 0.5)
    width = 0.8 / len(COLOURS)
    for i, (name, colour) in enumerate(COLOURS.items()):
        value, low, high = np.array([found[name][m][0] for m in shown]).T
        places = np.arange(len(shown)) + (i - (len(COLOURS) - 1) / 2) * width
        axes.bar(places, value, width * 0.92, color=colour, label=name)
        spread = [value - low, high - value]
        axes.errorbar(places, value, yerr=spread, fmt="none", ecolor="black", capsize=3, lw=1)
        for place, number in zip(places, value, strict=True):
            axes.text(place, 0.02, f"{number:.2f}", ha="center", color="white", fontsize=9)
    for place, level in enumerate(chance):
        axes.hlines(level, place - 0.45, place + 0.45, color="black", linestyle=":", lw=1)
    axes.text(0.5, chance[0], "chance", ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(shown)), ["accuracy", "mean ROC-AUC"])
    axes.set(ylim=(0, 1.14), xlim=(-0.52, len(shown) - 0.48))
    axes.set_yticks(np.arange(0, 1.01, 0.2))
    axes.set_title("test, with 95 % intervals over tracks", fontsize=11)
    axes.legend(frameon=False, ncols=3, loc="upper left", fontsize=8.5, columnspacing=1)
    axes.spines[["top", "right"]].set_visible(False)


def draw_curves(axes: Axes, histories: dict[str, list[dict]], classes: int) -> None:
    """Draw the validation accuracy of the whole networks by epoch, and the best epoch of each."""
    for name, rows in histories.items():
        head = [row for row in rows if row["phase"] == "head"]
        rows = [row for row in rows if row["phase"] != "head"]
        accuracy = [float(row["val_accuracy"]) for row in rows]
        losses = [float(row["val_loss"]) for row in rows]
        epochs = np.arange(1, 1 + len(rows))
        if head:  # where the whole network starts: the best of the head alone
            start = min(head, key=lambda row: float(row["val_loss"]))
            accuracy = [float(start["val_accuracy"]), *accuracy]
            losses, epochs = [float(start["val_loss"]), *losses], np.append(0, epochs)
        axes.plot(epochs, accuracy, color=COLOURS[name], label=name)
        best = int(np.argmin(losses))
        axes.plot(epochs[best], accuracy[best], "o", color=COLOURS[name])
    axes.axhline(1 / classes, color="black", linestyle=":", lw=1)
    axes.set(xlabel="epoch of the whole network", ylim=(0, 1), ylabel="accuracy")
    axes.set_title("validation", fontsize=11)
    axes.text(0.98, 0.03, "dots: lowest validation loss; epoch 0: head alone",
              transform=axes.transAxes, ha="right", fontsize=8)  # fmt: skip
    axes.legend(frameon=False, fontsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)


def draw_confusion(axes: Axes, scores: Scores) -> None:
    """Draw the confusion matrix of the fine-tuned network."""
    classes = range(len(scores.tags))
    truth, guess = scores.targets.argmax(axis=1), scores.values.argmax(axis=1)
    confusion = confusion_matrix(truth, guess, labels=classes)
    axes.imshow(confusion, cmap="magma_r", vmin=0)
    for (row, column), number in np.ndenumerate(confusion):
        colour = "white" if number > confusion.max() / 2 else "black"
        axes.text(column, row, number or "", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(classes, scores.tags, rotation=40, ha="right")
    axes.set_yticks(classes, scores.tags)
    axes.set(xlabel="prediction", ylabel="truth")
    axes.set_title("fine-tuned: test clips", fontsize=11)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that data.py filled.")
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="The folder to write results to. Default: results/ of the checkout.",
    )
    arguments = parser.parse_args()
    folder = arguments.folder
    logging.getLogger("zoo").setLevel(logging.ERROR)
    corpus = from_table(folder / "clips.csv")
    test = corpus.split("test")
    print(corpus)
    answers, how, histories = {}, {}, {}
    for name, (kind, output, options) in RUNS.items():
        words = command(kind, output, options, folder)
        train(words)
        answers[name] = of_network(zoo.load(folder / output), test)
        how[name] = " ".join(command(kind, output, options, Path("FOLDER")))
        with (folder / output / "history.csv").open(newline="") as file:
            histories[name] = list(csv.DictReader(file))
    answers["MFCC"], c = of_mfcc(corpus, folder)
    how["MFCC"] = f"logistic regression on 80 statistics of MFCCs, C = {c:g}"
    counts = answers["MFCC"].resample(ROUNDS, seed=0)
    found = {name: measured(scores, counts) for name, scores in answers.items()}
    for name, measures in found.items():
        print(f"{name:13}", "  ".join(f"{m} {measures[m][0]}" for m in MEASURES))
    arguments.results.mkdir(exist_ok=True)
    write_csv(lines(found, how, answers["MFCC"]), arguments.results / "finetune_games.csv")
    draw(found, answers["fine-tuned"], histories, arguments.results / "finetune_games.png")


if __name__ == "__main__":
    main()
