"""From a corpus to a tf.data pipeline that `fit`, `evaluate` and `predict` take on every backend.

    from zoo import data

    songs = data.from_folder("songs")
    train = data.dataset(songs.split("train"), model, training=True, seed=0)
    model.fit(train, validation_data=data.dataset(songs.split("validation"), model))

Training takes random segments of each clip, others in every epoch; evaluation takes every segment,
as `zoo.audio.segments` cuts them. Only what is needed of a file is decoded, by several workers.
"""

import functools
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from zoo import audio
from zoo.audio import Segmentation
from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import AudioError, ConfigError
from zoo.excerpt import Excerpt
from zoo.files import PathLike
from zoo.graph import import_architecture

if TYPE_CHECKING:
    from zoo.model import AudioModel

logger = logging.getLogger(__name__)

DECODERS = {"soundfile": None, "tensorflow-io": "zoo.data.tfio"}
"""Name of a decoder -> module with its graph function `waveform`; None for our own."""

_graph = tf.autograph.experimental.do_not_convert  # graph functions here need no rewriting

_TOGETHER = 16  # segments that a worker hands over at once


def dataset(
    corpus: Corpus,
    model: "AudioModel",
    *,
    training: bool = False,
    batch_size: int = 16,
    segments: int = 1,
    hop: float | None = None,
    seed: int | None = None,
    cache: PathLike | None = None,
    decoder: str = "soundfile",
    workers: int | None = None,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Return the segments of a corpus with their targets, in batches, for `fit` and `evaluate`.

    A clip that cannot be decoded is logged as a warning, once, left out from then on, and listed
    by `failures`. In training another segment takes its place, so that an epoch has the same number
    of steps, which Keras shows.

    Args:
        corpus: clips with tags that are all among the model's labels.
        model: its labels, sample rate and segmentation are used.
        training: draw segments at random and shuffle them, or take every segment in order.
        batch_size: segments in a batch.
        segments: how many are drawn from each clip in an epoch; in training only.
        hop: seconds from one segment to the next; None for the model's own; not in training.
        seed: with the same seed, the epochs of two runs are the same, in the same order.
        cache: folder for decoded sound, made if need be: see `zoo.data.shards`. Later epochs
            decode nothing.
        decoder: "soundfile", or "tensorflow-io", which decodes in TensorFlow's graph.
        workers: how many clips are decoded at once; None for one a core.
        drop_remainder: leave out a last batch that is smaller.

    Returns:
        A dataset of (waveform (batch, segment) float32, targets (batch, labels) float32). For a
        model that judges frames the targets are (batch, frames, 1): 1 in the frame nearest to each
        of the clip's `onsets`.

    Raises:
        ConfigError: an argument that does not fit; the message says which.
        UnknownName: the corpus has tags that the model does not know; with both lists.
    """
    corpus = corpus.with_labels(model.labels)
    label = _labeller(corpus, model)
    pieces = _pieces(
        corpus, model, training, segments, hop, seed, cache, decoder, workers, batch_size
    )
    finished = pieces.data.map(_graph(lambda piece: (piece["waveform"], label(piece))))
    return pieces.batches(finished, batch_size, drop_remainder)


def segments(
    corpus: Corpus,
    model: "AudioModel",
    *,
    training: bool = False,
    batch_size: int = 16,
    segments: int = 1,
    hop: float | None = None,
    seed: int | None = None,
    cache: PathLike | None = None,
    decoder: str = "soundfile",
    workers: int | None = None,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Return the segments of a corpus with the clips that they are from, in batches.

    Arguments, errors, and what becomes of clips that cannot be decoded are as in `dataset`, but the
    tags do not matter.

    Returns:
        A dataset of (waveform (batch, segment) float32, clip (batch,) int32: index in
        `corpus.clips`, fresh (batch,) float32: seconds of the clip that no earlier segment covered;
        in training, the seconds of the segment).
    """
    pieces = _pieces(
        corpus, model, training, segments, hop, seed, cache, decoder, workers, batch_size
    )
    finished = pieces.data.map(
        _graph(lambda piece: (piece["waveform"], tf.cast(piece["clip"], tf.int32), piece["fresh"]))
    )
    return pieces.batches(finished, batch_size, drop_remainder)


def failures(dataset: tf.data.Dataset) -> tuple[Skipped, ...]:
    """Return the clips that a dataset left out so far because they could not be decoded, and why.

    Args:
        dataset: what `dataset` or `segments` returned, and not something made of it.

    Raises:
        ConfigError: it is another dataset.
    """
    found = getattr(dataset, "_zoo_failures", None)
    if found is None:
        raise ConfigError(
            "failures are known of what zoo.data.dataset and zoo.data.segments return, not of a "
            "dataset that was made of it; keep the first one."
        )
    return tuple(found.values())


# --- plumbing ---


class _Pieces(NamedTuple):
    """Segments one by one: dicts of waveform, clip, fresh, first, period."""

    data: tf.data.Dataset
    size: int | None
    failed: dict[int, Skipped]

    def batches(
        self, finished: tf.data.Dataset, batch_size: int, drop_remainder: bool
    ) -> tf.data.Dataset:
        """Batch, prefetch, and remember what failed."""
        batches = finished.batch(batch_size, drop_remainder).prefetch(2)
        batches._zoo_failures = self.failed
        return batches


def _pieces(
    corpus: Corpus,
    model: "AudioModel",
    training: bool,
    segments: int,
    hop: float | None,
    seed: int | None,
    cache: PathLike | None,
    decoder: str,
    workers: int | None,
    batch_size: int,
) -> _Pieces:
    _check(corpus, training, segments, hop, decoder, workers, batch_size)
    cut = _cut(model, hop)
    if cache is not None:
        raise ConfigError("cache= is not here yet.")
    if decoder != "soundfile":
        raise ConfigError(f"decoder={decoder!r} is not here yet.")
    ear = _Ear(corpus, model.sample_rate, cut)
    workers = workers or len(os.sched_getaffinity(0))
    if training:
        data = _drawn(ear, len(corpus), segments, seed, workers)
        return _Pieces(data, len(corpus) * segments, ear.failed)
    return _Pieces(_in_order(ear, len(corpus), workers), None, ear.failed)


def _check(
    corpus: Corpus,
    training: bool,
    segments: int,
    hop: float | None,
    decoder: str,
    workers: int | None,
    batch_size: int,
) -> None:
    for name, value in (("segments", segments), ("batch_size", batch_size), ("workers", workers)):
        if value is not None and (not isinstance(value, int | np.integer) or value < 1):
            raise ConfigError(f"{name} is {value!r}; expected a whole number, 1 or more.")
    if decoder not in DECODERS:
        raise ConfigError(f"decoder is {decoder!r}; it is one of {', '.join(DECODERS)}.")
    if len(corpus) == 0:
        raise ConfigError(f"{corpus.name} has no clips; there is nothing to hear.")
    if training and hop is not None:
        raise ConfigError(
            f"hop={hop} with training=True, where segments are drawn at random: segments= says how "
            "many from each clip."
        )
    if not training and segments != 1:
        raise ConfigError(
            f"segments={segments} with training=False, where every segment is taken: hop= says how "
            "densely."
        )


def _cut(model: "AudioModel", hop: float | None) -> Segmentation:
    cut = model.segmentation
    if hop is None:
        return cut
    return Segmentation(cut.segment, round(hop * model.sample_rate), cut.pad)


class _Ear:
    """Decodes segments of clips; what cannot be decoded is logged and left out from then on."""

    def __init__(self, corpus: Corpus, sample_rate: int, cut: Segmentation):
        self.corpus, self.sample_rate, self.cut = corpus, sample_rate, cut
        self.failed: dict[int, Skipped] = {}

    def draw(self, index: int, chance: float) -> tuple:
        """Return one segment of a clip: waveform, first sample, period, whether it worked.

        Args:
            index: of the clip.
            chance: in [0, 1), where the segment lies.
        """
        nothing = np.zeros(self.cut.segment, np.float32), 0, 0, False
        return self._try(index, lambda clip: (*self._segment(clip, chance), True), nothing)

    def cut_up(self, index: int):
        """Yield all segments of a clip: waveforms, first samples, fresh seconds, period."""
        pieces = self._try(index, self._segments, [])
        for i in range(0, len(pieces), _TOGETHER):
            starts, fresh, waveforms = zip(*pieces[i : i + _TOGETHER], strict=True)
            inner = self.cut.segment - 2 * self.cut.pad
            length = round(sum(fresh) * self.sample_rate)
            period = length if len(pieces) == 1 and length < inner else 0
            first = np.round(np.array(starts) * self.sample_rate).astype(np.int64) - self.cut.pad
            yield np.stack(waveforms), first, np.array(fresh, np.float32), [period] * len(first)

    def _try(self, index: int, work: Callable[[Clip], Any], instead: Any) -> Any:
        if index in self.failed:
            return instead
        clip = self.corpus.clips[index]
        try:
            return work(clip)
        except Exception as error:  # whatever a sound does, the next one gets its turn
            reason = str(error).removeprefix(f"{clip.path}: ")
            if self.failed.setdefault(index, skipped := Skipped(clip.name, reason)) is skipped:
                logger.warning("%s is left out: %s", clip.name, reason)
        if len(self.failed) == len(self.corpus):
            raise AudioError(
                f"not one of the {len(self.corpus)} clips of {self.corpus.name} could be decoded. "
                f"The last of them, {clip.name}: {reason}"
            )
        return instead

    def _segments(self, clip: Clip) -> list[audio.Segment]:
        # All of a clip before any of it is handed on: it may fail at its end.
        return list(
            audio.segments(clip.path, self.sample_rate, self.cut, start=clip.start, end=clip.end)
        )

    def _segment(self, clip: Clip, chance: float) -> tuple[np.ndarray, int, int]:
        length, pad = self.cut.segment, self.cut.pad
        begin, total = extent(clip, self.sample_rate)
        inner = length - 2 * pad
        if total < inner:
            sound = audio.load(clip.path, self.sample_rate, clip.start, clip.end)
            return np.pad(np.resize(sound, inner), pad), -pad, len(sound)
        first = math.floor(chance * (total - inner + 1)) - pad
        left, right = max(first, 0), min(first + length, total)
        sound = audio.load(
            clip.path,
            self.sample_rate,
            (begin + left) / self.sample_rate,
            (begin + right) / self.sample_rate,
        )
        waveform = np.zeros(length, np.float32)
        waveform[left - first : left - first + len(sound)] = sound
        return waveform, first, 0


def extent(clip: Clip, sample_rate: int) -> tuple[int, int]:
    """Return a clip's first sample in its file, and its length, in samples of a sample rate."""
    stat = os.stat(clip.path) if os.path.exists(clip.path) else None
    seconds = (
        _seconds(clip.path, stat.st_size, stat.st_mtime_ns) if stat else audio.duration(clip.path)
    )
    Excerpt(str(clip.path), sample_rate, clip.start, clip.end).check_within(seconds)
    begin = round(clip.start * sample_rate)
    end = seconds if clip.end is None else min(clip.end, seconds)
    return begin, max(round(end * sample_rate) - begin, 1)


@functools.lru_cache(2**16)
def _seconds(path: Path, size: int, changed: int) -> float:
    """Length of a file, asked once: some MP3s must be decoded to know it."""
    return audio.duration(path)


def _drawn(ear: _Ear, clips: int, each: int, seed: int | None, workers: int) -> tf.data.Dataset:
    """Random segments in random order; a known number of them, even if some clips fail."""
    length = ear.cut.segment

    @_graph
    def decode(clip, chance):
        waveform, first, period, worked = tf.numpy_function(
            lambda i, c: _typed(*ear.draw(int(i), float(c))),
            (clip, chance),
            (tf.float32, tf.int64, tf.int64, tf.bool),
        )
        waveform = tf.ensure_shape(waveform, (length,))
        first, period = tf.ensure_shape(first, ()), tf.ensure_shape(period, ())
        fresh = tf.constant(length / ear.sample_rate, tf.float32)
        piece = {
            "waveform": waveform,
            "clip": clip,
            "fresh": fresh,
            "first": first,
            "period": period,
        }
        return piece, tf.ensure_shape(worked, ())

    data = plan(clips, each, seed).map(decode, num_parallel_calls=workers, deterministic=True)
    data = data.filter(_graph(lambda piece, worked: worked))
    data = data.map(_graph(lambda piece, worked: piece))
    return data.repeat().take(clips * each)


def _typed(waveform: np.ndarray, first: int, period: int, worked: bool) -> tuple:
    return waveform, np.int64(first), np.int64(period), np.bool_(worked)


def plan(clips: int, each: int, seed: int | None) -> tf.data.Dataset:
    """Return (clip, chance in [0, 1)) in random order, `each` times each clip; others every epoch.

    Nothing is kept in memory: an index is shuffled by arithmetic.
    """
    draws = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)

    @_graph
    def epoch(draw):
        key = tf.bitcast(draw, tf.int32)  # (2,)

        @_graph
        def item(i):
            i = tf.random.experimental.index_shuffle(i, key, clips * each - 1)
            key_of_item = key + tf.stack([0, tf.cast(i, tf.int32) + 1])
            return i // each, tf.random.stateless_uniform((), key_of_item, dtype=tf.float64)

        return tf.data.Dataset.range(clips * each).map(item)

    return draws.take(1).flat_map(epoch)


