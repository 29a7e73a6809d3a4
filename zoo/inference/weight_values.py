"""Weights must be all that a network has, and numbers. Loads no framework."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from zoo.errors import WeightsError


def check(wanted: Collection[str], tensors: Mapping[str, Any], name: str) -> None:
    """Check that weights are those of a network, and finite.

    Args:
        wanted: paths of the network's variables.
        tensors: path -> array.
        name: of the model, for the messages.

    Raises:
        WeightsError: weights are missing, there are others, or some are no numbers.
    """
    missing, extra = set(wanted) - tensors.keys(), tensors.keys() - set(wanted)
    if missing or extra:
        raise WeightsError(
            f"the weights of {name} do not fit: the network also has {sorted(missing)}, "
            f"the file also has {sorted(extra)}."
        )
    check_finite(tensors.items(), name)


def check_finite(arrays: Iterable[tuple[str, Any]], name: str) -> None:
    """Check the weights of a model.

    Args:
        arrays: name and values of each.
        name: of the model or its file, for the message.

    Raises:
        WeightsError: a weight is NaN or infinite, so that all results would be.
    """
    for path, array in arrays:
        values = np.asarray(array)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise WeightsError(
                f"the weights of {name} are not all numbers: {path} has NaN or infinite values. "
                "The file is damaged, or its training had failed."
            )
