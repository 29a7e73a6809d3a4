"""The review's own question at our scale: waveform or spectrogram, given so much music?

    python recipes/study.py LESSONS STATE
    python recipes/study.py LESSONS STATE --only waveform   # one of two processes

Jordi Pons' review compares a front-end that knows nothing of audio, on the waveform, with one whose
filters are shaped by what is known of music, on the spectrogram, for 25,000, 250,000 and a million
songs; the spectrogram is ahead until there is a million (Pons et al., ISMIR 2018). Here two
front-ends stand before the same back-end, pooling over time and a dense layer, and are distilled
(`distill.py`) on 1/16 to all of the lessons:

    waveform     `lee2017`, a quarter as wide as the paper's: 88,000 parameters with the back-end
    spectrogram  `pons2017`, its paper's variant, n = 4 instead of 16: 70,000

Both hear 3 s. Each of the six networks takes the same number of steps; what differs is how much
there is to hear. A smaller share is part of every larger one. When ours learned there were 50 h of
lessons: the largest share is 6,000 excerpts of 30 s, a quarter of the review's smallest. With
KERAS_BACKEND=jax, on one core, a network takes five minutes on spectrograms, ten on waveforms.

The score is ROC-AUC against the teachers on the test lessons, of the state that was best on the
validation. Both teachers hear spectrograms, and one of them has the very front-end of `pons2017`:
that may favour the spectrogram, and no labels of listeners are there to say how much.

STATE keeps every network, so that it goes on where it was stopped; results/ gets `study.csv` and
`study.png`.
"""

import argparse
import csv
from pathlib import Path

import distill
import following
import lessons
import numpy as np
from matplotlib.figure import Figure

from zoo.inference import variables
from zoo.utils import figures

FRONT_ENDS = {
    "waveform": ("lee2017", {"scale": 0.25}),
    "spectrogram": ("pons2017", {"variant": "spectrogram", "n": 4}),
}
SHARES = (1 / 16, 1 / 4, 1)
COMMON = {"segment": 3.0, "backend": "temporal_pooling"}
LOTS, BATCH = 100, 16
HEARD = 4  # of the test pieces, every how many are heard
KEYS = 3  # cells that say what a row is about
HEADER = ("front-end", "architecture", "share", "hours of lessons", "hours heard", "steps",
          "ROC-AUC on validation", "ROC-AUC on test", "tags counted", "rank correlation",
          "mean absolute error", "parameters")  # fmt: skip


def share_of(paths: list[Path], share: float) -> list[Path]:
    """Return a share of the lots; a smaller one is part of a larger one."""
    order = np.random.default_rng(0).permutation(len(paths))
    return [paths[i] for i in order[: max(1, round(share * len(paths)))]]


def row(front_end: str, share: float, given: argparse.Namespace) -> list[str]:
    """Train one network, or go on with it, and score it."""
    architecture, options = FRONT_ENDS[front_end]
    student = distill.Student({**options, **COMMON}, LOTS, BATCH, dropout=0.1)
    paths = share_of(lessons.lots(given.lessons, lessons.TRAIN), share)
    one = argparse.Namespace(**{**vars(given), "architecture": architecture, "dtype": None})
    name = f"{front_end}-{len(paths):04}"
    state = distill.trained(name, student, one, paths)
    model = distill.built(architecture, student)
    variables.assign_values(model.variables, state.best)
    tags = following.follow(
        *distill.said(model, lessons.lots(given.lessons, lessons.TEST), HEARD), model.labels
    )
    best = max(state.rows, key=lambda row: float(row[distill.AUC]))
    hours = sum(len(lessons.read(path).sounds) for path in paths) * lessons.SECONDS / 3600
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
            (float(r["hours of lessons"]), float(r["ROC-AUC on test"]))
            for r in rows
            if r["front-end"] == front_end
        ]
        axes.plot(*zip(*sorted(mine), strict=True), "o-", color=colour, label=front_end)
    axes.set(xscale="log", xlabel="hours of lessons", ylabel="ROC-AUC against the teachers")
    axes.set_title("Two front-ends before the same back-end, as many steps each", fontsize=11)
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", type=Path, help="that distillation/lessons.py filled")
    parser.add_argument("state", type=Path, help="where the networks are kept")
    parser.add_argument("--only", choices=FRONT_ENDS, help="train one of them")
    parser.add_argument("--lots", type=int, help=f"lots each network hears, instead of {LOTS}")
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    for share in SHARES:
        for front_end in [given.only] if given.only else FRONT_ENDS:
            found = row(front_end, share, given)
            print(*found, flush=True)
            following.merge(distill.RESULTS / "study.csv", HEADER, [found], keys=KEYS)
    draw(distill.RESULTS / "study.csv", distill.RESULTS / "study.png")


if __name__ == "__main__":
    main()
