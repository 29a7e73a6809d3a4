"""Ask the review's question at our scale: waveform or spectrogram, for a given amount of music?

    python recipes/study.py CLIPS STATE
    python recipes/study.py CLIPS STATE --only waveform   # one of two processes

Jordi Pons' review compares two front-ends: one without knowledge of audio, on the waveform, and one
whose filters are shaped by musical knowledge, on the spectrogram. It trains both on 25,000, 250,000
and a million songs; the spectrogram is ahead until there is a million (Pons et al., ISMIR 2018).
Here two front-ends have the same back-end, pooling over time and a dense layer, and are distilled
(`distill.py`) on 1/16, 1/4 and all of the training clips:

    waveform     `lee2017`, a quarter as wide as the paper's: 88,000 parameters with the back-end
    spectrogram  `pons2017`, its paper's variant, n = 4 instead of 16: 70,000

Both take segments of 3 s. Each of the six networks is trained for the same number of steps; only
the amount of music differs. A smaller share is part of every larger one. Our networks were trained
when there were 50 h of clips: the largest share is 6,000 excerpts of 30 s, a quarter of the
review's smallest. With KERAS_BACKEND=jax, on one core, a network takes five minutes on
spectrograms, ten on waveforms.

The score is ROC-AUC against the teachers on the test clips, of the state that was best on the
validation. Both teachers use spectrograms, and one of them has the same front-end as `pons2017`.
This may favour the spectrogram; without labels of listeners we cannot say how much.

STATE keeps every network, so that a stopped command resumes. It writes results/study.csv and .png.
"""

import argparse
import csv
from pathlib import Path

import distill
import following
import numpy as np
import training_clips
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from zoo.inference import variables
from zoo.utils import figures

FRONT_ENDS = {
    "waveform": ("lee2017", {"scale": 0.25}),
    "spectrogram": ("pons2017", {"variant": "spectrogram", "n": 4}),
}
SHARES = (1 / 16, 1 / 4, 1)
COMMON = {"segment": 3.0, "backend": "temporal_pooling"}
SHARDS, BATCH = 100, 16
TEST_STEP = 4  # the score is on every 4th piece of the test split
KEYS = 3  # cells that identify a row
HEADER = ("front-end", "architecture", "share", "hours of clips", "hours trained", "steps",
          "ROC-AUC on validation", "ROC-AUC on test", "tags counted", "rank correlation",
          "mean absolute error", "parameters")  # fmt: skip


def share_of(paths: list[Path], share: float) -> list[Path]:
    """Return a share of the shards; a smaller share is part of a larger one."""
    order = np.random.default_rng(0).permutation(len(paths))
    return [paths[i] for i in order[: max(1, round(share * len(paths)))]]


def row(front_end: str, share: float, given: argparse.Namespace) -> list[str]:
    """Train one network, or resume its training, and score it."""
    architecture, options = FRONT_ENDS[front_end]
    student = distill.Student({**options, **COMMON}, SHARDS, BATCH, dropout=0.1)
    paths = share_of(training_clips.shards(given.clips, training_clips.TRAIN), share)
    one = argparse.Namespace(**{**vars(given), "architecture": architecture, "dtype": None})
    name = f"{front_end}-{len(paths):04}"
    state = distill.trained(name, student, one, paths)
    model = distill.built(architecture, student)
    variables.assign_values(model.variables, state.best)
    test = training_clips.shards(given.clips, training_clips.TEST)
    tags = following.follow(*distill.predict(model, test, TEST_STEP), model.labels)
    best = max(state.rows, key=lambda row: float(row[distill.AUC]))
    hours = (
        sum(len(training_clips.read(path).sounds) for path in paths) * training_clips.SECONDS / 3600
    )
    auc, rank, error = (f"{value:.4f}" for value in following.mean(tags))
    first = [front_end, architecture, f"{share:.4f}", f"{hours:.2f}"]
    trained = [best[distill.HOURS], best[distill.STEPS], best[distill.AUC]]
    rest = [str(len(following.counted(tags))), rank, error, str(model.count_params())]
    return [*first, *trained, auc, *rest]


def draw(path: Path, picture: Path) -> None:
    """Draw score against hours for both front-ends."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure((7, 4), layout="constrained")
    axes = figure.subplots()
    for front_end, colour in zip(FRONT_ENDS, (figures.ACCENT, figures.COLOUR), strict=True):
        mine = [
            (float(r["hours of clips"]), float(r["ROC-AUC on test"]))
            for r in rows
            if r["front-end"] == front_end
        ]
        axes.plot(*zip(*sorted(mine), strict=True), "o-", color=colour, label=front_end)
    hours = sorted({float(r["hours of clips"]) for r in rows})
    axes.set(xscale="log", xlabel="hours of training clips", ylabel="ROC-AUC against the teachers")
    axes.set_xticks(hours, [f"{h:.3g}" for h in hours], minor=False)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title("Two front-ends, the same back-end and the same number of steps", fontsize=11)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title="first layer on a")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "clips",
        type=Path,
        nargs="?",
        help="The folder that distillation/training_clips.py filled.",
    )
    parser.add_argument(
        "state", type=Path, nargs="?", help="The folder in which to keep the networks."
    )
    parser.add_argument(
        "--picture", action="store_true", help="Only draw the figure of the table in results/."
    )
    parser.add_argument(
        "--only", choices=FRONT_ENDS, help="Train only this front-end. Default: both."
    )
    parser.add_argument(
        "--shards",
        type=int,
        help=f"Number of shards to train each network on. Default: {SHARDS}.",
    )
    given = parser.parse_args()
    if given.picture:
        draw(distill.RESULTS / "study.csv", distill.RESULTS / "study.png")
        return
    if given.state is None:
        parser.error("give the folders clips and state, or --picture")
    given.state.mkdir(parents=True, exist_ok=True)
    for share in SHARES:
        for front_end in [given.only] if given.only else FRONT_ENDS:
            found = row(front_end, share, given)
            print(*found, flush=True)
            following.merge(distill.RESULTS / "study.csv", HEADER, [found], keys=KEYS)
    draw(distill.RESULTS / "study.csv", distill.RESULTS / "study.png")


if __name__ == "__main__":
    main()
