"""How often 95 % intervals hold the true value, by simulation.

    python benchmarks/coverage_of_intervals.py

writes `results/interval_coverage.csv`: about four minutes on one core. `docs/intervals.md` has the
table. Each row draws 1,000 sets of clips from a population whose true scores are known, computes
the intervals of `zoo.evaluation.intervals` as `zoo.evaluate` does, and counts those that hold the
truth; and, since PR-AUC of few clips is too high on average, those that hold the mean of the
measured scores. The bootstrap has 150 rounds here, to save time.

The population: scores of clips without a tag are normal, those of clips with it are shifted, so
that the true ROC-AUC is as wanted; the true PR-AUC follows from that and the share of clips with
the tag. Rows with "heavy tails" have Laplace's distribution instead. In rows with "some missed" a
quarter of the clips with the tag have scores like those without it. Their true areas are computed
from these distributions; no formula of the intervals assumes them. Where clips are in groups, all
clips of a group have the same tags, and half of the variance of a score is common to the group.
Five tags together: their scores have a correlation of .3; shares and areas vary. Two models: their
scores have a correlation of .7. Classes: five of equal share. Onsets: each clip has 10 to 60, and a
share of its own that is found, beta-distributed with a standard deviation of .1.
"""

import argparse
import csv
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from rich.progress import track

from zoo.evaluation import intervals, metrics
from zoo.evaluation.metrics import Score
from zoo.evaluation.onsets import summed
from zoo.evaluation.records import ClipOnsets
from zoo.utils.files import write_csv

RESULTS = Path(__file__).resolve().parents[1] / "results"
HEADER = ("score", "clips", "groups", "with the tag", "true value", "mean score", "draws",
          "coverage", "coverage of the mean score", "width",
          "below 0 or above 1", "zero width")  # fmt: skip
DRAWS, ROUNDS = 1000, 150
NORMAL = NormalDist()


class Cell(NamedTuple):
    """What is simulated: sizes, and the true ROC-AUC or accuracy."""

    score: str
    clips: int
    groups: int
    positives: int
    true: float
    missed: float = 0.0  # share of the clips with the tag that score like those without
    heavy: bool = False  # Laplace's distribution


TAGS = [
    Cell("tag", clips, groups, positives, area)
    for clips, groups, positives in (
        *((20, 20, n) for n in (2, 6)),
        *((80, 80, n) for n in (3, 8, 24)),
        *((300, 300, n) for n in (5, 30, 90)),
        *((80, 20, n) for n in (8, 24)),
        *((300, 60, n) for n in (25, 90)),
    )
    for area in (0.7, 0.9, 0.98)
    if groups == clips or area == 0.9
]
TAGS += [
    Cell(name, clips, clips, positives, 0.9, missed, heavy)
    for name, missed, heavy in (("heavy tails", 0.0, True), ("some missed", 0.25, False))
    for clips, positives in ((20, 2), (20, 6), (80, 8), (80, 24), (300, 5), (300, 30))
]
OTHERS = [
    Cell(score, clips, groups, 0, true)
    for score, values in (("five tags", (0.9,)), ("classes", (0.7,)), ("onsets", (0.85,)))
    for clips, groups in ((20, 20), (80, 80), (300, 300), (300, 60))
    for true in values
]


def shift(area: float) -> float:
    """Return by how much normal scores are shifted for a ROC-AUC."""
    return math.sqrt(2) * NORMAL.inv_cdf(area)


def true_areas(cell: Cell, share: float) -> tuple[float, float]:
    """Return the true ROC-AUC and PR-AUC of a tag that a share of the clips has."""
    from scipy.stats import laplace, norm

    scores = laplace(scale=math.sqrt(0.5)) if cell.heavy else norm
    moved = shift(cell.true)
    grid = np.linspace(-12, 12 + moved, 40001)
    true = (1 - cell.missed) * scores.sf(grid - moved) + cell.missed * scores.sf(grid)
    false = scores.sf(grid)
    precision = share * true / (share * true + (1 - share) * false)
    return float(-np.trapezoid(1 - false, true)), float(-np.trapezoid(precision, true))


def average_precision(area: float, share: float) -> float:
    """Return the true PR-AUC for a ROC-AUC and a share of clips with the tag."""
    return true_areas(Cell("tag", 0, 0, 0, area), share)[1]


