"""Changes of a sound before the teachers score it: rooms, other microphones, compression, MP3.

Each takes and returns mono float32 samples of the same length. None of the numbers is from a paper.
Rooms are computed: noise that falls by 60 dB in .15 to 1.5 s, after the direct sound. A microphone
is an equaliser whose gain changes smoothly over frequency, by 8 dB at most.
"""

import io
from collections.abc import Callable

import numpy as np
import soundfile
from scipy.signal import fftconvolve, firwin2

Change = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def room(sound: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Add the reverberation of a room, 3 to 20 dB softer than the direct sound."""
    seconds = np.exp(rng.uniform(np.log(0.15), np.log(1.5)))
    time = np.arange(round(seconds * rate)) / rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    tail[: round(rng.uniform(0.002, 0.02) * rate)] = 0.0  # before the first reflection
    tail *= 10 ** (-rng.uniform(3, 20) / 20) / (np.sqrt(np.square(tail).sum()) + 1e-9)
    return (sound + fftconvolve(sound, tail)[: len(sound)]).astype("float32")


def microphone(sound: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Change the frequency response; one time in three nothing is left above 4 to 9 kHz."""
    places = np.linspace(0, 1, 9)
    gains = 10 ** (np.cumsum(rng.uniform(-3, 3, 9)).clip(-8, 8) / 20)
    if rng.random() < 1 / 3:
        gains[places * rate / 2 > rng.uniform(4000, 9000)] = 0.0
    return fftconvolve(sound, firwin2(255, places, gains), mode="same").astype("float32")


def noise(sound: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Add noise, 25 to 55 dB softer than the sound."""
    level = (sound.std() + 1e-5) * 10 ** (-rng.uniform(25, 55) / 20)
    return (sound + level * rng.standard_normal(len(sound))).astype("float32")


def compression(sound: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Drive a sound softly into its limits."""
    drive = rng.uniform(1, 4) / (3 * sound.std() + 1e-5)
    return (np.tanh(drive * sound) / drive).astype("float32")


def mp3(sound: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Compress to MP3 at some quality and decode it again."""
    file = io.BytesIO()
    peak = max(1.0, float(np.abs(sound).max()))
    with soundfile.SoundFile(
        file, "w", rate, 1, format="MP3", compression_level=rng.uniform(0.3, 0.95)
    ) as encoder:
        encoder.write(sound / peak)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return np.resize(decoded * peak, len(sound))


CHANGES: dict[Change, float] = {  # probability of each, in this order
    room: 0.25, microphone: 0.25, noise: 0.1, compression: 0.1, mp3: 0.1,
}  # fmt: skip


def changed(sound: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return a sound after each of the changes with its probability."""
    for change, probability in CHANGES.items():
        if rng.random() < probability:
            sound = change(sound, rate, rng)
    return sound
