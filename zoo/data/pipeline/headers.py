"""Headers of audio files, read before decoding: sample rate, bit depth, whether a file is complete.

All in TensorFlow's graph, for `tensorflow_io.py`. tensorflow-io's decoders return no rate and need
the bit depth. On files that they cannot decode they raise errors without the file's name, crash or
never return. Each function here takes a file's contents and its path, raises errors that name the
file, and returns the contents for the decoder.
"""

import tensorflow as tf

_MISSING = 4096  # bytes that an MP3 may be shorter than its header says: two or three frames

# Hz by version and index in an MPEG header (ISO/IEC 11172-3, 2.4.2.3; 13818-3, 2.4.2.3), 0 where
# reserved. The versions are 2.5, none, 2, 1.
_MPEG_RATES = (
    (11025, 12000, 8000, 0),
    (0, 0, 0, 0),
    (22050, 24000, 16000, 0),
    (44100, 48000, 32000, 0),
)

Header = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
"""The contents to decode; the rate in Hz; bytes a sample, 0 if compressed; these two int64."""


def require(condition: tf.Tensor, path: tf.Tensor, what: str, value: tf.Tensor) -> tf.Tensor:
    """Check a condition in the graph.

    Args:
        condition: a bool scalar.
        path: of the file, for the message.
        what: the rest of the message.
        value: returned after the check.

    Returns:
        `value`.
    """
    message = tf.strings.join([path, f": {what}."])
    with tf.control_dependencies([tf.debugging.Assert(condition, [message])]):
        return tf.identity(value)


def without_tags(contents: tf.Tensor) -> tf.Tensor:
    """Remove ID3v2 tags at the start of an MP3 or a FLAC, with the zeros after them.

    Args:
        contents: of the file, a string scalar.

    Returns:
        The contents without tags.
    """

    def tagged(contents: tf.Tensor) -> tf.Tensor:
        return _bytes(contents, 0, 3) == b"ID3"

    def rest(contents: tf.Tensor) -> tuple[tf.Tensor]:
        contents = _bytes(contents, 10 + _number(contents, 6, 4, base=128), 2**40)
        return (tf.strings.regex_replace(contents, r"^\x00+", "", replace_global=False),)

    return tf.while_loop(tagged, rest, [contents])[0]


def wav(contents: tf.Tensor, path: tf.Tensor) -> Header:
    """Read the header of a WAV of 8, 16 or 24 bits, or of 32-bit floats.

    Args:
        contents: of the file, a string scalar.
        path: of the file, for messages.

    Returns:
        See `Header`.
    """
    fmt, data = _chunk(contents, b"fmt "), _chunk(contents, b"data")
    form, bits = _number(contents, fmt, 2, "little"), _number(contents, fmt + 14, 2, "little")
    form = tf.where(form == 0xFFFE, _number(contents, fmt + 24, 2, "little"), form)  # extensible
    integers = (form == 1) & ((bits == 8) | (bits == 16) | (bits == 24))
    contents = require(
        (_bytes(contents, 8, 4) == b"WAVE") & (integers | ((form == 3) & (bits == 32))),
        path,
        "a RIFF file, but not a WAV of 8, 16 or 24 bits or of 32-bit floats. tensorflow-io decodes "
        "no others; decoder='soundfile' does",
        contents,
    )
    end_of_data = data + _number(contents, data - 4, 4, "little")
    end = tf.maximum(end_of_data, 8 + _number(contents, 4, 4, "little"))
    contents = require(
        end <= _size(contents), path, "a WAV that is cut off, or has no length in it", contents
    )
    return contents, _number(contents, fmt + 4, 4, "little"), bits // 8


def _chunk(contents: tf.Tensor, name: bytes) -> tf.Tensor:
    """Return where the data of the first RIFF chunk of this name starts."""

    def other(at: tf.Tensor) -> tf.Tensor:
        return (at < _size(contents)) & (_bytes(contents, at, 4) != name)

    def after(at: tf.Tensor) -> tuple[tf.Tensor]:
        size = _number(contents, at + 4, 4, "little")
        return (at + 8 + size + size % 2,)

    return tf.while_loop(other, after, [tf.constant(12, tf.int64)])[0] + 8


