"""Write the bundled weight files of distilled taggers, and their entries in the manifest.

    python recipes/distillation/publishing.py CLIPS STATE [ARCH ...]

For each architecture that `recipes/distill.py` trained: `weights/ARCH.zoo.safetensors`
(`recipes/bundle.py` says in which precision) and its entry in `weights_manifest.json`, with the
scores in results/distillation.csv. What a bare name loads stays as it is.

The entry says that the network was trained on all clips that CLIPS has now. So name only the
architectures for which this is true.
"""

import argparse
import csv
import datetime
import sys
from pathlib import Path

import numpy as np
import training_clips

import zoo

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))
import bundle
import choosing
import distill
import teacher_scores

TEST = training_clips.TEST
PARTS = {
    "recordings": "recordings of players and singers",
    "games": "music of games",
    "rendered": "rendered music",
    "voices": "synthetic voices",
}
MEASURES = {
    "ROC-AUC": "{tags counted} tags, a piece has a tag if the teachers give it more than .3",
    "rank correlation": "50 tags, with the teachers' scores",
    "mean absolute error": "50 tags, from the teachers' scores",
}
DATA = (
    "recordings of players, singers and songs under CC0, CC-BY, CC-BY-SA, MIT or GPL licences or "
    "in the public domain (recipes/corpus/ATTRIBUTION.md names their authors); music of Debian's "
    "game packages and sounds made with Debian's soundfonts, each under the free licence that its "
    "package states (recipes/corpus/build.py lists them); none of it is in the weights' file"
)
NORMS = (
    " It was trained with batch normalisation, which is folded into the weights: the network is "
    "the paper's, without any."
)
# Where the weights that a student goes on from had come from.
EARLIER = (
    "weights that were distilled earlier from pons2017.mtt and choi2016.vgg_mtt, on {} h of games, "
    "rendered music and synthetic voices"
)
THREE = EARLIER + (
    ", then from pons2017.mtt_won2020, choi2016.mtt_won2020 and pons2017.mtt on 15 h of clips, "
    "recordings of players and singers among them, and then from the teachers of today on these "
    "and 11.7 h more, with instruments recorded note by note"
)
FOUR = THREE + ", and then on clips of the mixes named next"
BEGAN = {
    "dieleman2014.zoo": FOUR.format(30),
    "zhu2016.zoo": FOUR.format(50),
    "lee2017.zoo": FOUR.format(50),
    "lee2009.zoo": "lee2009.zoo_unsupervised, whose filters were learned without labels or "
    "teachers, and which was then trained on scores of the same teachers with 11.5 h of clips of "
    "other mixes",
    "choi2016.zoo_3s": EARLIER.format(15),
    "pons2017.mtt": "pons2017.mtt, the weights of Jordi Pons and Xavier Serra (musicnn, ISC)",
}
BEGAN_OF_OTHERS = "pons2017.mtt"  # whose authors and licence stay
INPUTS = {
    "dieleman2014": "mono; log-mel spectrogram computed in the model: FFT 256, hop 256, 128 bands; "
    "segments of 3 s",
    "zhu2016": "mono; waveform; segments of 3 s",
    "lee2017": "mono; waveform, segments of 59,049 samples, 2.68 s",
    "pons2017": "mono; log-mel spectrogram computed in the model: FFT 512, hop 256, 96 bands; "
    "segments of 3 s, 187 frames",
    "lee2009": "mono; log-magnitude spectrogram computed in the model: Hamming window of 20 ms, "
    "hop 10 ms, 161 bins; mean 0 and RMS 1 over a segment; 80 whitened principal components; "
    "segments of 3 s, 299 frames",
    "choi2016": "mono; log-mel spectrogram in decibels computed in the model: FFT 512, hop 256, 96 "
    "bands; segments of 29.12 s",
}


