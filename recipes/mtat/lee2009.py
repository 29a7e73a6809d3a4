"""Train lee2009 on MagnaTagATune: two layers without tags, then a classifier on top.

    python recipes/mtat/lee2009.py MAGNATAGATUNE OUT --cache CACHE

Nothing is published to compare with. As in the paper, the filters are learned from sound alone
(`zoo.cdbn.pretrain`, as recipes/lee2009/filters.py does it: sigma .4, 150 and 60 epochs), from one
segment each of 1,200 clips, and stay as they are. Only the last layer is trained on tags, as a
logistic regression. Nobody has run this to its end here: time and score are not known.
"""

import argparse
from typing import Any

import keras
import numpy as np
from learn import FULL, learn

import zoo
from zoo.data import Corpus
from zoo.inference.audio_model import HEAD
from zoo.training import cdbn

CLIPS = 1200
EPOCHS = (150, 60)


def filters(clips: Corpus, options: dict[str, Any], given: argparse.Namespace) -> zoo.AudioModel:
    """Return a network with learned filters, of which only the head is left to train.

    The state of their training is kept beside the output folder, in OUT.filters.npz.
    """
    keras.utils.set_random_seed(given.seed)
    model = zoo.build("lee2009", clips.labels, **{"sigma": 0.4, **options})
    order = np.random.default_rng(given.seed).permutation(len(clips))
    some = clips.take(order[:CLIPS].tolist())
    segments = zoo.data.dataset(some, model, training=True, seed=given.seed, cache=given.cache)
    sounds = np.concatenate([waveform for waveform, _ in segments.as_numpy_iterator()])
    epochs = EPOCHS if given.epochs is None else [min(n, given.epochs) for n in EPOCHS]
    kept = given.output.with_name(f"{given.output.name}.filters.npz")
    cdbn.pretrain(
        model,
        sounds,
        epochs=epochs,
        updates=min(100, len(sounds)),
        seed=given.seed,
        checkpoint=kept,
    )
    for layer in model.layers:
        layer.trainable = layer.name in HEAD
    return model


if __name__ == "__main__":
    learn("lee2009", __doc__, FULL, prepare=filters)
