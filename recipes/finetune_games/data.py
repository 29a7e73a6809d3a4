"""Make a data set of real music in eight classes to fine-tune on: soundtracks of eight games.

    python recipes/finetune_games/data.py FOLDER

From which game is a piece of music? The classes are 0 A.D., UFO: Alien Invasion, SuperTux, Warzone
2100, Drascula, Hedgewars, Colobot and Endgame: Singularity, with 16 tracks each, a random sample
of those of 30 s or more (`tracks.csv` beside this file; without variants of one another). A
soundtrack has its genres, its instruments, its composers and its mixes; all of these may help.

`recipes/genre_test/fetch.py` gets the tracks from Debian's packages: 2.1 GB to download, 0.4 GB to
keep, no root needed. The free licence of a track is in PACKAGE/copyright. None of these
packages, and no artist named in their files, is in the genre test set.

A track is a group: of each game, 8 random tracks are for training, 3 for validation and 5 for the
test (seed 0). A track has three excerpts of 6 s, spread evenly over it. FOLDER
gets `clips.csv` (path, tags, start, end, split, group): 192, 72 and 120 clips.
"""

import argparse
import random
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
GENRE_TEST = HERE.parent / "genre_test"
sys.path.insert(0, str(GENRE_TEST))

import tracks  # noqa: E402

from zoo.utils.files import write_csv  # noqa: E402

TABLE = HERE / "tracks.csv"
SPLITS = ("train",) * 8 + ("validation",) * 3 + ("test",) * 5  # of a game's sixteen tracks
EXCERPTS = 3  # of a track
SECONDS = 6.0


def clips(listed: list[tracks.Track], seed: int = 0) -> list[tuple[str, ...]]:
    """Return the rows of the table: every track's split and its excerpts."""
    rng = random.Random(seed)
    rows = []
    for game in dict.fromkeys(track.genre for track in listed):
        own = [track for track in listed if track.genre == game]
        rng.shuffle(own)
        for track, split in zip(own, SPLITS, strict=True):
            for i in range(EXCERPTS):
                start = (track.seconds - SECONDS) * (i + 1) / (EXCERPTS + 1)
                times = (f"{start:.1f}", f"{start + SECONDS:.1f}")
                rows.append((track.file, game, *times, split, track.file))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write the music to.")
    folder = parser.parse_args().folder
    fetch = [sys.executable, GENRE_TEST / "fetch.py", folder, "--table", TABLE]
    if subprocess.run(fetch).returncode:
        raise SystemExit("Some tracks are missing, so the results would differ from ours.")
    rows = clips(tracks.read(TABLE))
    header = ("path", "tags", "start", "end", "split", "group")
    write_csv([header, *rows], folder / "clips.csv")
    print(f"{len(rows)} clips in {folder / 'clips.csv'}")


if __name__ == "__main__":
    main()
