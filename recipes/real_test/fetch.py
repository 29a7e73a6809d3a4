"""Get recordings of the real test out of the public repositories that they lie in.

    python recipes/real_test/fetch.py RECORDINGS

Each repository that `clips.csv` names is cloned with git, without its files; of these only the
wanted ones are downloaded, from the commit that the table names. The wanted part of each is written
to RECORDINGS as FLAC, at its own sample rate, under the name in the column `file`. What is there is
not fetched again. `--clones FOLDER` keeps the clones, or uses those that are there, OWNER/NAME.

A clip of single notes of an instrument is a row of several files; we put these together by hand,
and they are named at the end, as is all that could not be fetched; the exit status is then 1.
Licences and authors are in `clips.csv`. **This is a test: no training ever uses these recordings.**
"""

import argparse
import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
from real_clips import TEST, VALIDATION, Clip, cut, read
from rich.progress import track

sys.path.append(str(Path(__file__).resolve().parents[1]))
import repositories

SOURCE = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{12,40}")
ORIGINAL = re.compile(r"(?P<path>[^;*]+?\.\w+)(?: from (?P<start>[\d.]+) s)?")


def original(clip: Clip, clones: Path) -> tuple[bytes, float]:
    """Return the file that a clip was taken from, and where the clip begins in it, in seconds.

    Raises:
        ValueError: the clip was not taken from a single file of a repository.
        subprocess.CalledProcessError: git cannot get it.
    """
    file = ORIGINAL.fullmatch(clip.original)
    if SOURCE.fullmatch(clip.source) is None or file is None:
        raise ValueError("not a single file of a repository")
    return repositories.content(clip.source, file["path"], clones), float(file["start"] or 0)


def fetch(clips: list[Clip], folder: Path, clones: Path) -> dict[str, str]:
    """Write the recordings that are missing in a folder.

    Args:
        clips: what to fetch; clips of the genre test are left out.
        folder: of the recordings.
        clones: the folder of the clones.

    Returns:
        Clips that could not be fetched, each with the reason.
    """
    failed = {}
    for clip in track([clip for clip in clips if clip.kind != "genre"], "recordings"):
        path = folder / clip.file
        if path.is_file():
            continue
        try:
            data, start = original(clip, clones)
            cut(io.BytesIO(data), start, clip.start + clip.seconds, path)
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines()
            failed[clip.clip] = lines[-1] if lines else f"{error}"
        except (OSError, ValueError, soundfile.SoundFileError) as error:
            failed[clip.clip] = str(error)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write the recordings to.")
    parser.add_argument(
        "--clones", type=Path, help="A folder for the clones. Default: deleted at the end."
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        clips = [*read(VALIDATION), *read(TEST)]
        failed = fetch(clips, given.folder, given.clones or Path(scratch))
    for name, reason in failed.items():
        print(f"{name}: {reason}")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
