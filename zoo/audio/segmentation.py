"""From sounds to what a network hears: find files, decode, mix down, resample, cut.

Everything runs in blocks, so that a file of any length takes the same memory.

    from zoo import audio

    for segment in audio.segments("song.mp3", 16000, audio.Segmentation(48128, 47872, 256)):
        segment.samples                                    # (48128,) float32
"""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import soxr

from zoo.audio import arrays
from zoo.audio.decode import Frames, announced, decode, duration
from zoo.audio.excerpt import Excerpt
from zoo.audio.paths import AUDIO_SUFFIXES, find
from zoo.errors import AudioError, AudioWarning, BandWarning, ConfigError, ShortWarning

__all__ = [
    "AUDIO_SUFFIXES",
    "Segment",
    "Segmentation",
    "Source",
    "announced",
    "duration",
    "find",
    "load",
    "name_of",
    "segments",
    "stream",
]

Source = str | os.PathLike[str] | tuple[np.ndarray, float]
"""A file, or an array (samples,) or (samples, channels) with its sample rate in Hz."""

_SILENCE = 2.0**-16  # half a step of 16 bits


@dataclass(frozen=True)
class Segmentation:
    """How a clip is cut, in samples at the model's rate.

    Attributes:
        segment: length of what the network hears at once.
        hop: from the start of one segment to that of the next, at most `segment`.
        pad: zeros put before and after the clip, so that the first frame can be centred on its
            first sample; less than a third of `segment`.
    """

    segment: int
    hop: int
    pad: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.segment:
            raise ConfigError(
                f"hop={self.hop} with segment={self.segment}: a hop is at least 1 sample and at "
                "most one segment, or parts of the clip would not be heard."
            )
        if not 0 <= 3 * self.pad < self.segment:
            raise ConfigError(
                f"pad={self.pad} with segment={self.segment}: expected 0 or more, and less than a "
                "third of the segment."
            )


class Segment(NamedTuple):
    """One piece of a clip."""

    start: float  # seconds: the sample of the clip on which the first frame is centred
    fresh: float  # seconds of the clip in it that no earlier segment covered
    samples: np.ndarray  # (segment,) float32


