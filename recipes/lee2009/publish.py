"""Write the weight file of lee2009.zoo_unsupervised, and its manifest entry.

    python recipes/lee2009/publish.py FOLDER CLIPS STATE

puts filters (`filters.py`) and head (`head.py`) together in a file of `weights/`, and describes it
in `weights_manifest.json`, with the scores in results/distillation.csv. `recipes/distill.py
lee2009` then trains all layers further, on the scores of teachers: that is `lee2009.zoo`.
"""

import argparse
import datetime
import json
import sys
from pathlib import Path

import excerpts
import filters
import numpy as np

import zoo
from zoo.training import cdbn

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "distillation"))
import bundle
import publishing
import teacher_scores

NAME = "lee2009.zoo_unsupervised"


def whole(state: Path) -> zoo.AudioModel:
    """Return the network with its filters and its head."""
    model = filters.trained(state)
    with np.load(state / "head.npz") as fitted:
        model.get_layer("logits").set_weights([fitted["kernel"], fitted["bias"]])
    return model


def provenance(music: excerpts.Excerpts, epochs: list[int], segments: int) -> str:
    """Return a text on how the network was trained; `segments` is how many its head had."""
    games = len(set(music.packages))
    updates = " and ".join(f"{100 * n:,}" for n in epochs)
    return (
        f"Trained by this project (recipes/lee2009). Unsupervised: PCA whitening (fitted to "
        f"{cdbn.FITTED_ON} excerpts) and two convolutional RBMs, contrastive divergence with "
        f"one step, {updates} updates of one excerpt, on {music.hours:.2f} h of music, "
        f"{sum(map(len, music.sounds)):,} excerpts of 3 s of {len(music.names)} tracks, {games} "
        "free games as Debian 12 packs them (train split of recipes/corpus/games.csv); sigma .4. "
        "Head: linear, on mean, maximum and standard deviation over time of both layers, distilled "
        f"from the mean of the scores of {' and '.join(teacher_scores.TEACHERS)} on {segments:,} "
        f"segments of 3 s ({segments * 3 / 3600:.1f} h) of games, rendered music and voices, no "
        "labels; only the head was trained on scores. Hardware: 2 CPU cores. Date: "
        f"{datetime.date.today():%Y-%m-%d}. Not the paper's weights, which were never released, "
        "and not comparable with MagnaTagATune results: nothing was measured against listeners' "
        "tags. The head repeats its teachers' mistakes."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that recipes/corpus/build.py filled.")
    parser.add_argument(
        "clips", type=Path, help="The folder that distillation/training_clips.py filled."
    )
    parser.add_argument("state", type=Path, help="The folder that filters.py and head.py filled.")
    given = parser.parse_args()
    model = whole(given.state)
    train = excerpts.of_games(given.folder, "train", given.state)
    with np.load(given.state / "head.npz") as fitted:
        segments = int(fitted["segments"])
    with np.load(given.state / "filters.npz") as kept:
        history = json.loads(str(kept["history"]))
    epochs = [len(history[name]["mean_activation"]) for name in ("crbm1", "crbm2")]
    entry = {
        "options": filters.OPTIONS,
        "labels": "mtat50",
        "input": {
            "sample_rate": model.sample_rate,
            "segment": model.segmentation.segment,
            "description": publishing.INPUTS["lee2009"],
        },
        "data": publishing.DATA,
        "citation": "Honglak Lee, Peter Pham, Yan Largman and Andrew Y. Ng. Unsupervised feature "
        "learning for audio classification using convolutional deep belief networks. NIPS 22, "
        "2009 (the method; the weights are this project's).",
        "provenance": provenance(train, epochs, segments),
        "metrics": publishing.metrics(
            NAME, "python recipes/lee2009/head.py CLIPS STATE", given.clips
        ),
    }
    bundle.publish(model, NAME, entry, default=False)


if __name__ == "__main__":
    main()
