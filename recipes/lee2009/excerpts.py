"""Excerpts of 3 s of the games' music, and what networks say of them; both kept in a folder.

A track gives one excerpt for every `EVERY` seconds, at most `MOST`, as far from each other as it
allows: otherwise the few longest games would fill the set.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from rich.progress import track as progress

from zoo import audio
from zoo.utils.files import replacing

sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))
import games

RATE = 16000
SAMPLES = 48128  # what the teachers hear at once; lee2009 hears the first 48,000
EVERY, MOST = 20, 12


class Excerpts(NamedTuple):
    """Excerpts of some tracks; `names` has a name a track that changes with what is in it."""

    names: tuple[str, ...]
    sounds: tuple[np.ndarray, ...]  # a track each, (excerpts, samples) int16
    packages: tuple[str, ...]

    @property
    def hours(self) -> float:
        """How long all of them last."""
        return sum(map(len, self.sounds)) * SAMPLES / RATE / 3600

    def __str__(self) -> str:
        games = len(set(self.packages))
        count = sum(map(len, self.sounds))
        return f"{count} excerpts, {self.hours:.2f} h, of {len(self.names)} tracks in {games} games"


def cut(path: Path, count: int, samples: int = SAMPLES) -> np.ndarray:
    """Read pieces of a file, as far from each other as it allows: (count, samples) int16."""
    pieces = []
    with soundfile.SoundFile(path) as file:
        length = -(-samples * file.samplerate // RATE)
        last = max(0, file.frames - 2 * length)  # a file may hold a little less than it says
        for start in np.linspace(0, last, count).astype(int):
            file.seek(start)
            piece = file.read(length, dtype="float32")
            piece = audio.load((piece, file.samplerate), RATE)[:samples]
            pieces.append(np.pad(piece, (0, samples - len(piece))))
    return np.round(np.clip(np.stack(pieces), -1, 1) * 32767).astype("int16")


def kept(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array in a file, which is made first if need be."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as new:
            np.save(new, make())
    return np.load(file)


def of_games(folder: Path, split: str, state: Path) -> Excerpts:
    """Cut the tracks of a split; say which are not there.

    Args:
        folder: that `recipes/corpus/build.py` filled.
        split: "train", "validation" or "test".
        state: excerpts are kept in it.
    """
    wanted = [t for t in games.read() if t.split == split]
    there = [t for t in wanted if (folder / "games" / t.file).is_file()]
    if absent := sorted({t.package for t in wanted} - {t.package for t in there}):
        print(f"{split}: nothing of {', '.join(absent)}: see recipes/corpus/build.py")
    names, sounds = [], []
    for t in progress(there, f"excerpts, {split}"):
        count = int(np.clip(t.seconds // EVERY, 1, MOST))
        names.append(f"{t.package}-{t.sha256[:12]}-{count}")
        path, file = folder / "games" / t.file, state / "excerpts" / f"{names[-1]}.npy"
        sounds.append(kept(file, lambda path=path, count=count: cut(path, count)))
    return Excerpts(tuple(names), tuple(sounds), tuple(t.package for t in there))


def heard(
    what: str,
    network: Callable[[np.ndarray], np.ndarray],
    names: Sequence[str],
    sounds: Sequence[np.ndarray],
    state: Path,
) -> np.ndarray:
    """Let a network hear excerpts: (all excerpts, values) float32; kept a track a file.

    Args:
        what: the name of the network's answers.
        network: (excerpts, samples) float32 to (excerpts, values).
        names: of the tracks.
        sounds: of the tracks, int16.
        state: answers are kept in it.
    """
    files = [state / "heard" / what / f"{name}.npy" for name in names]
    todo = [i for i, file in enumerate(files) if not file.is_file()]
    for some in progress(groups(todo, [len(sound) for sound in sounds]), what):
        together = np.concatenate([sounds[i] for i in some]).astype("float32") / 32768
        ends = np.cumsum([len(sounds[i]) for i in some])
        for i, answer in zip(some, np.split(network(together), ends[:-1]), strict=True):
            kept(files[i], lambda answer=answer: answer)
    return np.concatenate([np.load(file) for file in files]).astype("float32")


def groups(indices: Sequence[int], sizes: Sequence[int], most: int = 60) -> list[list[int]]:
    """Put tracks together, in order, until a group has so many excerpts."""
    found: list[list[int]] = []
    held = most
    for i in indices:
        if held >= most:
            found.append([])
            held = 0
        found[-1].append(i)
        held += sizes[i]
    return found
