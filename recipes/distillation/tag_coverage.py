"""Count the tags in the training clips: minutes in which the teachers give a tag more than .3.

    python recipes/distillation/tag_coverage.py CLIPS

writes results/coverage.csv: a row for each of the 50 tags of MagnaTagATune. Its columns are: for
each split (train, validation, test) and part of the corpus (games, rendered, voices) the minutes of
segments in which the mean of the teachers' scores is over .3; and the segments in the test split.
A student's score on a tag counts only if the tag has 20 of these. A clip counts for the part of the
corpus that its main sound is from.
"""

import argparse
from pathlib import Path

import following
import numpy as np
import training_clips

from zoo.registry import manifest
from zoo.utils.files import write_csv

RESULTS = Path(__file__).resolve().parents[2] / "results" / "coverage.csv"
LABELS = "pons2017.mtt"


def counted(folder: Path) -> dict[tuple[str, str], tuple[np.ndarray, int]]:
    """Count for each (split, part): segments over .3 of each tag, and all segments."""
    found: dict[tuple[str, str], tuple[np.ndarray, int]] = {}
    for split in (training_clips.TRAIN, training_clips.VALIDATION, training_clips.TEST):
        for path in training_clips.shards(folder, split):
            shard = training_clips.read(path)
            for part, scores in zip(shard.parts, shard.scores, strict=True):
                over, count = found.get((split, part), (0, 0))
                there = (scores > following.PRESENT).sum(axis=0)
                found[split, part] = over + there, count + len(scores)
    return {key: found[key] for key in sorted(found, key=lambda key: (key[0] != "train", key))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, help="The folder that training_clips.py filled.")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=RESULTS,
        help="The table to write. Default: results/coverage.csv.",
    )
    given = parser.parse_args()
    found = counted(given.clips)
    labels = manifest.load().checkpoint(LABELS).labels
    minutes = np.stack([over for over, _ in found.values()]) * training_clips.HOP / 60
    test = sum(over for (split, _), (over, _) in found.items() if split == training_clips.TEST)
    rows = [
        [label, *(f"{m:.1f}" for m in minutes[:, i]), f"{minutes[:, i].sum():.1f}", str(test[i])]
        for i, label in enumerate(labels)
    ]
    rows.sort(key=lambda row: -float(row[-2]))
    spans = [count * training_clips.HOP / 60 for _, count in found.values()]
    whole = ["all segments", *(f"{m:.1f}" for m in spans), f"{sum(spans):.1f}"]
    segments = sum(
        count for (split, _), (_, count) in found.items() if split == training_clips.TEST
    )
    header = ["tag", *(f"{split}, {part}" for split, part in found), "minutes", "test segments"]
    write_csv([header, *rows, [*whole, str(segments)]], given.output)
    poor = [row[0] for row in rows if int(row[-1]) < following.FEWEST]
    print(f"{len(rows) - len(poor)} tags have {following.FEWEST} test segments; the others: {poor}")


if __name__ == "__main__":
    main()
