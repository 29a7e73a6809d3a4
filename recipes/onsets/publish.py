"""Write the bundled weight file of schluter2014, and its manifest entry.

    python recipes/onsets/publish.py FOLDER

FOLDER is the folder that material.py and train.py filled. The scores are read from
results/onsets.csv, which score.py writes.
"""

import argparse
import csv
import datetime
import sys
from pathlib import Path

import sounds
import train

import zoo

sys.path.append(str(Path(__file__).resolve().parents[1]))
import bundle

HELD_OUT = {
    "soundfont": "our own scores through a soundfont that is in no other part",
    "styles": "accompaniments of style files of mma that are in no other part",
    "kits": "drum kits that are in no other part, half of them with a band",
    "annotated recording": "madmom's test clip, annotated by a person",
}


def metrics() -> list[dict]:
    """Return the scores of score.py, as the manifest has them."""
    with (train.ROOT / "results" / "onsets.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["detector"] == train.NAME]
    return [
        {
            "name": f"{measure} (25 ms)",
            "value": float(row[measure]),
            "data": f"{HELD_OUT[row['part']]}; {row['onsets']} onsets",
            "split": f"{row['part']} (recipes/onsets); threshold fixed on the validation part",
            "clips": int(row["clips"]),
            "kind": "measured",
            "source": "python recipes/onsets/score.py FOLDER (results/onsets.csv)",
        }
        for row in rows
        if row["part"] in HELD_OUT
        for measure in ("precision", "recall", "F")
    ]


def updates(step: str) -> int:
    """Return after how many updates a network's best state was reached."""
    table = train.ROOT / "results" / "onsets_training.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["network"] == step]
    return int(max(rows, key=lambda row: float(row["F on validation"]))["updates"])


def provenance(folder: Path) -> str:
    """Return a text on how the network was trained, and on what."""
    clips = train.read(folder, "train")
    hours = len(clips) * sounds.SECONDS / 3600
    count = sum(len(clip["onsets"]) for clip in clips)
    return (
        "Trained by this project (recipes/onsets): the paper's network with ReLU, dropout and "
        f"fuzzy targets. {updates(train.LONGER):,} updates of 256 frames on music, then "
        f"{updates(train.DRUMS):,} with {train.SHARE:.0%} of each on drums and fast repeated notes "
        f"and {updates(train.NAME):,} with more drums; the weights are a mean of those before the "
        f"last step, {1 - train.NEW:.0%}, and after it. In all "
        f"{hours:.1f} h with {count:,} onsets that are known exactly, since all is made: own "
        "scores and mma's accompaniments through three soundfonts; recorded strokes on drums, put "
        "together to flams, drags, rolls, ghosted notes, ringing cymbals and toms (sfzinstruments' "
        "Frankensnare and Gogodze Phu vol. I by Karoryfer, CC0; MuldjordKit by Lars Muldjord, "
        "CC-BY 4.0; AVL Black Pearl by Glen MacArthur, CC-BY-SA 3.0; hydrogen-drumkits); fast "
        "repeated notes; two clips in five over real music of free games whose own onsets do not "
        "count. Threshold and state chosen on a validation part of another soundfont, other styles "
        "and other kits. Hardware: 2 CPU cores. Date: "
        f"{datetime.date.today():%Y-%m-%d}. Not the authors' weights, which were never released."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, help="The folder that material.py and train.py filled."
    )
    given = parser.parse_args()
    model: zoo.AudioModel = train.finished(given.folder)
    entry = {
        "options": {},
        "labels": ["onset"],
        "input": {
            "sample_rate": model.sample_rate,
            "segment": None,
            "description": "mono, any length; three log-mel spectrograms computed in the "
            "model: windows of 23, 46 and 93 ms, hop 10 ms, 80 bands; an output for each frame",
        },
        "data": "sounds made with Debian's soundfonts, mma's style files, hydrogen's drum kits and "
        "recorded strokes of sfzinstruments' kits (CC0, CC-BY), over music of Debian's game "
        "packages, each under the free licence that its package states; none of it is in the "
        "weights' file",
        "citation": "Jan Schlüter, Sebastian Böck. Improved musical onset detection with "
        "convolutional neural networks. ICASSP 2014 (the architecture; the weights are this "
        "project's).",
        "provenance": provenance(given.folder),
        "metrics": metrics(),
    }
    bundle.publish(model, train.NAME, entry)


if __name__ == "__main__":
    main()
