"""Dividing clips into splits that share no group and have alike mixtures of labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from zoo.errors import ConfigError


def divide(
    name: str,
    targets: np.ndarray,
    groups: Sequence[str],
    fractions: Mapping[str, float],
    labels: Sequence[str],
    seed: int = 0,
) -> dict[str, tuple[int, ...]]:
    """Assign groups of clips to splits, one after the other, each where it does least harm.

    With x the share of a label's clips that a split has, and f the share it should have, the sum
    of x^2 / f over the splits is least, namely 1, if x = f for all of them. Each group goes where
    it adds least to that, summed over the labels; the plain number of clips counts like one more
    label with twice the weight of all others. Groups that hold much of a label come first, for they
    are hardest to place; among equals chance decides.

    Args:
        name: of the corpus, for messages.
        targets: (clips, labels) of 0 and 1.
        groups: the group of each clip.
        fractions: name of each split -> its share of the clips.
        labels: the names of the columns, for messages.
        seed: of the chance.

    Returns:
        For each split the indices of its clips, ascending.

    Raises:
        ConfigError: the fractions do not sum to 1; there are fewer groups than splits; or a label
            that clips have is missing from the split "train".
    """
    shares = _checked_shares(name, fractions)
    _, group_of = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    count = int(group_of.max(initial=-1)) + 1
    if count < len(fractions):
        raise ConfigError(
            f"{name}: {len(group_of)} clips in {count} groups, which cannot be divided into "
            f"{len(fractions)} splits ({', '.join(fractions)}), since no group is torn apart. "
            "Bring more groups, or ask for fewer splits."
        )
    held = _held(targets, group_of, count)
    split_of = _assign(held, shares, np.random.default_rng(seed))
    splits = {
        split: tuple(np.flatnonzero(split_of[group_of] == i).tolist())
        for i, split in enumerate(fractions)
    }
    _check_train(name, targets, splits, labels)
    return splits


def _checked_shares(name: str, fractions: Mapping[str, float]) -> np.ndarray:
    """Return the fractions as an array that sums to 1."""
    shares = np.array(list(fractions.values()), float)
    if len(shares) == 0 or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-3:
        raise ConfigError(
            f"{name}: fractions={dict(fractions)} sum to {shares.sum():g}; expected a positive "
            'number for each split, together 1, such as {"train": 0.8, "test": 0.2}.'
        )
    return shares / shares.sum()


def _held(targets: np.ndarray, group_of: np.ndarray, groups: int) -> np.ndarray:
    """Return which share of each label's clips a group holds, and last of all clips."""
    columns = [*targets.T, np.ones(len(targets), np.float32)]
    held = np.stack([np.bincount(group_of, column, groups) for column in columns], axis=1)
    return held / np.maximum(held.sum(0), 1)  # (groups, labels + 1)


def _assign(held: np.ndarray, shares: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return the split of each group."""
    order = chance.permutation(len(held))
    order = order[np.argsort(-held[order].max(1), kind="stable")]
    weights = np.ones(held.shape[1])
    weights[-1] = 2 * max(len(weights) - 1, 1)
    filled = np.zeros((len(shares), held.shape[1]))
    split_of = np.zeros(len(held), int)
    for left, group in zip(range(len(held), 0, -1), order, strict=True):
        x = held[group]
        harm = ((2 * filled + x) * x / shares[:, None]) @ weights  # of (filled + x)^2 - filled^2
        empty = ~filled[:, -1].astype(bool)
        if left <= empty.sum():  # each of those that are left is needed for a split of its own
            harm[~empty] = np.inf
        split_of[group] = best = int(harm.argmin())
        filled[best] += x
    return split_of


def _check_train(
    name: str, targets: np.ndarray, splits: Mapping[str, Sequence[int]], labels: Sequence[str]
) -> None:
    """Raise if "train" lacks a label that clips have."""
    if "train" not in splits:
        return
    absent = targets.any(0) & ~targets[list(splits["train"])].any(0)
    if lacking := np.flatnonzero(absent).tolist():
        names = ", ".join(labels[i] for i in lacking)
        raise ConfigError(
            f'{name}: divided like this, "train" has no clip of: {names}. Too few groups have '
            "them: bring more, leave these labels out with Corpus.rename({label: None}), or try "
            "another seed or other fractions."
        )
