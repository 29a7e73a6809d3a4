"""List the tracks behind folders, patterns, lists and addresses, one by one.

Nothing here holds all tracks in memory: a source can be an archive of millions.
"""

import csv
import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from zoo.audio.paths import AUDIO_SUFFIXES, is_address, missing
from zoo.batching import remote
from zoo.errors import ConfigError
from zoo.utils.files import escaped

TEXTS = (".txt", ".m3u", ".m3u8")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
LISTS = (*TEXTS, *DELIMITERS, ".parquet")

# Types of carried columns, by name of Arrow; any other is carried as text.
KINDS = ("string", "int64", "double", "bool")


class Track(NamedTuple):
    """One file of a run.

    Attributes:
        path: of the file, or its address.
        size: in bytes; None if unknown, for example because there is no such file.
        modified: time of the last change in nanoseconds since 1970; None for an address.
        etag: mark of the content at an address; None for a file.
        carried: values of the list's other columns; None without a list.
    """

    path: str
    size: int | None = None
    modified: int | None = None
    etag: str | None = None
    carried: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The path as text: bytes that are not UTF-8 are escaped."""
        return escaped(self.path)


def tracks(sources: Sequence[str], column: str) -> Iterator[Track]:
    """List the tracks, with size and time of change. A path may come twice.

    Args:
        sources: files, folders, patterns, lists (`LISTS`) and addresses.
        column: of the paths in lists with columns.

    Yields:
        The tracks. Paths are absolute. A file of a list need not exist.

    Raises:
        FileNotFoundError: a source does not exist, or a pattern matches nothing.
        ConfigError: a list cannot be read, or there is no track in any source.
    """
    track = None
    for source in sources:
        for track in _tracks(source, column):
            yield track
    if track is None:
        raise ConfigError(f"{', '.join(sources)}: no sound file in it.")


def columns(sources: Sequence[str], column: str) -> dict[str, str]:
    """Return the columns that are carried from lists to results, and their types.

    Args:
        sources: as in `tracks`.
        column: as in `tracks`.

    Returns:
        Name -> one of `KINDS`, in the order of the lists.

    Raises:
        ConfigError: a list has no column of paths, or cannot be read.
    """
    found: dict[str, str] = {}
    for source in sources:
        if not (source.lower().endswith(LISTS) and (is_address(source) or os.path.isfile(source))):
            continue
        for name, kind in _columns(source, column).items():
            if name != column:
                found[name] = kind if found.get(name, kind) == kind else "string"
    return found


def _tracks(source: str, column: str) -> Iterator[Track]:
    if source.lower().endswith(LISTS) and (is_address(source) or os.path.isfile(source)):
        for path, carried in _listed(source, column):
            yield _track(path, carried)
    elif is_address(source):
        for address, size, etag in remote.find(source, AUDIO_SUFFIXES):
            yield Track(address, size, None, etag)
    else:
        for path in _found(source):
            yield _track(path, None)


# --- folders and patterns ---


def _found(source: str) -> Iterator[str]:
    if os.path.isdir(source):
        yield from _inside(os.path.abspath(source))
    elif os.path.lexists(source):
        yield os.path.abspath(source)
    elif glob.has_magic(source):
        matched = False
        for match in glob.iglob(source, recursive=True):
            matched = True
            if os.path.isdir(match):
                yield from _inside(os.path.abspath(match))
            elif match.lower().endswith(AUDIO_SUFFIXES):
                yield os.path.abspath(match)
        if not matched:
            raise FileNotFoundError(f"{source}: no file matches this pattern.")
    else:
        raise missing(source)


def _inside(folder: str) -> Iterator[str]:
    """Walk a folder, in sorted order, without hidden files; links to folders are not followed."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(AUDIO_SUFFIXES) and not name.startswith("."):
                yield os.path.join(here, name)


def _track(path: str, carried: dict[str, Any] | None) -> Track:
    if is_address(path):
        size, etag = remote.state(path)
        return Track(path, size, None, etag, carried)
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # ValueError: a zero byte in the path
        return Track(path, carried=carried)
    return Track(path, state.st_size, state.st_mtime_ns, None, carried)


# --- lists ---


def _listed(source: str, column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and carried values of each row; relative paths begin at the list's folder."""
    folder = source.rpartition("/")[0] if is_address(source) else str(Path(source).parent.resolve())
    for row in _rows(source, column):
        path = row.pop(column)
        if not path:
            continue
        path = os.path.expanduser(str(path))
        if is_address(folder):
            yield (path if is_address(path) else f"{folder}/{path}"), row
        else:
            yield (path if is_address(path) else os.path.normpath(os.path.join(folder, path))), row


def _columns(source: str, column: str) -> dict[str, str]:
    suffix = Path(source).suffix.lower()
    if suffix in TEXTS:
        return {column: "string"}
    if suffix == ".parquet":
        kinds = {f.name: _kind(str(f.type)) for f in _parquet(source).schema_arrow}
    else:
        kinds = dict.fromkeys(next(_cells(source), []), "string")
    if column not in kinds:
        raise ConfigError(
            f"{source}: no column {column!r} with the paths; it has {', '.join(kinds) or 'none'}. "
            "Name it with column= (--column)."
        )
    return kinds


def _kind(arrow: str) -> str:
    if arrow.startswith(("int", "uint")):
        return "int64"
    return {"float": "double", "double": "double", "bool": "bool"}.get(arrow, "string")


def _rows(source: str, column: str) -> Iterator[dict[str, Any]]:
    suffix = Path(source).suffix.lower()
    if suffix in TEXTS:
        with remote.opened(source) as file:
            for line in file:
                text = os.fsdecode(line.strip().removeprefix(b"\xef\xbb\xbf"))
                if text and not text.startswith("#"):
                    yield {column: text}
        return
    kinds = _columns(source, column)
    if suffix == ".parquet":
        for found in _parquet_rows(source):
            yield {
                name: str(value) if kinds[name] == "string" and value is not None else value
                for name, value in found.items()
            }
        return
    cells = _cells(source)
    header = next(cells)
    for number, row in enumerate(cells, start=2):
        if not any(row):
            continue
        if len(row) != len(header):
            raise ConfigError(
                f"{source}: row {number} has {len(row)} cells, and the header {len(header)}."
            )
        yield dict(zip(header, row, strict=True))


def _cells(source: str) -> Iterator[list[str]]:
    def lines() -> Iterable[str]:
        with remote.opened(source) as file:
            for number, line in enumerate(file):
                yield line.decode("utf-8-sig" if number == 0 else "utf-8")

    try:
        yield from csv.reader(lines(), delimiter=DELIMITERS[Path(source).suffix.lower()])
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: not UTF-8 ({error}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise ConfigError(f"{source}: the cells cannot be separated ({error}).") from None


def _parquet(source: str) -> Any:
    import pyarrow.parquet as pq  # an extra; the commands that need it have checked

    with _parquet_errors(source):
        return pq.ParquetFile(remote.opened(source) if is_address(source) else source)


def _parquet_rows(source: str) -> Iterator[dict[str, Any]]:
    with _parquet_errors(source):
        for batch in _parquet(source).iter_batches(4096):
            yield from batch.to_pylist()


@contextmanager
def _parquet_errors(source: str) -> Iterator[None]:
    """Raise ConfigError for a damaged Parquet file."""
    import pyarrow as pa  # an extra, see _parquet

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: not a Parquet file that can be read ({error}).") from error
