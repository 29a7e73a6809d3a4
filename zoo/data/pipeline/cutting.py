"""Cutting clips into segments in TensorFlow's graph, as `zoo.audio.segments` does outside of it.

A piece is a dict of tensors: "waveform" (segment,) float32; "clip" int64, its index; "first" int64,
the clip's sample at which the waveform starts, negative with padding; "fresh" float32, seconds of
the clip that no earlier segment covered; "period" int64, the length of the clip in samples if it
was repeated to fill the segment, else 0.
"""

from typing import Protocol

import tensorflow as tf

from zoo.audio import Segmentation
from zoo.data.corpus import Skipped

Piece = dict[str, tf.Tensor]

graph = tf.autograph.experimental.do_not_convert  # functions of this package need no rewriting


class Source(Protocol):
    """The audio of a corpus.

    Attributes:
        failed: clips that could not be decoded, by index, with reasons; more may be added.
        sure: indices of the clips that can be decoded; None if this is not known before.
    """

    failed: dict[int, Skipped]
    sure: tuple[int, ...] | None

    def total(self, clip: tf.Tensor) -> tf.Tensor:
        """Return the length of a clip.

        Args:
            clip: index, an int64 scalar.

        Returns:
            Samples, an int64 scalar; 0 if the clip failed.
        """

    def sound(self, clip: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return a part of a clip.

        Args:
            clip: index, an int64 scalar.
            left: first sample, an int64 scalar.
            right: the sample after the last one, an int64 scalar; -1 for the clip's end.

        Returns:
            (samples,) float32; empty if the clip failed.
        """

    def kept(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Skip the elements whose decoding raised an error.

        Args:
            data: a dataset made with `sound`.

        Returns:
            A dataset without these elements.
        """

    def totals(self, workers: int) -> list[int | None]:
        """Return the length of each clip.

        Args:
            workers: number of threads.

        Returns:
            Samples for each clip, 0 if it failed, None if the length is not known.
        """


def count(total: int, cut: Segmentation) -> int:
    """Count the segments of a clip, with the tail.

    Args:
        total: length of the clip in samples.
        cut: the segmentation.

    Returns:
        The number of segments.
    """
    inner = cut.segment - 2 * cut.pad
    if total < inner:
        return 1
    whole = (total - inner) // cut.hop + 1
    reached = min((whole - 1) * cut.hop + cut.segment - cut.pad, total)
    return whole + (reached < total)


@graph
def all_segments(
    clip: tf.Tensor, sound: tf.Tensor, cut: Segmentation, rate: int
) -> tf.data.Dataset:
    """Return all segments of a clip in order.

    Args:
        clip: its index.
        sound: (samples,), the whole clip, at least one sample.
        cut: the segmentation.
        rate: in Hz.

    Returns:
        A dataset of pieces.
    """
    length, pad = tf.constant(cut.segment, tf.int64), tf.constant(cut.pad, tf.int64)
    total, inner = tf.size(sound, tf.int64), cut.segment - 2 * cut.pad
    short = total < inner
    sound = tf.cond(short, lambda: _repeated(sound, inner), lambda: sound)
    padded = tf.pad(sound, [[pad, pad]])
    last = tf.size(padded, tf.int64) - length
    starts = tf.range(0, last + 1, cut.hop, tf.int64)
    reached = tf.minimum(starts[-1] + length - pad, total)
    starts = tf.concat([starts, tf.fill([tf.cast(reached < total, tf.int32)], last)], 0)
    ends = tf.minimum(starts + length - pad, total)
    fresh = tf.cast(ends - tf.concat([[0], ends[:-1]], 0), tf.float32) / rate

    @graph
    def piece(i: tf.Tensor) -> Piece:
        waveform = tf.ensure_shape(padded[starts[i] : starts[i] + length], (cut.segment,))
        return {
            "waveform": waveform,
            "clip": clip,
            "first": starts[i] - pad,
            "fresh": fresh[i],
            "period": tf.where(short, total, 0),
        }

    return tf.data.Dataset.range(tf.size(starts, tf.int64)).map(piece)


@graph
def random_segment(
    clip: tf.Tensor, chance: tf.Tensor, source: Source, cut: Segmentation, rate: int
) -> Piece:
    """Return one segment of the padded clip; all positions have the same probability.

    Args:
        clip: its index.
        chance: random number in [0, 1), which selects the position.
        source: of the audio; only the needed part is decoded.
        cut: the segmentation; its `hop` is ignored.
        rate: in Hz.

    Returns:
        A piece; its clip is -1 if the clip could not be decoded.
    """
    pad, inner = tf.constant(cut.pad, tf.int64), cut.segment - 2 * cut.pad
    total = source.total(clip)
    short = total < inner
    places = tf.cast(total - inner + 1, tf.float64)
    first = tf.where(short, -pad, tf.cast(tf.floor(chance * places), tf.int64) - pad)
    left = tf.maximum(first, 0)
    right = tf.where(short, tf.constant(-1, tf.int64), tf.minimum(first + cut.segment, total))
    sound = source.sound(clip, left, right)
    decoded = tf.size(sound) > 0
    inside = tf.cond(
        short & decoded,
        lambda: _repeated(sound, inner),
        lambda: sound[: cut.segment - left + first],
    )
    after = cut.segment - (left - first) - tf.size(inside, tf.int64)
    return {
        "waveform": tf.ensure_shape(tf.pad(inside, [[left - first, after]]), (cut.segment,)),
        "clip": tf.where(decoded, clip, -1),
        "first": first,
        "fresh": tf.constant(cut.segment / rate, tf.float32),
        "period": tf.where(short, total, 0),
    }


def _repeated(sound: tf.Tensor, length: int) -> tf.Tensor:
    """Repeat (samples,) up to a length in samples."""
    return tf.tile(sound, [length // tf.size(sound) + 1])[:length]
