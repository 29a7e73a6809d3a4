"""Weights must be numbers. Loads no framework."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from zoo.errors import WeightsError


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
