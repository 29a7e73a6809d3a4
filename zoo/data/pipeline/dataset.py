"""From a corpus to a tf.data pipeline for `fit`, `evaluate` and `predict` on every backend.

    from zoo import data

    songs = data.from_folder("songs")
    train = data.dataset(songs.split("train"), model, training=True, seed=0)
    validation = data.dataset(songs.split("validation"), model)
    model.fit(train, validation_data=validation, shuffle=False)  # already shuffled

Training takes random segments of each clip, new ones in every epoch. Evaluation takes all segments,
as `zoo.audio.segments` cuts them. Several workers decode, and only the needed part of a file.
"""

import functools
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
from zoo.utils import cores
from zoo.utils.files import PathLike

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel

DECODERS = {"soundfile": None, "tensorflow-io": "zoo.data.pipeline.tensorflow_io"}
"""Name of a decoder -> module with its graph function `waveform`; None for `zoo.audio`."""


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

    A clip that cannot be decoded is logged once as a warning, skipped from then on, and listed by
    `failures`. In training another segment replaces it, so that the number of steps per epoch,
    which Keras shows, stays the same.

    Args:
        corpus: clips with tags that are all among the model's labels.
        model: its labels, sample rate and segmentation are used.
        training: True samples random segments and shuffles them; False takes all in order.
        batch_size: segments per batch.
        segments: how many segments of each clip are sampled per epoch; only in training.
        hop: seconds from one segment to the next; None for the model's own; not in training.
        seed: two runs with the same seed have the same epochs. If TensorFlow's global seed is set
            (`tf.random.set_seed`), it must be the same too.
        cache: folder for decoded audio, created if missing: see `zoo.data.pipeline.shards`. Later
            epochs decode nothing.
        decoder: "soundfile", or "tensorflow-io", which decodes in TensorFlow's graph.
        workers: how many clips are decoded at once; None for one per CPU core.
        drop_remainder: leave out a smaller last batch.

    Returns:
        A dataset of (waveform (batch, segment) float32, targets (batch, labels) float32). For a
        model that predicts frames the targets are (batch, frames, 1): 1 in the frame nearest to
        each of the clip's `onsets`.

    Raises:
        ConfigError: an argument is not valid; the message names it.
        UnknownName: the corpus has tags that the model lacks; the message has both lists.
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
    """Return the segments of a corpus with the index of their clip, in batches.

    Arguments, errors and the treatment of clips that cannot be decoded are as in `dataset`, but
    tags are ignored.

    Args:
        corpus: the clips.
        model: its sample rate and segmentation are used.
        training: see `dataset`; so are the other arguments.
        batch_size: segments per batch.
        segments: how many segments of each clip are sampled per epoch.
        hop: seconds from one segment to the next.
        seed: of the random segments.
        cache: folder for decoded audio.
        decoder: "soundfile" or "tensorflow-io".
        workers: how many clips are decoded at once.
        drop_remainder: leave out a smaller last batch.

    Returns:
        A dataset of (waveform (batch, segment) float32, clip (batch,) int32: index in
        `corpus.clips`, fresh (batch,) float32: seconds of the clip that no earlier segment covered;
        in training, the seconds of the segment).

    Raises:
        ConfigError: an argument is not valid; the message names it.
    """
    options = PipelineOptions(training, batch_size, segments, hop, seed, drop_remainder)
    return Segments(corpus, model, cache, decoder, workers).numbered(options)


def failures(dataset: tf.data.Dataset) -> tuple[Skipped, ...]:
    """Return the clips that a dataset has skipped so far because they could not be decoded.

    Args:
        dataset: from `dataset` or `segments`, also after `map`, `take`, `zip` and so on.

    Returns:
        The clips' names with reasons.

    Raises:
        ConfigError: the dataset comes from elsewhere.
    """
    sources = list(_sources(dataset))
    if not sources:
        raise ConfigError(
            "failures needs a dataset from zoo.data.dataset or zoo.data.segments, also after map, "
            "take and so on; this one comes from elsewhere."
        )
    return tuple(dict.fromkeys(failure for source in sources for failure in source.failures))


def _sources(dataset: tf.data.Dataset) -> Iterator["Segments"]:
    """Yield the `Segments` of a dataset and of its inputs."""
    source = getattr(dataset, "_zoo_segments", None)
    if source is not None:
        yield source
        return
    for part in dataset._inputs():  # TensorFlow has no public method for this
        yield from _sources(part)


# --- the pipeline ---


@dataclass(frozen=True)
class PipelineOptions:
    """Which segments, and how to batch them. See `dataset`."""

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
                f"hop={self.hop} cannot be used with training=True, which samples segments at "
                "random: give segments=, the number of segments of each clip."
            )
        if not self.training and self.segments != 1:
            raise ConfigError(
                f"segments={self.segments} cannot be used with training=False, which takes all "
                "segments: give hop=, the seconds between segments."
            )


def _check_count(name: str, value: int | None) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 1):
        raise ConfigError(f"{name} is {value!r}; expected a whole number, 1 or more.")


