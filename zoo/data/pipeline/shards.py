"""A cache of decoded audio in TensorFlow record files, so that a pipeline is all in the graph.

    data.dataset(corpus, model, training=True, cache="cache")

decodes the clips that are not in the folder, once, at the model's sample rate. Corpora can share a
folder: an entry belongs to a file, an excerpt of it and a sample rate. A file that has changed (its
size or time) is decoded again. An interrupted run resumes.

`cache/16000/` has `00000.tfrecord` and so on, each with an index, `00000.json`, which is written
when the records are complete. A record is two seconds of a clip: a float32 scale and 32,000 int16,
both little-endian; int16 times scale are the samples. The last record of a clip ends with zeros.
All records have the same length, so a segment is read without those before it. An hour takes 115 MB
at 16 kHz.
"""

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import tensorflow as tf

from zoo import audio
from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.data.pipeline.decoding import check_any_left
from zoo.errors import ConfigError
from zoo.utils.files import PathLike, replacing
from zoo.utils.progress import bar

logger = logging.getLogger("zoo.data.pipeline.dataset")

VERSION = 1
SECONDS = 2  # in a record
SHARD = 2**26  # bytes after which a new file is started
_FRAMING = 16  # bytes of a record besides its content: length and two checksums

Key = tuple[str, float, float | None]
"""Absolute path, start and end in seconds."""


class Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A clip in a shard, or the reason why it could not be decoded."""

    path: str
    start: float
    end: float | None
    size: int  # bytes of the file
    changed: int  # ns since 1970, when it was last written
    first: int = 0  # record
    samples: int = 0
    reason: str = ""


class Index(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is in a shard."""

    version: int
    sample_rate: int
    records: int
    entries: list[Entry]


