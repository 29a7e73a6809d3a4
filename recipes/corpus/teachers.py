"""Compare candidate teachers: how well does each detect instruments and voices that are known?

    ZOO_MIRROR=MIRROR python recipes/corpus/teachers.py FOLDER

Each of the published MagnaTagATune networks scores the rendered and voice clips of the test split,
with a soundfont and voices of no other split (`--minutes` of each, 60 by default), and those of
`examples/clips`. The tags of all these clips follow from their scores of music. For every tag that
a score of music decides, this computes the ROC-AUC of the mean of a network's outputs over a clip's
segments, and the same for the mean of several networks. It writes results/teachers.csv (ours with
`--minutes 15`): a row for each tag, then the mean over tags; a column for each network and mean.

Rendered sounds are not recordings. Tags that only a listener can give (weird, soft, classic) are
left out. Genres are in: a score was written in its genre. ZOO_MIRROR is needed for
`pons2017.mtt_won2020` if its file is not in the cache. Networks that cannot be loaded are left out
and named.
"""

import argparse
import csv
import itertools
from pathlib import Path

import numpy as np
import teacher_scores
from rich.progress import track
from sklearn.metrics import roc_auc_score

import zoo
from zoo.errors import ZooError

TOP = Path(__file__).resolve().parents[2]
RESULTS = TOP / "results" / "teachers.csv"
CANDIDATES = ("pons2017.mtt", "choi2016.vgg_mtt", "choi2016.mtt_won2020", "pons2017.mtt_won2020")
DECIDED = (
    "piano", "guitar", "harpsichord", "violin", "cello", "strings", "flute", "harp", "sitar",
    "drums", "synth", "indian", "rock", "metal", "country", "techno", "classical", "choir",
    "choral", "opera", "vocal", "vocals", "voice", "singing", "female", "woman", "female vocal",
    "female voice", "male", "man", "male vocal", "male voice", "no vocals", "no vocal", "no voice",
)  # fmt: skip
SILENT = ("no vocals", "no vocal", "no voice")
FEWEST = 5  # positive and negative clips, for a tag to count


def clips(folder: Path, minutes: float) -> list[tuple[Path, set[str]]]:
    """List clips whose tags are known, each with those tags."""
    test = [c for c in teacher_scores.read(folder) if c.split == "test" and c.tags]
    test = [c for c in test if c.kind != "strange"]  # it has no known tags
    found = [(folder / c.path, set(c.tags)) for c in teacher_scores.sample(test, minutes)]
    table = TOP / "examples" / "clips" / "clips.csv"
    with table.open(newline="", encoding="utf-8") as file:
        found += [
            (table.parent / r["path"], set(r["tags"].split("|"))) for r in csv.DictReader(file)
        ]
    for _, tags in found:
        if not tags & {"vocal", "choir", "opera"}:
            tags.update(SILENT)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that build.py filled.")
    parser.add_argument(
        "--minutes", type=float, default=60, help="Minutes of each part of the corpus. Default: 60."
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=RESULTS,
        help="The table to write. Default: results/teachers.csv.",
    )
    given = parser.parse_args()
    found = clips(given.folder, given.minutes)
    outputs: dict[str, np.ndarray] = {}
    for name in CANDIDATES:
        try:
            model = zoo.load(name)
        except ZooError as error:
            print(f"{name} is left out: {error}")
            continue
        cache = given.folder / "teacher_scores"
        kept = (teacher_scores.predicted(model, name, path, cache) for path, _ in found)
        scores = [s.astype(float).mean(axis=0) for s in track(kept, name, total=len(found))]
        outputs[name] = np.stack(scores)
        labels = model.labels
    names = list(outputs)
    for size in (2, 3, 4):
        for some in itertools.combinations(names, size):
            outputs[" + ".join(some)] = np.mean([outputs[name] for name in some], axis=0)
    rows = []
    for tag in DECIDED:
        truth = np.array([tag in tags for _, tags in found])
        if min(truth.sum(), (~truth).sum()) >= FEWEST:
            column = labels.index(tag)
            aucs = [roc_auc_score(truth, scores[:, column]) for scores in outputs.values()]
            rows.append((tag, int(truth.sum()), *(f"{auc:.3f}" for auc in aucs)))
    means = np.mean([[float(cell) for cell in row[2:]] for row in rows], axis=0)
    rows.append(("mean", len(found), *(f"{mean:.4f}" for mean in means)))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    with given.output.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("tag", "clips", *outputs), *rows])
    for name, mean in zip(outputs, means, strict=True):
        print(f"{mean:.4f}  {name}")


if __name__ == "__main__":
    main()
