"""Convert weights from the formats in which they were published to ours.

One file a format, each with ``read(path, member)``: foreign variable name -> array. The readers of
Keras's HDF5 files share `hdf5`.
"""

import importlib
from pathlib import Path

import numpy as np

from zoo.errors import WeightsError
from zoo.utils.lazy import framework_errors


def convert(
    file: Path, *, reader: str, member: str, architecture: str, adopt: str
) -> dict[str, np.ndarray]:
    """Read a foreign checkpoint and name its variables as ours.

    Args:
        file: the file as published, already verified.
        reader: module of this folder that knows its format, such as "tf1".
        member: what to read inside the file.
        architecture: model file whose variables these are.
        adopt: function of that file, from foreign names to our variable paths.

    Returns:
        Our variable path -> array, sorted by path, each array contiguous.

    Raises:
        WeightsError: if the file does not fit its format or the architecture.
        ConfigError: Keras, or what it runs on, is not installed; both are needed to convert.
    """
    # Imported here and not above: a model file imports Keras, and most loads convert nothing.
    with framework_errors():
        foreign = importlib.import_module(f"zoo.weights.convert.{reader}").read(file, member)
        mapping = getattr(importlib.import_module(f"zoo.models.{architecture}"), adopt)
    try:
        ours = mapping(foreign)
    except KeyError as missing:
        raise WeightsError(
            f"{file.name} {member!r} has no variable {missing}, "
            f"which {architecture}.{adopt} expects"
        ) from missing
    return {path: np.ascontiguousarray(ours[path]) for path in sorted(ours)}