class Shards:
    """The audio of a corpus in record files: a `zoo.data.pipeline.cutting.Source`.

    Clips that could not be decoded when the files were written are logged and in `failed`. All
    others are in `sure`.

    Args:
        corpus: its clips.
        sample_rate: of the records, in Hz.
        folder: for the files; created if missing.
        workers: how many clips are decoded at once.

    Raises:
        ConfigError: the folder is a file, or its files were not written by this module.
        AudioError: no clip could be decoded.
    """

    def __init__(self, corpus: Corpus, sample_rate: int, folder: PathLike, workers: int):
        self.folder = Path(folder) / str(sample_rate)
        self.chunk = SECONDS * sample_rate
        self.failed: dict[int, Skipped] = {}
        self.passing: dict[Key, str] = {}  # failures of this run, which say nothing of the file
        self.name = corpus.name
        keys = [_key(clip) for clip in corpus.clips]
        stats = {key[0]: _stat(key[0]) for key in keys}
        found = self._complete(dict(zip(keys, corpus.clips, strict=True)), stats, workers)
        rows = np.zeros((len(keys), 3), np.int64)  # shard, first record, samples
        for i, (clip, key) in enumerate(zip(corpus.clips, keys, strict=True)):
            shard, entry = found.get(key, (0, None))
            if entry is not None and not entry.reason:
                rows[i] = shard, entry.first, entry.samples
                continue
            reason = entry.reason if entry else self.passing.get(key, "")
            reason = reason or str(_missing(clip)).removeprefix(f"{clip.path}: ")
            self.failed[i] = Skipped(clip.name, reason)
            logger.warning("%s is left out: %s", *self.failed[i])
        check_any_left(corpus, self.failed)
        numbers, rows[:, 0] = np.unique(rows[:, 0], return_inverse=True)
        self.files = tf.constant([str(self._file(int(number))) for number in numbers])
        self.samples = rows[:, 2]
        self.sure: tuple[int, ...] | None = tuple(np.flatnonzero(self.samples).tolist())
        self.shard, self.first, self.length = (tf.constant(column) for column in rows.T)

    def total(self, clip: tf.Tensor) -> tf.Tensor:
        """Return the length of a clip in samples, 0 if it failed; see `cutting.Source`."""
        return self.length[clip]

    def sound(self, clip: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return samples `left` to `right` of a sure clip; see `cutting.Source`."""
        right = tf.where(right < 0, self.length[clip], right)
        skipped = left // self.chunk
        count = (right - 1) // self.chunk - skipped + 1
        offset = (self.first[clip] + skipped) * (4 + 2 * self.chunk + _FRAMING)
        records = tf.data.experimental.from_variant(
            tf.raw_ops.TFRecordDatasetV2(
                filenames=self.files[self.shard[clip]],
                compression_type="",
                buffer_size=0,
                byte_offsets=offset,
            ),
            tf.TensorSpec((), tf.string),
        )
        raw = records.take(count).batch(count).get_single_element()  # (count,)
        halves = tf.ensure_shape(tf.io.decode_raw(raw, tf.int16), (None, 2 + self.chunk))
        scale = tf.bitcast(halves[:, :2], tf.float32)  # (count,)
        sound = tf.reshape(tf.cast(halves[:, 2:], tf.float32) * scale[:, None], (-1,))
        return sound[left - skipped * self.chunk : right - skipped * self.chunk]

    def kept(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Return the same dataset, since nothing fails here; see `cutting.Source`."""
        return data

    def totals(self, workers: int) -> list[int | None]:
        """Return the length of each clip in samples, 0 if it failed; see `cutting.Source`."""
        return self.samples.tolist()

    # --- writing ---

    def _complete(
        self, clips: dict[Key, Clip], stats: dict[str, os.stat_result | None], workers: int
    ) -> dict[Key, tuple[int, Entry]]:
        """Decode the clips that are not cached; return shard and entry of all clips."""
        found = self._fitting(clips, stats)
        if _wanted(clips, stats, found):
            from filelock import FileLock

            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise ConfigError(
                    f"cache={self.folder.parent}: a file; expected a folder."
                ) from None
            with FileLock(self.folder / "lock"):  # another process may have decoded some by now
                found = self._fitting(clips, stats)
                wanted = _wanted(clips, stats, found)
                self._write([(key, clips[key], stats[key[0]]) for key in wanted], workers)
            found = self._fitting(clips, stats)
        return found

    def _fitting(
        self, clips: Iterable[Key], stats: dict[str, os.stat_result | None]
    ) -> dict[Key, tuple[int, Entry]]:
        """Read the indices; return shard and entry of clips whose files have not changed."""
        found: dict[Key, tuple[int, Entry]] = {}
        keys = set(clips)
        for path in sorted(self.folder.glob("*.json")):
            for entry in self._index(path):
                key = (entry.path, entry.start, entry.end)
                stat = stats.get(entry.path)
                same = stat and (stat.st_size, stat.st_mtime_ns) == (entry.size, entry.changed)
                if same and key in keys:
                    found[key] = (int(path.stem), entry)
        return found

    def _index(self, path: Path) -> list[Entry]:
        try:
            index = msgspec.json.decode(path.read_bytes(), type=Index)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path}: not the index of a cache of decoded audio ({error}). Give cache= a "
                "folder of its own, or remove this one."
            ) from error
        if (index.version, f"{index.sample_rate}") != (VERSION, path.parent.name):
            raise ConfigError(
                f"{path}: audio at {index.sample_rate} Hz in version {index.version} of the cache; "
                f"expected {path.parent.name} Hz and version {VERSION}. Remove {path.parent}."
            )
        file = self._file(int(path.stem))
        expected = index.records * (4 + 2 * self.chunk + _FRAMING)
        if not file.is_file() or file.stat().st_size != expected:
            logger.warning("%s is missing or cut off: its clips are decoded again", file)
            return []
        return index.entries

    def _write(self, jobs: Sequence[tuple], workers: int) -> None:
        """Decode clips, in order, into new shards; an interruption loses no finished clip."""
        for part in self.folder.glob("*.part"):
            part.unlink()
        for path in self.folder.glob("*.tfrecord"):
            if not path.with_suffix(".json").is_file():
                path.unlink()  # of a run that was killed before it wrote the index
        used = [int(path.stem) for path in self.folder.glob("*.tfrecord")]
        numbers = iter(range(max(used, default=-1) + 1, 10**9))
        shard: _Shard | None = None
        with bar(f"decoding to {self.folder}", len(jobs)) as advance:
            try:
                for (key, _, stat), done in _ahead(self._encoded, jobs, workers):
                    records, samples, reason = done
                    if key in self.passing:
                        advance()
                        continue
                    if shard is None:
                        shard = _Shard(self._file(next(numbers)))
                    path, start, end = key
                    entry = Entry(path, start, end, stat.st_size, stat.st_mtime_ns)
                    shard.add(records, entry, samples, reason)
                    if shard.bytes >= SHARD:
                        shard.finish(int(self.folder.name))
                        shard = None
                    advance()
            finally:
                if shard is not None:
                    shard.finish(int(self.folder.name))

    def _encoded(self, job: tuple) -> tuple[list[bytes], int, str]:
        """Decode a clip; return its records and their samples, or the reason of a failure."""
        key, clip, _ = job
        records, samples, rest = [], 0, np.empty(0, np.float32)
        try:
            with audio.as_one(self.name):
                for block in audio.stream(clip.path, int(self.folder.name), clip.start, clip.end):
                    rest = np.concatenate([rest, block])
                    samples += len(block)
                    while len(rest) >= self.chunk:
                        records.append(_record(rest[: self.chunk]))
                        rest = rest[self.chunk :]
        except MemoryError:
            raise
        except Exception as error:  # no error of one file may stop the others
            reason = str(error).removeprefix(f"{clip.path}: ")
            if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
                self.passing[key] = reason  # such as too many open files: not kept
            return [], 0, reason
        if len(rest):
            records.append(_record(np.pad(rest, (0, self.chunk - len(rest)))))
        return records, samples, ""

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:05}.tfrecord"


