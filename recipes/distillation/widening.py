"""Widen a trained network: give a wider one weights with which it has the same outputs.

Tianqi Chen, Ian Goodfellow, Jonathon Shlens, "Net2Net: accelerating learning via knowledge
transfer", ICLR 2016 (arXiv 1511.05641), section 3.2: every filter is repeated, and the next
layer's weights are divided by the number of copies. A little noise makes the copies differ.
"""

from collections.abc import Sequence

import keras
import numpy as np

NOISE = 0.2  # of the standard deviation of a kernel; ours


def widened(narrow: keras.Model, wide: keras.Model) -> Sequence[np.ndarray]:
    """Return values for the variables of the wider network, a whole number of times as wide."""
    rng = np.random.default_rng(0)
    values = []
    for before, after in zip(narrow.variables, wide.variables, strict=True):
        value = np.asarray(before)
        for axis, (width, wanted) in enumerate(zip(before.shape, after.shape, strict=True)):
            times, left = divmod(wanted, width)
            if left:
                raise ValueError(f"{after.path}: {wanted} is no multiple of {width}")
            value = np.repeat(value, times, axis)
            if times > 1 and axis == value.ndim - 2:  # the input axis
                value = value / times
        if value.ndim > 1 and value.shape != before.shape:
            value = value + NOISE * value.std() * rng.normal(size=value.shape)
        values.append(value.astype(before.dtype))
    return values
