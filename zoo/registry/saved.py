"""What a saved model says of itself, read from its file. Nothing in here loads a framework."""

import json
import os
import re
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError

MODEL, SETTINGS = "model.keras", "settings.json"  # in the folder of a training
HDF5 = (".h5", ".hdf5")  # Keras's older format
SUFFIXES = (".keras", *HDF5, ".onnx")


def is_file_name(name: str | os.PathLike[str], known: bool) -> bool:
    """Say whether a name means a saved file or a folder of one, and not a model of the zoo.

    Args:
        name: what a user gave.
        known: whether a model of the zoo has that name.
    """
    if not isinstance(name, str) or name.endswith(SUFFIXES) or os.sep in name:
        return True
    return not known and Path(name).is_dir()


def find(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return the file of a saved model, and what the model is called.

    Args:
        path: the file, which names it ("mine" for mine.keras), or the folder of a training, whose
            own name it has.

    Raises:
        FileNotFoundError: there is none.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / MODEL).is_file():
            raise FileNotFoundError(
                f"there is no {MODEL} in the folder {path}; if a training was interrupted, the "
                "command that began it goes on."
            )
        path = path / MODEL
    if not path.is_file():
        raise FileNotFoundError(f"there is no saved model at {path}.")
    in_run = path.name == MODEL and (path.parent / SETTINGS).is_file()
    return path, as_name(path.resolve().parent.name if in_run else path.stem)


def as_name(text: str) -> str:
    """Return a text as a name that all of Keras's backends take.

    >>> as_name("Übung 2 (new)")
    'Ubung-2-new'
    """
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.]+", "-", letters).strip("-_") or "model"


def read_config(path: Path) -> dict[str, Any]:
    """Return the arguments that `AudioModel` was saved with.

    Raises:
        ConfigError: the file holds something else, or is damaged.
    """
    try:
        if path.suffix in HDF5:
            import h5py

            with h5py.File(path) as file:
                content = json.loads(file.attrs["model_config"])
        else:
            with zipfile.ZipFile(path) as archive:
                content = json.loads(archive.read("config.json"))
    except Exception as error:  # zipfile, zlib and h5py raise many kinds
        raise ConfigError(
            f"{path} is not a saved Keras model, or is damaged: {error}. Expected is what "
            "model.save wrote, a .keras or .h5 file."
        ) from error
    kind = content.get("class_name") if isinstance(content, dict) else None
    if kind != "AudioModel":
        raise ConfigError(
            f"{path} holds a {kind}, not a model of the zoo. keras.saving.load_model may read it."
        )
    return content["config"]
