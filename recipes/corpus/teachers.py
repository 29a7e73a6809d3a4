"""Which network should teach? How well each hears instruments and voices that we know are there.

    ZOO_MIRROR=MIRROR python recipes/corpus/teachers.py FOLDER

Each of the published MagnaTagATune networks hears the rendered and voice clips of the test split
(unseen soundfont, unseen voices; `--minutes` of each, 60 by default) and those of `examples/clips`,
whose tags follow from their scores. For every tag that a score decides, the ROC-AUC of the mean of
a network's scores over a clip's segments; the same of the mean of several networks. Written to
results/teachers.csv (ours with `--minutes 15`): a row a tag, then the mean over tags; a column for
each network and mean.

Rendered sounds are not recordings, and tags that only a listener can give (weird, soft, classic)
are not asked for. Genres are: the score was written to be of that genre. ZOO_MIRROR is needed for
`pons2017.mtt_won2020` where its file is not in the cache; what cannot be had is left out and named.
"""

import argparse
import csv
import itertools
from pathlib import Path

import listening
import numpy as np
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
    test = [c for c in listening.read(folder) if c.split == "test" and c.tags]
    test = [c for c in test if c.kind != "strange"]  # nobody knows what that is
    found = [(folder / c.path, set(c.tags)) for c in listening.sample(test, minutes)]
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
    parser.add_argument("folder", type=Path, help="that build.py filled")
    parser.add_argument("--minutes", type=float, default=60, help="of each part")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    found = clips(given.folder, given.minutes)
    said: dict[str, np.ndarray] = {}
    for name in CANDIDATES:
        try:
            model = zoo.load(name)
        except ZooError as error:
            print(f"{name} is left out: {error}")
            continue
        cache = given.folder / "heard"
        hear = (listening.heard(model, name, path, cache) for path, _ in found)
        scores = [s.astype(float).mean(axis=0) for s in track(hear, name, total=len(found))]
        said[name] = np.stack(scores)
        labels = model.labels
    names = list(said)
    for size in (2, 3, 4):
        for some in itertools.combinations(names, size):
            said[" + ".join(some)] = np.mean([said[name] for name in some], axis=0)
    rows = []
    for tag in DECIDED:
        truth = np.array([tag in tags for _, tags in found])
        if min(truth.sum(), (~truth).sum()) >= FEWEST:
            column = labels.index(tag)
            aucs = [roc_auc_score(truth, scores[:, column]) for scores in said.values()]
            rows.append((tag, int(truth.sum()), *(f"{auc:.3f}" for auc in aucs)))
    means = np.mean([[float(cell) for cell in row[2:]] for row in rows], axis=0)
    rows.append(("mean", len(found), *(f"{mean:.4f}" for mean in means)))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    with given.output.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("tag", "clips", *said), *rows])
    for name, mean in zip(said, means, strict=True):
        print(f"{mean:.4f}  {name}")


if __name__ == "__main__":
    main()
