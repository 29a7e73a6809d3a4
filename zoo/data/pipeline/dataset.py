"""From a corpus to a tf.data pipeline that `fit`, `evaluate` and `predict` take on every backend.

    from zoo import data

    songs = data.from_folder("songs")
    train = data.dataset(songs.split("train"), model, training=True, seed=0)
    validation = data.dataset(songs.split("validation"), model)
    model.fit(train, validation_data=validation, shuffle=False)  # they are shuffled already

Training takes random segments of each clip, others in every epoch; evaluation takes every segment,
as `zoo.audio.segments` cuts them. Only what is needed of a file is decoded, by several workers.
"""

import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from zoo.audio import Segmentation
from zoo.data.corpus import Corpus, Skipped
from zoo.data.pipeline import cutting, decoding, shards
from zoo.data.pipeline.cutting import Piece, Source, graph
from zoo.errors import ConfigError
from zoo.inference.assembly import import_architecture
from zoo.utils.files import PathLike

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel

DECODERS = {"soundfile": None, "tensorflow-io": "zoo.data.pipeline.tensorflow_io"}
"""Name of a decoder -> module with its graph function `waveform`; None for our own."""


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
        training: sample segments at random and shuffle them, or take every segment in order.
        batch_size: segments in a batch.
        segments: how many are sampled from each clip in an epoch; in training only.
        hop: seconds from one segment to the next; None for the model's own; not in training.
        seed: with the same seed, the epochs of two runs are the same, in the same order.
            TensorFlow mixes its global seed in: where one is set (`tf.random.set_seed`), it has to
            be the same too.
        cache: folder for decoded sound, made if need be: see `zoo.data.pipeline.shards`. Later
            epochs decode nothing.
        decoder: "soundfile", or "tensorflow-io", which decodes in TensorFlow's graph.
        workers: how many clips are decoded at once; None for one a core.
        drop_remainder: leave out a last batch that is smaller.

    Returns:
        A dataset of (waveform (batch, segment) float32, targets (batch, labels) float32). For a
        model that predicts frames the targets are (batch, frames, 1): 1 in the frame nearest to
        each of the clip's `onsets`.

    Raises:
        ConfigError: an argument that does not fit; the message says which.
        UnknownName: the corpus has tags that the model does not know; with both lists.
    """
    options = PipelineOptions(training, batch_size, segments, hop, seed, drop_remainder)
    return Segments(corpus, model, cache, decoder, workers).labelled(options)


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
    options = PipelineOptions(training, batch_size, segments, hop, seed, drop_remainder)
    return Segments(corpus, model, cache, decoder, workers).numbered(options)


def failures(dataset: tf.data.Dataset) -> tuple[Skipped, ...]:
    """Return the clips that a dataset left out so far because they could not be decoded, and why.

    Args:
        dataset: what `dataset` or `segments` returned, or a dataset that was made of it by `map`,
            `take`, `zip` and the like.

    Raises:
        ConfigError: it is another dataset.
    """
    sources = list(_sources(dataset))
    if not sources:
        raise ConfigError(
            "failures are known of what zoo.data.dataset and zoo.data.segments return and of what "
            "is made of it with map, take and the like; this dataset is another."
        )
    return tuple(dict.fromkeys(failure for source in sources for failure in source.failures))


def _sources(dataset: tf.data.Dataset) -> Iterator["Segments"]:
    """Yield what a dataset and its inputs were made from."""
    source = getattr(dataset, "_zoo_segments", None)
    if source is not None:
        yield source
        return
    for part in dataset._inputs():  # TensorFlow has no public way to them
        yield from _sources(part)


# --- plumbing ---


@dataclass(frozen=True)
class PipelineOptions:
    """Which segments, and how they are batched. See `dataset`."""

    training: bool = False
    batch_size: int = 16
    segments: int = 1
    hop: float | None = None
    seed: int | None = None
    drop_remainder: bool = False

    def __post_init__(self) -> None:
        _check_count("segments", self.segments)
        _check_count("batch_size", self.batch_size)
        if self.training and self.hop is not None:
            raise ConfigError(
                f"hop={self.hop} with training=True, where segments are sampled at random: "
                "segments= says how many from each clip."
            )
        if not self.training and self.segments != 1:
            raise ConfigError(
                f"segments={self.segments} with training=False, where every segment is taken: hop= "
                "says how densely."
            )


def _check_count(name: str, value: int | None) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 1):
        raise ConfigError(f"{name} is {value!r}; expected a whole number, 1 or more.")


class Segments:
    """Where the batches of a corpus for a model come from, in all epochs of a training.

    Its cache is opened, and what fails is logged and kept, once for all datasets made from it.

    Args:
        corpus: the clips.
        model: its labels, sample rate and segmentation are used.
        cache: see `dataset`; so are the next two.
        decoder: "soundfile" or "tensorflow-io".
        workers: how many clips are decoded at once; None for one a core.

    Raises:
        ConfigError: an argument that does not fit; the message says which.
    """

    def __init__(
        self,
        corpus: Corpus,
        model: "AudioModel",
        cache: PathLike | None = None,
        decoder: str = "soundfile",
        workers: int | None = None,
    ):
        _check_count("workers", workers)
        if decoder not in DECODERS:
            raise ConfigError(f"decoder is {decoder!r}; it is one of {', '.join(DECODERS)}.")
        if cache is not None and decoder != "soundfile":
            raise ConfigError(
                f"decoder={decoder!r} with cache=: what is cached is decoded once, by "
                "soundfile. Leave one of them out."
            )
        if len(corpus) == 0:
            raise ConfigError(f"{corpus.name} has no clips, and so no segments.")
        self.corpus, self.model = corpus, model
        self.cache, self.decoder, self.workers = cache, decoder, workers
        self.epoch = 0

    @functools.cached_property
    def source(self) -> Source:
        """The sounds; a cache is filled now, if it lacks some."""
        rate, module = self.model.sample_rate, DECODERS[self.decoder]
        if self.cache is not None:
            return shards.Shards(self.corpus, rate, self.cache, self._parallel)
        if module is not None:
            return decoding.GraphDecoder(self.corpus, rate, module)
        return decoding.Decoder(self.corpus, rate)

    @property
    def failures(self) -> tuple[Skipped, ...]:
        """The clips that were left out so far because they could not be decoded, and why."""
        return tuple(self._failed.values())

    def check_any_left(self) -> None:
        """Raise AudioError if no clip could be decoded."""
        decoding.check_any_left(self.corpus, self._failed)

    @property
    def _failed(self) -> dict[int, Skipped]:
        opened = "source" in vars(self)
        return self.source.failed if opened else {}

    def labelled(self, options: PipelineOptions, by_epoch: bool = False) -> tf.data.Dataset:
        """Return batches of (waveform, targets); see `dataset`.

        Args:
            options: which segments.
            by_epoch: random segments depend on nothing but the seed, which must be given, and
                `self.epoch`, which is read whenever an iteration starts.
        """
        label = _labeller(self.corpus.with_labels(self.model.labels), self.model)
        return self._batches(options, lambda piece: (piece["waveform"], label(piece)), by_epoch)

    def numbered(self, options: PipelineOptions, by_epoch: bool = False) -> tf.data.Dataset:
        """Return batches of (waveform, clip, fresh seconds); see `segments` and `labelled`."""

        def finish(piece: Piece) -> tuple:
            return piece["waveform"], tf.cast(piece["clip"], tf.int32), piece["fresh"]

        return self._batches(options, finish, by_epoch)

    def _batches(
        self, options: PipelineOptions, finish: Callable[[Piece], tuple], by_epoch: bool
    ) -> tf.data.Dataset:
        """Return batches of what `finish` makes of each piece."""
        cut = _cut(self.model, options.hop)
        size: int | None
        if options.training:
            keys = self._epoch_keys(options.seed) if by_epoch else _keys(options.seed)
            pieces, size = self._sampled(options.segments, keys, cut)
        else:
            pieces, size = self._in_order(cut)
        batches = pieces.map(graph(finish)).batch(options.batch_size, options.drop_remainder)
        settings = tf.data.Options()
        # nothing to tune here; its thread holds up an epoch's end
        settings.autotune.enabled = False
        batches = batches.prefetch(2).with_options(settings)
        batches._zoo_segments = self
        if size is not None and batches.cardinality() < 0:
            # TensorFlow would insist on a number that it is told. This one is what Keras shows, and
            # holds unless a file turns out to be cut off or damaged.
            whole, rest = divmod(size, options.batch_size)
            steps = tf.constant(whole + (rest > 0 and not options.drop_remainder), tf.int64)
            batches.cardinality = lambda: steps
        return batches

    @property
    def _parallel(self) -> int:
        """Clips that are decoded at once: one for each core that this process may use."""
        if self.workers is not None:
            return int(self.workers)
        cores = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
        return len(cores(0))

    @property
    def _sure(self) -> list[int]:
        """Indices of the clips that are tried."""
        sure = self.source.sure
        return list(range(len(self.corpus)) if sure is None else sure)

    def _sampled(
        self, each: int, keys: tf.data.Dataset, cut: Segmentation
    ) -> tuple[tf.data.Dataset, int]:
        """Random segments in random order; a known number of them, even if some clips fail."""
        source, rate = self.source, self.model.sample_rate
        ids = tf.constant(self._sure, tf.int64)
        size = ids.shape[0] * each

        def once(keys: tf.data.Dataset) -> tf.data.Dataset:
            return plan(ids.shape[0], each, keys).map(
                graph(lambda i, chance: cutting.random_segment(ids[i], chance, source, cut, rate)),
                num_parallel_calls=self._parallel,
                deterministic=True,
            )

        @graph
        def again(key: tf.Tensor) -> tf.data.Dataset:
            pieces = source.kept(once(tf.data.Dataset.from_tensors(key).repeat()))
            return pieces.filter(graph(lambda piece: piece["clip"] >= 0))

        if source.sure is not None:  # without flat_map, so that the tf.data service can share it
            return once(keys), size
        # Again from the start, in another order, if clips failed: the number of steps stays.
        return _endless(keys.flat_map(again)).take(size), size

    def _in_order(self, cut: Segmentation) -> tuple[tf.data.Dataset, int | None]:
        """Every segment of every clip, clip by clip; how many, if headers tell."""
        source, rate = self.source, self.model.sample_rate
        ids = tf.constant(self._sure, tf.int64)
        zero, end = tf.constant(0, tf.int64), tf.constant(-1, tf.int64)
        sounds = tf.data.Dataset.range(ids.shape[0]).map(
            graph(lambda i: (ids[i], source.sound(ids[i], zero, end))),
            num_parallel_calls=self._parallel,
            deterministic=True,
        )
        if source.sure is None:
            sounds = source.kept(sounds).filter(graph(lambda clip, sound: tf.size(sound) > 0))
        sounds = sounds.prefetch(1)  # decoding goes on while a clip is cut and used
        totals = source.totals(self._parallel)
        known = [total for total in totals if total is not None]
        size = sum(cutting.count(total, cut) for total in known if total > 0)
        return (
            sounds.flat_map(graph(lambda clip, s: cutting.all_segments(clip, s, cut, rate))),
            size if len(known) == len(self.corpus) else None,
        )

    def _epoch_keys(self, seed: int | None) -> tf.data.Dataset:
        """Return keys that depend on nothing but the seed and the epoch, however often it starts.

        (Some backends of Keras start an epoch twice, to look at its first batch.)
        """
        assert seed is not None

        def of_epoch() -> np.ndarray:
            return (
                np.random.SeedSequence((seed, self.epoch)).generate_state(1, np.uint64).view("i8")
            )

        @graph
        def key(number: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
            pair = tf.stack([own, number])
            return tf.random.stateless_uniform((), pair, 0, tf.int64.max, tf.int64)

        start = tf.data.Dataset.from_tensors(0).map(
            graph(lambda _: tf.ensure_shape(tf.numpy_function(of_epoch, (), tf.int64), (1,))[0])
        )
        return _endless(
            start.flat_map(
                graph(lambda own: tf.data.Dataset.counter().map(graph(lambda n: key(n, own))))
            )
        )


def _endless(data: tf.data.Dataset) -> tf.data.Dataset:
    """Tell TensorFlow that a dataset has no end, so that it knows the size of what is taken."""
    return data.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def _cut(model: "AudioModel", hop: float | None) -> Segmentation:
    cut = model.segmentation
    if hop is None:
        return cut
    return Segmentation(cut.segment, round(hop * model.sample_rate), cut.pad)


def _keys(seed: int | None) -> tf.data.Dataset:
    """Return random numbers without an end, others in every iteration."""
    return tf.data.Dataset.random(seed, rerandomize_each_iteration=True)


def plan(clips: int, each: int, keys: tf.data.Dataset) -> tf.data.Dataset:
    """Return (clip, chance in [0, 1)) in random order, `each` times each clip.

    Nothing is kept in memory: an index is shuffled by arithmetic.

    Args:
        clips: how many there are.
        each: how often each is taken.
        keys: int64, 0 or more, without an end; the first of them decides all.
    """
    # The first key of an epoch is kept all through it.
    keys = keys.scan(tf.constant(-1, tf.int64), graph(_first))

    @graph
    def item(i: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        key = tf.bitcast(key, tf.int32)  # (2,)
        i = tf.random.experimental.index_shuffle(i, key, clips * each - 1)
        own = key + tf.stack([0, tf.cast(i, tf.int32) + 1])
        return i // each, tf.random.stateless_uniform((), own, dtype=tf.float64)

    return tf.data.Dataset.zip((tf.data.Dataset.range(clips * each), keys)).map(item)


def _first(kept: tf.Tensor, draw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    kept = tf.where(kept < 0, draw, kept)
    return kept, kept


# --- targets ---


def _labeller(corpus: Corpus, model: "AudioModel") -> Callable[[Piece], tf.Tensor]:
    """Return a graph function from a segment to its targets."""
    if not model.frame_wise:
        targets = tf.constant(corpus.targets)
        return lambda piece: targets[piece["clip"]]
    silent = [clip.name for clip in corpus.clips if clip.onsets is None]
    step = getattr(import_architecture(model.architecture), "FRAMES", {}).get("hop_length")
    if silent or len(model.labels) != 1 or step is None:
        raise ConfigError(
            f"{model.name} predicts frames: it is trained on clips whose `onsets` are known, and "
            f"has one label. {corpus.name} has {len(silent)} clips without onsets"
            f"{f', such as {silent[0]}' if silent else ''}; {model.name} has the labels "
            f"{', '.join(model.labels)}."
        )
    times = tf.ragged.constant([clip.onsets for clip in corpus.clips], tf.float64, ragged_rank=1)
    frames = model.compute_output_shape((1, model.segmentation.segment))[1]
    length = model.segmentation.segment

    def label(piece: Piece) -> tf.Tensor:
        samples = times[piece["clip"]] * model.sample_rate
        again = tf.range(0, length, tf.where(piece["period"] > 0, piece["period"], length))
        samples = samples[None] + tf.cast(again[:, None], tf.float64)  # where the clip is repeated
        at = (tf.reshape(samples, (-1,)) - tf.cast(piece["first"], tf.float64)) / step
        index = tf.cast(tf.round(at), tf.int64)
        index = tf.boolean_mask(index, (index >= 0) & (index < frames))
        ones = tf.ones_like(index, tf.float32)
        return tf.tensor_scatter_nd_max(tf.zeros((frames, 1)), index[:, None], ones[:, None])

    return label