@dataclass
class _Epoch:
    """The number of an epoch.

    TensorFlow never frees a Python function that a graph calls, nor what it refers to. The one that
    reads the number refers to this, not to `Segments` with its model.
    """

    number: int = 0


class Segments:
    """The source of all batches of a corpus for a model.

    All its datasets share one cache and one list of failures.

    Args:
        corpus: the clips.
        model: its labels, sample rate and segmentation are used.
        cache: see `dataset`; so are the next two.
        decoder: "soundfile" or "tensorflow-io".
        workers: how many clips are decoded at once; None for one per CPU core.

    Raises:
        ConfigError: an argument is not valid; the message names it.
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
                f"decoder={decoder!r} cannot be used with cache=, which soundfile fills. Leave "
                "one of them out."
            )
        if len(corpus) == 0:
            raise ConfigError(f"{corpus.name} has no clips.")
        self.corpus, self.model = corpus, model
        self.cache, self.decoder, self.workers = cache, decoder, workers
        self._epoch = _Epoch()

    @property
    def epoch(self) -> int:
        """Number of the epoch, for `by_epoch`."""
        return self._epoch.number

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._epoch.number = number

    @functools.cached_property
    def source(self) -> Source:
        """The audio. If the cache lacks clips, they are decoded now."""
        rate, module = self.model.sample_rate, DECODERS[self.decoder]
        if self.cache is not None:
            return shards.Shards(self.corpus, rate, self.cache, self._parallel)
        if module is not None:
            return decoding.GraphDecoder(self.corpus, rate, module)
        return decoding.Decoder(self.corpus, rate)

    @property
    def failures(self) -> tuple[Skipped, ...]:
        """The clips that were skipped so far because they could not be decoded, with reasons."""
        return tuple(self._failed.values())

    def check_any_left(self) -> None:
        """Check that at least one clip can be decoded.

        Raises:
            AudioError: all clips failed.
        """
        decoding.check_any_left(self.corpus, self._failed)

    @property
    def _failed(self) -> dict[int, Skipped]:
        opened = "source" in vars(self)
        return self.source.failed if opened else {}

    def labelled(self, options: PipelineOptions, by_epoch: bool = False) -> tf.data.Dataset:
        """Return batches of (waveform, targets); see `dataset`.

        Args:
            options: which segments.
            by_epoch: random segments depend only on the seed, which must be given, and on
                `self.epoch`, which is read whenever an iteration starts.

        Returns:
            The dataset.

        Raises:
            ConfigError: the model predicts frames, and clips have no onsets.
            UnknownName: the corpus has tags that the model lacks.
        """
        label = _labeller(self.corpus.with_labels(self.model.labels), self.model)
        return self._batches(options, lambda piece: (piece["waveform"], label(piece)), by_epoch)

    def numbered(self, options: PipelineOptions, by_epoch: bool = False) -> tf.data.Dataset:
        """Return batches of (waveform, clip, fresh seconds); see `segments`.

        Args:
            options: which segments.
            by_epoch: as in `labelled`.

        Returns:
            The dataset.
        """

        def finish(piece: Piece) -> tuple:
            return piece["waveform"], tf.cast(piece["clip"], tf.int32), piece["fresh"]

        return self._batches(options, finish, by_epoch)

    def _batches(
        self, options: PipelineOptions, finish: Callable[[Piece], tuple], by_epoch: bool
    ) -> tf.data.Dataset:
        """Apply `finish` to each piece, and batch."""
        cut = self.model.cut(options.hop)
        size: int | None
        if options.training:
            pieces, size = self._sampled(options, by_epoch, cut)
        else:
            pieces, size = self._in_order(cut)
        batches = pieces.map(graph(finish)).batch(options.batch_size, options.drop_remainder)
        settings = tf.data.Options()
        # There is nothing to tune, and its thread delays the end of an epoch.
        settings.autotune.enabled = False
        batches = batches.prefetch(2).with_options(settings)
        batches._zoo_segments = self
        if size is not None and batches.cardinality() < 0:
            # Keras shows this number of steps. It is wrong if a file is damaged, so TensorFlow,
            # which would raise an error then, does not get it.
            whole, rest = divmod(size, options.batch_size)
            steps = tf.constant(whole + (rest > 0 and not options.drop_remainder), tf.int64)
            batches.cardinality = lambda: steps
        return batches

    @property
    def _parallel(self) -> int:
        """How many clips are decoded at once: one for each core that this process may use."""
        return cores.available() if self.workers is None else int(self.workers)

    @property
    def _sure(self) -> list[int]:
        """Indices of the clips to decode."""
        sure = self.source.sure
        return list(range(len(self.corpus)) if sure is None else sure)

    def _sampled(
        self, options: PipelineOptions, by_epoch: bool, cut: Segmentation
    ) -> tuple[tf.data.Dataset, int]:
        """Return random segments in random order, and their number, even if some clips fail."""
        source, rate, each = self.source, self.model.sample_rate, options.segments
        keys = self._epoch_keys(options.seed) if by_epoch else _keys(options.seed)
        ids = tf.constant(self._sure, tf.int64)
        size = ids.shape[0] * each

        def once(keys: tf.data.Dataset) -> tf.data.Dataset:
            return plan(ids.shape[0], each, keys).map(
                graph(lambda i, chance: cutting.random_segment(ids[i], chance, source, cut, rate)),
                num_parallel_calls=self._parallel,
                deterministic=True,
            )

        def decoded(keys: tf.data.Dataset) -> tf.data.Dataset:
            return source.kept(once(keys)).filter(graph(lambda piece: piece["clip"] >= 0))

        if source.sure is not None:  # without flat_map, so that the tf.data service can split it
            return once(keys), size
        # If clips fail, others are sampled in their place, so that the number of steps is the same.
        if not by_epoch:
            return decoded(keys).repeat().take(size), size
        repeated = graph(lambda key: decoded(tf.data.Dataset.from_tensors(key).repeat()))
        return _endless(keys.flat_map(repeated)).take(size), size

    def _in_order(self, cut: Segmentation) -> tuple[tf.data.Dataset, int | None]:
        """Return all segments, clip by clip, and their number if the headers have it."""
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
        sounds = sounds.prefetch(1)  # decode the next clip while this one is cut and used
        totals = source.totals(self._parallel)
        known = [total for total in totals if total is not None]
        size = sum(cutting.count(total, cut) for total in known if total > 0)
        return (
            sounds.flat_map(graph(lambda clip, s: cutting.all_segments(clip, s, cut, rate))),
            size if len(known) == len(self.corpus) else None,
        )

    def _epoch_keys(self, seed: int | None) -> tf.data.Dataset:
        """Return keys that depend only on the seed and the epoch.

        (Some backends of Keras start an epoch twice, to inspect its first batch.)
        """
        assert seed is not None
        epoch = self._epoch

        def of_epoch() -> np.ndarray:
            sequence = np.random.SeedSequence((seed, epoch.number))
            return sequence.generate_state(1, np.uint64).view("i8")

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
    """Mark a dataset as infinite, so that TensorFlow knows the size after `take`."""
    return data.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def _keys(seed: int | None) -> tf.data.Dataset:
    """Return infinitely many random numbers, new ones in every iteration."""
    return tf.data.Dataset.random(seed, rerandomize_each_iteration=True)


def plan(clips: int, each: int, keys: tf.data.Dataset) -> tf.data.Dataset:
    """Return each clip `each` times, in random order, with a random number.

    The order needs no memory: each index is shuffled by arithmetic.

    Args:
        clips: number of clips.
        each: how often each is taken.
        keys: infinitely many int64, 0 or more; the first is the seed of the epoch.

    Returns:
        A dataset of (index of a clip, number in [0, 1)).
    """
    # All elements of an epoch use its first key.
    keys = keys.scan(tf.constant(-1, tf.int64), graph(_first))

    @graph
    def item(i: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        key = tf.bitcast(key, tf.int32)  # (2,)
        i = tf.random.experimental.index_shuffle(i, key, clips * each - 1)
        own = key + tf.stack([0, tf.cast(i, tf.int32) + 1])
        return i // each, tf.random.stateless_uniform((), own, dtype=tf.float64)

    return tf.data.Dataset.zip((tf.data.Dataset.range(clips * each), keys)).map(item)


def _first(first: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    first = tf.where(first < 0, key, first)
    return first, first


# --- targets ---


def _labeller(corpus: Corpus, model: "AudioModel") -> Callable[[Piece], tf.Tensor]:
    """Return a graph function from a segment to its targets."""
    if not model.frame_wise:
        targets = tf.constant(corpus.targets)
        return lambda piece: targets[piece["clip"]]
    without = [clip.name for clip in corpus.clips if clip.onsets is None]
    step = getattr(import_architecture(model.architecture), "FRAMES", {}).get("hop_length")
    if without or len(model.labels) != 1 or step is None:
        raise ConfigError(
            f"{model.name} predicts frames: it needs clips with `onsets`, and exactly one label. "
            f"{corpus.name} has {len(without)} clips without onsets"
            f"{f', such as {without[0]}' if without else ''}; {model.name} has the labels "
            f"{', '.join(model.labels)}."
        )
    times = tf.ragged.constant([clip.onsets for clip in corpus.clips], tf.float64, ragged_rank=1)
    frames = model.compute_output_shape((1, model.segmentation.segment))[1]
    length = model.segmentation.segment

    def label(piece: Piece) -> tf.Tensor:
        samples = times[piece["clip"]] * model.sample_rate
        repeats = tf.range(0, length, tf.where(piece["period"] > 0, piece["period"], length))
        samples = samples[None] + tf.cast(repeats[:, None], tf.float64)  # in each repeat of a clip
        at = (tf.reshape(samples, (-1,)) - tf.cast(piece["first"], tf.float64)) / step
        index = tf.cast(tf.round(at), tf.int64)
        index = tf.boolean_mask(index, (index >= 0) & (index < frames))
        ones = tf.ones_like(index, tf.float32)
        return tf.tensor_scatter_nd_max(tf.zeros((frames, 1)), index[:, None], ones[:, None])

    return label