def damaged(folder: PathLike) -> ConfigError:
    """Return the error that names the damaged record files of a cache.

    TensorFlow checks each record that it reads, but its error does not name the file.

    Args:
        folder: of the cache.

    Returns:
        The error, to be raised.
    """
    files = [path for path in sorted(Path(folder).glob("*/*.tfrecord")) if not _is_whole(path)]
    names = ", ".join(map(str, files)) or f"a file of {folder}"
    return ConfigError(
        f"the cache of decoded audio is damaged: {names}. Delete it, and give the same call again: "
        "its clips are decoded anew."
    )


def _is_whole(path: Path) -> bool:
    try:
        for _ in tf.data.TFRecordDataset(str(path)):
            pass
    except tf.errors.DataLossError:
        return False
    return True


class _Shard:
    """A record file while it is written."""

    def __init__(self, path: Path):
        self.path, self.part = path, path.with_suffix(".part")
        with self._errors():
            self.writer = tf.io.TFRecordWriter(str(self.part))
        self.entries: list[Entry] = []
        self.records = self.bytes = 0

    def add(self, records: list[bytes], entry: Entry, samples: int, reason: str) -> None:
        """Append a clip.

        Args:
            records: its bytes.
            entry: path, excerpt, size and time.
            samples: its length.
            reason: why it could not be decoded; "" if it could.
        """
        for record in records:
            with self._errors():
                self.writer.write(record)
            self.bytes += len(record)
        self.entries.append(
            msgspec.structs.replace(entry, first=self.records, samples=samples, reason=reason)
        )
        self.records += len(records)

    def finish(self, sample_rate: int) -> None:
        """Close and rename the file, and write its index.

        Args:
            sample_rate: of the records, in Hz.
        """
        with self._errors():
            self.writer.close()
        os.replace(self.part, self.path)
        index = Index(VERSION, sample_rate, self.records, self.entries)
        with replacing(self.path.with_suffix(".json")) as file:
            file.write(msgspec.json.encode(index))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise OSError where TensorFlow raises an error of its own, as for a full disk."""
        try:
            yield
        except tf.errors.OpError as error:
            full = isinstance(error, tf.errors.ResourceExhaustedError)
            raise OSError(
                errno.ENOSPC if full else errno.EIO,
                f"cannot be written: {error.message}",
                str(self.path),
            ) from error


def _record(samples: np.ndarray) -> bytes:
    scale = np.float32(np.abs(samples).max() / 32767) or np.float32(1)
    return scale.astype("<f4").tobytes() + np.round(samples / scale).astype("<i2").tobytes()


def _key(clip: Clip) -> Key:
    return os.path.abspath(clip.path), clip.start, clip.end


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _missing(clip: Clip) -> Exception:
    """Return the error of opening a clip."""
    try:
        audio.announced(clip.path)
    except Exception as error:
        return error
    return FileNotFoundError("changed while it was being decoded")


def _wanted(
    clips: Iterable[Key], stats: dict[str, os.stat_result | None], found: dict
) -> list[Key]:
    return [key for key in clips if key not in found and stats[key[0]] is not None]


def _ahead(
    function: Callable[[tuple], tuple], jobs: Iterable[tuple], workers: int
) -> Iterator[tuple]:
    """Yield (job, result) in order, while threads compute the next ones."""
    waiting: deque = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for job in jobs:
                waiting.append((job, pool.submit(function, job)))
                if len(waiting) > 2 * workers:
                    job, future = waiting.popleft()
                    yield job, future.result()
            while waiting:
                job, future = waiting.popleft()
                yield job, future.result()
        finally:
            pool.shutdown(cancel_futures=True)
