"""Decoding and resampling in the graph, with tensorflow-io.

`zoo.data.dataset(..., decoder="tensorflow-io")` uses this instead of libsndfile and soxr. It needs
an environment of its own: tensorflow-io's last release, 0.37.1, works only with TensorFlow 2.16 and
2.17, and has no wheels after Python 3.12. Elsewhere, importing this module raises ConfigError.

Limits of tensorflow-io, and our solutions:

- Only `AudioIOTensor` returns a file's sample rate and reads excerpts, but it mixes up files when a
  graph runs it in parallel (its issues 1647 and 1764): all calls share one resource. So we use the
  stateless `decode_*` operations, and read the rate from the file's header.
- The decoders' errors do not name the file. So we check as much as possible before decoding.
- The FLAC decoder needs the bit depth, returns nothing for a stream of unknown length, and never
  returns from a file that is cut off between two frames: see `headers.flac`.
- The Vorbis decoder is exact on every complete file. For a file with headers and no audio its error
  is "seek failed: -129"; libsndfile leaves such a file when it crashes, which it does if it gets a
  minute of stereo to encode in one call. In a chain of streams with different numbers of channels
  the decoder would read beyond its buffers: chains are refused.
- 32-bit integers in a WAV would be read as floats: refused.
- The resampler (Speex, quality 4) delays the audio by half its filter and drops as much of the end:
  see `_resampled`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata

import tensorflow as tf

from zoo.audio.excerpt import SLACK
from zoo.data.pipeline import headers
from zoo.errors import ConfigError


def _check_versions() -> None:
    """Raise ConfigError unless tensorflow-io is installed, with a TensorFlow that it works with."""
    try:
        found = f"tensorflow-io {metadata.version('tensorflow-io')}"
    except metadata.PackageNotFoundError:
        found = "no tensorflow-io"
    if found == "tensorflow-io 0.37.1" and tf.__version__.startswith(("2.16.", "2.17.")):
        return
    raise ConfigError(
        f'decoder="tensorflow-io": found {found} with TensorFlow {tf.__version__}. It needs '
        "tensorflow-io 0.37.1, its last release, with TensorFlow 2.16 or 2.17. Install it in an "
        'environment of its own, on Python 3.11 or 3.12: pip install "music-zoo[tensorflow-io]". '
        'Or use decoder="soundfile", which needs neither and is faster.'
    )


_check_versions()  # otherwise the imports below succeed and the first file fails

import tensorflow_io  # noqa: E402
from tensorflow_io.python.ops import core_ops  # noqa: E402

_TAPS = 64  # of Speex's filter at quality 4, counted at the lower of the two rates
# Output of the WAV and FLAC decoders by bytes per sample: type, zero, full scale.
_SAMPLES = ((tf.uint8, 128, 128), (tf.int16, 0, 2**15), (tf.int32, 0, 2**31), (tf.float32, 0, 1))

Decoded = tuple[tf.Tensor, tf.Tensor]  # (frames, channels) float32 in [-1, 1]; their rate in Hz


def waveform(path: tf.Tensor, start: tf.Tensor, seconds: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Decode an excerpt of a file, mix it down to mono and resample it, in the graph.

    The format is detected by the first bytes: WAV (8, 16, 24 bits, 32-bit floats), FLAC (8, 16, 24
    bits), Ogg Vorbis, MP3. The whole file is decoded, also for a short excerpt.

    Args:
        path: of the file, a string scalar.
        start: of the excerpt, in seconds, a float scalar. At 16 kHz, float32 is exact to a sample
            in the first eight minutes; give float64 for longer files.
        seconds: its length, a float scalar; negative for all up to the end.
        sample_rate: of the result, in Hz.

    Returns:
        (samples,) float32: those of the whole file from round(start * sample_rate) on.

    Raises:
        tf.errors.NotFoundError: there is no such file.
        tf.errors.InvalidArgumentError: the file has another format, is cut off or damaged, or is
            shorter than the excerpt. The message names the file, unless only decoding detects the
            damage.
    """
    contents = headers.without_tags(tf.io.read_file(path))
    magic = tf.strings.substr(contents, 0, 4)
    decoders = {b"RIFF": _wav, b"fLaC": _flac, b"OggS": _ogg}
    samples, rate = tf.case(
        [(magic == name, partial(decode, contents, path)) for name, decode in decoders.items()],
        default=partial(_mp3, contents, path),
    )
    samples = tf.reduce_mean(samples, axis=1)
    finite = tf.reduce_all(tf.math.is_finite(samples))
    samples = headers.require(finite, path, "NaN or infinite values among the samples", samples)
    samples = headers.require(tf.size(samples) > 0, path, "no samples in it", samples)
    return _excerpt(samples, rate, start, seconds, sample_rate, path)


