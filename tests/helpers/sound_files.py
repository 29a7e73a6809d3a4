"""One short sound in every format that `tensorflow_io.py` decodes, and damaged ones."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 44100
SECONDS = 2.5

# name -> libsndfile's format and subtype
KINDS = {
    "wav8": ("WAV", "PCM_U8"),
    "wav16": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "wav_float": ("WAV", "FLOAT"),
    "wav_extensible": ("WAVEX", "PCM_16"),
    "flac8": ("FLAC", "PCM_S8"),
    "flac16": ("FLAC", "PCM_16"),
    "flac24": ("FLAC", "PCM_24"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def stereo(seconds: float = SECONDS, rate: int = RATE) -> np.ndarray:
    """Tones up to 6 kHz that swell from and to silence, unlike left and right: (samples, 2)."""
    time = np.arange(round(seconds * rate)) / rate
    swell = np.sin(np.pi * time / seconds) ** 2
    sides = [
        sum(np.sin(2 * np.pi * f * time + f) / n for n, f in enumerate(tones, 2))
        for tones in ((220, 1500, 6000), (330, 3000, 4400))
    ]
    return (0.5 * swell * np.array(sides)).T.astype("float32")


def write(folder: Path, kind: str, sound: np.ndarray | None = None, rate: int = RATE) -> Path:
    """Write a sound, by default `stereo`, under a name that says nothing of its format."""
    path = folder / f"{kind}.sound"
    form, subtype = KINDS[kind]
    soundfile.write(path, stereo() if sound is None else sound, rate, subtype, format=form)
    return path


def tagged(contents: bytes) -> bytes:
    """Put an ID3v2 tag of 300 bytes, and padding, before a file's contents."""
    return b"ID3\4\0\0\0\0\2\x2c" + bytes(300) + bytes(50) + contents


def spoiled(folder: Path) -> dict[str, bytes]:
    """Return contents that no decoder of tensorflow-io reads whole, by what is wrong with them."""
    whole = {
        kind: write(folder, kind).read_bytes()
        for kind in ("wav16", "wav24", "flac16", "ogg", "mp3")
    }
    frames = [i for i in range(len(whole["flac16"])) if whole["flac16"][i:].startswith(b"\xff\xf8")]
    integers = bytearray(whole["wav24"])
    integers[34:36] = (32).to_bytes(2, "little")
    endless = bytearray(whole["flac16"])
    endless[21:26] = bytes([endless[21] & 0xF0, 0, 0, 0, 0])
    opus = bytearray(whole["ogg"])
    opus[28:36] = b"OpusHead"
    return {
        "empty": b"",
        "text": b"Do re mi fa so la ti do." * 30,
        "an image": b"RIFF\x10\0\0\0WEBPVP8 " + bytes(100),
        "32-bit integers": bytes(integers),
        "cut wav": whole["wav16"][:-1000],
        "cut flac": whole["flac16"][: frames[len(frames) // 2] + 100],
        "flac cut between frames": whole["flac16"][: frames[len(frames) // 2]],
        "endless flac": bytes(endless),
        "cut ogg": whole["ogg"][: len(whole["ogg"]) // 2],
        "ogg without sound": whole["ogg"][: whole["ogg"].index(b"OggS", 5000)],
        "chained ogg": whole["ogg"] * 2,
        "opus": bytes(opus),
        "cut mp3": whole["mp3"][:-9000],
    }


WRONG = {
    "empty": "not a file that tensorflow-io decodes",
    "text": "not a file that tensorflow-io decodes",
    "an image": "a RIFF file, but not a WAV",
    "32-bit integers": "not a WAV of 8, 16 or 24 bits",
    "cut wav": "a WAV that is cut off",
    "cut flac": "a FLAC that is cut off",
    "flac cut between frames": "a FLAC that is cut off",
    "endless flac": "a FLAC without its length in the header",
    "cut ogg": "an Ogg that is cut off",
    "ogg without sound": "an Ogg that is cut off",
    "chained ogg": "several streams",
    "opus": "not Vorbis",
    "cut mp3": "an MP3 that is cut off",
}
"""Kind of a bad file -> part of the error message."""
