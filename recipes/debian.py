"""Get files out of Debian packages by name: shared by the recipes that need other people's music.

Each package is downloaded with `apt-get download`. The wanted files and the statement of licences
are taken out of it, and the rest is deleted before the next download: there is never more than one
package on the disk. Neither root nor an installation is needed. When it was stopped and is started
again, it continues with the package where it was. `fetched.json` in the folder has the version of
each package and the SHA-256 of each file.
"""

import fnmatch
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

RECORD = "fetched.json"
PROGRAMS = ("apt-get", "dpkg-deb")


class Unavailable(Exception):
    """Why a package or a track cannot be fetched; the others still can be."""


class Wanted(Protocol):
    """A file of a package, or of an archive in it."""

    package: str
    path: str  # inside the package
    inside: str  # path inside `path` if that is an archive, or ""

    @property
    def file(self) -> str:
        """Its path in the folder."""


def fetch(folder: Path, wanted: Sequence[Wanted]) -> dict[str, str]:
    """Get every track that is missing in the folder, package by package.

    Args:
        folder: it is made if it does not exist.
        wanted: rows of the table.

    Returns:
        Packages and tracks that could not be fetched, each with the reason.

    Raises:
        SystemExit: apt is not installed.
    """
    of: dict[str, list[Wanted]] = {}
    for track in wanted:
        of.setdefault(track.package, []).append(track)
    return fetch_each(
        folder,
        list(of),
        lambda package, entry: complete(folder, of[package], entry),
        lambda package, deb: unpack(deb, of[package], folder),
    )


def need_programs() -> None:
    """Raise SystemExit if apt is not installed."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        raise SystemExit(
            f"There is no {' and no '.join(absent)} here: this recipe takes its material from "
            "Debian's packages. Run it on Debian 12, or in a container of it that shares the "
            "folder."
        )


def fetch_matching(folder: Path, patterns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Get all files of packages whose paths match; complete packages are not downloaded again.

    Args:
        folder: it is made if it does not exist; files go to folder/PACKAGE/path.
        patterns: package -> patterns as in a shell, but * also matches slashes.

    Returns:
        Packages that could not be fetched, each with the reason.

    Raises:
        SystemExit: apt is not installed.
    """

    def there(package: str, entry: Mapping | None) -> bool:
        return (
            entry is not None
            and entry.get("patterns") == list(patterns[package])
            and all((folder / file).is_file() for file in entry["tracks"])
        )

    return fetch_each(
        folder,
        list(patterns),
        there,
        lambda package, deb: unpack_matching(deb, package, patterns[package], folder),
    )


def fetch_each(
    folder: Path,
    packages: Sequence[str],
    there: Callable[[str, Mapping | None], bool],
    take: Callable[[str, Path], dict],
) -> dict[str, str]:
    """Download packages one by one and take something out of each; keep the record.

    Args:
        folder: it is made if it does not exist.
        packages: names of packages.
        there: returns whether a package is complete, from its name and its entry in the record
            (None if it has none).
        take: takes the wanted files out of a package's file; returns its entry.

    Returns:
        Packages and tracks that could not be fetched, each with the reason.

    Raises:
        SystemExit: apt is not installed.
    """
    need_programs()
    folder.mkdir(parents=True, exist_ok=True)
    record = read_record(folder)
    missing: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn()) as bars:
        for number, package in enumerate(packages, 1):
            if not there(package, record.get(package)):
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
                        record[package] = take(package, deb)
                except Unavailable as reason:
                    missing[package] = str(reason)
                    continue
                write_record(folder, record)
            missing |= record[package]["missing"]
    return missing


def complete(folder: Path, files: Sequence[Wanted], entry: Mapping | None) -> bool:
    """Return whether all tracks of a package are there, except those that it does not hold."""
    return entry is not None and all(
        track.file in entry["missing"]
        or (track.file in entry["tracks"] and (folder / track.file).is_file())
        for track in files
    )


def download(package: str, folder: Path, progress: Callable[[int, int], None]) -> Path:
    """Let apt download a package.

    Args:
        package: name of the package.
        folder: an empty folder to write to.
        progress: called with the number of bytes done and the number of all bytes.

    Raises:
        Unavailable: apt failed; with the last line of its output.
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
    """Return the last line of a program's output, or `otherwise` if there is none."""
    return (words.strip().splitlines() or [otherwise])[-1]


def unpack(deb: Path, files: Sequence[Wanted], folder: Path) -> dict:
    """Take the tracks and the statement of licences out of a package.

    The package is read as a stream; nothing else of it is written to the disk.

    Args:
        deb: the package's file.
        files: tracks that it should hold.
        folder: folder of the test set.

    Returns:
        The package's entry in the record: version; tracks and their SHA-256; tracks that are
        missing, with the reason.

    Raises:
        Unavailable: it is not a package.
    """
    package = files[0].package
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    number = version(deb)
    for name, content in members(deb):
        if name == f"usr/share/doc/{package}/copyright":
            write(content, folder / package / "copyright")
        for track in files:
            if track.path == name and not track.inside:
                found[track.file] = write(content, folder / track.file)
        archived = [track for track in files if track.path == name and track.inside]
        if archived:
            with tempfile.TemporaryFile(dir=deb.parent) as archive:
                shutil.copyfileobj(content, archive)
                found |= unzip(archive, archived, folder, missing)
    for track in files:
        if track.file not in found:
            missing.setdefault(track.file, f"is not in {deb.name}")
    return {"version": number, "tracks": found, "missing": missing}


def unpack_matching(deb: Path, package: str, patterns: Sequence[str], folder: Path) -> dict:
    """Take all files whose paths match, and the statement of licences, out of a package.

    Returns:
        The package's entry in the record: version, files and their SHA-256, the patterns.
    """
    found: dict[str, str] = {}
    for name, content in members(deb):
        if name == f"usr/share/doc/{package}/copyright":
            write(content, folder / package / "copyright")
        elif any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            found[f"{package}/{name}"] = write(content, folder / package / name)
    return {"version": version(deb), "tracks": found, "missing": {}, "patterns": list(patterns)}


def version(deb: Path) -> str:
    """Return the version of a package; raise Unavailable if it is none."""
    fields = subprocess.run(["dpkg-deb", "-f", deb, "Version"], capture_output=True, text=True)
    if fields.returncode:
        raise Unavailable(last_line(fields.stderr, "dpkg-deb cannot read it"))
    return fields.stdout.strip()


def members(deb: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the path and the content of each file of a package, read as a stream."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            if member.isfile():
                yield member.name.removeprefix("./"), archive.extractfile(member)
        while process.stdout.read(1 << 20):  # padding behind the end of the archive
            pass


def unzip(
    archive: IO[bytes], files: Sequence[Wanted], folder: Path, missing: dict
) -> dict[str, str]:
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
    """Return the record of earlier runs: package -> its entry."""
    file = folder / RECORD
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def write_record(folder: Path, record: dict[str, dict]) -> None:
    """Write the record, whole or not at all."""
    part = folder / f".{RECORD}.part"
    part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(folder / RECORD)
