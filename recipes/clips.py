"""Make the small labelled set of rendered clips in examples/clips, and its table.

`clips_music.py` beside this file holds the music and the tags; this script renders them. A piece is
played once, by one of two soundfonts, cut after 6.5 s and written as mono Ogg Vorbis. The tags are
those of the score. No model decided on them, and no clip was chosen or dropped because of a model's
output.

Command, from the top of the checkout. It takes a few minutes, since fluidsynth reads the soundfont
again for each clip:

    python recipes/clips.py examples/clips

It needs numpy, soundfile, the program ``fluidsynth`` and two soundfonts, all three in Debian and
Ubuntu: ``fluidsynth``, ``fluid-soundfont-gm`` (MIT) and ``musescore-general-soundfont-small`` (MIT,
parts public domain or CC0). ``examples/clips/README.md`` states the licence of the result.
"""

import argparse
import csv
import itertools
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from clips_music import DRUMS, FLUID, MUSESCORE, PIECES, Piece
from example_audio import Note, variable_length
from example_audio import pitch as natural

SOUNDFONTS = {
    FLUID: Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    MUSESCORE: Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
}
SPLITS = {FLUID: "train", MUSESCORE: "test"}
SECONDS = 6.5
SAMPLE_RATE = 22_050
QUALITY = 0.15  # of Vorbis: about 25 kB a clip
TICKS = 480  # MIDI ticks a quarter note
PEAKS = {"quiet": 0.08, "loud": 0.9}  # of full scale; the rest in between
PEAK = 0.35
KIT = {"kick": 36, "snare": 38, "clap": 39, "hat": 42, "low": 45, "open": 46, "mid": 47}
KIT |= {"crash": 49, "high": 50, "ride": 51}


def pitch(name: str) -> int:
    """Give the MIDI number of a note such as ``F#4`` or ``Bb2``."""
    return natural(name.replace("b", "")) - name.count("b")


def melody(score: str, loudness: int, beats: float) -> Iterator[Note]:
    """Read a score of notes and chords, repeated until it fills `beats` quarter notes."""
    at, length = 0.0, 1.0
    for token in itertools.cycle(score.replace("|", " ").split()):
        names, _, given = token.partition(":")
        length = float(given) if given else length
        if names != "r":
            for name in names.split("+"):
                yield Note(at, length, pitch(name), loudness)
        at += length
        if at >= beats:
            return


def strokes(grid: str, loudness: int, beats: float) -> Iterator[Note]:
    """Read a grid of sixteenths, a line for each drum, repeated until it fills `beats`."""
    for drum, steps in re.findall(r"(\w+)\s+([xX.]+)", grid):
        for step in range(int(4 * beats)):
            stroke = steps[step % len(steps)]
            if stroke != ".":
                yield Note(step / 4, 0.25, KIT[drum], loudness if stroke == "X" else loudness - 22)


def midi(piece: Piece) -> bytes:
    """Write a standard MIDI file, format 0: one channel a part, drums on the tenth."""
    beats = SECONDS * piece.tempo / 60
    events = [(0.0, 0, b"\xff\x51\x03" + round(60e6 / piece.tempo).to_bytes(3, "big"))]
    free = (channel for channel in range(16) if channel != 9)
    for instrument, loudness, score in piece.parts:
        if instrument == DRUMS:
            channel, notes = 9, strokes(score, loudness, beats)
        else:
            channel, notes = next(free), melody(score, loudness, beats)
            events.append((0.0, 1, bytes([0xC0 | channel, instrument])))
        events.append((0.0, 1, bytes([0xB0 | channel, 91, 50])))  # reverb
        for start, length, number, velocity in notes:
            events.append((start, 3, bytes([0x90 | channel, number, velocity])))
            events.append((start + length, 2, bytes([0x80 | channel, number, 0])))
    track, now = b"", 0
    for beat, _, message in sorted(events):
        ticks = round(beat * TICKS)
        track += variable_length(ticks - now) + message
        now = ticks
    track += variable_length(2 * TICKS) + b"\xff\x2f\x00"
    return struct.pack(">4sIHHH4sI", b"MThd", 6, 0, 1, TICKS, b"MTrk", len(track)) + track


def render(piece: Piece) -> np.ndarray:
    """Let fluidsynth play a piece: (samples,), mixed down, cut, faded and set to its level."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "score.mid"), Path(folder, "score.wav")
        source.write_bytes(midi(piece))
        command = ["fluidsynth", "-n", "-i", "-q", "-r", str(SAMPLE_RATE), "-g", "0.5"]
        command += ["-o", "synth.chorus.active=0", "-O", "float", "-T", "wav", "-F", str(target)]
        command += [str(SOUNDFONTS[piece.soundfont]), str(source)]
        subprocess.run(command, check=True)
        sound = soundfile.read(target, always_2d=True)[0].mean(axis=1)
    sound = sound[: round(SECONDS * SAMPLE_RATE)]
    fade = round(0.25 * SAMPLE_RATE)
    sound[-fade:] *= np.linspace(1, 0, fade)
    level = next((PEAKS[tag] for tag in piece.tags.split() if tag in PEAKS), PEAK)
    return sound * (level / np.abs(sound).max())


def main() -> None:
    """Read the command line, play every piece, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder to write the clips and clips.csv to.")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for piece in PIECES:
        group = f"{piece.soundfont}/{piece.tune}"
        name = f"{piece.kind}-{piece.tune.removeprefix(f'own-{piece.kind}-')}.ogg"
        sound, level = render(piece), 1 - QUALITY
        soundfile.write(folder / name, sound, SAMPLE_RATE, "VORBIS", compression_level=level)
        rows.append((name, "|".join(piece.tags.split()), SPLITS[piece.soundfont], group))
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("path", "tags", "split", "group"), *rows])


if __name__ == "__main__":
    main()
