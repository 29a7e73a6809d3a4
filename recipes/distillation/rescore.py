"""Score published weights on the training clips again, for example when there are more clips.

    python recipes/distillation/rescore.py CLIPS lee2009.zoo choi2016.vgg_mtt

It takes any checkpoint with the 50 tags of MagnaTagATune: also a teacher, or a checkpoint that was
not trained on our teachers' scores. It writes its rows of results/distillation.csv and
distillation_tags.csv, and, for our own weights, the scores in `weights_manifest.json`.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import publishing
import training_clips

import zoo
from zoo.registry import manifest

sys.path.append(str(Path(__file__).resolve().parents[1]))
import bundle
import distill


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, help="The folder that training_clips.py filled.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="Names of weights.")
    given = parser.parse_args()
    labels = manifest.load().checkpoint(distill.TEACHER).labels
    for name in given.names:
        model = zoo.load(name)
        if set(model.labels) != set(labels):
            raise SystemExit(f"{name} does not have the 50 tags of {distill.TEACHER}")
        order = [labels.index(label) for label in model.labels]  # some list them in another order
        results = {}
        for split in (training_clips.VALIDATION, training_clips.TEST):
            outputs, targets = distill.predict(model, training_clips.shards(given.clips, split))
            results[split] = np.asarray(outputs), targets[:, order]
        distill.report(name, model, results)
        entry = bundle.listed()[name]
        if entry["authors"] == bundle.AUTHORS:
            source = "python recipes/distillation/rescore.py CLIPS " + name
            bundle.enter(name, {**entry, "metrics": publishing.metrics(name, source, given.clips)})


if __name__ == "__main__":
    main()
