"""Fit the head of the published lee2009.zoo again, to other teachers or other training clips.

    python recipes/lee2009/rehead.py CLIPS STATE
    python recipes/real_test/score.py REAL --only lee2009.zoo=STATE/lee2009.zoo.keras
    python recipes/lee2009/rehead.py CLIPS STATE --publish

The filters stay as they are: they were trained without labels (`filters.py`). The head is fitted as
`head.py` does it. The first command writes STATE/lee2009.zoo.keras and the rows of
results/distillation.csv and distillation_tags.csv; the last one the weights' file and its entry in
the manifest.
"""

import argparse
import re
import sys
from pathlib import Path

import head

import zoo

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))
import bundle
import distill
import last_layer
import publishing
import teacher_scores
import training_clips

HEAD = re.compile(r"distilled from the mean of the scores of .*? only the head was trained")


def fit(clips: Path, state: Path, file: Path) -> None:
    """Fit the head, and write the network and its scores."""
    model = zoo.load(head.NAME)
    given = argparse.Namespace(clips=clips, state=state)
    splits = (training_clips.TRAIN, training_clips.VALIDATION, training_clips.TEST)
    most = {training_clips.TRAIN: head.SHARDS}
    found = {s: head.inputs_and_targets(model, given, s, most.get(s)) for s in splits}
    kernel, bias = last_layer.fit(found[training_clips.TRAIN], found[training_clips.VALIDATION])
    model.get_layer("logits").set_weights([kernel, bias])
    model.save(file, overwrite=True)
    results = {
        split: (last_layer.scores(found[split][0], kernel, bias), found[split][1])
        for split in splits[1:]
    }
    distill.report(head.NAME, model, results)


def publish(clips: Path, file: Path) -> None:
    """Write the weights' file and its entry."""
    model, entry = zoo.load(file), bundle.listed()[head.NAME]
    segments = training_clips.SEGMENTS * sum(
        len(training_clips.read(path).parts)
        for path in training_clips.shards(clips, training_clips.TRAIN)[: head.SHARDS]
    )
    text = (
        f"distilled from the mean of the scores of {', '.join(teacher_scores.TEACHERS)} on "
        f"{segments:,} segments of 3 s ({segments * 3 / 3600:.1f} h) of recordings, games, "
        "rendered music and voices, no labels; only the head was trained"
    )
    provenance, count = HEAD.subn(text, entry["provenance"])
    if count != 1:
        raise SystemExit(f"the provenance of {head.NAME} says nothing of its head")
    metrics = publishing.metrics(head.NAME, "python recipes/lee2009/rehead.py CLIPS STATE")
    entry |= {"data": publishing.DATA, "provenance": provenance, "metrics": metrics}
    bundle.publish(model, head.NAME, entry)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "clips", type=Path, help="The folder that recipes/distillation/training_clips.py filled."
    )
    parser.add_argument("state", type=Path, help="The folder to write the network to.")
    parser.add_argument(
        "--publish", action="store_true", help="Write the weights' file and its entry."
    )
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    file = given.state / f"{head.NAME}.keras"
    if given.publish:
        publish(given.clips, file)
    else:
        fit(given.clips, given.state, file)


if __name__ == "__main__":
    main()
