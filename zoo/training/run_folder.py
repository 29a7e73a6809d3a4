"""The folder of a training run: its settings, its state and its result.

Its files:

    settings.json   all that the result depends on; a run resumes only with the same settings; at
                    the end also the best epoch and a hash of each training file
    state.npz       written after every epoch; all that a run needs to resume; removed last
    history.csv     a row for each epoch
    history.png     the history as a figure
    model.keras     the best network; written last
    LICENSE         the licence of the first weights, if they have one

Each file is written under another name and then renamed. So a run can be killed at any time and
resumes. It is finished if there is a model and no state.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpus import Corpus
from zoo.errors import ConfigError
from zoo.inference.audio_model import AudioModel
from zoo.registry import saved
from zoo.training.history import Row, write_history
from zoo.utils.files import PathLike, replacing, write_text
from zoo.utils.version import __version__

MODEL, SETTINGS, STATE = "model.keras", "settings.json", "state.npz"
HISTORY, PICTURE, LICENCE = "history.csv", "history.png", "LICENSE"
LOCK, PART = ".lock", f"part.{MODEL}"
LEFT_BEHIND = re.compile(rf"\.[0-9a-f]{{32}}\.part|{re.escape(PART)}|{re.escape(LOCK)}")
"""Names of files that a killed run leaves: unfinished files and its lock."""


class Run:
    """The folder of one training run, for a `with` statement.

    Args:
        folder: created if missing; None writes nothing.
        settings: all that the result depends on, in types that JSON can store.

    Raises:
        ConfigError: on entering: the folder holds a finished run, a run with other settings, or
            something else; or another training is writing to it.
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
                f"another training is writing to {self.folder}. Wait until it ends, or give "
                "another folder."
            ) from None
        try:
            check_free(self.folder)  # another training may have finished in the meantime
            for path in self.folder.iterdir():
                if LEFT_BEHIND.fullmatch(path.name) and path.name != LOCK:
                    path.unlink()
            self._check_settings()
            self._write(self.settings)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder is not None:
            with suppress(OSError):  # Windows removes it only on release
                (self.folder / LOCK).unlink()
            self._lock.release()

    def state(self) -> dict[str, np.ndarray]:
        """Return the last saved state.

        Returns:
            Name -> array; empty if no state was saved.

        Raises:
            ConfigError: the file is damaged.
        """
        if self.folder is None or not (self.folder / STATE).is_file():
            return {}
        return _arrays(self.folder / STATE)

    def keep(self, state: Mapping[str, Any], rows: Sequence[Row]) -> None:
        """Save the state, then the history.

        Args:
            state: name -> array.
            rows: the history.
        """
        if self.folder is None:
            return
        with replacing(self.folder / STATE) as file:
            np.savez(file, **dict(state))
        write_history(rows, self.folder / HISTORY)

    def once(
        self, name: str, make: Callable[[], Mapping[str, np.ndarray]]
    ) -> Mapping[str, np.ndarray]:
        """Return arrays that take long to compute; compute them only if the folder lacks them.

        Args:
            name: of the file, without suffix.
            make: computes the arrays.

        Returns:
            Name -> array.

        Raises:
            ConfigError: the file is damaged.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            arrays = make()
            with replacing(path) as file:
                np.savez(file, **dict(arrays))  # type: ignore[arg-type]
            return arrays
        return _arrays(path)

    def finish(
        self, model: AudioModel, rows: Sequence[Row], best: Row, licence: bytes | None
    ) -> None:
        """Write the results, the model last; then remove temporary files, the state last.

        Args:
            model: with the best weights.
            rows: the history.
            best: the row of the best epoch.
            licence: text of the licence of the first weights; None for none.
        """
        if self.folder is None:
            return
        from zoo.training import curves

        write_history(rows, self.folder / HISTORY)
        curves.history(rows, best, saved.as_name(self.folder.resolve().name), self.folder / PICTURE)
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

    def _check_settings(self) -> None:
        """Raise ConfigError if the folder holds epochs of a run with other settings."""
        assert self.folder is not None
        if not (self.folder / SETTINGS).is_file():
            return
        try:
            before = json.loads((self.folder / SETTINGS).read_bytes())
            if not isinstance(before, dict):
                raise ValueError("it holds no settings")
        except ValueError as error:
            raise ConfigError(
                f"{self.folder / SETTINGS} is damaged: {error}. Delete the folder {self.folder} to "
                "start again, or give another one."
            ) from error
        for result in ("best", "trained_on"):  # the run was killed while it wrote its results
            before.pop(result, None)
        if "monitor" in self.settings:
            before.setdefault("monitor", "loss")  # of runs that did not save it
        changes = list(_changes(before, self.settings))
        if changes and (self.folder / STATE).is_file():
            raise ConfigError(
                f"{self.folder} holds an interrupted run with other settings, so it cannot be "
                f"resumed: {'; '.join(changes)}. Give the settings of that run, or another folder."
            )
        for path in self.folder.glob("*.npz") if changes else ():
            path.unlink()  # of a run that was killed before its first epoch

    def _write(self, settings: Mapping[str, Any]) -> None:
        text = json.dumps(settings, indent=1, ensure_ascii=False)
        write_text(text, self.folder / SETTINGS)  # type: ignore[operator]


def describe(corpus: Corpus) -> dict[str, Any]:
    """Describe a corpus for settings.json, to detect changes.

    Args:
        corpus: the clips.

    Returns:
        Name, number of clips, labels, and a hash of names, file sizes, tags and onsets.
    """
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
    """Check that a run can be written to a folder.

    Args:
        folder: missing, empty, or with an interrupted run.

    Raises:
        ConfigError: it is a file, or holds a finished run or something else.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder} is a file; the results need a folder. Give another.")
    if (folder / MODEL).exists() and not (folder / STATE).exists():
        raise ConfigError(
            f"{folder} holds a finished run: {MODEL}. Give another folder, or delete this one."
        )
    others = (path for path in folder.iterdir() if not LEFT_BEHIND.fullmatch(path.name))
    if not (folder / SETTINGS).is_file() and any(others):
        raise ConfigError(
            f"{folder} is not empty and holds no training run: it has no {SETTINGS}. Give another "
            "folder."
        )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Read saved arrays.

    Raises:
        ConfigError: the file is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return dict(saved)
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds
        raise ConfigError(
            f"{path} is damaged, so the run cannot be resumed: {error}. Delete the folder "
            f"{path.parent} to start again, or give another one."
        ) from error


def _changes(old: Any, new: Any, name: str = "") -> Iterable[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name or 'they'} was {_short(old)} and is {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
