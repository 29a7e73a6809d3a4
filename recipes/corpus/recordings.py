"""Recordings of real players, singers and bands, for training: no soundfont sounds like them.

    python recipes/corpus/build.py FOLDER --only recordings --recordings RECORDINGS

RECORDINGS has a table `manifest.csv`, with columns `file`, `source` (repository and commit, or
package), `original_paths`, `licence`, `author`, `kind`, `seconds`, and the files that it names. All
licences are free ones (CC0, CC-BY, CC-BY-SA, MIT, GPL or public domain), or, of the notes of the
Philharmonia Orchestra, allow any use but to pass them on as samples. The files stay where they
are; the corpus has links to them. FOLDER/ATTRIBUTION.md names authors and licences.

Left out are the files of the players whom the real test keeps for its validation
(`recipes/real_test/clips.csv`). The other players of the real test are not in the table at all.
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple

REAL_TEST = Path(__file__).resolve().parents[1] / "real_test" / "clips.csv"
# What a kind begins with, and how it is used; `training_clips.py` samples these three.
USES = (("voice", "voice"), ("choir", "voice"), ("song", "song"), ("instrumental", "song"))


class Recording(NamedTuple):
    """A file of the table."""

    file: str
    player: str
    use: str  # voice, song or instrument
    kind: str
    seconds: float
    source: str
    licence: str
    author: str


def player(file: str) -> str:
    """Return who plays: the name of a file without the number or the song at its end."""
    stem = Path(file).stem
    if stem.startswith("more-sing"):
        return "-".join(stem.split("-")[:4])
    if stem.startswith(("songs-", "voice-eif")):
        return stem.split("_")[0]
    return re.sub(r"[_-]\d+$", "", stem)


def use(kind: str) -> str:
    """Return how a kind of recording is used."""
    return next((use for begin, use in USES if kind.startswith(begin)), "instrument")


def read(folder: Path, real_test: Path = REAL_TEST) -> list[Recording]:
    """Return the recordings that may be trained on."""
    with real_test.open(newline="", encoding="utf-8") as file:
        kept = {player(row["file"]) for row in csv.DictReader(file)}
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [
            Recording(
                row["file"],
                player(row["file"]),
                use(row["kind"]),
                row["kind"],
                float(row["seconds"]),
                row["source"],
                row["licence"],
                row["author"],
            )
            for row in csv.DictReader(file)
            if player(row["file"]) not in kept
        ]


def link(folder: Path, recordings: Path, found: list[Recording]) -> None:
    """Link the recordings into the corpus, as FOLDER/recordings/USE/FILE."""
    for recording in found:
        path = folder / "recordings" / recording.use / Path(recording.file).name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to((recordings / recording.file).resolve())
