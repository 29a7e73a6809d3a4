"""Train the head of lee2009 on the tags of MagnaTagATune; its filters stay as they were trained.

    python recipes/lee2009/filters.py FOLDER STATE
    python recipes/distillation/training_clips.py CORPUS CLIPS
    python recipes/lee2009/head.py CLIPS STATE

The head is linear, and its inputs are the statistics of both layers. It is fitted to the mean of
the teachers' scores (`distillation/last_layer.py`) of the clips of `recipes/distill.py`: at most
`SHARDS` shards of 200 segments of 3 s. Writes

    STATE/head.npz                    kernel and bias
    results/distillation.csv          its rows, beside those of the other students
    results/distillation_tags.csv     its rows, one for each tag
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import excerpts
import filters
import keras
import numpy as np
from rich.progress import track as progress

import zoo
from zoo.utils.files import replacing

sys.path.append(str(Path(__file__).resolve().parents[1]))
import distill
import last_layer
import training_clips

NAME = "lee2009.zoo_unsupervised"
SHARDS = 120
BATCH = 12


def in_batches(network: keras.Model, samples: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of excerpts that runs a network on their first samples, in full batches."""
    predict = zoo.inference.audio_model.predict_function(network)

    def outputs(sounds: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(sounds), BATCH):
            part = sounds[start : start + BATCH, :samples]
            full = np.pad(part, ((0, BATCH - len(part)), (0, 0)))
            found.append(np.asarray(predict(full))[: len(part)])
        return np.concatenate(found)

    return outputs


def bottom(model: zoo.AudioModel) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the network below the head, and a name for its outputs, the head's inputs."""
    what = f"lee2009-{zoo.inference.variables.checksum(model, ('logits',))[:12]}"
    return what, in_batches(model.stage("penultimate"), model.segmentation.segment)


def statistics(
    model: zoo.AudioModel, names: Sequence[str], sounds: Sequence[np.ndarray], state: Path
) -> np.ndarray:
    """Return the inputs of the head for the excerpts of some tracks: (excerpts, 1800)."""
    what, network = bottom(model)
    return excerpts.outputs(what, network, names, sounds, state)


def inputs_and_targets(
    model: zoo.AudioModel, given: argparse.Namespace, split: str, most: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return statistics (segments, 1800) and the teachers' scores (segments, 50) of a split."""
    what, network = bottom(model)
    x, y = [], []
    for path in progress(training_clips.shards(given.clips, split)[:most], f"{split}, shards"):
        shard = training_clips.read_at(path, model.sample_rate)
        file = given.state / "outputs" / what / f"{path.stem}.npy"
        x.append(
            excerpts.kept(file, lambda shard=shard: network(distill.pieces(model, shard, None)[0]))
        )
        y.append(shard.scores.reshape(-1, shard.scores.shape[-1]))
    return np.concatenate(x).astype("float32"), np.concatenate(y)


def fitted(model: zoo.AudioModel, given: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, int]:
    """Fit the head, and write its scores; return kernel, bias and segments of the training."""
    splits = (training_clips.TRAIN, training_clips.VALIDATION, training_clips.TEST)
    found = {
        split: inputs_and_targets(
            model, given, split, SHARDS if split == training_clips.TRAIN else None
        )
        for split in splits
    }
    train, validation, _ = found.values()
    kernel, bias = last_layer.fit(train, validation)
    results = {
        split: (last_layer.scores(found[split][0], kernel, bias), found[split][1])
        for split in splits[1:]
    }
    distill.report(NAME, model, results)
    return kernel, bias, len(train[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "clips", type=Path, help="The folder that recipes/distillation/training_clips.py filled."
    )
    parser.add_argument("state", type=Path, help="The folder that filters.py filled.")
    given = parser.parse_args()
    kernel, bias, segments = fitted(filters.trained(given.state), given)
    with replacing(given.state / "head.npz") as file:
        np.savez(file, kernel=kernel, bias=bias, segments=segments)


if __name__ == "__main__":
    main()
