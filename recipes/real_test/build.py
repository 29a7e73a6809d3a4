"""Cut the clips of the real test out of the recordings.

    python recipes/genre_test/fetch.py GENRE
    python recipes/real_test/fetch.py RECORDINGS
    python recipes/real_test/build.py FOLDER --recordings RECORDINGS --genre GENRE

RECORDINGS is a folder with the recordings under the names of the column `file` in `clips.csv`; the
columns `source` and `original` say which repository, commit and file each was taken from. GENRE has
the tracks of the genre test. FOLDER gets a FLAC file for each clip, at the recording's own sample
rate, PART/CLIP.flac. Clips that are there are not cut again. What is missing is named at the end.
"""

import argparse
from pathlib import Path

from real_clips import TEST, VALIDATION, cut, read
from rich.progress import track


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write the clips to.")
    parser.add_argument(
        "--recordings", type=Path, required=True, help="The folder with the recordings."
    )
    parser.add_argument(
        "--genre", type=Path, required=True, help="The folder that genre_test/fetch.py filled."
    )
    given = parser.parse_args()
    missing = []
    for clip in track([*read(VALIDATION), *read(TEST)], "clips"):
        recording = (given.genre if clip.kind == "genre" else given.recordings) / clip.file
        path = given.folder / clip.part / f"{clip.clip}.flac"
        if path.is_file():
            continue
        if recording.is_file():
            cut(recording, clip.start, clip.seconds, path)
        else:
            missing.append(clip)
    for clip in missing:
        print(f"no recording for {clip.clip}: {clip.file} ({clip.source}, {clip.original})")
    if missing:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