def name_of(source: Source) -> str:
    """Return what a source is called in messages and results: its path, or "array"."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "array"


def stream(
    source: Source, sample_rate: float, start: float = 0.0, end: float | None = None
) -> Iterator[np.ndarray]:
    """Decode, mix down to mono and resample (soxr HQ), block by block.

    Args:
        source: a file, or an (array, sample_rate) pair with the array (samples,) or
            (samples, channels) of floats in [-1, 1], or of int16, int32, uint8 (scaled to it).
        sample_rate: the rate wanted, in Hz.
        start: seconds into the sound at which to begin. Only what is needed is decoded; the
            samples are those of the whole sound from round(start * sample_rate) on.
        end: seconds into the sound at which to stop; None for its end. Up to .1 s beyond the end
            is taken for the end.

    Yields:
        (samples,) float32; together what resampling the whole would give. They may be views of the
        array given.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: this is no sound, or one with NaN or infinite samples, or it does not hold the
            excerpt.
        ConfigError: start or end cannot be those of an excerpt.

    Warns:
        AudioWarning: the file is cut off, its rate is well below the one wanted, or all of it is
            silent; that an excerpt is silent is no reason to warn.
    """
    excerpt = Excerpt(name_of(source), sample_rate, start, end)
    excerpt.check()
    left = excerpt.samples
    for block in _resampled(source, excerpt):
        if left is None:
            yield block
            continue
        yield block[:left]
        left -= min(len(block), left)
        if left == 0:
            return


def load(
    source: Source, sample_rate: float, start: float = 0.0, end: float | None = None
) -> np.ndarray:
    """Return a whole sound, or an excerpt, as (samples,) float32; see `stream`."""
    return np.concatenate(list(stream(source, sample_rate, start, end)))


def segments(
    source: Source,
    sample_rate: float,
    segmentation: Segmentation,
    tail: bool = True,
    start: float = 0.0,
    end: float | None = None,
) -> Iterator[Segment]:
    """Cut a sound into overlapping or adjoining segments.

    The clip gets `pad` zeros at both ends and is then cut every `hop`. A clip that is shorter than
    one segment even so is repeated until it fills one.

    Args:
        source: as in `stream`.
        sample_rate: the model's, in Hz.
        segmentation: how to cut, in samples at that rate.
        tail: whether what is left of the clip after the last whole segment is covered by one more,
            shifted back so that it ends where the padded clip ends.
        start: as in `stream`: the excerpt is the clip that is cut, and `Segment.start` counts from
            its beginning.
        end: as in `stream`.

    Yields:
        The segments in order. With `tail`, their `fresh` sums to the clip's duration. Do not write
        into `samples`: neighbours share memory.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: this is no sound, or one with NaN or infinite samples, or it does not hold the
            excerpt.

    Warns:
        AudioWarning: as in `stream`, and if the clip fills less than half a segment.
    """
    length, hop, pad = segmentation.segment, segmentation.hop, segmentation.pad
    blocks = stream(source, sample_rate, start, end)
    held = np.concatenate(_take(length - 2 * pad, blocks))
    total = len(held)  # samples of the clip that came so far
    if total < length - 2 * pad:
        _warn_if_short(name_of(source), total / sample_rate, length / sample_rate)
        repeated = np.resize(held, length - 2 * pad)
        yield Segment(0.0, total / sample_rate, np.pad(repeated, pad))
        return
    held = np.concatenate([np.zeros(pad, np.float32), held])
    begin, covered = 0, 0  # of the next segment in the padded clip; of the clip by those so far
    at, ended = 0, False  # where in `held` the next segment begins
    while True:
        while at + length <= len(held):
            reached = min(begin + length - pad, total)
            fresh = (reached - covered) / sample_rate
            yield Segment(begin / sample_rate, fresh, held[at : at + length])
            begin, covered, at = begin + hop, reached, at + hop
        if ended:
            break
        wanted = at + length - len(held)
        parts = _take(wanted, blocks)
        got = sum(map(len, parts))
        total, ended = total + got, got < wanted
        past = max(len(held) - length, 0)  # the last `length` samples are kept, for the tail
        held, at = np.concatenate([held[past:], *parts]), at - past
        if ended:
            held = np.concatenate([held, np.zeros(pad, np.float32)])
    if tail and covered < total:
        begin = total + 2 * pad - length
        yield Segment(begin / sample_rate, (total - covered) / sample_rate, held[-length:])


def _take(samples: int, blocks: Iterator[np.ndarray]) -> list[np.ndarray]:
    """Take blocks until they hold so many samples; if they hold fewer, there are no more."""
    parts, held = [], 0
    while held < samples and (block := next(blocks, None)) is not None:
        parts.append(block)
        held += len(block)
    return parts


def _resampled(source: Source, excerpt: Excerpt) -> Iterator[np.ndarray]:
    """Yield mono blocks at the rate wanted; the first begins where the excerpt does.

    They may go on for a while after its end.
    """
    name, wanted, resampler = excerpt.name, excerpt.sample_rate, None
    begin = skip = read = made = 0
    level = 0.0

    def heard(block: np.ndarray) -> Iterator[np.ndarray]:
        nonlocal skip, made
        block, skip = block[skip:], max(skip - len(block), 0)
        made += len(block)
        if len(block):
            yield block

    for block, rate in _blocks(source, excerpt):
        if read == 0:
            (begin, _), skip = excerpt.frames(rate), excerpt.ahead(rate)
        if read == 0 and rate != wanted:
            resampler = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
            _warn_if_band_is_empty(name, rate, wanted)
        level = max(level, arrays.level(block, name, begin + read, rate))
        read += len(block)
        yield from heard(block if resampler is None else resampler.resample_chunk(block))
    if resampler is not None:
        yield from heard(resampler.resample_chunk(np.empty(0, np.float32), last=True))
    if made == 0:
        what = "a sound" if excerpt.whole else "an excerpt"
        raise AudioError(f"{name}: {what} of {read} samples, which is nothing to hear.")
    if level < _SILENCE and excerpt.whole:
        _warn(f"{name}: silent, all of it. What a model says of it means nothing.")


def _blocks(source: Source, excerpt: Excerpt) -> Iterator[tuple[np.ndarray, float]]:
    """Yield what `excerpt.frames` asks for in mono blocks at the source's own rate, in Hz."""
    if isinstance(source, str | os.PathLike):
        return decode(source, excerpt.frames)
    if isinstance(source, tuple) and len(source) == 2:
        return _part(arrays.blocks(*source), np.shape(source[0]), excerpt.frames)
    what = f"array of shape {np.shape(source)}" if hasattr(source, "shape") else repr(source)[:80]
    raise AudioError(
        f"{what}: neither a file nor an array with its sample rate, without which its pitch and "
        f"tempo are unknown. {arrays.HOW}"
    )


def _part(
    blocks: Iterator[tuple[np.ndarray, float]], shape: tuple[int, ...], part: Frames
) -> Iterator[tuple[np.ndarray, float]]:
    """Keep a part of an array's blocks."""
    at = 0
    for block, rate in blocks:
        first, stop = part(rate, shape[0] / rate)
        heard = block[max(first - at, 0) : None if stop is None else max(stop - at, 0)]
        at += len(block)
        if len(heard):
            yield heard, rate
        if stop is not None and at >= stop:
            return


_thread = threading.local()
_said: set[tuple[str, float, float]] = set()  # corpora, and rates of their sounds and of networks


@contextmanager
def as_one(corpus: str) -> Iterator[None]:
    """Warn of an empty band once for all sounds of a corpus: many are recorded alike.

    This holds within the thread that enters it.

    Args:
        corpus: its name.
    """
    _thread.corpus = corpus
    try:
        yield
    finally:
        _thread.corpus = None


def _warn_if_band_is_empty(name: str, rate: float, wanted: float) -> None:
    if rate < 0.9 * wanted:  # 44.1 kHz where 48 kHz is wanted lacks nothing that one hears
        corpus = getattr(_thread, "corpus", None)
        if (corpus, rate, wanted) in _said:
            return
        if corpus is not None:
            _said.add((corpus, rate, wanted))
        _warn(
            f"{name}: recorded at {rate:g} Hz, for a model that listens at {wanted:g} Hz: all "
            f"above {rate / 2:g} Hz is empty, unlike in the music that the model was trained on.",
            BandWarning,
        )


def _warn_if_short(name: str, seconds: float, segment: float) -> None:
    if seconds < segment / 2:
        _warn(
            f"{name}: only {seconds:.3g} s long, where the model listens to {segment:.3g} s at a "
            "time: it was repeated to fill them.",
            ShortWarning,
        )


def _warn(message: str, category: type[AudioWarning] = AudioWarning) -> None:
    warnings.warn(message, category, stacklevel=3)
