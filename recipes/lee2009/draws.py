"""Random draws of the few-shot experiment: the artists of the test, and the labelled tracks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEFT = 5  # tracks that a class must have besides those of the test's artists


class Draw(NamedTuple):
    """Indices of tracks: for training, class by class and in order; and for the test."""

    train: tuple[tuple[int, ...], ...]
    test: tuple[int, ...]


def classes(genres: Sequence[str], artists: Sequence[str]) -> list[str]:
    """Return the genres that keep `LEFT` tracks when one artist is set aside."""
    chosen = []
    for genre in dict.fromkeys(genres):
        by = [artist for artist, g in zip(artists, genres, strict=True) if g == genre]
        if len(by) - min(map(by.count, by)) >= LEFT:
            chosen.append(genre)
    return chosen


def draws(genres: Sequence[str], artists: Sequence[str], count: int, seed: int = 0) -> list[Draw]:
    """Draw an artist of each class for the test, and tracks of the others for training.

    Args:
        genres: genre of each track.
        artists: artist of each track.
        count: number of draws.
        seed: seed of the draws.
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
