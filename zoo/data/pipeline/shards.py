"""Decoded sound in TensorFlow record files, from which a pipeline is nothing but graph.

    data.dataset(corpus, model, training=True, cache="cache")

decodes what is not in the folder yet, once, at the model's sample rate. All corpora may share one
folder: what is kept belongs to a file, an excerpt of it and a sample rate. A file that has changed
since (its size or time) is decoded again. Interrupted, it goes on where it was.

In `cache/16000/` lie `00000.tfrecord` and so on, each with an index beside it, `00000.json`, that
is written when the records are complete. A record is two seconds of a clip: a float32 scale and
32,000 int16, both little-endian, which times the scale are the samples; the last record of a clip
ends in zeros. Records have the same length, so that a segment is read without what comes before it.
An hour takes 115 MB at 16 kHz.
"""

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
SHARD = 2**26  # bytes after which a new file is begun
_FRAMING = 16  # bytes that a record takes beside its content: length and two checksums

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
    """Sound of a corpus in record files: a `Source` in `zoo.data.pipeline.cutting`'s sense.

    Clips that could not be decoded when the files were written are in `failed`, and logged; all
    others are `sure`.

    Args:
        corpus: its clips.
        sample_rate: wanted, in Hz.
        folder: for the files; made if need be.
        workers: how many clips are decoded at once.

    Raises:
        ConfigError: the folder is a file, or what is in it was not written by this module.
        AudioError: not one clip could be decoded.
    """

    def __init__(self, corpus: Corpus, sample_rate: int, folder: PathLike, workers: int):
        self.folder = Path(folder) / str(sample_rate)
        self.chunk = SECONDS * sample_rate
        self.failed: dict[int, Skipped] = {}
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
            reason = entry.reason if entry else str(_missing(clip)).removeprefix(f"{clip.path}: ")
            self.failed[i] = Skipped(clip.name, reason)
            logger.warning("%s is left out: %s", *self.failed[i])
        check_any_left(corpus, self.failed)
        numbers, rows[:, 0] = np.unique(rows[:, 0], return_inverse=True)
        self.files = tf.constant([str(self._file(int(number))) for number in numbers])
        self.samples = rows[:, 2]
        self.sure: tuple[int, ...] | None = tuple(np.flatnonzero(self.samples).tolist())
        self.shard, self.first, self.length = (tf.constant(column) for column in rows.T)

    def total(self, clip: tf.Tensor) -> tf.Tensor:
        """Return the length of a clip in samples; 0 if it failed."""
        return self.length[clip]

    def sound(self, clip: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return samples `left` to `right` of a sure clip, right -1 for its end."""
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
        """Return the same: nothing fails here."""
        return data

    def totals(self, workers: int) -> list[int | None]:
        """Return the length of each clip in samples; 0 if it failed."""
        return self.samples.tolist()

    # --- writing ---

    def _complete(
        self, clips: dict[Key, Clip], stats: dict[str, os.stat_result | None], workers: int
    ) -> dict[Key, tuple[int, Entry]]:
        """Decode what is not there yet; return what is, by shard."""
        found = self._fitting(clips, stats)
        if _wanted(clips, stats, found):
            from filelock import FileLock

            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise ConfigError(
                    f"cache={self.folder.parent}: a file; expected a folder."
                ) from None
            with FileLock(self.folder / "lock"):  # another process may have decoded meanwhile
                found = self._fitting(clips, stats)
                wanted = _wanted(clips, stats, found)
                self._write([(key, clips[key], stats[key[0]]) for key in wanted], workers)
            found = self._fitting(clips, stats)
        return found

    def _fitting(
        self, clips: Iterable[Key], stats: dict[str, os.stat_result | None]
    ) -> dict[Key, tuple[int, Entry]]:
        """Read the indices: which clips are there, of files that are as they were."""
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
        except msgspec.MsgspecError as error:
            raise ConfigError(
                f"{path}: not the index of a cache of decoded sound ({error}). Give cache= a "
                "folder of its own, or remove this one."
            ) from error
        if (index.version, f"{index.sample_rate}") != (VERSION, path.parent.name):
            raise ConfigError(
                f"{path}: sound at {index.sample_rate} Hz in version {index.version} of the cache; "
                f"expected {path.parent.name} Hz and {VERSION}. Remove {path.parent}."
            )
        file = self._file(int(path.stem))
        expected = index.records * (4 + 2 * self.chunk + _FRAMING)
        if not file.is_file() or file.stat().st_size != expected:
            logger.warning("%s is missing or cut off: its clips are decoded again", file)
            return []
        return index.entries

    def _write(self, jobs: Sequence[tuple], workers: int) -> None:
        """Decode clips, in order, into new shards; what is done stays if this is interrupted."""
        for part in self.folder.glob("*.part"):
            part.unlink()
        used = [int(path.stem) for path in self.folder.glob("*.tfrecord")]
        numbers = iter(range(max(used, default=-1) + 1, 10**9))
        shard: _Shard | None = None
        with bar(f"decoding to {self.folder}", len(jobs)) as advance:
            try:
                for (key, _, stat), done in _ahead(self._encoded, jobs, workers):
                    records, samples, reason = done
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
        """Decode a clip: its records and samples, or why that is not possible."""
        _, clip, _ = job
        records, samples, held = [], 0, np.empty(0, np.float32)
        try:
            with audio.as_one(self.name):
                for block in audio.stream(clip.path, int(self.folder.name), clip.start, clip.end):
                    held = np.concatenate([held, block])
                    samples += len(block)
                    while len(held) >= self.chunk:
                        records.append(_record(held[: self.chunk]))
                        held = held[self.chunk :]
        except Exception as error:  # whatever a sound does, the next one gets its turn
            return [], 0, str(error).removeprefix(f"{clip.path}: ")
        if len(held):
            records.append(_record(np.pad(held, (0, self.chunk - len(held)))))
        return records, samples, ""

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:05}.tfrecord"


class _Shard:
    """A record file while it is written."""

    def __init__(self, path: Path):
        self.path, self.part = path, path.with_suffix(".part")
        self.writer = tf.io.TFRecordWriter(str(self.part))
        self.entries: list[Entry] = []
        self.records = self.bytes = 0

    def add(self, records: list[bytes], entry: Entry, samples: int, reason: str) -> None:
        """Append a clip."""
        for record in records:
            self.writer.write(record)
            self.bytes += len(record)
        self.entries.append(
            msgspec.structs.replace(entry, first=self.records, samples=samples, reason=reason)
        )
        self.records += len(records)

    def finish(self, sample_rate: int) -> None:
        """Close the file, give it its name, and write its index."""
        self.writer.close()
        os.replace(self.part, self.path)
        index = Index(VERSION, sample_rate, self.records, self.entries)
        with replacing(self.path.with_suffix(".json")) as file:
            file.write(msgspec.json.encode(index))


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
    """Return what trying to open a clip raises."""
    try:
        audio.announced(clip.path)
    except Exception as error:
        return error
    return FileNotFoundError("changed while it was being decoded")


def _wanted(
    clips: Iterable[Key], stats: dict[str, os.stat_result | None], found: dict
) -> list[Key]:
    return [key for key in clips if key not in found and stats[key[0]] is not None]


def _ahead(function, jobs: Iterable, workers: int) -> Iterator[tuple]:
    """Yield (job, result) in order, while the next ones are worked on in threads."""
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