def unit_of(cell: Cell) -> np.ndarray:
    """Return the number of each clip's group; groups are equal in size."""
    return np.arange(cell.clips) * cell.groups // cell.clips


def noise(random: np.random.Generator, unit: np.ndarray, columns: int) -> np.ndarray:
    """Return (clips, columns) normal numbers; in groups half of the variance is common."""
    groups = int(unit.max()) + 1
    own = random.normal(size=(len(unit), columns))
    if groups == len(unit):
        return own
    return math.sqrt(0.5) * (own + random.normal(size=(groups, columns))[unit])


def of_tag(cell: Cell, random: np.random.Generator) -> Iterator[tuple[str, Score, float]]:
    """Yield the scores of a tag with their true values."""
    unit = unit_of(cell)
    order = random.permutation(cell.groups)[unit]  # whole groups have the tag
    positive = order < max(1, round(cell.positives * cell.groups / cell.clips))
    scores = noise(random, unit, 1)[:, 0]
    if cell.heavy:
        scores = random.laplace(scale=math.sqrt(0.5), size=cell.clips)
    moved = positive
    if cell.missed:
        moved = positive & (random.random(cell.clips) >= cell.missed)
    scores = scores + shift(cell.true) * moved
    counts = metrics.resample(unit, ROUNDS, int(random.integers(2**31)))
    columns = positive[:, None].astype(float), scores[:, None]
    once = [float(a[0, 0]) for a in metrics.auc_rounds(*columns, np.ones((len(unit), 1)))]
    roc, pr = (a[:, 0] for a in metrics.auc_rounds(*columns, counts))
    of = intervals.sample(positive, unit)
    area, precision = true_areas(cell, float(positive.mean()))
    kind = "a tag" if cell.score == "tag" else f"a tag, {cell.score}"
    yield f"ROC-AUC of {kind}", intervals.roc_auc(once[0], of, roc), area
    yield f"PR-AUC of {kind}", intervals.proportion(once[1], of, pr), precision


def of_tags(cell: Cell, random: np.random.Generator) -> Iterator[tuple[str, Score, float]]:
    """Yield the means over five tags of a model, and its lead over another, with true values."""
    unit, number = unit_of(cell), 5
    groups = cell.groups
    areas = cell.true + np.linspace(-1, 1, number) * 0.6 * (1 - cell.true)
    shares = (0.1, 0.15, 0.2, 0.3, 0.4)
    targets = np.zeros((groups, number))
    for i, share in enumerate(shares):
        targets[random.permutation(groups)[: max(1, round(share * groups))], i] = 1
    targets = targets[unit]
    precisions = [average_precision(a, s) for a, s in zip(areas, targets.mean(0), strict=True)]
    common = noise(random, unit, number) * math.sqrt(0.7)
    common += noise(random, unit, 1) * math.sqrt(0.3)
    counts = metrics.resample(unit, ROUNDS, int(random.integers(2**31)))
    found: list[tuple[Score, np.ndarray]] = []
    for worse in (0.0, 0.05):
        moved = np.array([shift(area - worse) for area in areas])
        own = noise(random, unit, number)
        scores = math.sqrt(0.7) * common + math.sqrt(0.3) * own + targets * moved
        values = metrics.auc_rounds(targets, scores, np.ones((len(unit), 1)))
        rounds = metrics.auc_rounds(targets, scores, counts)
        each: list[list[Score]] = [[], []]
        for i in range(number):
            of = intervals.sample(targets[:, i] > 0, unit)
            each[0].append(intervals.roc_auc(values[0][0, i], of, rounds[0][:, i]))
            each[1].append(intervals.proportion(values[1][0, i], of, rounds[1][:, i]))
        found.append((intervals.mean(each[0], rounds[0], groups), rounds[0].mean(axis=1)))
        if not worse:
            yield "ROC-AUC, mean of 5 tags", found[0][0], float(areas.mean())
            pr = intervals.mean(each[1], rounds[1], groups)
            yield "PR-AUC, mean of 5 tags", pr, float(np.mean(precisions))
    (one, a), (other, b) = found
    lead = intervals.difference(one, other, a, b, groups, intervals.freedom(targets > 0, unit))
    yield "difference of ROC-AUC, 5 tags", lead, 0.05


