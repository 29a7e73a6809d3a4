"""Score every tagger on recordings of real players, singers and bands, with known answers.

    python recipes/real_test/build.py FOLDER --recordings RECORDINGS --genre GENRE
    python recipes/real_test/score.py FOLDER

writes `results/real_test.csv`, a row for each checkpoint, part and question, and
`results/real_test.png`. `--only NAME ...` scores some and leaves the rows of the others as they
are; a name may also be the file of a network that was saved, NAME=FILE. `--part validation` scores
only that part: what is still to be chosen must not be chosen on the part `test`.

A question is a tag ("is there a flute?"); `real_clips.py` says which clips answer it. The measure
is its ROC-AUC, and the mean over questions. A clip's score is the mean over its segments; where
several labels mean the same, the highest counts. Intervals are of 95 %, over the
players, singers, bands and artists, not over the clips: `zoo.evaluation.intervals`.

The recordings are few and the groups fewer: the table says how many answer each question. Networks
whose labels lack some of the questions (those of the Million Song Dataset and MTG-Jamendo) have no
mean.
"""

import argparse
import csv
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from real_clips import QUESTIONS, TEST, VALIDATION, Clip, read
from real_scores import MEAN, areas, of_questions, scores

import zoo
from zoo.errors import ZooError
from zoo.registry import manifest
from zoo.utils import figures

sys.path.append(str(Path(__file__).resolve().parents[1] / "distillation"))
import following

RESULTS = Path(__file__).resolve().parents[2] / "results"
HEADER = ("checkpoint", "part", "question", "clips", "groups", "with it", "ROC-AUC",
          "ROC-AUC low", "ROC-AUC high")  # fmt: skip


def candidates() -> list[str]:
    """Return all checkpoints that tag."""
    known = manifest.load().checkpoints
    return [n for n in zoo.list_models() if known[n].architecture != "schluter2014"]


def lines(name: str, part: str, found: Mapping, clips: list[Clip]) -> list[list[str]]:
    """Return the rows of the table for a network and a part."""
    table = []
    for question, area in areas(found, clips).items():
        numbers = ["" if math.isnan(number) else f"{number:.4f}" for number in area.score]
        size = [str(area.clips), str(area.groups), "" if question == MEAN else str(area.positive)]
        table.append([name, part, question, *size, *numbers])
    return table


def draw(table: Path, path: Path) -> None:
    """Draw the means of the test part with their intervals, and each question as coloured cells."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == TEST]
    cells = {(row["checkpoint"], row["question"]): row for row in rows}
    names = [row["checkpoint"] for row in rows if row["question"] == MEAN]
    names.sort(key=lambda name: -float(cells[name, MEAN]["ROC-AUC"]))
    questions = [q for q in QUESTIONS if any((name, q) in cells for name in names)]
    if not names:
        return
    figure = Figure((11, 1.9 + 0.34 * len(names)), layout="constrained")
    means, each = figure.subplots(1, 2, width_ratios=(1, 1.8), sharey=True)
    numbers = [
        [float(cells[name, MEAN][f"ROC-AUC{end}"] or "nan") for end in ("", " low", " high")]
        for name in names
    ]
    value, low, high = np.array(numbers).T
    spread = [value - low, high - value]
    means.errorbar(value, np.arange(len(names)), xerr=spread, color=figures.COLOUR, fmt="o", ms=5)
    means.set_yticks(range(len(names)), names)
    means.set(ylim=(len(names) - 0.5, -0.5), xlabel="mean ROC-AUC, with 95 % interval over players")
    means.grid(axis="x", color="0.9")
    means.spines[["top", "right"]].set_visible(False)
    grid = np.array([[float(cells[n, q]["ROC-AUC"]) for q in questions] for n in names])
    each.imshow(grid, aspect="auto", cmap="magma", vmin=0.4, vmax=1)
    for (row, column), number in np.ndenumerate(grid):
        colour = "white" if number < 0.8 else "black"
        each.text(column, row, f"{number:.2f}", ha="center", va="center", fontsize=8, color=colour)
    sizes = [cells[names[0], q]["with it"] for q in questions]
    texts = [f"{q}\n{size}" for q, size in zip(questions, sizes, strict=True)]
    each.set_xticks(range(len(questions)), texts, rotation=45, ha="right", fontsize=8)
    each.tick_params(length=0)
    each.spines[:].set_visible(False)
    each.set_title("ROC-AUC of each question; below, the clips with the answer yes", fontsize=10)
    figure.suptitle("Real players, singers, bands and artists, of no training", fontsize=12)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that build.py filled.")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="Score only these, names or NAME=FILE; keep the rows of others. Default: all.",
    )
    parser.add_argument(
        "--part", choices=(VALIDATION, TEST), help="Score only this part. Default: both."
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="The folder to write results to. Default: results/ of the checkout.",
    )
    given = parser.parse_args()
    rows = []
    for text in given.only or candidates():
        name, _, file = text.partition("=")
        try:
            model = zoo.load(file or name)
        except ZooError as error:
            print(f"{name} is not scored: {error}")
            continue
        for part in (VALIDATION, TEST) if given.part is None else (given.part,):
            clips = read(part)
            values = scores(model, name, clips, given.folder)
            found = of_questions(values, model.labels, QUESTIONS)
            rows += lines(name, part, found, clips)
            if rows[-1][2] == MEAN:
                print(f"{name}, {part}: mean {rows[-1][6]} [{rows[-1][7]}, {rows[-1][8]}]")
    given.results.mkdir(exist_ok=True)
    table = given.results / "real_test.csv"
    following.merge(table, HEADER, rows, keys=2)
    draw(table, given.results / "real_test.png")


if __name__ == "__main__":
    main()
