"""Reader of pickles in datasets: lists, dictionaries, strings and arrays."""

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
    """Read a pickle of plain types.

    Args:
        path: of the file.

    Returns:
        Its content; arrays as objects with an attribute `values`.

    Raises:
        ConfigError: it is damaged, or has other objects than plain types and NumPy's arrays.
    """
    try:
        with open(path, "rb") as file:
            content = io.BytesIO(file.read())
        return unpickling.load(content, NAMES)
    except unpickling.Refused as refusal:
        raise ConfigError(f"{path}: cannot be read, since this pickle {refusal}.") from None
