"""Where the sounds of a pipeline come from when they are decoded as they are needed."""

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
        sample_rate: wanted, in Hz.
    """

    sure: tuple[int, ...] | None = None  # clips that will not fail; not known here

    def __init__(self, corpus: Corpus, sample_rate: int):
        self.corpus, self.sample_rate = corpus, sample_rate
        self.failed: dict[int, Skipped] = {}

    def total(self, clip: tf.Tensor) -> tf.Tensor:
        """Return the length of a clip in samples; 0 if it fails."""
        return tf.ensure_shape(tf.numpy_function(self._total, (clip,), tf.int64), ())

    def sound(self, clip: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Return samples `left` to `right` of a clip, right -1 for its end; none if it fails."""
        sound = tf.numpy_function(self._sound, (clip, left, right), tf.float32)
        return tf.ensure_shape(sound, (None,))

    def kept(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Return a dataset made with `sound` without what its errors stopped: there are none."""
        return data

    def totals(self, workers: int) -> list[int | None]:
        """Return the length of each clip by its header; None if that does not tell.

        Clips that cannot be opened have failed after this, and have length 0.
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
        except Exception as error:  # whatever a sound does, the next one gets its turn
            reason = str(error).removeprefix(f"{clip.path}: ")
            failure = Skipped(clip.name, reason)
            if self.failed.setdefault(int(index), failure) is failure:
                logger.warning("%s is left out: %s", *failure)
            return instead


class GraphDecoder(Decoder):
    """Decodes and resamples in TensorFlow's graph, by `tensorflow_io.waveform`.

    Lengths, for random segments, are still asked of libsndfile. What fails in the graph is left
    out with TensorFlow's own warning, which names the file; only what libsndfile cannot open is
    listed in `failed`.

    Args:
        corpus: its clips.
        sample_rate: wanted, in Hz.
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
        """Return samples `left` to `right` of a clip, right -1 for its end."""
        rate = tf.constant(self.sample_rate, tf.float64)
        begin = tf.round(self.starts[clip] * rate) + tf.cast(left, tf.float64)
        seconds = tf.where(right < 0, self.seconds[clip], tf.cast(right - left, tf.float64) / rate)
        return self.waveform(self.paths[clip], begin / rate, seconds, self.sample_rate)

    def kept(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Leave out what failed."""
        return data.ignore_errors(log_warning=True)


def check_any_left(corpus: Corpus, failed: dict[int, Skipped]) -> None:
    """Raise AudioError if all clips have failed."""
    if len(failed) == len(corpus):
        last = list(failed.values())[-1]
        raise AudioError(
            f"not one of the {len(corpus)} clips of {corpus.name} could be decoded. The last of "
            f"them, {last.name}: {last.reason}"
        )


def excerpt(clip: Clip, sample_rate: int, left: int = 0, right: int = -1) -> np.ndarray:
    """Decode samples `left` to `right` of a clip, right -1 for its end."""
    begin = round(clip.start * sample_rate)
    start = clip.start if left == 0 else (begin + left) / sample_rate
    end = clip.end if right < 0 else (begin + right) / sample_rate
    return audio.load(clip.path, sample_rate, start, end)


def extent(clip: Clip, sample_rate: int) -> tuple[int, int]:
    """Return a clip's first sample in its file, and its length, in samples of a sample rate."""
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
    """Length of a file, asked once: some MP3s must be decoded to know it."""
    return audio.duration(path)
