"""The public genre test set: which tracks it has, and the corpus that they make.

`tracks.csv` lists 84 tracks of free games, 4.7 h, whose artists wrote a genre into the file. Five
genres have more than one track and make the test: classical 40, electronic 17, metal 13, ambient 8,
rock 2. The other four, one track each (reggae, chiptune, blues, folk), are left out, and the corpus
says so. **Neither these tracks nor others of their artists are ever trained on.**

It is a small test, and uneven. `WEAKNESSES` belongs beside every number from it.
"""

import csv
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from zoo.data.corpus import Clip, Corpus, Skipped

TABLE = Path(__file__).parent / "tracks.csv"
GENRES = ("classical", "electronic", "metal", "ambient", "rock")
WEAKNESSES = (
    "80 tracks of 29 artists, one genre a track, as its artist wrote it into the file",
    "35 of the 40 classical tracks come from one package (wesnoth: orchestral game music)",
    "9 of the 17 electronic tracks are by one artist; the 13 metal ones are by three artists",
    "the 2 rock tracks are by one artist: take no number about rock for more than an anecdote",
)


class Track(NamedTuple):
    """A row of the table."""

    package: str
    path: str  # inside the package
    inside: str  # path inside `path` if that is an archive, or ""
    genre: str
    written: str  # the genre as the artist spelt it
    artist: str  # "" if the file does not say
    title: str
    seconds: float
    sha256: str  # of the file in Debian 12

    @property
    def file(self) -> str:
        """Path of the track in the folder; an archive counts as a folder."""
        return str(PurePosixPath(self.package, self.path, self.inside))


def read(table: Path = TABLE) -> list[Track]:
    """Return the rows of the table."""
    with table.open(newline="", encoding="utf-8") as file:
        return [Track(**{**row, "seconds": float(row["seconds"])}) for row in csv.DictReader(file)]


def corpus(folder: str | Path, table: Path = TABLE) -> Corpus:
    """Return the tracks in a folder as labelled clips, a genre each.

    Args:
        folder: the folder that `fetch.py` filled.
        table: the list of tracks.

    Returns:
        Corpus with the artist as the group of a clip. Tracks of other genres and tracks that are
        not in the folder are among its `skipped`.

    Raises:
        FileNotFoundError: the folder has none of the tracks.
    """
    clips, skipped = [], []
    for track in read(table):
        path = Path(folder, track.file)
        if track.genre not in GENRES:
            skipped.append(Skipped(track.file, f"the only track of its genre, {track.genre}"))
        elif not path.is_file():
            skipped.append(Skipped(track.file, "not in the folder: see fetch.py"))
        else:
            group = track.artist or f"unknown, {track.package}"
            clips.append(Clip(path, (track.genre,), group=group))
    if not clips:
        raise FileNotFoundError(
            f"{folder} has none of the tracks of the genre test set; get them with "
            f"`python recipes/genre_test/fetch.py {folder}`."
        )
    return Corpus("genre_test", tuple(clips), GENRES, {}, True, tuple(skipped))
