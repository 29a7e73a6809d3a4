"""Sources of audio that decode clips when they are needed."""

import functools
import importlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo import audio
from zoo.audio.excerpt import Excerpt
from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import AudioError

logger = logging.getLogger("zoo.data.pipeline.dataset")


class Decoder:
    """Decodes with libsndfile, FFmpeg and soxr, as `zoo.audio` does.

    A clip that fails is logged, listed in `failed`, and empty from then on.

    Args:
        corpus: its clips.
        sample_rate: of the result, in Hz.
    """

    sure: tuple[int, ...] | None = None  # not known before decoding

    def __init__(self, corpus: Corpus, sample_rate: int):
        self.corpus, self.sample_rate = corpus, sample_rate
        self.failed: dict[int, Skipped] = {}

    def total(self, clip: tf.Tensor) -> tf.Tensor:
        """Return the length of a clip in samples, 0 if it fails; see `cutting.Source`."""
        return tf.ensure_shape(tf.numpy_function(self._total, (clip,), tf.int64), ())

    def sound(self, clip: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return samples `left` to `right` of a clip, empty if it fails; see `cutting.Source`."""
        sound = tf.numpy_function(self._sound, (clip, left, right), tf.float32)
        return tf.ensure_shape(sound, (None,))

    def kept(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Return the same dataset, since `sound` raises no errors; see `cutting.Source`."""
        return data

    def totals(self, workers: int) -> list[int | None]:
        """Return the length of each clip from its header, in samples; see `cutting.Source`.

        Clips that cannot be opened are added to `failed`; their length is 0.
        """

        def total(index: int) -> int | None:
            clip = self.corpus.clips[index]
            known = self._try(index, lambda _: audio.announced(clip.path), 0.0)
            return None if known is None else int(self._total(index))

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(total, range(len(self.corpus))))

    def _total(self, index: int) -> np.int64:
        return np.int64(self._try(index, lambda clip: extent(clip, self.sample_rate)[1], 0))

    def _sound(self, index: int, left: int, right: int) -> np.ndarray:
        sound = self._try(
            index,
            lambda clip: excerpt(clip, self.sample_rate, int(left), int(right)),
            np.empty(0, np.float32),
        )
        check_any_left(self.corpus, self.failed)
        return sound

    def _try(self, index: int, work: Callable[[Clip], Any], instead: Any) -> Any:
        if index in self.failed:
            return instead
        clip = self.corpus.clips[index]
        try:
            with audio.as_one(self.corpus.name):
                return work(clip)
        except MemoryError:
            raise
        except Exception as error:  # no error of one file may stop the others
            reason = str(error).removeprefix(f"{clip.path}: ")
            failure = Skipped(clip.name, reason)
            if self.failed.setdefault(int(index), failure) is failure:
                logger.warning("%s is left out: %s", *failure)
            return instead


class GraphDecoder(Decoder):
    """Decodes and resamples in TensorFlow's graph, by `tensorflow_io.waveform`.

    Lengths, for random segments, still come from libsndfile. Clips that fail in the graph are
    skipped with TensorFlow's own warning, which names the file; `failed` lists only those that
    libsndfile cannot open.

    Args:
        corpus: its clips.
        sample_rate: of the result, in Hz.
        module: import path of the function's module.
    """

    def __init__(self, corpus: Corpus, sample_rate: int, module: str):
        super().__init__(corpus, sample_rate)
        self.waveform = importlib.import_module(module).waveform
        clips = corpus.clips
        self.paths = tf.constant([str(clip.path) for clip in clips])
        self.starts = tf.constant([clip.start for clip in clips], tf.float64)
        self.seconds = tf.constant(
            [-1.0 if clip.end is None else clip.end - clip.start for clip in clips], tf.float64
        )

    def sound(self, clip: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return samples `left` to `right` of a clip; see `cutting.Source`."""
        rate = tf.constant(self.sample_rate, tf.float64)
        begin = tf.round(self.starts[clip] * rate) + tf.cast(left, tf.float64)
        seconds = tf.where(right < 0, self.seconds[clip], tf.cast(right - left, tf.float64) / rate)
        return self.waveform(self.paths[clip], begin / rate, seconds, self.sample_rate)

    def kept(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Skip the elements that failed; see `cutting.Source`."""
        return data.ignore_errors(log_warning=True)


def check_any_left(corpus: Corpus, failed: dict[int, Skipped]) -> None:
    """Check that not all clips have failed.

    Args:
        corpus: the clips.
        failed: index of a clip -> name and reason.

    Raises:
        AudioError: all have failed.
    """
    if len(failed) == len(corpus):
        last = list(failed.values())[-1]
        raise AudioError(
            f"none of the {len(corpus)} clips of {corpus.name} could be decoded. The last error: "
            f"{last.name}: {last.reason}"
        )


def excerpt(clip: Clip, sample_rate: int, left: int = 0, right: int = -1) -> np.ndarray:
    """Decode a part of a clip.

    Args:
        clip: to decode.
        sample_rate: of the result, in Hz.
        left: first sample.
        right: the sample after the last one; -1 for the clip's end.

    Returns:
        (samples,) float32, mono.

    Raises:
        AudioError: it cannot be decoded.
    """
    begin = round(clip.start * sample_rate)
    start = clip.start if left == 0 else (begin + left) / sample_rate
    end = clip.end if right < 0 else (begin + right) / sample_rate
    return audio.load(clip.path, sample_rate, start, end)


def extent(clip: Clip, sample_rate: int) -> tuple[int, int]:
    """Return where a clip starts in its file, and its length.

    Args:
        clip: to measure.
        sample_rate: in Hz.

    Returns:
        First sample and number of samples, at this rate.

    Raises:
        AudioError: it cannot be opened, or the excerpt is not in the file.
    """
    stat = os.stat(clip.path) if clip.path.is_file() else None
    seconds = (
        _seconds(clip.path, stat.st_size, stat.st_mtime_ns) if stat else audio.duration(clip.path)
    )
    Excerpt(str(clip.path), sample_rate, clip.start, clip.end).check_within(seconds)
    begin = round(clip.start * sample_rate)
    end = seconds if clip.end is None else min(clip.end, seconds)
    return begin, max(round(end * sample_rate) - begin, 1)


@functools.lru_cache(2**16)
def _seconds(path: Path, size: int, changed: int) -> float:
    """Return the length of a file in seconds; cached, since some MP3s must be decoded for it."""
    return audio.duration(path)
