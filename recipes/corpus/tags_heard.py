"""Count what the teachers hear in the corpus: minutes over .3, for each tag, part and split.

    python recipes/corpus/tags_heard.py FOLDER

writes results/coverage.csv: a row for each of the 50 tags of MagnaTagATune; for each part (games,
rendered, voices) and split (train, validation, test) the minutes of segments of 3 s where the mean
of the teachers' scores is over .3; and last the segments in test, all parts together, of which the
score of a student on a tag needs at least 20.

What was heard is kept in FOLDER/heard, so that it can be stopped and goes on. `--minutes M` hears
only M minutes of each part and split, drawn by chance, and multiplies. Two teachers hear 50 times
as fast as the music on one core or two: an hour for all of it.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import listening
import numpy as np
from rich.progress import track

import zoo
from zoo.weights import manifest

RESULTS = Path(__file__).resolve().parents[2] / "results" / "coverage.csv"
OVER = 0.3
SPLITS = ("train", "validation", "test")
PARTS = ("games", "rendered", "voices")


def count(folder: Path, clips: list[listening.Clip], teachers: list[str]) -> dict:
    """Return for each (part, split): (segments over .3 of each tag, segments, seconds)."""
    models = [zoo.load(name) for name in teachers]
    over: dict = defaultdict(lambda: np.zeros(len(models[0].labels)))
    seconds: dict = defaultdict(float)
    segments: dict = defaultdict(int)
    for clip in track(clips, "hearing"):
        said = [
            listening.heard(model, name, folder / clip.path, folder / "heard").astype(float)
            for model, name in zip(models, teachers, strict=True)
        ]
        length = min(len(scores) for scores in said)
        mean = np.mean([scores[:length] for scores in said], axis=0)
        key = clip.part, clip.split
        over[key] += (mean > OVER).sum(axis=0)
        segments[key] += length
        seconds[key] += clip.seconds
    return {key: (over[key], segments[key], seconds[key]) for key in over}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="that build.py filled")
    parser.add_argument("--minutes", type=float, help="of each part and split; by default all")
    parser.add_argument("--teachers", default=",".join(listening.TEACHERS))
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    everything = listening.read(given.folder)
    clips = listening.sample(everything, given.minutes) if given.minutes else everything
    teachers = given.teachers.split(",")
    counted = count(given.folder, clips, teachers)
    labels = manifest.load().checkpoints[teachers[0]].labels
    total: dict = defaultdict(float)
    for clip in everything:
        total[clip.part, clip.split] += clip.seconds
    cells = [(part, split) for part in PARTS for split in SPLITS if (part, split) in counted]
    rows = []
    for i, label in enumerate(labels):
        minutes = [counted[c][0][i] / counted[c][1] * total[c] / 60 for c in cells]
        test = sum(counted[c][0][i] * total[c] / counted[c][2] for c in cells if c[1] == "test")
        rows.append(
            (label, *(f"{value:.1f}" for value in minutes), f"{sum(minutes):.1f}", round(test))
        )
    rows.sort(key=lambda row: -float(row[-2]))
    hours = [
        "hours",
        *(f"{total[c] / 3600:.2f}" for c in cells),
        f"{sum(total.values()) / 3600:.2f}",
        "",
    ]
    given.output.parent.mkdir(parents=True, exist_ok=True)
    with given.output.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(
            ["tag", *(f"{part} {split}" for part, split in cells), "all", "test segments"]
        )
        table.writerows([*rows, hours])
    poor = [row[0] for row in rows if row[-1] < 20]
    print(f"{len(rows) - len(poor)} tags have 20 test segments; the others: {', '.join(poor)}")


if __name__ == "__main__":
    main()
