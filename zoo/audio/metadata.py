"""Write tags into the metadata of sound files; the sound stays as it is.

The packets of a file are copied by FFmpeg (PyAV), not decoded and encoded again, into a new file
aside. It replaces the old one only if the packets and the decoded samples of both are the same.
"""

import hashlib
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.audio import ffmpeg
from zoo.audio.decode import decode
from zoo.errors import AudioError, AudioWarning, ConfigError
from zoo.utils.files import replacing
from zoo.utils.lazy import required

KEY = "genre"  # TCON in ID3, GENRE in Vorbis comments, ©gen in MP4: what players show and search

# Suffix -> FFmpeg's name of the format. Others cannot hold metadata, or lose some when copied.
FORMATS = {".mp3": "mp3", ".flac": "flac", ".ogg": "ogg", ".oga": "ogg", ".opus": "opus",
           ".m4a": "ipod", ".m4b": "ipod"}  # fmt: skip


def write_tags(path: str | os.PathLike[str], tags: Sequence[str]) -> None:
    """Write tags as the genre of a sound file, in place of the genre that it has.

    Args:
        path: of the file; its suffix is one of `FORMATS`.
        tags: to write, at least one.

    Raises:
        ConfigError: PyAV is not installed, or another suffix.
        AudioError: the file cannot be copied without a change of its sound. It is left as it is.
        OSError: the folder cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"{path}: tags are written into {', '.join(FORMATS)} files; this file is left as it is."
        )
    av = required("av", "writing tags into files needs FFmpeg: pip install 'music-zoo[aac]'.")
    # An MP3 without a Xing header must not get one, which would tell decoders to trim the sound.
    for options in ({}, {"write_xing": "0"}) if path.suffix.lower() == ".mp3" else ({},):
        if _replaced(av, path, "; ".join(tags), options):
            return
    raise AudioError(
        f"{path}: a copy with tags would not have the same sound; the file is left as it is."
    )


def _replaced(av: Any, path: Path, genre: str, options: dict[str, str]) -> bool:
    """Replace a file by its copy with a genre, and return True, if the sound is the same."""

    class _Different(Exception):
        pass

    try:
        with replacing(path) as new:
            _copy(av, path, new, options, genre)
            new.flush()
            copy = Path(new.name)
            if _packets(path) != _packets(copy) or _digest(path) != _digest(copy):
                raise _Different
            shutil.copymode(path, copy)
    except _Different:
        return False
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(f"{path}: it cannot be copied ({error}), and is left as it is.") from error
    return True


def _copy(av: Any, path: Path, new: Any, options: dict[str, str], genre: str) -> None:
    """Copy all packets and metadata into an open file, with another genre."""
    form = FORMATS[path.suffix.lower()]
    with (
        ffmpeg.opened(path) as source,
        av.open(new, "w", format=form, options=options) as target,
    ):
        streams = {}
        for stream in source.streams:
            if stream.type not in ("audio", "video"):
                raise ValueError(f"a stream of the kind {stream.type} would be lost")
            streams[stream.index] = target.add_stream_from_template(stream)
            streams[stream.index].metadata.update(stream.metadata)
        metadata = {**source.metadata}
        # Ogg keeps its comments with the stream.
        for place in (metadata, *(s.metadata for s in streams.values())):
            for key in [key for key in place if key.lower() == KEY]:
                del place[key]
        holder = streams[source.streams.audio[0].index].metadata
        (holder if form in ("ogg", "opus") else metadata)[KEY] = genre
        target.metadata.update(metadata)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def _packets(path: Path) -> list[bytes]:
    """Return a digest of the packets of each stream."""
    with ffmpeg.opened(path) as container:
        digests = [hashlib.sha256() for _ in container.streams]
        for packet in container.demux():
            digests[packet.stream.index].update(bytes(packet))
        return [digest.digest() for digest in digests]


def _digest(path: Path) -> bytes:
    """Return a digest of the samples that the zoo decodes."""
    digest = hashlib.sha256()
    with warnings.catch_warnings(action="ignore", category=AudioWarning):
        for block, rate in decode(path):
            digest.update(block.tobytes() + repr(rate).encode())
    return digest.digest()
