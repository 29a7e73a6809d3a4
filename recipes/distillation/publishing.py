"""Write the weight files of distilled taggers that travel with the package, and their entries.

    python recipes/distillation/publishing.py LESSONS STATE [ARCH ...]

For each architecture that `recipes/distill.py` trained: `weights/ARCH.zoo.safetensors`, float32,
and its entry in `weights_manifest.json`, the default of its architecture, with what was measured
from results/distillation.csv.

The entry says that the network learned from all the lessons that LESSONS has now: name the
architectures for which that is so.
"""

import argparse
import csv
import datetime
import sys
from pathlib import Path

import lessons
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))
import bundle
import distill
import listening

MEASURES = {
    "ROC-AUC": "{tags counted} tags, a piece has a tag if the teachers give it more than .3",
    "rank correlation": "50 tags, with the teachers' scores",
    "mean absolute error": "50 tags, from the teachers' scores",
}
DATA = (
    "music of Debian's game packages and sounds made with Debian's soundfonts and voices, each "
    "under the free licence that its package states (recipes/corpus/build.py lists them); none of "
    "it is in the weights' file"
)
NORMS = (
    " It learned with batch normalisation, which is folded into the weights: the network is the "
    "paper's, without any."
)
HEARS = {
    "dieleman2014": "mono; log-mel spectrogram computed in the model: FFT 256, hop 256, 128 bands; "
    "segments of 3 s",
    "zhu2016": "mono; waveform; segments of 3 s",
    "lee2017": "mono; waveform, segments of 59,049 samples, 2.68 s",
    "choi2016": "mono; log-mel spectrogram in decibels computed in the model: FFT 512, hop 256, 96 "
    "bands; segments of 29.12 s",
}


def read(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def metrics(name: str, command: str) -> list[dict]:
    """Return what a command measured of a student, as the manifest has it."""
    row = next(
        row
        for row in read(distill.RESULTS / "distillation.csv")
        if (row["model"], row["split"]) == (name, lessons.TEST)
    )
    return [
        {
            "name": f"{measure} against the teachers",
            "value": float(row[measure]),
            "data": f"games, rendered music and voices, {row['pieces']} pieces of "
            f"{row['seconds of a piece']} s; {over.format(**row)}; not comparable with results on "
            "MagnaTagATune",
            "split": "test split of recipes/corpus (games, soundfont, voices not trained on)",
            "clips": int(row["pieces"]),
            "kind": "measured",
            "source": f"{command} (results/distillation.csv)",
        }
        for measure, over in MEASURES.items()
    ]


def provenance(name: str, state: Path, taught: Path) -> str:
    """Say what was learned from what."""
    steps, heard, seconds, before = 0, 0.0, 0.0, ""
    for file in (state / f"{name}{distill.PIECES}.npz", state / f"{name}.npz"):
        if not file.is_file():
            continue
        with np.load(file) as kept:
            rows = [row.split(",") for row in kept["rows"].tolist()]
        best = max(rows, key=lambda row: float(row[distill.AUC]))
        if steps:
            before = f", the first {heard:.1f} h of them in pieces of 3 s"
        steps, heard = steps + int(best[distill.STEPS]), heard + float(best[distill.HOURS])
        seconds += float(rows[-1][distill.SECONDS])
    lots = [lessons.read(path) for path in lessons.lots(taught, lessons.TRAIN)]
    hours = sum(len(lot.sounds) for lot in lots) * lessons.SECONDS / 3600
    parts = [part for lot in lots for part in lot.parts]
    shares = ", ".join(f"{parts.count(p) / len(parts):.0%} {p}" for p in dict.fromkeys(parts))
    return (
        f"Distilled by this project (recipes/distill.py) from the mean of the scores of "
        f"{' and '.join(listening.TEACHERS)}, which were trained on MagnaTagATune; no labels. "
        f"{hours:.1f} h of lessons of 30 s ({shares}: music of free games as Debian 12 packs them, "
        "and music and voices made by recipes/corpus), changed in speed, level and by mixing "
        f"before the teachers heard them; {heard:.1f} h heard in {steps:,} steps{before}. "
        f"Hardware: one CPU core of two, {seconds / 3600:.1f} h of training. Date: "
        f"{datetime.date.today():%Y-%m-%d}. Not the paper's weights, and not comparable with "
        "MagnaTagATune results: nothing was measured against listeners' tags. It repeats its "
        "teachers' mistakes."
    )


def publish(architecture: str, taught: Path, state: Path) -> None:
    """Write the files and the entries of one architecture: the default, and what it began as."""
    name, student = f"{architecture}.zoo", distill.STUDENTS[architecture]
    for other, entry in bundle.listed().items():
        if entry["architecture"] == architecture and entry.get("default") and other != name:
            bundle.enter(other, {key: value for key, value in entry.items() if key != "default"})
    publish_one(name, architecture, student, taught, state)
    if student.short:
        first = distill.in_pieces(student)
        publish_one(name + distill.PIECES, architecture, first, taught, state, default=False)


def publish_one(
    name: str,
    architecture: str,
    student: distill.Student,
    taught: Path,
    state: Path,
    default: bool = True,
) -> None:
    """Write the file and the entry of one network."""
    model = distill.finished(name, student, taught, state)
    paper = model.card.architecture
    hears = HEARS[architecture]
    if "segment" in student.options:
        hears = f"{hears.rpartition(';')[0]}; segments of {student.options['segment']:g} s"
    entry = {
        "options": student.options,
        "labels": "mtat50",
        "input": {
            "sample_rate": model.sample_rate,
            "segment": model.segmentation.segment,
            "description": hears,
        },
        "data": DATA,
        "citation": f"{', '.join(paper.authors)}. {paper.title}. {paper.venue} (the "
        "architecture; the weights are this project's).",
        "provenance": provenance(name, state, taught) + (NORMS if student.norms else ""),
        "metrics": metrics(name, f"python recipes/distill.py {architecture} LESSONS STATE"),
    }
    bundle.publish(model, name, entry, default)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", type=Path, help="that lessons.py filled")
    parser.add_argument("state", type=Path, help="that recipes/distill.py filled")
    parser.add_argument("architectures", nargs="*", metavar="ARCH", default=[])
    given = parser.parse_args()
    for architecture in given.architectures or distill.STUDENTS:
        if (given.state / f"{architecture}.zoo.npz").is_file():
            publish(architecture, given.lessons, given.state)


if __name__ == "__main__":
    main()
