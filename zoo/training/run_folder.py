"""The folder of a training run: what was asked for, how far it came, and what came of it.

In the folder lie:

    settings.json   what was asked for; a run goes on only where it is the same
    state.npz       after every epoch: all that is needed to go on; gone in the end
    history.csv     a row an epoch
    history.png     the same as a figure
    model.keras     the best network; there only if the run is over
    LICENSE         that of the weights that it started from, where they came with one
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpus import Corpus
from zoo.errors import ConfigError
from zoo.training.history import Row, write_history
from zoo.utils.files import PathLike, replacing
from zoo.utils.version import __version__

MODEL, SETTINGS, STATE = "model.keras", "settings.json", "state.npz"
HISTORY, PICTURE, LICENCE = "history.csv", "history.png", "LICENSE"
"""An epoch: "phase", "epoch" from 1 on, "learning_rate", "loss", "val_loss" and a score."""


class Run:
    """A folder, or, without one, nothing: then all stays in memory.

    Args:
        folder: made if need be; None for none.
        settings: all that the outcome depends on, as JSON can hold it.

    Raises:
        ConfigError: the folder holds a finished run, one with other settings, or something else.
    """

    def __init__(self, folder: PathLike | None, settings: Mapping[str, Any]):
        self.folder = None if folder is None else Path(folder)
        self.settings = json.loads(json.dumps({"zoo": __version__, **settings}))
        if self.folder is not None:
            check_free(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._go_on_or_begin()
            self._write(self.settings)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `keep` was last given; nothing if there is nothing to go on from."""
        if self.folder is None or not (self.folder / STATE).is_file():
            return {}
        with np.load(self.folder / STATE) as kept:
            return dict(kept)

    def keep(self, state: Mapping[str, Any], rows: Sequence[Row]) -> None:
        """Write the state, then the history, each so that a half-written one is never seen."""
        if self.folder is None:
            return
        with replacing(self.folder / STATE) as file:
            np.savez(file, **dict(state))
        write_history(rows, self.folder / HISTORY)

    def once(
        self, name: str, make: Callable[[], Mapping[str, np.ndarray]]
    ) -> Mapping[str, np.ndarray]:
        """Return arrays that take long to make: from the folder, if they were made before."""
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            arrays = make()
            with replacing(path) as file:
                np.savez(file, **dict(arrays))  # type: ignore[arg-type]
            return arrays
        with np.load(path) as kept:
            return dict(kept)

    def finish(self, model, rows: Sequence[Row], best: Row, licence: bytes | None) -> None:
        """Write what the run was for, the model last, and remove what was needed on the way."""
        if self.folder is None:
            return
        from zoo.training import curves

        write_history(rows, self.folder / HISTORY)
        curves.history(rows, best, model.name, self.folder / PICTURE)
        if licence is not None:
            (self.folder / LICENCE).write_bytes(licence)
        self._write({**self.settings, "best": best})
        part = self.folder / f"part.{MODEL}"
        model.save(part)
        os.replace(part, self.folder / MODEL)
        for path in self.folder.glob("*.npz"):
            path.unlink()

    def _go_on_or_begin(self) -> None:
        """Raise ConfigError if the folder holds epochs of a run with other settings."""
        assert self.folder is not None
        if not (self.folder / SETTINGS).is_file():
            return
        try:
            before = json.loads((self.folder / SETTINGS).read_bytes())
        except ValueError as error:
            raise ConfigError(f"{self.folder / SETTINGS} cannot be read: {error}.") from error
        changes = list(_changes(before, self.settings))
        if changes and (self.folder / STATE).is_file():
            raise ConfigError(
                f"{self.folder} holds an interrupted run with other settings, which cannot go on "
                f"with these: {'; '.join(changes)}. Ask for what it was begun with, or name "
                "another folder."
            )
        for path in self.folder.glob("*.npz") if changes else ():
            path.unlink()  # of a run that had not come to its first epoch

    def _write(self, settings: Mapping[str, Any]) -> None:
        with replacing(self.folder / SETTINGS) as file:  # type: ignore[operator]
            file.write(json.dumps(settings, indent=1, ensure_ascii=False).encode())


def describe(corpus: Corpus) -> dict[str, Any]:
    """Return what tells a corpus from another: its clips, their tags, the sizes of their files."""
    digest = hashlib.sha256()
    for clip in corpus.clips:
        try:
            size = os.stat(clip.path).st_size
        except OSError:
            size = -1
        digest.update(f"{clip.name}\t{size}\t{clip.tags}\n".encode("utf-8", "surrogateescape"))
    return {
        "name": corpus.name,
        "clips": len(corpus),
        "labels": list(corpus.labels),
        "sha256": digest.hexdigest(),
    }


def check_free(folder: Path) -> None:
    """Raise ConfigError if a folder holds a finished run, or something else."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder} is a file; the results need a folder. Name another.")
    if (folder / MODEL).exists():
        raise ConfigError(
            f"{folder} holds a finished run: {MODEL}. Name another folder, or delete this one."
        )
    if not (folder / SETTINGS).is_file() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} is not empty, and what is in it is no run of training: it has no "
            f"{SETTINGS}. Name another folder."
        )


def _changes(before: Any, after: Any, name: str = "") -> Iterable[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _changes(before.get(key), after.get(key), f"{name}.{key}" if name else key)
    elif before != after:
        yield f"{name or 'they'} was {_short(before)} and is {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
