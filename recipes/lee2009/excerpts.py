"""Excerpts of 3 s of the games' music, and networks' outputs for them; both are kept in a folder.

A track gives one excerpt for every `EVERY` seconds, at most `MOST`, as far from each other as it
allows. Without this limit the few longest games would fill the set.
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
SAMPLES = 48128  # the teachers' segment; lee2009 takes the first 48,000
EVERY, MOST = 20, 12


class Excerpts(NamedTuple):
    """Excerpts of some tracks; the name of a track, in `names`, changes with its content."""

    names: tuple[str, ...]
    sounds: tuple[np.ndarray, ...]  # one for each track, (excerpts, samples) int16
    packages: tuple[str, ...]

    @property
    def hours(self) -> float:
        """Length of all excerpts together."""
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
        last = max(0, file.frames - 2 * length)  # a file may be a little shorter than it says
        for start in np.linspace(0, last, count).astype(int):
            file.seek(start)
            piece = file.read(length, dtype="float32")
            piece = audio.load((piece, file.samplerate), RATE)[:samples]
            pieces.append(np.pad(piece, (0, samples - len(piece))))
    return np.round(np.clip(np.stack(pieces), -1, 1) * 32767).astype("int16")


def kept(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array in a file; make the file if it does not exist."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as new:
            np.save(new, make())
    return np.load(file)


def of_games(folder: Path, split: str, state: Path) -> Excerpts:
    """Cut the tracks of a split; print which packages are missing.

    Args:
        folder: the folder that `recipes/corpus/build.py` filled.
        split: "train", "validation" or "test".
        state: the folder in which excerpts are kept.
    """
    wanted = [t for t in games.read() if t.split == split]
    there = [t for t in wanted if (folder / "games" / t.file).is_file()]
    if absent := sorted({t.package for t in wanted} - {t.package for t in there}):
        print(f"{split}: no track of {', '.join(absent)}: run recipes/corpus/build.py")
    names, sounds = [], []
    for t in progress(there, f"excerpts, {split}"):
        count = int(np.clip(t.seconds // EVERY, 1, MOST))
        names.append(f"{t.package}-{t.sha256[:12]}-{count}")
        path, file = folder / "games" / t.file, state / "excerpts" / f"{names[-1]}.npy"
        sounds.append(kept(file, lambda path=path, count=count: cut(path, count)))
    return Excerpts(tuple(names), tuple(sounds), tuple(t.package for t in there))


def outputs(
    what: str,
    network: Callable[[np.ndarray], np.ndarray],
    names: Sequence[str],
    sounds: Sequence[np.ndarray],
    state: Path,
) -> np.ndarray:
    """Return a network's outputs for excerpts: (all excerpts, values) float32.

    Args:
        what: the name of the network's outputs.
        network: (excerpts, samples) float32 to (excerpts, values).
        names: names of the tracks.
        sounds: excerpts of the tracks, int16.
        state: the folder in which outputs are kept, a file for each track.
    """
    files = [state / "outputs" / what / f"{name}.npy" for name in names]
    todo = [i for i, file in enumerate(files) if not file.is_file()]
    for some in progress(groups(todo, [len(sound) for sound in sounds]), what):
        together = np.concatenate([sounds[i] for i in some]).astype("float32") / 32768
        ends = np.cumsum([len(sounds[i]) for i in some])
        for i, output in zip(some, np.split(network(together), ends[:-1]), strict=True):
            kept(files[i], lambda output=output: output)
    return np.concatenate([np.load(file) for file in files]).astype("float32")


def groups(indices: Sequence[int], sizes: Sequence[int], most: int = 60) -> list[list[int]]:
    """Group tracks, in order; a group is full when it has `most` excerpts."""
    found: list[list[int]] = []
    count = most
    for i in indices:
        if count >= most:
            found.append([])
            count = 0
        found[-1].append(i)
        count += sizes[i]
    return found
