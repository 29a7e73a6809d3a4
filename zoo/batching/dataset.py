"""The Parquet data set of a run: parts of a bounded number of tracks.

    OUT/run.json                     what was asked, and of which model
    OUT/tracks/part-000000.parquet   a row for each track
    OUT/segments/part-000000.parquet a row for each segment, with `segments`
    OUT/failed/part-000000.parquet   a row for each track that failed
    OUT/failed.parquet               all of these in one file, written when a run ends

A part is written aside, synced and renamed. The part of the segments comes before that of the
tracks with the same name, which makes both valid: a part of segments alone is removed.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zoo.batching.plan import Done
from zoo.batching.sources import Track
from zoo.batching.work import About, Answer
from zoo.errors import ConfigError, Unfinished
from zoo.utils.files import escaped, replacing

RUN, FAILED = "run.json", "failed.parquet"
TRACKS, SEGMENTS, FAILURES = FOLDERS = ("tracks", "segments", "failed")
KEY = b"music-zoo"  # of the schema's metadata: the content of run.json
BYTES = 64e6  # a part is written when its rows take so much memory

_KNOWN = [
    pa.field("path", pa.string(), False),
    pa.field("size", pa.int64(), metadata={"unit": "bytes"}),
    pa.field("modified", pa.timestamp("ns", "UTC")),
    pa.field("etag", pa.string()),
]
_FAILED = pa.schema([*_KNOWN, pa.field("reason", pa.string()), pa.field("attempts", pa.int32())])
_KINDS = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_()}


class DataSet:
    """The folder of a run.

    Args:
        folder: of the results.
        settings: content of run.json.
        about: what the model gives.
        carried: columns of the lists -> their types.
        shard: number and count; part of the names of the parts.
        tracks: the most tracks in a part.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        about: About,
        carried: dict[str, str],
        shard: tuple[int, int] = (1, 1),
        tracks: int = 500,
    ):
        self.folder, self.about, self.most = folder, about, tracks
        self.prefix = "part-" if shard[1] == 1 else f"part-{shard[0]}of{shard[1]}-"
        self.answers: list[tuple[Track, Answer]] = []
        self.failures: list[tuple[Track, str, int]] = []
        self.bytes = 0
        metadata = {KEY: msgspec.json.encode(settings)}
        self.label_columns = _apart(about.labels, _own_columns(about), "tag_")
        taken = [*_own_columns(about), *self.label_columns]
        self.carried = dict(zip(carried, _apart(carried, taken, "list_"), strict=True))
        scores = [pa.field(n, pa.float32(), metadata={"unit": "score, 0 to 1"})
                  for n in self.label_columns]  # fmt: skip
        vectors = [pa.field(f"embedding_{stage}", pa.list_(pa.float32(), units))
                   for stage, units in about.units.items()]  # fmt: skip
        seconds = pa.field("seconds", pa.float64(), metadata={"unit": "s"})
        onsets = pa.field("onsets", pa.list_(pa.float64()), metadata={"unit": "s"})
        self.schemas = {
            TRACKS: pa.schema(
                [
                    *_KNOWN,
                    seconds,
                    pa.field("warning", pa.string()),
                    *(pa.field(self.carried[n], _KINDS[kind]) for n, kind in carried.items()),
                    *scores,
                    *vectors,
                    *([onsets] if about.onsets else []),
                ],
                metadata,
            ),
            FAILURES: _FAILED.with_metadata(metadata),
        }
        if about.segments:
            start = pa.field("start", pa.float64(), metadata={"unit": "s"})
            first = [pa.field("path", pa.string(), False), start, seconds]
            self.schemas[SEGMENTS] = pa.schema([*first, *scores, *vectors], metadata)
        for name in self.schemas:
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._clean()
        pattern = re.compile(rf"{self.prefix}(\d+)\.parquet")
        numbers = [int(found[1]) for name in (TRACKS, FAILURES) for path in parts(self.folder, name)
                   if (found := pattern.fullmatch(path.name))]  # fmt: skip
        self.number = max(numbers, default=-1) + 1

    def _clean(self) -> None:
        """Remove what a killed run of the same shard has left behind."""
        for name in self.schemas:
            for left in (self.folder / name).glob(f".{self.prefix}*.part"):
                left.unlink(missing_ok=True)
        if SEGMENTS in self.schemas:
            for path in parts(self.folder, SEGMENTS):
                own = re.fullmatch(rf"{self.prefix}\d+\.parquet", path.name)
                if own and not (self.folder / TRACKS / path.name).exists():
                    path.unlink(missing_ok=True)

    # --- what is there ---

    def done(self) -> Iterator[Done]:
        """Yield what each row of the data set is known by."""
        for name in (TRACKS, FAILURES):
            for path in parts(self.folder, name):
                part, failed = f"{name}/{path.name}", name == FAILURES
                with reading(path):
                    for batch in rows_of(path, 65536, [field.name for field in _KNOWN]):
                        kept = [batch.column(field.name).cast(field.type) for field in _KNOWN]
                        kept[2] = kept[2].cast(pa.int64())  # the time of change
                        for row in zip(*(column.to_pylist() for column in kept), strict=True):
                            yield (*row, part, failed)

    def drop(self, part: str, names: set[str]) -> None:
        """Remove rows from a part, by path."""
        folder, _, file = part.partition("/")
        both = [SEGMENTS, TRACKS] if folder == TRACKS and SEGMENTS in self.schemas else [folder]
        for name in both:
            path = self.folder / name / file
            with reading(path):
                table = pq.read_table(path, page_checksum_verification=True)
            kept = [row not in names for row in table.column("path").to_pylist()]
            self._write(path, table.filter(pa.array(kept, pa.bool_())))

    # --- what comes ---

    def add(self, track: Track, answer: Answer) -> None:
        """Add a result; a part may be written."""
        self.answers.append((track, answer))
        self.bytes += 1000
        for value in vars(answer).values():
            arrays = value.values() if isinstance(value, dict) else [value]
            self.bytes += sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
        self._flush_if_full()

    def fail(self, track: Track, reason: str, attempts: int) -> None:
        """Add a failure; a part may be written."""
        self.failures.append((track, reason, attempts))
        self._flush_if_full()

    def _flush_if_full(self) -> None:
        if len(self.answers) + len(self.failures) >= self.most or self.bytes > BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one part.

        Raises:
            Unfinished: the disk is full, or the folder cannot be written. The rows still wait.
        """
        name = f"{self.prefix}{self.number:06d}.parquet"
        try:
            if self.answers:
                if SEGMENTS in self.schemas:
                    self._write(self.folder / SEGMENTS / name, self._segments())
                self._write(self.folder / TRACKS / name, self._tracks())
                self.answers, self.bytes = [], 0
            if self.failures:
                self._write(self.folder / FAILURES / name, self._failures())
                self.failures = []
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            what = "there is no space left on the disk" if full else f"{error}"
            raise Unfinished(
                f"{self.folder}: a part could not be written: {what}. The parts that are there are "
                "whole. Fix this, and give the same command again: it goes on there."
            ) from error
        self.number += 1

    def finish(self) -> None:
        """Write what waits, and all failures of the data set as one file, `FAILED`."""
        if self.answers or self.failures:
            self.flush()
        with replacing(self.folder / FAILED) as file:
            schema = self.schemas[FAILURES]
            with pq.ParquetWriter(
                file, schema, compression="zstd", write_page_checksum=True
            ) as writer:
                for path in parts(self.folder, FAILURES):
                    with reading(path):
                        table = pq.read_table(
                            path, partitioning=None, page_checksum_verification=True
                        )
                    writer.write_table(table.replace_schema_metadata(schema.metadata))

    def _write(self, path: Path, table: pa.Table) -> None:
        with replacing(path, prefix=f".{path.stem}-") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    def _known(self, tracks: list[Track]) -> dict[str, Any]:
        return {
            "path": [t.name for t in tracks],
            "size": [t.size for t in tracks],
            "modified": pa.array([t.modified for t in tracks], pa.int64()).cast(_KNOWN[2].type),
            "etag": [t.etag for t in tracks],
        }

    def _tracks(self) -> pa.Table:
        tracks = [track for track, _ in self.answers]
        answers = [answer for _, answer in self.answers]
        columns = self._known(tracks)
        columns["seconds"] = [a.seconds for a in answers]
        columns["warning"] = [escaped(a.warning) or None for a in answers]
        for name, column in self.carried.items():
            kind = self.schemas[TRACKS].field(column).type
            columns[column] = [_as(kind, (t.carried or {}).get(name)) for t in tracks]
        if self.about.labels:
            scores = [answer.scores for answer in answers]
            self._put_scores(columns, np.stack(scores))
        for stage in self.about.units:
            self._put_vectors(columns, stage, np.stack([a.vectors[stage] for a in answers]))
        if self.about.onsets:
            columns["onsets"] = [a.onsets for a in answers]
        return pa.table(columns, self.schemas[TRACKS])

    def _segments(self) -> pa.Table:
        answers = [answer for _, answer in self.answers]
        counts = [len(a.starts) for a in answers]
        names = pa.array([track.name for track, _ in self.answers])
        columns: dict[str, Any] = {
            "path": names.take(pa.array(np.repeat(np.arange(len(counts)), counts))),
            "start": np.concatenate([a.starts for a in answers]),
            "seconds": np.concatenate([a.fresh for a in answers]),
        }
        if self.about.labels:
            joined = np.concatenate([a.segment_scores for a in answers if len(a.starts)])
            self._put_scores(columns, joined)
        for stage in self.about.units:
            joined = np.concatenate([a.segment_vectors[stage] for a in answers])
            self._put_vectors(columns, stage, joined)
        return pa.table(columns, self.schemas[SEGMENTS])

    def _failures(self) -> pa.Table:
        columns = self._known([track for track, _, _ in self.failures])
        columns["reason"] = [escaped(reason) for _, reason, _ in self.failures]
        columns["attempts"] = [attempts for _, _, attempts in self.failures]
        return pa.table(columns, self.schemas[FAILURES])

    def _put_scores(self, columns: dict[str, Any], scores: np.ndarray) -> None:
        for name, values in zip(self.label_columns, scores.T, strict=True):
            columns[name] = np.ascontiguousarray(values, "float32")

    def _put_vectors(self, columns: dict[str, Any], stage: str, vectors: np.ndarray) -> None:
        flat = pa.array(np.ascontiguousarray(vectors, "float32").ravel())
        units = self.about.units[stage]
        columns[f"embedding_{stage}"] = pa.FixedSizeListArray.from_arrays(flat, units)


def parts(folder: Path, name: str) -> list[Path]:
    """Return the finished parts in a folder of results, sorted.

    Args:
        folder: of the results.
        name: one of `FOLDERS`.
    """
    return sorted((folder / name).glob("part-*.parquet"))


def rows_of(path: Path, count: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a part, in batches, within `reading`.

    Args:
        path: of the part.
        count: the most rows of a batch.
        columns: names; None for all.

    Yields:
        Batches of rows.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield from file.iter_batches(count, columns=columns)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Read a part within a `with` statement.

    Raises:
        ConfigError: it is damaged.
    """
    try:
        yield
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is damaged: {error}. Delete it, and give the same command again: its tracks "
            "are computed again."
        ) from error


