"""From scores to sound: MIDI, `fluidsynth`, a room, and small files.

Reading a soundfont takes longer than playing a piece, so pieces are played in albums: one MIDI file
with a pause between them, cut apart again afterwards.
"""

import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import fftconvolve
from scores import DRUMS, Piece

SAMPLE_RATE = 22_050
PAUSE = 2.0  # seconds between pieces, in which the last notes die away
QUALITY = 0.5  # of Vorbis
PEAK = 0.95


def album(pieces: Sequence[Piece], soundfont: Path, rate: int = SAMPLE_RATE) -> list[np.ndarray]:
    """Play pieces one after the other.

    Args:
        pieces: scores.
        soundfont: what `fluidsynth` plays them with.
        rate: samples a second.

    Returns:
        For each piece (samples,), mono, without a room and not normalised.

    Raises:
        RuntimeError: fluidsynth failed; with its message.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "album.mid"), Path(folder, "album.wav")
        source.write_bytes(midi(pieces))
        fluidsynth(source, soundfont, target, rate)
        played, start = [], 0.0
        with soundfile.SoundFile(target) as file:
            for piece in pieces:
                file.seek(min(round(start * rate), file.frames))
                sound = file.read(round(piece.seconds * rate), dtype="float32", always_2d=True)
                played.append(sound.mean(axis=1))
                start += piece.seconds + PAUSE
    return played


def fluidsynth(source: Path, soundfont: Path, target: Path, rate: int = SAMPLE_RATE) -> None:
    """Play a MIDI file, dry, into a stereo wave file; raise RuntimeError."""
    if not soundfont.is_file():  # fluidsynth would use another one
        raise FileNotFoundError(f"{soundfont}: no such soundfont; see build.py")
    command = ["fluidsynth", "-n", "-i", "-q", "-r", str(rate), "-g", "0.4", "-R", "0"]
    command += ["-C", "0", "-O", "s16", "-T", "wav", "-F", str(target)]
    answer = subprocess.run([*command, str(soundfont), str(source)], capture_output=True, text=True)
    if answer.returncode or not target.is_file():
        raise RuntimeError(f"fluidsynth cannot play with {soundfont}: {answer.stderr[-300:]}")


def midi(pieces: Sequence[Piece]) -> bytes:
    """Write pieces as one standard MIDI file of format 0, a tick a millisecond."""
    events: list[tuple[int, int, bytes]] = []
    start = 0.0
    for piece in pieces:
        channels = iter([c for c in range(16) if c != 9])
        for part in piece.parts:
            channel = 9 if part.programme == DRUMS else next(channels)
            first = round(1000 * start)
            if part.programme != DRUMS:
                events.append((first, 1, bytes([0xC0 | channel, part.programme])))
            events.append((first, 1, bytes([0xB0 | channel, 7, part.volume])))
            events.append((first, 1, bytes([0xE0 | channel, 0, 64])))
            for seconds, semitones in part.bends:
                value = int(np.clip(8192 + semitones / 2 * 8191, 0, 16383))
                message = bytes([0xE0 | channel, value & 127, value >> 7])
                events.append((round(1000 * (start + seconds)), 3, message))
            for note in part.notes:
                on, off = start + note.start, start + min(note.start + note.seconds, piece.seconds)
                pressed = bytes([0x90 | channel, note.pitch, note.velocity])
                events.append((round(1000 * on), 4, pressed))
                events.append(
                    (
                        max(round(1000 * off), round(1000 * on) + 1),
                        2,
                        bytes([0x80 | channel, note.pitch, 0]),
                    )
                )
        start += piece.seconds + PAUSE
    track, now = b"\x00\xff\x51\x03" + (500_000).to_bytes(3, "big"), 0
    for tick, _, message in sorted(events):
        track += variable_length(tick - now) + message
        now = tick
    track += variable_length(max(round(1000 * start) - now, 0)) + b"\xff\x2f\x00"
    head = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, 500)
    return head + struct.pack(">4sI", b"MTrk", len(track)) + track


def variable_length(number: int) -> bytes:
    """Write a number as MIDI does: seven bits a byte, all but the last marked."""
    digits = [number & 127]
    while number := number >> 7:
        digits.append(number & 127 | 128)
    return bytes(reversed(digits))


def room(sound: np.ndarray, rate: int, seconds: float, wet: float, rng) -> np.ndarray:
    """Put a sound into a room.

    Args:
        sound: (samples,).
        rate: samples a second.
        seconds: until the echo has fallen by 60 dB.
        wet: level of the echo beside the sound, 0 for none.
        rng: random generator of the echo.

    Returns:
        (samples,): as long as before.
    """
    if wet <= 0:
        return sound
    count = int(seconds * rate)
    echo = rng.normal(size=count) * 10 ** (-3 * np.arange(count) / count)
    for _ in range(2):  # air and curtains swallow the highs
        echo = echo + np.concatenate([[0], echo[:-1]])
    tail = fftconvolve(sound, echo)[: len(sound)]
    scale = np.std(sound) / (np.std(tail) + 1e-9)
    return sound + wet * scale * tail


def finish(sound: np.ndarray, rate: int, rng, wettest=0.6, loud=False) -> np.ndarray:
    """Give a clip a random room, tone and level.

    Args:
        sound: (samples,).
        rate: samples a second.
        rng: random generator.
        wettest: level of the room's echo at most.
        loud: drive it into saturation and keep it loud, like records of rock and dance music.

    Returns:
        (samples,) float32, below full scale.
    """
    if rng.random() < 0.8:
        sound = room(sound, rate, rng.uniform(0.3, 3.0), rng.uniform(0, wettest), rng)
    tilt = rng.normal(0, 2.0)  # dB an octave, about 1 kHz
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    octaves = np.log2(np.clip(hertz, 80, 8000) / 1000)
    sound = np.fft.irfft(spectrum * 10 ** (tilt * octaves / 20), len(sound))
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9)
    if loud:
        sound = np.tanh(sound * rng.uniform(0.3, 1.5))
        sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9)
    sound *= 10 ** ((rng.uniform(-18, -8) if loud else rng.uniform(-30, -14)) / 20)
    return (sound * min(1, PEAK / (np.abs(sound).max() + 1e-9))).astype(np.float32)


def save(path: Path, sound: np.ndarray, rate: int) -> None:
    """Write Ogg Vorbis, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    level = 1 - QUALITY
    with soundfile.SoundFile(
        part, "w", rate, 1, "VORBIS", format="OGG", compression_level=level
    ) as file:
        for start in range(0, len(sound), rate):  # libsndfile overflows its stack on long blocks
            file.write(sound[start : start + rate])
    part.replace(path)
