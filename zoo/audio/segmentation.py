"""Cut sounds into segments: find files, decode, mix down, resample, cut.

Everything runs in blocks, so a file of any length needs the same memory.

    from zoo import audio

    for segment in audio.segments("song.mp3", 16000, audio.Segmentation(48128, 47872, 256)):
        segment.samples                                    # (48128,) float32
"""

import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import soxr

from zoo.audio import arrays
from zoo.audio.decode import decode
from zoo.audio.excerpt import Excerpt
from zoo.audio.progress import Frames
from zoo.audio.sources import Source, is_part, name_of, on_disk, plain
from zoo.errors import AudioError, AudioWarning, BandWarning, ConfigError, ShortWarning

_SILENCE = 2.0**-16  # half a step of 16 bits
_LOUD = 2.0  # MP3s of loud music reach 1.5


@dataclass(frozen=True)
class Segmentation:
    """How a clip is cut, in samples at the model's rate.

    Attributes:
        segment: length of the network's input.
        hop: from the start of one segment to that of the next, at most `segment`.
        pad: zeros before and after the clip, so that the first frame is centred on its first
            sample; less than a third of `segment`.

    Raises:
        ConfigError: hop or pad is out of range.
    """

    segment: int
    hop: int
    pad: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.segment:
            raise ConfigError(
                f"hop={self.hop} with segment={self.segment}: a hop is at least 1 sample and at "
                "most one segment; a longer one would skip parts of the clip."
            )
        if not 0 <= 3 * self.pad < self.segment:
            raise ConfigError(
                f"pad={self.pad} with segment={self.segment}: expected 0 or more, and less than a "
                "third of the segment."
            )

    def of_length(self, samples: int) -> "Segmentation":
        """Return one with segments of another length, one after the other, and the same padding.

        Args:
            samples: length of a segment.
        """
        return Segmentation(samples, samples - 2 * self.pad, self.pad)


class Segment(NamedTuple):
    """One piece of a clip."""

    start: float  # seconds into the clip: the centre of the first frame
    fresh: float  # seconds of the clip in this segment that no earlier one covers
    samples: np.ndarray  # (segment,) float32


def stream(
    source: Source, sample_rate: float, start: float = 0.0, end: float | None = None
) -> Iterator[np.ndarray]:
    """Decode, mix down to mono and resample (soxr HQ), block by block.

    Args:
        source: a file, or an (array, sample_rate) pair with the array (samples,) or
            (samples, channels) of floats in [-1, 1], or of int8, int16, int32 or uint8 (scaled).
            Also a file open for reading bytes, a clip of a corpus, or a dictionary with "array" and
            "sampling_rate"; see `Source`.
        sample_rate: of the result, in Hz.
        start: where to begin, in seconds; of a clip, after its own start. Only the necessary part
            is decoded; the samples equal those of the whole sound from round(start * sample_rate)
            on.
        end: where to stop, in seconds; None for the end. Up to .1 s beyond the end counts as the
            end.

    Yields:
        (samples,) float32 blocks; joined, they equal the resampled whole. They may be views of the
        given array.

    Raises:
        FileNotFoundError: there is no such file.
        AudioError: this is not audio, has NaN or infinite samples, or does not contain the
            excerpt.
        ConfigError: start or end is negative or not finite, or the excerpt is empty.

    Warns:
        AudioWarning: the file is cut off, its rate is well below `sample_rate`, or the whole
            sound is silent. A silent excerpt gives no warning.
    """
    name = name_of(source)
    if is_part(source):
        begin, until = source.start, source.end
        end = until if end is None else min(begin + end, until or math.inf)
        source, start = source.path, begin + start
    excerpt = Excerpt(name, sample_rate, start, end)
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
    """Load a whole sound, or an excerpt.

    Args:
        source: as in `stream`.
        sample_rate: of the result, in Hz.
        start: as in `stream`.
        end: as in `stream`.

    Returns:
        (samples,) float32.

    Raises:
        FileNotFoundError: as in `stream`.
        AudioError: as in `stream`.
        ConfigError: as in `stream`.
    """
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

    The clip gets `pad` zeros at both ends and is then cut every `hop`. A padded clip that is
    shorter than one segment is repeated until it fills one.

    Args:
        source: as in `stream`.
        sample_rate: the model's, in Hz.
        segmentation: how to cut, in samples at that rate.
        tail: whether one more segment covers the rest of the clip after the last full one; it is
            shifted back so that it ends where the padded clip ends.
        start: as in `stream`; the excerpt is the clip that is cut, and `Segment.start` counts from
            its beginning.
        end: as in `stream`.

    Yields:
        The segments in order. With `tail`, their `fresh` sums to the clip's duration. Do not write
        to `samples`: neighbours share memory.

    Raises:
        FileNotFoundError: as in `stream`.
        AudioError: as in `stream`.
        ConfigError: as in `stream`.

    Warns:
        AudioWarning: as in `stream`, and if the clip fills less than half a segment.
    """
    length, hop, pad = segmentation.segment, segmentation.hop, segmentation.pad
    blocks = stream(source, sample_rate, start, end)
    held = np.concatenate(_take(length - 2 * pad, blocks))
    total = len(held)  # samples of the clip so far
    if total < length - 2 * pad:
        _warn_if_short(name_of(source), total / sample_rate, length / sample_rate)
        repeated = np.resize(held, length - 2 * pad)
        yield Segment(0.0, total / sample_rate, np.pad(repeated, pad))
        return
    held = np.concatenate([np.zeros(pad, np.float32), held])
    begin, covered = 0, 0  # start of the next segment in the padded clip; samples covered so far
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
    """Take blocks until they contain so many samples; fewer mean that the sound has ended."""
    parts, held = [], 0
    while held < samples and (block := next(blocks, None)) is not None:
        parts.append(block)
        held += len(block)
    return parts


def _resampled(source: Source, excerpt: Excerpt) -> Iterator[np.ndarray]:
    """Yield mono blocks at the excerpt's sample rate; the first begins where the excerpt does.

    The last ones may go beyond its end.
    """
    name, wanted, resampler = excerpt.name, excerpt.sample_rate, None
    begin = skip = read = made = 0
    level = 0.0

    def trimmed(block: np.ndarray) -> Iterator[np.ndarray]:
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
        yield from trimmed(block if resampler is None else resampler.resample_chunk(block))
    if resampler is not None:
        yield from trimmed(resampler.resample_chunk(np.empty(0, np.float32), last=True))
    if made == 0:
        what = "a sound" if excerpt.whole else "an excerpt"
        raise AudioError(f"{name}: {what} of {read} samples gives empty audio at {wanted:g} Hz.")
    if level > _LOUD:
        _warn(
            f"{name}: a peak of {level:.3g}, where samples in [-1, 1] are expected. Models learned "
            "from audio at full scale, so scale it: divide by what its full scale is."
        )
    if level < _SILENCE and excerpt.whole:
        _warn(f"{name}: the whole sound is silent. Predictions for it mean nothing.")


def _blocks(source: Source, excerpt: Excerpt) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the frames of the excerpt in mono blocks, with the source's own rate in Hz."""
    given: Any = plain(source)
    if isinstance(given, str | os.PathLike):
        return decode(given, excerpt.frames)
    if isinstance(given, tuple) and len(given) == 2:
        return _part(arrays.blocks(*given), np.shape(given[0]), excerpt.frames)
    if hasattr(given, "read"):
        return _of_open_file(given, excerpt)
    what = f"array of shape {np.shape(given)}" if hasattr(given, "shape") else repr(given)[:80]
    raise AudioError(
        f"{what}: expected a file, or an array with its sample rate, without which pitch and tempo "
        f"are unknown. {arrays.HOW}"
    )