def read(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def kinds(clips: Path, split: str) -> str:
    """Return what the clips of a split are, in words."""
    there = {part.partition("/")[0] for part in training_clips.parts(clips, split)}
    return " and ".join(words for part, words in PARTS.items() if part in there)


def metrics(name: str, command: str, clips: Path) -> list[dict]:
    """Return a student's scores, as the manifest has them; `command` is the one that wrote them."""
    row = next(
        row
        for row in read(distill.RESULTS / "distillation.csv")
        if (row["model"], row["split"]) == (name, TEST)
    )
    return [
        {
            "name": f"{measure} against the teachers",
            "value": float(row[measure]),
            "data": f"{kinds(clips, TEST)}, {row['pieces']} pieces of "
            f"{row['seconds of a piece']} s; {over.format(**row)}; not comparable with results on "
            "MagnaTagATune",
            "split": "test split of recipes/corpus (games, soundfonts and voices not trained on)",
            "clips": int(row["pieces"]),
            "kind": "measured",
            "source": f"{command} (results/distillation.csv)",
        }
        for measure, over in MEASURES.items()
    ]


def chosen(state: Path, name: str) -> str:
    """Return which weights `choosing.py` chose; "" if it was not run."""
    file = state / f"{name}.chosen"
    return file.read_text().strip() if file.is_file() else ""


def provenance(name: str, student: distill.Student, state: Path, clips: Path) -> str:
    """Return a text on how a network was trained, and on what."""
    steps, hours, seconds, before = 0, 0.0, 0.0, ""
    trained, share = choosing.read(chosen(state, name))
    for file in (state / f"{name}{distill.PIECES}.npz", state / f"{name}.npz"):
        if not file.is_file():
            continue
        with np.load(file) as kept:
            rows = [row.split(",") for row in kept["rows"].tolist()]
        best = max(rows, key=lambda row: float(row[distill.AUC]))
        if trained == choosing.LAST:
            best = rows[-1]
        if steps:
            before = f", the first {hours:.1f} h of them in pieces of 3 s"
        steps, hours = steps + int(best[distill.STEPS]), hours + float(best[distill.HOURS])
        seconds += float(rows[-1][distill.SECONDS])
    parts = training_clips.parts(clips, training_clips.TRAIN)
    size = len(parts) * training_clips.SECONDS / 3600
    shares = ", ".join(f"{parts.count(p) / len(parts):.0%} {p}" for p in sorted(set(parts)))
    *others, last = teacher_scores.TEACHERS
    kept = f" Its layers up to {student.keeps} were not changed." if student.keeps else ""
    if 0 < share < 1:
        kept += (
            f" Its weights are {1 - share:.0%} of these and {share:.0%} of the trained ones "
            "(recipes/distillation/choosing.py)."
        )
    return (
        f"Distilled by this project (recipes/distill.py) from the mean of the scores of "
        f"{', '.join(others)} and {last}, which were trained on MagnaTagATune; no labels. It goes "
        f"on from {BEGAN[student.begins]}.{kept} "
        f"{size:.1f} h of training clips of 30 s ({shares}: recordings of players, singers and "
        "songs, music of free games as Debian 12 packs them, and music rendered by "
        "recipes/corpus), changed in speed, room, microphone, level and by mixing before the "
        "teachers scored them; "
        f"{hours:.1f} h seen in {steps:,} steps{before}. "
        f"Hardware: two shared CPU cores, {seconds / 3600:.1f} h of training. Date: "
        f"{datetime.date.today():%Y-%m-%d}. Not the paper's weights, and not comparable with "
        "MagnaTagATune results: nothing was measured against listeners' tags there. It repeats its "
        "teachers' mistakes."
    )


def publish(architecture: str, clips: Path, state: Path) -> None:
    """Write the files and entries of an architecture, and of its 3 s network if it has one.

    What a bare name loads stays as it is; `recipes/real_test/publish.py` decides that.
    """
    name, student = f"{architecture}.zoo", distill.STUDENTS[architecture]
    publish_one(name, architecture, student, clips, state)
    if student.short:
        first = distill.in_pieces(student)
        publish_one(name + distill.PIECES, architecture, first, clips, state)


def publish_one(
    name: str,
    architecture: str,
    student: distill.Student,
    clips: Path,
    state: Path,
) -> None:
    """Write the file and the entry of one network."""
    which = chosen(state, name)
    if which == choosing.BEFORE:
        raise SystemExit(
            f"choosing.py chose the weights of {name} before the training: publish none"
        )
    model = (
        distill.finished(name, student, clips, state)
        if not which
        else zoo.load(state / f"{name}.keras")
    )
    paper = model.card.architecture
    description = INPUTS[architecture]
    if "segment" in student.options:
        description = (
            f"{description.rpartition(';')[0]}; segments of {student.options['segment']:g} s"
        )
    entry = {
        "options": student.options,
        "labels": "mtat50",
        "input": {
            "sample_rate": model.sample_rate,
            "segment": model.segmentation.segment,
            "description": description,
        },
        "data": DATA,
        "citation": f"{', '.join(paper.authors)}. {paper.title}. {paper.venue} (the "
        "architecture; the weights are this project's).",
        "provenance": provenance(name, student, state, clips) + (NORMS if student.norms else ""),
        "metrics": metrics(name, f"python recipes/distill.py {architecture} CLIPS STATE", clips),
    }
    if student.begins == BEGAN_OF_OTHERS:
        others = bundle.listed()[student.begins]
        entry["authors"] = [*others["authors"], *bundle.AUTHORS]
        entry["licence"] = others["licence"]["weights"]
        entry["citation"] = others["citation"]
    default = bundle.listed().get(name, {}).get("default", False)
    bundle.publish(model, name, entry, default)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, help="The folder that training_clips.py filled.")
    parser.add_argument("state", type=Path, help="The folder that recipes/distill.py filled.")
    parser.add_argument(
        "architectures",
        nargs="*",
        metavar="ARCH",
        default=[],
        help="Architectures to publish. Default: all that STATE has.",
    )
    given = parser.parse_args()
    for architecture in given.architectures or distill.STUDENTS:
        if (given.state / f"{architecture}.zoo.npz").is_file():
            publish(architecture, given.clips, given.state)


if __name__ == "__main__":
    main()
