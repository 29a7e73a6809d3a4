"""Count what the teachers hear in the lessons: minutes over .3, for each tag, part and split.

    python recipes/distillation/tags_heard.py LESSONS

writes results/coverage.csv: a row for each of the 50 tags of MagnaTagATune; for each split (train,
validation, test) and part of the corpus (games, rendered, voices) the minutes of segments where the
mean of the teachers' scores is over .3; and last the segments in test, of which a student's score
on a tag needs 20 to be counted. A lesson is counted for the part of its main sound.
"""

import argparse
from pathlib import Path

import following
import lessons
import numpy as np

from zoo.registry import manifest
from zoo.utils.files import write_csv

RESULTS = Path(__file__).resolve().parents[2] / "results" / "coverage.csv"
LABELS = "pons2017.mtt"


def counted(folder: Path) -> dict[tuple[str, str], tuple[np.ndarray, int]]:
    """Return for each (split, part): segments over .3 of each tag, segments."""
    found: dict[tuple[str, str], tuple[np.ndarray, int]] = {}
    for split in (lessons.TRAIN, lessons.VALIDATION, lessons.TEST):
        for path in lessons.lots(folder, split):
            lot = lessons.read(path)
            for part, scores in zip(lot.parts, lot.scores, strict=True):
                over, count = found.get((split, part), (0, 0))
                there = (scores > following.PRESENT).sum(axis=0)
                found[split, part] = over + there, count + len(scores)
    return {key: found[key] for key in sorted(found, key=lambda key: (key[0] != "train", key))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", type=Path, help="that lessons.py filled")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    found = counted(given.lessons)
    labels = manifest.load().checkpoint(LABELS).labels
    minutes = np.stack([over for over, _ in found.values()]) * lessons.HOP / 60
    test = sum(over for (split, _), (over, _) in found.items() if split == lessons.TEST)
    rows = [
        [label, *(f"{m:.1f}" for m in minutes[:, i]), f"{minutes[:, i].sum():.1f}", str(test[i])]
        for i, label in enumerate(labels)
    ]
    rows.sort(key=lambda row: -float(row[-2]))
    spans = [count * lessons.HOP / 60 for _, count in found.values()]
    whole = ["all that was heard", *(f"{m:.1f}" for m in spans), f"{sum(spans):.1f}"]
    segments = sum(count for (split, _), (_, count) in found.items() if split == lessons.TEST)
    header = ["tag", *(f"{split}, {part}" for split, part in found), "minutes", "test segments"]
    write_csv([header, *rows, [*whole, str(segments)]], given.output)
    poor = [row[0] for row in rows if int(row[-1]) < following.FEWEST]
    print(f"{len(rows) - len(poor)} tags have {following.FEWEST} test segments; the others: {poor}")


if __name__ == "__main__":
    main()