def _of_open_file(file: BinaryIO, excerpt: Excerpt) -> Iterator[tuple[np.ndarray, float]]:
    """Decode an open file; messages and warnings have its name, not that of the copy."""
    with on_disk(file) as copy:
        try:
            yield from decode(copy, excerpt.frames)
        except AudioError as error:
            raise AudioError(str(error).replace(copy, excerpt.name)) from error


def _part(
    blocks: Iterator[tuple[np.ndarray, float]], shape: tuple[int, ...], part: Frames
) -> Iterator[tuple[np.ndarray, float]]:
    """Keep a part of an array's blocks."""
    at = 0
    for block, rate in blocks:
        first, stop = part(rate, shape[0] / rate)
        kept = block[max(first - at, 0) : None if stop is None else max(stop - at, 0)]
        at += len(block)
        if len(kept):
            yield kept, rate
        if stop is not None and at >= stop:
            return


_thread = threading.local()
_warned: set[tuple[str, float, float]] = set()  # corpus, rate of its sounds, rate of the network


@contextmanager
def as_one(corpus: str) -> Iterator[None]:
    """Warn only once of an empty band in all sounds of a corpus.

    This applies to the thread that enters it.

    Args:
        corpus: its name.

    Yields:
        Nothing.
    """
    _thread.corpus = corpus
    try:
        yield
    finally:
        _thread.corpus = None


def _warn_if_band_is_empty(name: str, rate: float, wanted: float) -> None:
    if rate < 0.9 * wanted:  # at 44.1 kHz instead of 48 kHz nothing audible is missing
        corpus = getattr(_thread, "corpus", None)
        if (corpus, rate, wanted) in _warned:
            return
        if corpus is not None:
            _warned.add((corpus, rate, wanted))
        _warn(
            f"{name}: recorded at {rate:g} Hz, for a model that takes {wanted:g} Hz. The band "
            f"above {rate / 2:g} Hz is empty, unlike in the music that the model was trained on.",
            BandWarning,
        )


def _warn_if_short(name: str, seconds: float, segment: float) -> None:
    if seconds < segment / 2:
        _warn(
            f"{name}: only {seconds:.3g} s long, but the model takes {segment:.3g} s segments: "
            "it was repeated to fill one.",
            ShortWarning,
        )


def _warn(message: str, category: type[AudioWarning] = AudioWarning) -> None:
    warnings.warn(message, category, stacklevel=3)
