"""Cut sounds into segments: find files, decode, mix down, resample, cut.

Everything runs in blocks, so a file of any length needs the same memory.

    from zoo import audio

    for segment in audio.segments("song.mp3", 16000, audio.Segmentation(48128, 47872, 256)):
        segment.samples                                    # (48128,) float32
"""

from zoo.audio.decode import announced, duration
from zoo.audio.paths import AUDIO_SUFFIXES, find
from zoo.audio.segmentation import (
    Segment,
    Segmentation,
    as_one,
    load,
    segments,
    stream,
)
from zoo.audio.sources import Source, name_of

__all__ = [
    "AUDIO_SUFFIXES",
    "Segment",
    "Segmentation",
    "Source",
    "announced",
    "as_one",
    "duration",
    "find",
    "load",
    "name_of",
    "segments",
    "stream",
]
