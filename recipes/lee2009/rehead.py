"""Fit the head of lee2009.zoo_unsupervised again, to other teachers or other training clips.

    python recipes/lee2009/rehead.py CLIPS STATE
    python recipes/real_test/score.py REAL --only NAME=STATE/NAME.keras
    python recipes/lee2009/rehead.py CLIPS STATE --publish

NAME is lee2009.zoo_unsupervised. Its filters stay as they are: they were trained without labels
(`filters.py`). The head is fitted as `head.py` does it. The first command writes STATE/NAME.keras
and the rows of results/distillation.csv and distillation_tags.csv; the last one the weights' file
and its entry in the manifest.
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
import publishing
import teacher_scores
import training_clips

HEAD = re.compile(r"distilled from the mean of the scores of .*? only the head was trained")


def publish(clips: Path, file: Path) -> None:
    """Write the weights' file and its entry."""
    model, entry = zoo.load(file), bundle.listed()[head.NAME]
    del entry["licence"]  # `bundle.publish` writes ours
    parts = training_clips.parts(clips, training_clips.TRAIN)
    most = head.SHARDS * training_clips.CLIPS_PER_SHARD
    segments = training_clips.SEGMENTS * len(parts[:most])
    text = (
        f"distilled from the mean of the scores of {', '.join(teacher_scores.TEACHERS)} on "
        f"{segments:,} segments of 3 s ({segments * 3 / 3600:.1f} h) of "
        f"{publishing.kinds(clips, training_clips.TRAIN)}, no labels; only the head was trained"
    )
    provenance, count = HEAD.subn(text, entry["provenance"])
    if count != 1:
        raise SystemExit(f"the provenance of {head.NAME} says nothing of its head")
    metrics = publishing.metrics(head.NAME, "python recipes/lee2009/rehead.py CLIPS STATE", clips)
    entry |= {"data": publishing.DATA, "provenance": provenance, "metrics": metrics}
    bundle.publish(model, head.NAME, entry, default=False)


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
        model = zoo.load(head.NAME)
        kernel, bias, _ = head.fitted(model, given)
        model.get_layer("logits").set_weights([kernel, bias])
        model.save(file, overwrite=True)


if __name__ == "__main__":
    main()
