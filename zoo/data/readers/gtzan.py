"""GTZAN: 1,000 clips of 30 s in ten genres (Tzanetakis and Cook, 2002).

The files are `genres/<genre>/<genre>.00000.wav` to `.00099.wav`, or `.au` as first published, or
in `genres_original/` in later copies.

The collection has repeated, mislabelled and distorted clips (Sturm, "The GTZAN dataset: its
contents, its faults, their effects on evaluation, and its future use", 2013). The splits are the
fault-filtered ones, in which no artist is in two splits: Kereliuk, Sturm and Larsen, "Deep learning
and music adversaries", IEEE Transactions on Multimedia 17(11), 2015. Their lists were published in
github.com/coreyker/dnn-mgr; torchaudio and the code of Pons and of Won use the same numbers.
"""

import re
from pathlib import Path

from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import ConfigError

GENRES = (
    *("blues", "classical", "country", "disco", "hiphop"),
    *("jazz", "metal", "pop", "reggae", "rock"),
)
FOLDERS = ("genres", "genres_original", "Data/genres_original", ".")
SUFFIXES = (".wav", ".au")
CLIPS = 100  # of each genre

FILTERED = {
    "train": {
        "blues": "29-49 73-97",
        "classical": "30-33 43-48 50-67 80-99",
        "country": "19-26 28-29 65-99",
        "disco": "5 15-20 22-37 39-45 47 49 53-54 56-57 59 61 70 73-74 89",
        "hiphop": "2-25 28-29 31-38 41-42 55-61 77-80",
        "jazz": "0-1 11-24 41 47-72",
        "metal": "2-3 5 21 24 35 46-57 59-66 69 71-72 79-80 84 86 89-99",
        "pop": "2-9 11-12 16-20 23-29 31-36 38-42 44 46 49-50 80 97-99",
        "reggae": "0-2 4 6 9 11-12 14-32 42-45 49-51 54-60 63 69",
        "rock": "0-9 16-26 57-70 91-99",
    },
    "validation": {
        "blues": "0-11 50-60",
        "classical": "0-10 68-76",
        "country": "0-7 9-18 27 41-42 45 49",
        "disco": "0 2-4 6-14 46 48 52 67-68 72 75 90 95",
        "hiphop": "81-98",
        "jazz": "2-10 25-32",
        "metal": "0-1 6-11 16-20 36-37 68 76-77 81-82",
        "pop": "10 53 55 58-62 81 83-86",
        "reggae": "61-62 70 72 74 76-78 85 92-99",
        "rock": "38 49-56 71-85",
    },
    "test": {
        "blues": "12-28 61-72 98-99",
        "classical": "11-29 34-41 49 77-79",
        "country": "30-40 43-44 46-48 50-51 53-64",
        "disco": "1 21 58 62-66 69 76-88 91-94 96-97 99",
        "hiphop": "0 26-27 30 40 43-45 51-54 62-75 99",
        "jazz": "73-99",
        "metal": "12-15 22-23 25-33 38-39 67 70 73-75 78 83 85 87-88",
        "pop": "0-1 13-14 43 63-66 69-79 82 88-96",
        "reggae": "34-40 46-48 52-53 64-68 71 79 82-84 87-90",
        "rock": "10-15 27-37 39-48 86-90",
    },
}
"""Split -> genre -> numbers of the clips: 443, 197 and 290. The other 70 are in no split."""


def read(root: Path) -> Corpus:
    """List the clips of GTZAN.

    Args:
        root: the folder that holds `genres` or `genres_original`, or that folder itself.

    Returns:
        A single-label corpus of the ten genres in alphabetical order, with the splits "train",
        "validation" and "test". Missing clips are in `skipped`. jazz.00054, in "train", is
        unreadable in the common copy: `check` finds it.

    Raises:
        ConfigError: there are no folders of genres.
    """
    home = next((root / f for f in FOLDERS if (root / f / GENRES[0]).is_dir()), None)
    if home is None:
        raise ConfigError(
            f"{root}: GTZAN is expected as genres/blues/blues.00000.wav (or genres_original/, or "
            ".au); there is no folder blues."
        )
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    index: dict[tuple[str, int], int] = {}
    for genre in GENRES:
        files = {p.name for p in (home / genre).glob("*")}
        for number in range(CLIPS):
            names = [f"{genre}.{number:05}{suffix}" for suffix in SUFFIXES]
            name = next((name for name in names if name in files), None)
            if name is None:
                skipped.append(Skipped(str(home / genre / names[0]), "no such file"))
                continue
            index[genre, number] = len(clips)
            clips.append(Clip(home / genre / name, (genre,)))
    splits = {
        split: tuple(index[key] for key in members(split) if key in index) for split in FILTERED
    }
    return Corpus("gtzan", tuple(clips), GENRES, splits, single_label=True, skipped=tuple(skipped))


def members(split: str) -> list[tuple[str, int]]:
    """Return the clips of a split of the fault-filtered list.

    Args:
        split: "train", "validation" or "test".

    Returns:
        Genre and number of each clip.
    """
    return [
        (genre, number)
        for genre, text in FILTERED[split].items()
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", text)
        for number in range(int(first), int(last or first) + 1)
    ]
