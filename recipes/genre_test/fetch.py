"""Get the 84 tracks of the public genre test set, by the names of Debian packages.

    python recipes/genre_test/fetch.py FOLDER

The tracks are music of 19 free games, packed by Debian; `tracks.csv` beside this file says where
each is and which genre its artist wrote into the file. Each package is downloaded with `apt-get
download`. The tracks and the statement of licences are taken out of it, and the rest is deleted
before the next download: 3.8 GB to download, never more than one package on the disk, and 0.3 GB to
keep. Neither root nor an installation is needed. When it was stopped and is started again, it
continues with the package where it was.

FOLDER then holds PACKAGE/usr/... and PACKAGE/copyright for each, and `fetched.json` with the
version of each package and the SHA-256 of each track. The packages are those of Debian 12
(bookworm); on another release some may be gone. Tracks that could not be fetched are listed
at the end, and the exit status is then 1; all others are in the folder.

**This is a test set.** Neither these tracks nor others of their artists are ever trained on.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from tracks import TABLE, Track, read

sys.path.append(str(Path(__file__).resolve().parents[1]))
from debian import fetch, read_record, unpack  # noqa: F401 (unpack: for the tests)


def changed(wanted: list[Track], record: Mapping[str, Mapping]) -> list[str]:
    """Return the tracks that are not, byte for byte, those that our numbers were measured on."""
    got = {file: digest for entry in record.values() for file, digest in entry["tracks"].items()}
    return [t.file for t in wanted if t.sha256 and got.get(t.file, t.sha256) != t.sha256]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write the tracks to.")
    parser.add_argument(
        "--table",
        type=Path,
        default=TABLE,
        help="The list of tracks. Default: tracks.csv of the test set.",
    )
    arguments = parser.parse_args()
    wanted = read(arguments.table)
    missing = fetch(arguments.folder, wanted)
    record = read_record(arguments.folder)
    print(f"{sum(len(entry['tracks']) for entry in record.values())} tracks in {arguments.folder}")
    if others := changed(wanted, record):
        print(f"not the same files as in Debian 12: {', '.join(others)}")
    if missing:
        print("could not be fetched (to fix this, try `apt-get update`):")
        for name, reason in missing.items():
            print(f"  {name}: {reason}")
        sys.exit(1)


if __name__ == "__main__":
    main()