def read_run(folder: Path) -> dict[str, Any] | None:
    """Return the content of run.json; None where there is none.

    Args:
        folder: of the results; it may be missing or empty.

    Raises:
        ConfigError: the folder is a file, holds something else, or a run.json that is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; results need a folder.")
    file = folder / RUN
    if not file.is_file():
        others = [p.name for p in folder.glob("*") if not p.name.startswith(".")]
        if others:
            raise ConfigError(
                f"{folder} is not empty, and holds no results of zoo batch: it has no {RUN}. Give "
                "another folder."
            )
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"{file} cannot be read: {error}. Delete the folder, or give another."
        ) from error


def clear(folder: Path) -> None:
    """Delete the results in a folder; other files stay.

    Args:
        folder: with a run.json.
    """
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (FAILED, RUN):
        (folder / name).unlink(missing_ok=True)


def write_run(folder: Path, settings: dict[str, Any]) -> None:
    """Write run.json."""
    os.makedirs(folder, exist_ok=True)
    with replacing(folder / RUN) as file:
        file.write(msgspec.json.format(msgspec.json.encode(settings)) + b"\n")


def _own_columns(about: About) -> list[str]:
    vectors = [f"embedding_{stage}" for stage in about.units]
    others = ("path", "size", "modified", "etag", "seconds", "warning", "start", "onsets")
    return [*others, *vectors]


def _apart(names: Any, taken: list[str], prefix: str) -> list[str]:
    """Return names; those that are taken get a prefix."""
    lowered = {name.lower() for name in taken}  # DuckDB does not tell cases apart
    return [f"{prefix}{name}" if name.lower() in lowered else name for name in names]


def _as(kind: pa.DataType, value: Any) -> Any:
    return escaped(str(value)) if value is not None and pa.types.is_string(kind) else value