def flac(contents: tf.Tensor, path: tf.Tensor) -> Header:
    """Read STREAMINFO (RFC 9639, 8.2) of a FLAC of 8, 16 or 24 bits, and check its last frame.

    At the end of a file that lacks frames, tensorflow-io's decoder loops forever. So the contents
    are returned twice, one after the other: instead of the end the decoder finds a frame with an
    unexpected number, and fails. In a complete file it never reads that far.

    Args:
        contents: of the file, a string scalar.
        path: of the file, for messages.

    Returns:
        See `Header`.
    """
    block, largest_block = _number(contents, 8, 2), _number(contents, 10, 2)
    packed = _number(contents, 18, 8)  # 20 bits of rate, 3 of channels, 5 of depth, 36 of length
    rate, bits, frames = packed // 2**44, packed // 2**36 % 32 + 1, packed % 2**36
    contents = require(
        (bits == 8) | (bits == 16) | (bits == 24),
        path,
        "a FLAC that has not 8, 16 or 24 bits. tensorflow-io decodes no others; "
        "decoder='soundfile' does",
        contents,
    )
    contents = require(
        frames > 0,
        path,
        "a FLAC without its length in the header, which tensorflow-io cannot decode; "
        "decoder='soundfile' can",
        contents,
    )
    # Frames of one fixed size are numbered in their headers (RFC 9639, 9.1.5), as UTF-8 codes
    # characters, of which there are none from 0xD800 on for a while.
    number = tf.cast((frames - 1) // tf.maximum(block, 1), tf.int32)
    coded = tf.strings.unicode_encode([tf.minimum(number, 0xD7FF)], "UTF-8")
    headers = tf.strings.join([tf.strings.split(contents, b"\xff\xf8"), b"\0" * 8])
    found = tf.reduce_any(tf.strings.substr(headers, 2, tf.strings.length(coded)) == coded)
    contents = require(
        found | (block != largest_block) | (number >= 0xD7FF),
        path,
        "a FLAC that is cut off: its last frame is missing",
        contents,
    )
    return tf.strings.join([contents, contents]), rate, bits // 8


def ogg(contents: tf.Tensor, path: tf.Tensor) -> Header:
    """Read the first packet of an Ogg Vorbis (Vorbis I, 4.2.2), and check its last page.

    A page says whether it is the first or the last of a stream, and its time (RFC 3533, 6).

    Args:
        contents: of the file, a string scalar.
        path: of the file, for messages.

    Returns:
        See `Header`.
    """
    contents = require(
        _bytes(contents, 28, 7) == b"\x01vorbis",
        path,
        "an Ogg that is not Vorbis. tensorflow-io decodes no Opus, Speex or FLAC in it; "
        "decoder='soundfile' does",
        contents,
    )
    streams = tf.size(tf.strings.split(contents, b"OggS\0\x02")) - 1
    contents = require(streams == 1, path, "an Ogg of several streams, not one", contents)
    page = tf.strings.split(contents, b"OggS")[-1]
    contents = require(
        (_number(page, 1, 1) // 4 % 2 == 1) & (_number(page, 2, 8, "little") > 0),
        path,
        "an Ogg that is cut off or was not completed: its last page is missing",
        contents,
    )
    return contents, _number(contents, 40, 4, "little"), tf.constant(0, tf.int64)


def mpeg(contents: tf.Tensor, path: tf.Tensor) -> Header:
    """Read the header of the first frame of an MP3, and the length in a Xing header.

    Without a Xing header a file that is cut off is not detected.

    Args:
        contents: of the file, a string scalar.
        path: of the file, for messages.

    Returns:
        See `Header`.
    """
    sync, version = _number(contents, 0, 2) // 32, _number(contents, 1, 1) // 8 % 4
    rates = tf.constant(_MPEG_RATES, tf.int64)
    rate = tf.gather_nd(rates, [version, _number(contents, 2, 1) // 4 % 4])
    contents = require(
        (sync == 0x7FF) & (rate > 0) & (_number(contents, 2, 1) < 0xF0),
        path,
        "not a file that tensorflow-io decodes: its first bytes are not those of WAV, FLAC, Ogg or "
        "MP3. decoder='soundfile' reads more formats",
        contents,
    )
    # It comes after the side information of the first frame: name, flags, frames, bytes.
    mono = _number(contents, 3, 1) // 64 == 3
    xing = 4 + tf.where(version == 3, tf.where(mono, 17, 32), tf.where(mono, 9, 17))
    name = _bytes(contents, xing, 4)
    announced = ((name == b"Xing") | (name == b"Info")) & (_number(contents, xing + 7, 1) % 4 == 3)
    missing = _number(contents, xing + 12, 4) - _size(contents)
    contents = require(
        ~announced | (missing < _MISSING),
        path,
        "an MP3 that is cut off: it is shorter than its header says",
        contents,
    )
    return contents, rate, tf.constant(0, tf.int64)


def _size(contents: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(contents), tf.int64)


def _bytes(contents: tf.Tensor, at: tf.Tensor | int, count: int) -> tf.Tensor:
    """Return the bytes there, fewer where the file ends."""
    at = tf.minimum(tf.cast(at, tf.int64), _size(contents))
    return tf.strings.substr(contents, at, tf.constant(count, tf.int64))


def _number(
    contents: tf.Tensor, at: tf.Tensor | int, count: int, order: str = "big", base: int = 256
) -> tf.Tensor:
    """Return the whole number that begins there, its "big" or "little" end first, as int64."""
    digits = tf.io.decode_raw(_bytes(contents, at, count), tf.uint8, fixed_length=count)
    powers = [base**i for i in range(count)]
    return tf.reduce_sum(tf.cast(digits, tf.int64) * (powers[::-1] if order == "big" else powers))
