"""Get the 84 tracks of the public genre test set, by the names of Debian packages.

    python recipes/genre_test/fetch.py FOLDER

The tracks are music of 19 free games, packed by Debian; `tracks.csv` beside this file says where
each stands and which genre its artist wrote into the file. Each package is downloaded with `apt-get
download`, the tracks and the statement of licences are taken out of it, and the rest is deleted
before the next one comes: 3.8 GB to download, never more than one package on the disk, and 0.3 GB
to keep. Neither root nor an installation is needed. Stopped and started again, it goes on with the
package where it was.

FOLDER then holds PACKAGE/usr/... and PACKAGE/copyright for each, and `fetched.json` with the
version of each package and the SHA-256 of each track. The packages are those of Debian 12
(bookworm); on another release some may be gone. What could not be had is listed at the end, the
exit status is 1 then, and the rest is there all the same.

**This is a test set.** Neither these tracks nor others of their artists are ever trained on.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from tracks import TABLE, Track, read

RECORD = "fetched.json"
PROGRAMS = ("apt-get", "dpkg-deb")


class Unavailable(Exception):
    """Why a package or a track cannot be had; the others still can."""


def fetch(folder: Path, wanted: list[Track]) -> dict[str, str]:
    """Get every track that is not there yet, package by package.

    Args:
        folder: made if need be.
        wanted: rows of the table.

    Returns:
        Packages and tracks that could not be had, each with the reason.

    Raises:
        SystemExit: there is no apt here.
    """
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        raise SystemExit(
            f"There is no {' and no '.join(absent)} here: the test set comes from Debian's "
            "packages. Run this on Debian 12, or in a container of it that shares the folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    record = read_record(folder)
    missing: dict[str, str] = {}
    packages = list(dict.fromkeys(track.package for track in wanted))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn()) as bars:
        for number, package in enumerate(packages, 1):
            files = [track for track in wanted if track.package == package]
            if not complete(folder, files, record.get(package)):
                bar = bars.add_task(f"{number:2} of {len(packages)}  {package}", total=None)
                try:
                    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
                        deb = download(
                            package,
                            Path(scratch),
                            lambda done, total, bar=bar: bars.update(
                                bar, completed=done, total=total
                            ),
                        )
                        record[package] = unpack(deb, files, folder)
                except Unavailable as reason:
                    missing[package] = str(reason)
                    continue
                write_record(folder, record)
            missing |= record[package]["missing"]
    return missing


def complete(folder: Path, files: list[Track], entry: Mapping | None) -> bool:
    """Tell whether all tracks of a package are there, but for those that it does not hold."""
    return entry is not None and all(
        track.file in entry["missing"]
        or (track.file in entry["tracks"] and (folder / track.file).is_file())
        for track in files
    )


def download(package: str, folder: Path, progress: Callable[[int, int], None]) -> Path:
    """Let apt download a package.

    Args:
        package: its name.
        folder: empty; where it goes.
        progress: is told the bytes that are there and the bytes that there will be.

    Raises:
        Unavailable: with the last line of what apt says.
    """
    command = ["apt-get", "download", package]
    # A line for each file: 'address' name bytes checksum.
    answer = subprocess.run([*command, "--print-uris"], capture_output=True, text=True, cwd=folder)
    fields = answer.stdout.split()
    if answer.returncode or len(fields) < 3:
        raise Unavailable(last_line(answer.stderr, "apt-get knows no such package"))
    total = int(fields[-2])
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(command, cwd=folder, stdout=words, stderr=words)
        try:
            while process.poll() is None:
                time.sleep(0.1)
                progress(sum(file.stat().st_size for file in folder.glob("*.deb")), total)
        finally:
            process.kill()
            process.wait()
        words.seek(0)
        debs = list(folder.glob("*.deb"))
        if process.returncode or len(debs) != 1:
            raise Unavailable(last_line(words.read(), "apt-get left no package"))
    progress(total, total)
    return debs[0]


def last_line(words: str, otherwise: str) -> str:
    """Return the last line of what a program wrote, or `otherwise` if it was silent."""
    return (words.strip().splitlines() or [otherwise])[-1]


def unpack(deb: Path, files: list[Track], folder: Path) -> dict:
    """Take the tracks and the statement of licences out of a package.

    The package is read as a stream; nothing else of it is written to the disk.

    Args:
        deb: the package's file.
        files: tracks that it should hold.
        folder: of the test set.

    Returns:
        The package's entry in the record: version; tracks and their SHA-256; tracks that are
        missing, with the reason.

    Raises:
        Unavailable: it is no package.
    """
    package = files[0].package
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    fields = subprocess.run(["dpkg-deb", "-f", deb, "Version"], capture_output=True, text=True)
    if fields.returncode:
        raise Unavailable(last_line(fields.stderr, "dpkg-deb cannot read it"))
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as members,
    ):
        for member in members:
            name = member.name.removeprefix("./")
            if name == f"usr/share/doc/{package}/copyright" and member.isfile():
                write(members.extractfile(member), folder / package / "copyright")
            for track in files:
                if track.path == name and not track.inside and member.isfile():
                    found[track.file] = write(members.extractfile(member), folder / track.file)
            archived = [track for track in files if track.path == name and track.inside]
            if archived and member.isfile():
                with tempfile.TemporaryFile(dir=deb.parent) as archive:
                    shutil.copyfileobj(members.extractfile(member), archive)
                    found |= unzip(archive, archived, folder, missing)
        while process.stdout.read(1 << 20):  # what follows the end of the archive
            pass
    for track in files:
        if track.file not in found:
            missing.setdefault(track.file, f"is not in {deb.name}")
    return {"version": fields.stdout.strip(), "tracks": found, "missing": missing}


def unzip(archive: IO[bytes], files: list[Track], folder: Path, missing: dict) -> dict[str, str]:
    """Take tracks out of an archive of the game's own (.zip, .pk3); note those that fail."""
    found: dict[str, str] = {}
    for track in files:
        try:
            with zipfile.ZipFile(archive) as pack, pack.open(track.inside) as content:
                found[track.file] = write(content, folder / track.file)
        except (zipfile.BadZipFile, KeyError) as error:
            missing[track.file] = f"cannot be taken out of {track.path}: {error}"
    return found


