"""Score published weights on the lessons anew, as when there are more of them.

    python recipes/distillation/rescore.py LESSONS lee2009.zoo choi2016.vgg_mtt

Any checkpoint with the 50 tags of MagnaTagATune will do, a teacher's too, or one of others that
never heard our teachers. Writes their rows of results/distillation.csv and distillation_tags.csv,
and, of our own weights, the scores in `weights_manifest.json`.
"""

import argparse
import sys
from pathlib import Path

import lessons
import numpy as np
import publishing

import zoo
from zoo.registry import manifest

sys.path.append(str(Path(__file__).resolve().parents[1]))
import bundle
import distill


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", type=Path, help="that lessons.py filled")
    parser.add_argument("names", nargs="+", metavar="NAME", help="of weights")
    given = parser.parse_args()
    labels = manifest.load().checkpoint(distill.TEACHER).labels
    for name in given.names:
        model = zoo.load(name)
        if set(model.labels) != set(labels):
            raise SystemExit(f"{name} does not have the 50 tags of {distill.TEACHER}")
        order = [labels.index(label) for label in model.labels]  # some list them otherwise
        heard = {}
        for split in (lessons.VALIDATION, lessons.TEST):
            said, taught = distill.said(model, lessons.lots(given.lessons, split))
            heard[split] = np.asarray(said), taught[:, order]
        distill.report(name, model, heard)
        entry = bundle.listed()[name]
        if entry["authors"] == bundle.AUTHORS:
            source = "python recipes/distillation/rescore.py LESSONS " + name
            bundle.enter(name, {**entry, "metrics": publishing.metrics(name, source)})


if __name__ == "__main__":
    main()
