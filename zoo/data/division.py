"""Dividing clips into splits without common groups and with similar shares of labels."""

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
    """Assign groups of clips to splits, one by one, each to the split with the lowest cost.

    Let x be a split's share of a label's clips, and f the share it should have. The sum of x^2 / f
    over the splits has its minimum, 1, if x = f for all splits. Each group is assigned to the split
    where it adds least to that sum, over all labels. The number of clips is treated as one more
    label, with twice the weight of all others. Groups with a large share of a label come first,
    since they are hardest to place; equal groups come in random order.

    Args:
        name: of the corpus, for messages.
        targets: (clips, labels) of 0 and 1.
        groups: the group of each clip.
        fractions: name of each split -> its share of the clips.
        labels: the names of the columns, for messages.
        seed: of the random order.

    Returns:
        For each split the indices of its clips, ascending.

    Raises:
        ConfigError: the fractions do not sum to 1; there are fewer groups than splits; or "train"
            has no clip of a label.
    """
    shares = _checked_shares(name, fractions)
    _, group_of = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    count = int(group_of.max(initial=-1)) + 1
    if count < len(fractions):
        raise ConfigError(
            f"{name}: {len(group_of)} clips in {count} groups cannot be divided into "
            f"{len(fractions)} splits ({', '.join(fractions)}), since each group stays in one "
            "split. Add groups, or give fewer splits."
        )
    split_of = _assign(_contents(targets, group_of, count), shares, np.random.default_rng(seed))
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


def _contents(targets: np.ndarray, group_of: np.ndarray, groups: int) -> np.ndarray:
    """Return each group's share of the clips of each label, and last of all clips."""
    columns = [*targets.T, np.ones(len(targets), np.float32)]
    counts = np.stack([np.bincount(group_of, column, groups) for column in columns], axis=1)
    return counts / np.maximum(counts.sum(0), 1)  # (groups, labels + 1)


def _assign(contents: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the split of each group."""
    order = rng.permutation(len(contents))
    order = order[np.argsort(-contents[order].max(1), kind="stable")]
    weights = np.ones(contents.shape[1])
    weights[-1] = 2 * max(len(weights) - 1, 1)
    filled = np.zeros((len(shares), contents.shape[1]))
    split_of = np.zeros(len(contents), int)
    for left, group in zip(range(len(contents), 0, -1), order, strict=True):
        x = contents[group]
        cost = ((2 * filled + x) * x / shares[:, None]) @ weights  # (filled + x)^2 - filled^2
        empty = ~filled[:, -1].astype(bool)
        if left <= empty.sum():  # each remaining group must fill an empty split
            cost[~empty] = np.inf
        split_of[group] = best = int(cost.argmin())
        filled[best] += x
    return split_of


def _check_train(
    name: str, targets: np.ndarray, splits: Mapping[str, Sequence[int]], labels: Sequence[str]
) -> None:
    """Raise ConfigError if "train" has no clip of a label that other clips have."""
    if "train" not in splits:
        return
    absent = targets.any(0) & ~targets[list(splits["train"])].any(0)
    if lacking := np.flatnonzero(absent).tolist():
        names = ", ".join(labels[i] for i in lacking)
        raise ConfigError(
            f'{name}: in this division "train" has no clip of: {names}. Too few groups have '
            "these labels: add groups, remove the labels with Corpus.rename({label: None}), or try "
            "another seed or other fractions."
        )
