"""Make the example recording: the opening of Bach's Prelude in C major, BWV 846, on a piano.

The notes are those of the public-domain score (The Well-Tempered Clavier I, 1722; Bach-Gesellschaft
edition, volume 14, 1866), bars 1 to 11, up to the cadence in G. Each of these bars is five notes in
one fixed pattern, so the score below is one chord a bar. Tempo, dynamics and pedal are ours; no
note is added or left out, only the last figure is left to ring.

Command, a few seconds of work, from the top of the checkout:

    python recipes/example_audio.py examples/audio/bach_prelude_c_major.flac

It needs numpy, soundfile, the program ``fluidsynth`` and the SoundFont MuseScore_General (MIT), the
last two in Debian and Ubuntu as ``fluidsynth`` and ``musescore-general-soundfont-small``.
``examples/audio/README.md`` gives the versions that made the file in the repository, its checksum
and the tags to expect.
"""

import argparse
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

SOUNDFONT = Path("/usr/share/sounds/sf3/MuseScore_General.sf3")
SAMPLE_RATE = 44_100
TICKS = 480  # MIDI ticks a quarter note
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

# One line a bar: its five notes from low to high, and how loud they are played (MIDI velocity).
SCORE = (
    ("C4 E4 G4 C5 E5", 62),  # C
    ("C4 D4 A4 D5 F5", 64),  # D minor seventh over C
    ("B3 D4 G4 D5 F5", 66),  # dominant seventh over B
    ("C4 E4 G4 C5 E5", 62),  # C
    ("C4 E4 A4 E5 A5", 70),  # A minor over C, the highest note so far
    ("C4 D4 F#4 A4 D5", 67),  # D seventh over C: the way to G
    ("B3 D4 G4 D5 G5", 69),  # G over B
    ("B3 C4 E4 G4 C5", 63),  # C major seventh over B
    ("A3 C4 E4 G4 C5", 60),  # A minor seventh
    ("D3 A3 D4 F#4 C5", 62),  # D seventh
    ("G3 B3 D4 G4 B4", 54),  # G
)
# From which quarter note on, and how many quarter notes a minute: a ritardando into the cadence.
TEMPO = ((0, 93), (36, 90), (38, 87), (40, 82), (41, 77), (42, 70), (43, 60))


class Note(NamedTuple):
    """A note: its start and length in quarter notes, its MIDI number and its MIDI velocity."""

    start: float
    length: float
    pitch: int
    velocity: int


def pitch(name: str) -> int:
    """Give the MIDI number of a note such as ``"F#4"``; C4, the middle C, is 60."""
    return 12 * (int(name[-1]) + 1) + SEMITONES[name[0]] + name.count("#")


def notes() -> list[Note]:
    """Play the score: twice a bar the bass, the tenor a sixteenth later, then the right hand.

    The left hand holds its two notes to the end of the half bar and the right hand goes over the
    three upper ones twice, all in sixteenths (a quarter of a quarter note each).
    """
    played = []
    for bar, (chord, loudness) in enumerate(SCORE):
        bass, tenor, *upper = (pitch(name) for name in chord.split())
        for half in (0, 1):
            start = 4 * bar + 2 * half
            softer = loudness - 3 * half  # the second half of a bar answers the first
            last = half == 1 and bar == len(SCORE) - 1
            ring = 2.0 if last else 0.0
            played.append(Note(start, 2 + ring, bass, softer + 4))
            played.append(Note(start + 0.25, 1.75 + ring, tenor, softer - 4))
            for sixteenth in range(6):
                at = start + 0.5 + 0.25 * sixteenth
                length = start + 2 + ring - at if last else 0.25
                accent = (-3, 0, 3)[sixteenth % 3]  # the top note sings
                played.append(Note(at, length, upper[sixteenth % 3], softer + accent))
    return played


def midi(played: list[Note]) -> bytes:
    """Write a standard MIDI file, format 0: tempo, piano, a pedal that changes every half bar."""
    end = max(note.start + note.length for note in played)
    events = [
        (beat, 0, b"\xff\x51\x03" + round(60e6 / rate).to_bytes(3, "big")) for beat, rate in TEMPO
    ]
    for number, value in ((7, 100), (10, 64), (91, 70), (93, 0)):  # volume, pan, reverb, chorus
        events.append((0, 1, bytes([0xB0, number, value])))
    events.append((0, 1, bytes([0xC0, 0])))  # programme 1 of General MIDI: grand piano
    for half in range(2 * len(SCORE)):
        up = 2 * half + 2 if half < 2 * len(SCORE) - 1 else end
        events += [(2 * half + 0.1, 2, b"\xb0\x40\x7f"), (up, 2, b"\xb0\x40\x00")]
    for start, length, number, velocity in played:
        events.append((start + length, 3, bytes([0x80, number, 0])))
        events.append((start, 4, bytes([0x90, number, velocity])))
    track, now = b"", 0
    for beat, _, message in sorted(events):
        ticks = round(beat * TICKS)
        track += variable_length(ticks - now) + message
        now = ticks
    track += variable_length(2 * TICKS) + b"\xff\x2f\x00"  # two quarter notes for the reverb
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + track


def variable_length(number: int) -> bytes:
    """Encode a MIDI delta time: seven bits a byte, the highest bit set on all but the last."""
    encoded = [number & 0x7F]
    while number := number >> 7:
        encoded.insert(0, number & 0x7F | 0x80)
    return bytes(encoded)


def render(file: bytes, soundfont: Path) -> np.ndarray:
    """Let fluidsynth play a MIDI file in a small hall: (samples, 2) at 44.1 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "score.mid"), Path(folder, "score.wav")
        source.write_bytes(file)
        command = ["fluidsynth", "-n", "-i", "-q", "-r", str(SAMPLE_RATE), "-g", "1.0"]
        hall = {"active": 1, "room-size": 0.6, "damp": 0.4, "width": 0.8, "level": 0.6}
        for name, value in hall.items():
            command += ["-o", f"synth.reverb.{name}={value}"]
        command += ["-o", "synth.chorus.active=0", "-O", "float", "-T", "wav"]
        subprocess.run([*command, "-F", str(target), str(soundfont), str(source)], check=True)
        return soundfile.read(target, always_2d=True)[0]


def finish(sound: np.ndarray, peak: float = 0.6, fade: float = 1.5) -> np.ndarray:
    """Trim the silence at both ends, fade the last seconds out and set the peak."""
    loud = np.flatnonzero(np.abs(sound).max(axis=1) > 0.005 * np.abs(sound).max())
    sound = sound[max(0, loud[0] - SAMPLE_RATE // 10) : loud[-1] + 1]
    ramp = np.ones(len(sound))
    length = round(fade * SAMPLE_RATE)
    ramp[-length:] = np.cos(np.linspace(0, np.pi / 2, length)) ** 2
    sound = sound * ramp[:, None]
    return sound * (peak / np.abs(sound).max())


def main() -> None:
    """Read the command line, play, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="The FLAC file to write.")
    parser.add_argument(
        "--soundfont", type=Path, default=SOUNDFONT, help=f"The soundfont. Default: {SOUNDFONT}."
    )
    arguments = parser.parse_args()
    sound = finish(render(midi(notes()), arguments.soundfont))
    soundfile.write(arguments.output, sound, SAMPLE_RATE, subtype="PCM_16", compression_level=1.0)


if __name__ == "__main__":
    main()
