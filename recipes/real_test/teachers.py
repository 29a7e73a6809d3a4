"""Compare candidate teachers on recordings of real players: single networks and their means.

    python recipes/real_test/build.py FOLDER --recordings RECORDINGS --genre GENRE
    python recipes/real_test/teachers.py FOLDER

Each published MagnaTagATune network scores the clips of the real test (`score.py` says how), and so
does the mean of the scores of every two, three and four of them. Writes `results/teachers.csv`: a
row for each network or mean and part, best first; columns are the mean ROC-AUC over questions with
its 95 % interval over players, and each question. The teachers of our own weights are those with
the highest mean on the part `validation`; the part `test` is only reported.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from real_clips import QUESTIONS, TEST, VALIDATION, answers, read
from real_scores import MEAN, areas, of_questions, scores

import zoo
from zoo.errors import ZooError
from zoo.utils.files import write_csv

RESULTS = Path(__file__).resolve().parents[2] / "results"
CANDIDATES = ("pons2017.mtt_won2020", "choi2016.mtt_won2020", "pons2017.mtt", "choi2016.vgg_mtt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that build.py filled.")
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="The folder to write results to. Default: results/ of the checkout.",
    )
    given = parser.parse_args()
    models = {}
    for name in CANDIDATES:
        try:
            models[name] = zoo.load(name)
        except ZooError as error:
            print(f"{name} is left out: {error}")
    labels = next(iter(models.values())).labels
    asked = {part: answers(read(part)) for part in (VALIDATION, TEST)}
    questions = [q for q in QUESTIONS if any(q in asked[part] for part in asked)]
    rows = []
    for part in (VALIDATION, TEST):
        clips = read(part)
        values = {
            name: scores(model, name, clips, given.folder)[:, order(model.labels, labels)]
            for name, model in models.items()
        }
        found = []
        for size in range(1, len(values) + 1):
            for some in itertools.combinations(values, size):
                mean = np.mean([values[name] for name in some], axis=0)
                table = areas(of_questions(mean, labels, QUESTIONS), clips)
                numbers = [f"{number:.4f}" for number in table[MEAN].score]
                each = [f"{table[q].value:.4f}" if q in table else "" for q in questions]
                found.append([part, " + ".join(some), *numbers, *each])
        rows += sorted(found, key=lambda row: -float(row[2]))
    header = ["part", "networks", "mean ROC-AUC", "low", "high", *questions]
    write_csv([header, *rows], given.results / "teachers.csv")
    for row in rows:
        print(*row[:5])


def order(labels: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Return the places of the wanted labels among others in another order."""
    return [labels.index(label) for label in wanted]


if __name__ == "__main__":
    main()
