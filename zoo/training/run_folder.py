"""The folder of a training run: its settings, its state and its result.

In the folder lie:

    settings.json   what the result depends on; a run goes on only where it is the same; in the end
                    also the best epoch, and a hash of each training file
    state.npz       after every epoch: all that is needed to go on; removed last of all
    history.csv     a row an epoch
    history.png     the same as a figure
    model.keras     the best network; written last
    LICENSE         that of the weights that it started from, where they came with one

Each file is written under another name and takes its place at once. So a run that is killed at any
time goes on: it is over when there is a model and no state.
"""

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
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
LOCK, PART = ".lock", f"part.{MODEL}"
LEFT_BEHIND = re.compile(rf"\.[0-9a-f]{{32}}\.part|{re.escape(PART)}|{re.escape(LOCK)}")
"""Names of files that a killed run leaves: those that were being written, and its lock."""


class Run:
    """A folder that one training at a time writes to; used in a `with` statement.

    Args:
        folder: made if need be; None keeps everything in memory.
        settings: all that the outcome depends on, as JSON can hold it.

    Raises:
        ConfigError: on entering: the folder holds a finished run, one with other settings, or
            something else; or another training writes to it.
    """

    def __init__(self, folder: PathLike | None, settings: Mapping[str, Any]):
        self.folder = None if folder is None else Path(folder)
        self.settings = json.loads(json.dumps({"zoo": __version__, **settings}))

    def __enter__(self) -> "Run":
        if self.folder is None:
            return self
        from filelock import FileLock, Timeout

        check_free(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ConfigError(
                f"another training writes to {self.folder} now. Wait until it ends, or name "
                "another folder."
            ) from None
        try:
            check_free(self.folder)  # another training may have finished it meanwhile
            for path in self.folder.iterdir():
                if LEFT_BEHIND.fullmatch(path.name) and path.name != LOCK:
                    path.unlink()
            self._go_on_or_begin()
            self._write(self.settings)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder is not None:
            with suppress(OSError):  # Windows removes it on release, and not before
                (self.folder / LOCK).unlink()
            self._lock.release()

    def state(self) -> dict[str, np.ndarray]:
        """Return what `keep` was last given; nothing if there is nothing to go on from."""
        if self.folder is None or not (self.folder / STATE).is_file():
            return {}
        return _arrays(self.folder / STATE)

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
        return _arrays(path)

    def finish(self, model, rows: Sequence[Row], best: Row, licence: bytes | None) -> None:
        """Write the results, the model last; then remove what is needed to go on, the state last.

        Args:
            model: the best network.
            rows: the history.
            best: the row that the model is of.
            licence: of the weights that it started from, if it must go with the model.
        """
        if self.folder is None:
            return
        from zoo.training import curves

        write_history(rows, self.folder / HISTORY)
        curves.history(rows, best, model.name, self.folder / PICTURE)
        if licence is not None:
            with replacing(self.folder / LICENCE) as file:
                file.write(licence)
        self._write({**self.settings, "best": best, "trained_on": sorted(model.trained_on)})
        part = self.folder / PART
        try:
            model.save(part)
            os.replace(part, self.folder / MODEL)
        finally:
            part.unlink(missing_ok=True)
        for path in self.folder.glob("*.npz"):
            if path.name != STATE:
                path.unlink()
        (self.folder / STATE).unlink(missing_ok=True)

    def _go_on_or_begin(self) -> None:
        """Raise ConfigError if the folder holds epochs of a run with other settings."""
        assert self.folder is not None
        if not (self.folder / SETTINGS).is_file():
            return
        try:
            before = json.loads((self.folder / SETTINGS).read_bytes())
        except ValueError as error:
            raise ConfigError(f"{self.folder / SETTINGS} cannot be read: {error}.") from error
        for result in ("best", "trained_on"):  # of a run that was killed while it wrote its result
            before.pop(result, None)
        if "monitor" in self.settings:
            before.setdefault("monitor", "loss")  # what all runs did before there was a choice
        changes = list(_changes(before, self.settings))
        if changes and (self.folder / STATE).is_file():
            raise ConfigError(
                f"{self.folder} holds an interrupted run with other settings, which cannot go on "
                f"with these: {'; '.join(changes)}. Give the settings that it was begun with, or "
                "name another folder."
            )
        for path in self.folder.glob("*.npz") if changes else ():
            path.unlink()  # of a run that had not come to its first epoch

    def _write(self, settings: Mapping[str, Any]) -> None:
        with replacing(self.folder / SETTINGS) as file:  # type: ignore[operator]
            file.write(json.dumps(settings, indent=1, ensure_ascii=False).encode())


def describe(corpus: Corpus) -> dict[str, Any]:
    """Return what tells a corpus from another: clips, tags, onsets, the files' sizes."""
    digest = hashlib.sha256()
    for clip in corpus.clips:
        try:
            size = os.stat(clip.path).st_size
        except OSError:
            size = -1
        onsets = "" if clip.onsets is None else f"\t{clip.onsets}"
        text = f"{clip.name}\t{size}\t{clip.tags}{onsets}\n"
        digest.update(text.encode("utf-8", "surrogateescape"))
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
    if (folder / MODEL).exists() and not (folder / STATE).exists():
        raise ConfigError(
            f"{folder} holds a finished run: {MODEL}. Name another folder, or delete this one."
        )
    others = (path for path in folder.iterdir() if not LEFT_BEHIND.fullmatch(path.name))
    if not (folder / SETTINGS).is_file() and any(others):
        raise ConfigError(
            f"{folder} is not empty, and what is in it is no run of training: it has no "
            f"{SETTINGS}. Name another folder."
        )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what a run kept.

    Raises:
        ConfigError: it is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return dict(kept)
    except (EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(
            f"{path} is damaged, so the run cannot go on from it: {error}. Delete the folder "
            f"{path.parent} to begin again, or name another one."
        ) from error


def _changes(before: Any, after: Any, name: str = "") -> Iterable[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _changes(before.get(key), after.get(key), f"{name}.{key}" if name else key)
    elif before != after:
        yield f"{name or 'they'} was {_short(before)} and is {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
