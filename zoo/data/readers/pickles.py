"""Reader of the pickles in which datasets come: lists, dictionaries, strings and arrays."""

import io
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.utils import unpickling

NAMES = unpickling.NUMPY | {
    ("numpy._core.multiarray", "_reconstruct"): unpickling.Array,
    ("_codecs", "encode"): unpickling.Text,
}


def read(path: Path) -> Any:
    """Read a pickle of plain things.

    Returns:
        What it holds; arrays as objects with an attribute `values`.

    Raises:
        ConfigError: it is damaged, or asks for anything but NumPy's arrays of plain numbers.
    """
    try:
        with open(path, "rb") as file:
            content = io.BytesIO(file.read())
        return unpickling.load(content, NAMES)
    except unpickling.Refused as refusal:
        raise ConfigError(f"{path}: not read, for this pickle {refusal}.") from None
