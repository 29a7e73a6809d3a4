"""Feeding sounds to a model: decoding runs in a thread beside the network, not before it."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zoo import audio
from zoo.errors import AudioError

if TYPE_CHECKING:
    import keras

# Segments that the network takes at once, and seconds of sound: long segments come one by one, so
# that the network need not wait long for the first batch. Choi's network of 29 s tags a song of
# 410 s in 1.14 s so, in 1.39 s by 8. Powers of two: a compiled backend gets few shapes.
BATCH = 8
SECONDS = 25.0
WAITING = 4  # decoded batches that may wait for the network


class Prediction(NamedTuple):
    """The output of a stage of a network for each segment of one sound."""

    values: np.ndarray  # (segments, ...)
    times: np.ndarray  # (segments,) start in seconds
    seconds: np.ndarray  # (segments,) seconds of the sound that no earlier segment covered


def stream(
    sources: Iterable[audio.Source],
    start: Callable[[np.ndarray, bool], Callable[[], np.ndarray]],
    sample_rate: int,
    segmentation: audio.Segmentation,
    tail: bool = True,
) -> Iterator[tuple[audio.Source, Prediction | Exception]]:
    """Run every sound through a network, in order.

    The next batch of a sound is started before the result of the last one is awaited.

    Args:
        sources: files, or (samples, sample_rate) pairs.
        start: takes a batch, (batch, segment) float32, and whether it is the only one of its
            sound; returns a function that returns its result, (batch, ...).
        sample_rate: of the network, in Hz.
        segmentation: how the audio is cut, in samples.
        tail: whether the rest after the last whole segment is predicted too.

    Yields:
        Each sound with its prediction, or with the exception that it caused.
    """
    started: list[Callable[[], np.ndarray]] = []
    values: list[np.ndarray] = []
    spans: list[tuple[float, float]] = []
    for source, batch, last in ahead(_decode(sources, sample_rate, segmentation, tail), WAITING):
        if isinstance(batch, Exception):
            started, values, spans = [], [], []
            yield source, batch
            continue
        only = last and not spans
        started.append(start(np.stack([s.samples for s in batch]), only))
        spans += [(s.start, s.fresh) for s in batch]
        while len(started) > (0 if last else 1):
            values.append(started.pop(0)())
        if last:
            times, seconds = map(np.array, zip(*spans, strict=True))
            yield source, Prediction(np.concatenate(values), times, seconds)
            started, values, spans = [], [], []


def _decode(
    sources: Iterable[audio.Source],
    sample_rate: int,
    segmentation: audio.Segmentation,
    tail: bool,
) -> Iterator[tuple[audio.Source, list[audio.Segment] | Exception, bool]]:
    """Yield the segments of sounds in batches, or the exception that a sound caused.

    Yields:
        The sound; up to a batch of its segments, or the exception; whether it was its last.
    """
    seconds = segmentation.segment / sample_rate
    size = next((n for n in (BATCH, 4, 2) if n * seconds <= SECONDS), 1)
    for source in sources:
        try:
            segments = audio.segments(source, sample_rate, segmentation, tail)
            for batch, last in batches(segments, size):
                yield source, batch, last
        except MemoryError:
            raise  # it is the process that has too little
        except Exception as error:  # a sound that fails does not stop the next one
            yield source, error, True


def batches(segments: Iterable, most: int = BATCH) -> Iterator[tuple[list, bool]]:
    """Group into batches of `most`, the rest into descending powers of two; say which is last."""
    batch: list = []
    for segment in segments:
        if len(batch) == most:
            yield batch, False
            batch = []
        batch.append(segment)
    while batch:
        size = 1 << (len(batch).bit_length() - 1)
        yield batch[:size], size == len(batch)
        batch = batch[size:]


def ahead(items: Iterable, depth: int) -> Iterator:
    """Iterate in a thread, up to `depth` items ahead of the consumer.

    An exception in the thread is raised where the items are taken. When the consumer stops early,
    the thread stops too.
    """
    end = object()
    waiting: queue.Queue = queue.Queue(depth)
    stop = threading.Event()

    def put(item) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((end, None))
        except BaseException as error:
            put((end, error))

    thread = threading.Thread(target=work, name="zoo-decode", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        stop.set()
        thread.join()


def predict_batches(
    network: "keras.Model", batches: Iterable[tuple], batch_size: int
) -> tuple[np.ndarray, ...]:
    """Predict every segment.

    Args:
        network: (batch, samples) -> (batch, ...).
        batches: of (waveform (batch, samples), anything (batch, ...), ...).
        batch_size: the last batch is filled up to it: one shape for all means one compilation, and
            several devices can share it.

    Returns:
        Values (segments, ...), then the other items of the batches, (segments, ...) each.

    Raises:
        AudioError: there are no segments.
    """
    parts: list[tuple[np.ndarray, ...]] = []
    for waveform, *others in batches:
        waveform = np.asarray(waveform)
        rest = max(batch_size - len(waveform), 0)
        values = network.predict_on_batch(np.pad(waveform, [(0, rest), (0, 0)]))
        values = np.asarray(values, "float32")[: len(waveform)]
        parts.append((values, *map(np.asarray, others)))
    if not parts:
        raise AudioError("not one clip could be decoded; the log says why.")
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def clip_means(
    values: np.ndarray, clips: np.ndarray, seconds: np.ndarray, count: int
) -> np.ndarray:
    """Return the mean over each clip's segments, each weighted by the sound that it adds.

    Args:
        values: (segments, labels).
        clips: (segments,) number of the clip.
        seconds: (segments,) weight.
        count: of clips.

    Returns:
        (count, labels); NaN for a clip without segments.
    """
    total, weight = np.zeros((count, values.shape[1])), np.zeros((count, 1))
    np.add.at(total, clips, values * seconds[:, None])
    np.add.at(weight, clips, seconds[:, None])
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