def of_classes(cell: Cell, random: np.random.Generator) -> Iterator[tuple[str, Score, float]]:
    """Yield accuracy and balanced accuracy of five classes with their true value."""
    unit = unit_of(cell)
    truth = (random.permutation(cell.groups) % 5)[unit]
    right = noise(random, unit, 1)[:, 0] < NORMAL.inv_cdf(cell.true)
    guess = np.where(right, truth, (truth + 1) % 5)
    counts = metrics.resample(unit, ROUNDS, int(random.integers(2**31)))
    recalls = metrics.recall_rounds(truth, guess, counts)

    def share(here: np.ndarray, rounds: np.ndarray) -> Score:
        of = intervals.Sample(int(here.sum()), 0, len(np.unique(unit[here])))
        return intervals.proportion(float(right[here].mean()), of, rounds)

    accuracy = metrics.accuracy_rounds(truth, guess, counts)
    yield "accuracy, 5 classes", share(np.ones(len(truth), bool), accuracy), cell.true
    each = [share(truth == one, recalls[:, i]) for i, one in enumerate(np.unique(truth))]
    yield "balanced accuracy, 5 classes", intervals.mean(each, recalls, cell.groups), cell.true


def of_onsets(cell: Cell, random: np.random.Generator) -> Iterator[tuple[str, Score, float]]:
    """Yield F of onsets with its true value; as many are found as are annotated."""
    unit = unit_of(cell)
    spread = cell.true * (1 - cell.true) / 0.1**2 - 1
    share = random.beta(cell.true * spread, (1 - cell.true) * spread, cell.groups)[unit]
    onsets = random.integers(10, 61, cell.clips)
    right = random.binomial(onsets, share)
    clips = [ClipOnsets("", n, n, r) for n, r in zip(onsets, right, strict=True)]
    counts = metrics.resample(unit, ROUNDS, int(random.integers(2**31)))
    yield "F of onsets", summed(clips, counts, cell.groups)[0]["F"], cell.true


KINDS = {"five tags": of_tags, "classes": of_classes, "onsets": of_onsets}


def measured(cell: Cell, draws: int) -> list[list[str]]:
    """Return the lines of the table for a cell: one for each score."""
    draw = KINDS.get(cell.score, of_tag)
    random = np.random.default_rng([cell.clips, cell.groups, cell.positives, int(100 * cell.true)])
    found: dict[str, list[tuple[Score, float]]] = {}
    for _ in range(draws):
        for name, score, true in draw(cell, random):
            found.setdefault(name, []).append((score, true))
    lines = []
    for name, scores in found.items():
        low, high = (np.array([getattr(s, end) for s, _ in scores]) for end in ("low", "high"))
        true = np.array([one for _, one in scores])
        usual = np.mean([score.value for score, _ in scores])
        least = -1 if name.startswith("difference") else 0
        holds = [np.mean((low <= one) & (one <= high)) for one in (true, usual)]
        numbers = [f"{true.mean():.3f}", f"{usual:.3f}", draws, *(f"{n:.3f}" for n in holds),
                   f"{np.mean(high - low):.3f}", int(np.sum((low < least) | (high > 1))),
                   int(np.sum(high - low <= 0))]  # fmt: skip
        sizes = (cell.clips, cell.groups, cell.positives or "")
        lines.append([name, *map(str, sizes), *map(str, numbers)])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=DRAWS, help="Sets of clips in each cell.")
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="The folder to write results to. Default: results/ of the checkout.",
    )
    parser.add_argument(
        "--only",
        choices=["tag", "heavy tails", "some missed", *KINDS],
        nargs="+",
        help="Measure only these and keep the other rows. Default: all.",
    )
    given = parser.parse_args()
    path = given.results / "interval_coverage.csv"
    chosen = [c for c in (*TAGS, *OTHERS) if given.only is None or c.score in given.only]
    lines: list[list[str]] = []
    for cell in track(chosen, "coverage"):
        found = measured(cell, given.draws)
        print("\n".join(", ".join(line) for line in found), flush=True)
        lines += found
    if given.only is not None:
        new = {tuple(line[:4]) for line in lines}
        with path.open(newline="", encoding="utf-8") as file:
            lines += [row for row in list(csv.reader(file))[1:] if tuple(row[:4]) not in new]
    lines.sort(key=lambda line: [line[0], int(line[1]), -int(line[2]), int(line[3] or 0), line[4]])
    write_csv([list(HEADER), *lines], path)


if __name__ == "__main__":
    main()
