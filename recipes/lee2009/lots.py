"""Lots for the few-shot experiment: whose tracks are the test, and which tracks have a label."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEFT = 5  # tracks of a class that there must be besides the test's artists


class Draw(NamedTuple):
    """Indices of tracks: for training, class by class and in order; and for the test."""

    train: tuple[tuple[int, ...], ...]
    test: tuple[int, ...]


def classes(genres: Sequence[str], artists: Sequence[str]) -> list[str]:
    """Return genres of which one artist can be set aside and `LEFT` tracks are left."""
    chosen = []
    for genre in dict.fromkeys(genres):
        by = [artist for artist, g in zip(artists, genres, strict=True) if g == genre]
        if len(by) - min(map(by.count, by)) >= LEFT:
            chosen.append(genre)
    return chosen


def draws(genres: Sequence[str], artists: Sequence[str], count: int, seed: int = 0) -> list[Draw]:
    """Draw an artist of each class for the test, and tracks of others for training.

    Args:
        genres: of the tracks.
        artists: of the tracks.
        count: how many draws.
        seed: of the draws.
    """
    rng, names = np.random.default_rng(seed), classes(genres, artists)
    genre, artist = np.array(genres), np.array(artists)
    found: list[Draw] = []
    while len(found) < count:
        aside = [rng.choice(np.unique(artist[genre == name])) for name in names]
        out = np.isin(artist, aside)
        left = [rng.permutation(np.flatnonzero((genre == name) & ~out)) for name in names]
        if min(map(len, left)) < LEFT:
            continue
        train = tuple(tuple(part[:LEFT].tolist()) for part in left)
        test = np.flatnonzero(out & np.isin(genre, names))
        found.append(Draw(train, tuple(test.tolist())))
    return found