def write(content: IO[bytes], path: Path) -> str:
    """Write a file, whole or not at all; return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    digest = hashlib.sha256()
    with part.open("wb") as file:
        while block := content.read(1 << 20):
            digest.update(block)
            file.write(block)
    part.replace(path)
    return digest.hexdigest()


def read_record(folder: Path) -> dict[str, dict]:
    """Return what earlier runs got: package -> its entry."""
    file = folder / RECORD
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def write_record(folder: Path, record: dict[str, dict]) -> None:
    """Write what has been got so far, whole or not at all."""
    part = folder / f".{RECORD}.part"
    part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(folder / RECORD)


def changed(wanted: list[Track], record: Mapping[str, Mapping]) -> list[str]:
    """Return the tracks that are not, byte for byte, those that our numbers were measured on."""
    got = {file: digest for entry in record.values() for file, digest in entry["tracks"].items()}
    return [t.file for t in wanted if t.sha256 and got.get(t.file, t.sha256) != t.sha256]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the tracks go")
    parser.add_argument("--table", type=Path, default=TABLE, help="another list of tracks")
    arguments = parser.parse_args()
    wanted = read(arguments.table)
    missing = fetch(arguments.folder, wanted)
    record = read_record(arguments.folder)
    print(f"{sum(len(entry['tracks']) for entry in record.values())} tracks in {arguments.folder}")
    if others := changed(wanted, record):
        print(f"not the same files as in Debian 12: {', '.join(others)}")
    if missing:
        print("could not be had (does `apt-get update` help?):")
        for name, reason in missing.items():
            print(f"  {name}: {reason}")
        sys.exit(1)


if __name__ == "__main__":
    main()
