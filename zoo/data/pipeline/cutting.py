"""Cutting sounds into segments inside of TensorFlow's graph, as `zoo.audio.segments` does outside.

A piece is a dict of tensors: "waveform" (segment,) float32; "clip" int64, its index; "first" int64,
the sample of the clip that the waveform begins with, negative if with padding; "fresh" float32,
seconds of the clip that no earlier segment covered; "period" int64, the length of the clip in
samples if it was repeated to fill the segment, else 0.
"""

from typing import Protocol

import tensorflow as tf

from zoo.audio import Segmentation
from zoo.data.corpus import Skipped

Piece = dict[str, tf.Tensor]

graph = tf.autograph.experimental.do_not_convert  # functions of this package need no rewriting


class Source(Protocol):
    """Where the sounds of a corpus come from.

    Attributes:
        failed: clips that could not be had, by index, and why; it may grow.
        sure: indices of the clips that can be had; None if that shows only when they are heard.
    """

    failed: dict[int, Skipped]
    sure: tuple[int, ...] | None

    def total(self, clip: tf.Tensor) -> tf.Tensor:
        """Return the length of a clip in samples, an int64 scalar; 0 if it failed."""

    def sound(self, clip: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return samples `left` to `right` of a clip, right -1 for its end; none if it failed.

        Args:
            clip: index, an int64 scalar.
            left: int64 scalar.
            right: int64 scalar.

        Returns:
            (samples,) float32.
        """

    def kept(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Return a dataset made with `sound` without what its errors stopped."""

    def totals(self, workers: int) -> list[int | None]:
        """Return the length of each clip in samples, 0 if it failed, None if it is not known."""


def count(total: int, cut: Segmentation) -> int:
    """Return how many segments a clip of so many samples has, the tail included."""
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
    """Return all segments of a clip in order, as a dataset of pieces.

    Args:
        clip: its index.
        sound: (samples,), all of it, at least one sample.
        cut: how to cut.
        rate: samples a second.
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
    """Return one segment of the padded clip; every place is as likely as every other.

    Args:
        clip: its index.
        chance: in [0, 1), which says where.
        source: of the sound; only what is needed is asked of it.
        cut: `hop` does not matter.
        rate: samples a second.

    Returns:
        A piece; its clip is -1 if the clip could not be had.
    """
    pad, inner = tf.constant(cut.pad, tf.int64), cut.segment - 2 * cut.pad
    total = source.total(clip)
    short = total < inner
    places = tf.cast(total - inner + 1, tf.float64)
    first = tf.where(short, -pad, tf.cast(tf.floor(chance * places), tf.int64) - pad)
    left = tf.maximum(first, 0)
    right = tf.where(short, tf.constant(-1, tf.int64), tf.minimum(first + cut.segment, total))
    sound = source.sound(clip, left, right)
    heard = tf.size(sound) > 0
    inside = tf.cond(
        short & heard, lambda: _repeated(sound, inner), lambda: sound[: cut.segment - left + first]
    )
    after = cut.segment - (left - first) - tf.size(inside, tf.int64)
    return {
        "waveform": tf.ensure_shape(tf.pad(inside, [[left - first, after]]), (cut.segment,)),
        "clip": tf.where(heard, clip, -1),
        "first": first,
        "fresh": tf.constant(cut.segment / rate, tf.float32),
        "period": tf.where(short, total, 0),
    }


def _repeated(sound: tf.Tensor, length: int) -> tf.Tensor:
    """Repeat (samples,) until it is so long."""
    return tf.tile(sound, [length // tf.size(sound) + 1])[:length]