def _wav(contents: tf.Tensor, path: tf.Tensor) -> Decoded:
    contents, rate, size = headers.wav(contents, path)
    return _scaled(tensorflow_io.audio.decode_wav, contents, size, _SAMPLES), rate


def _flac(contents: tf.Tensor, path: tf.Tensor) -> Decoded:
    contents, rate, size = headers.flac(contents, path)
    return _scaled(tensorflow_io.audio.decode_flac, contents, size, _SAMPLES[:3]), rate


def _ogg(contents: tf.Tensor, path: tf.Tensor) -> Decoded:
    contents, rate, _ = headers.ogg(contents, path)
    return tensorflow_io.audio.decode_vorbis(contents), rate


def _mp3(contents: tf.Tensor, path: tf.Tensor) -> Decoded:
    contents, rate, _ = headers.mpeg(contents, path)
    return tensorflow_io.audio.decode_mp3(contents), rate


def _scaled(
    decode: Callable[..., tf.Tensor], contents: tf.Tensor, size: tf.Tensor, kinds: Sequence[tuple]
) -> tf.Tensor:
    """Decode samples of `size` bytes to floats in [-1, 1]."""

    def as_floats(dtype: tf.DType, zero: int, scale: int) -> tf.Tensor:
        return (tf.cast(decode(contents, dtype=dtype), tf.float32) - zero) / scale

    return tf.switch_case(
        tf.cast(size - 1, tf.int32), [partial(as_floats, *kind) for kind in kinds]
    )


def _excerpt(
    samples: tf.Tensor,
    rate: tf.Tensor,
    start: tf.Tensor,
    seconds: tf.Tensor,
    sample_rate: int,
    path: tf.Tensor,
) -> tf.Tensor:
    """Cut an excerpt from (frames,) and resample it; the result equals a cut of the whole file."""
    start, seconds = tf.cast(start, tf.float64), tf.cast(seconds, tf.float64)
    count = tf.size(samples, tf.int64)
    duration = tf.cast(count, tf.float64) / tf.cast(rate, tf.float64)
    samples = headers.require(
        (start >= 0) & (start < duration) & (start + seconds <= duration + SLACK),
        path,
        "shorter than the requested excerpt",
        samples,
    )
    divisor = _common_divisor(rate, tf.constant(sample_rate, tf.int64))
    step, made = rate // divisor, sample_rate // divisor  # `step` samples become `made` samples
    first = tf.cast(tf.round(start * sample_rate), tf.int64)
    end = tf.cast(tf.round((start + seconds) * sample_rate), tf.int64)
    total = (2 * count * made + step) // (2 * step)  # rounded, as soxr does
    end = tf.where(seconds < 0, total, tf.minimum(end, total))
    taps = _taps(step, made)
    begin = tf.maximum(first * step // made - taps, 0) // step
    part = samples[begin * step : end * step // made + 1 + taps]
    part = tf.cond(
        rate == sample_rate, lambda: part, lambda: _resampled(part, step, made, rate, sample_rate)
    )
    return part[first - begin * made : end - begin * made]


def _taps(step: tf.Tensor, made: tf.Tensor) -> tf.Tensor:
    """Return the length of Speex's filter, in samples before resampling: a multiple of eight."""
    return (tf.maximum(_TAPS * step // made, _TAPS) + 7) // 8 * 8


def _resampled(
    samples: tf.Tensor, step: tf.Tensor, made: tf.Tensor, rate: tf.Tensor, sample_rate: int
) -> tf.Tensor:
    """Resample (frames,) without the delay of half a filter, which is not a whole sample.

    Zeros before the audio make the delay a multiple of `step`, which after resampling is a multiple
    of `made` samples. Zeros after the audio replace the delayed samples.
    """
    delay = _taps(step, made) // 2
    before = -delay % step
    padded = tf.pad(samples, [[before, delay + step]])
    # tensorflow_io.audio.resample does the same through vectorized_map, which warns each time.
    out = core_ops.io_audio_resample(padded[:, tf.newaxis], rate_in=rate, rate_out=sample_rate)
    return out[(delay + before) // step * made :, 0]


def _common_divisor(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda a, b: b > 0, lambda a, b: (b, a % b), [a, b])[0]
