"""The real music of the corpus: the soundtracks of Debian's free games.

`games.csv` lists 620 tracks, 30.3 h, of 20 seconds or more each, with the artist that the file
names, the split and the group. A group is a package, or several packages that share an artist.

**The public genre test set is kept out, and so is everything else by its artists.** Of the 43.3 h
that we know of, 4.7 h are that test set. 8.3 h more are left out: tracks that name one of its
artists under any of their names (among them adonthell-data's ZhayTee, who is Joseph G. Toscano);
tracks of the test set's packages that name nobody; and doubtful tracks, such as the nameless ones
of supertux-data, where ZhayTee has others. `tests/test_corpus_recipe.py` checks the rule.
"""

import csv
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

TABLE = Path(__file__).parent / "games.csv"
# Other names of the test set's artists, besides those in its table.
ALIASES = (
    "zhay", "toscano", "k-pone", "hasi50", "halfmann", "strohmeier", "4t thieves", "picciani",
    "muldjord", "legoluft", "rustltd", "obsidian shell", "aubry", "westlund", "pinkham", "rozanc",
    "speedsound", "helium", "askyel", "parapraxis", "tgfcoder", "azzoug", "middlefinger",
    "sean hawk", "alexander blu", "quinton", "czech national", "eliminator", "kaufman", "nicoll",
    "ryan reilly", "tyler johnson", "gianmarco", "john michel",
)  # fmt: skip


class Track(NamedTuple):
    """A row of the table."""

    package: str
    path: str  # inside the package
    inside: str  # path inside `path` if that is an archive, or ""
    artist: str  # "" if the file does not say
    title: str
    seconds: float
    sha256: str  # of the file in Debian 12
    split: str
    group: str

    @property
    def file(self) -> str:
        """Path of the track in the folder; an archive counts as a folder."""
        return str(PurePosixPath(self.package, self.path, self.inside))


def read(table: Path = TABLE) -> list[Track]:
    """Return the rows of the table."""
    with table.open(newline="", encoding="utf-8") as file:
        return [Track(**{**row, "seconds": float(row["seconds"])}) for row in csv.DictReader(file)]


def simple(words: str) -> str:
    """Return the letters and digits of some words, so that spellings do not matter."""
    return re.sub(r"[^a-z0-9]", "", words.lower())