def _in_order(ear: _Ear, clips: int, workers: int) -> tf.data.Dataset:
    """Every segment of every clip, in order."""
    signature = {
        "waveform": tf.TensorSpec((None, ear.cut.segment), tf.float32),
        "first": tf.TensorSpec((None,), tf.int64),
        "fresh": tf.TensorSpec((None,), tf.float32),
        "period": tf.TensorSpec((None,), tf.int64),
        "clip": tf.TensorSpec((None,), tf.int64),
    }

    def heard(index):
        for waveform, first, fresh, period in ear.cut_up(int(index)):
            yield {
                "waveform": waveform,
                "first": first,
                "fresh": fresh,
                "period": period,
                "clip": np.full(len(first), index, np.int64),
            }

    return (
        tf.data.Dataset.range(clips)
        .interleave(
            _graph(
                lambda i: tf.data.Dataset.from_generator(
                    heard, args=(i,), output_signature=signature
                )
            ),
            cycle_length=workers,
            block_length=2**31,  # one clip after the other, while the next are being decoded
            num_parallel_calls=workers,
            deterministic=True,
        )
        .unbatch()
    )


# --- targets ---


def _labeller(corpus: Corpus, model: "AudioModel") -> Callable[[dict], tf.Tensor]:
    """Return a graph function from a segment to its targets."""
    if not model.frame_wise:
        targets = tf.constant(corpus.targets)
        return lambda piece: targets[piece["clip"]]
    silent = [clip.name for clip in corpus.clips if clip.onsets is None]
    step = getattr(import_architecture(model.architecture), "FRAMES", {}).get("hop_length")
    if silent or len(model.labels) != 1 or step is None:
        raise ConfigError(
            f"{model.name} judges frames: it is trained on clips whose `onsets` are known, and has "
            f"one label. {corpus.name} has {len(silent)} clips without onsets"
            f"{f', such as {silent[0]}' if silent else ''}; {model.name} has the labels "
            f"{', '.join(model.labels)}."
        )
    times = tf.ragged.constant([clip.onsets for clip in corpus.clips], tf.float64, ragged_rank=1)
    frames = model.compute_output_shape((1, model.segmentation.segment))[1]
    length = model.segmentation.segment

    def label(piece: dict) -> tf.Tensor:
        samples = times[piece["clip"]] * model.sample_rate
        again = tf.range(0, length, tf.where(piece["period"] > 0, piece["period"], length))
        samples = samples[None] + tf.cast(again[:, None], tf.float64)  # where the clip is repeated
        at = (tf.reshape(samples, (-1,)) - tf.cast(piece["first"], tf.float64)) / step
        index = tf.cast(tf.round(at), tf.int64)
        index = tf.boolean_mask(index, (index >= 0) & (index < frames))
        ones = tf.ones_like(index, tf.float32)
        return tf.tensor_scatter_nd_max(tf.zeros((frames, 1)), index[:, None], ones[:, None])

    return label
