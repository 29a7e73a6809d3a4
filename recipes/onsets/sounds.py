"""Clips whose onsets are known exactly, since they are written, played and mixed here.

An onset is when a note **sounds**, not when its key goes down: a slow string patch sounds 50 ms
late or later. So before anything is played, each programme of a soundfont is played alone, at
pitches an octave apart, softly and loudly, and `attack` measures how long after the key each of
these notes reaches a fifth of the peak that it has in its first .3 s (-14 dB; our choice,
there is no standard). A note of a piece gets the delay of the nearest of them. One-shots of drums
are measured one by one, which also finds the silence at the start of some of them.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import librosa
import mido
import numpy as np
import soundfile

sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))
sys.path.append(str(Path(__file__).resolve().parents[1]))
import games
import kits
import making
import rendering
import scores
from playing import Note

from zoo import audio

RATE = 44100
SECONDS = 20.0  # a clip
CLIPS = 12  # an album
# Of a note's peak: where its onset is; and how far into the note the peak is looked for.
LEVEL, REACH = 0.2, 0.3
SOFTEST = 25  # velocity; nobody would annotate softer notes
TOGETHER = 0.03  # onsets closer than this are one, as in the paper's evaluation
PROBED = (range(36, 97, 12), (50, 110))  # pitches and velocities
WITH_BACKGROUND = 0.4  # of the clips for training
BESIDE = 2  # frames at either side of an onset of the background that do not count


class Clip(NamedTuple):
    """A sound and its onsets."""

    sound: np.ndarray  # (samples,) float32 at `RATE`
    onsets: np.ndarray  # (onsets,) seconds
    ignored: np.ndarray  # (times,) seconds at which a background may have an onset
    # of drums by `strokes.py` only:
    every: np.ndarray = np.zeros(0)  # (strokes,) seconds, before those close together were merged
    instruments: np.ndarray = np.zeros(0, str)  # (onsets,), "several" if struck together
    levels: np.ndarray = np.zeros(0)  # (onsets,) dB beside the clip's loudest stroke


# --- attacks ---


def attack(sound: np.ndarray, rate: int = RATE) -> float:
    """Return the seconds after which a note, played alone, reaches `LEVEL` of its first peak."""
    step = rate // 1000
    head = np.abs(sound[: int(REACH * rate)])
    envelope = head[: len(head) // step * step].reshape(-1, step).max(axis=1)
    if len(envelope) == 0 or envelope.max() < 1e-5:
        return 0.0
    return float(np.argmax(envelope >= LEVEL * envelope.max())) / 1000


@cache
def delays(font: Path, programme: int) -> dict[tuple[int, int], float]:
    """Measure a programme of a soundfont: (pitch, velocity) -> seconds from key to sound."""
    drums = programme == scores.DRUMS
    pitches, velocities = (range(27, 88), (100,)) if drums else PROBED
    probes = [(pitch, velocity) for pitch in pitches for velocity in velocities]
    pieces = [
        scores.Piece("", (), 1.0, [scores.Part(programme, [Note(0.0, 0.8, *probe)])])
        for probe in probes
    ]
    sounds = rendering.album(pieces, font, RATE)
    return {probe: attack(sound) for probe, sound in zip(probes, sounds, strict=True)}


def sounding(programme: int, notes: Iterable[Note], font: Path) -> list[float]:
    """Return when notes sound, in seconds; without those that are too soft."""
    measured = delays(font, programme)
    keys = np.array(list(measured))
    times = []
    for note in notes:
        if note.velocity >= SOFTEST:
            far = np.abs(keys - (note.pitch, note.velocity)) @ (20, 1)
            times.append(note.start + measured[tuple(keys[np.argmin(far)].tolist())])
    return times


def merged(times: Iterable[float]) -> np.ndarray:
    """Sort onsets; of those that follow each other within `TOGETHER`, keep the first."""
    kept: list[float] = []
    for time in sorted(times):
        if not kept or time - kept[-1] > TOGETHER:
            kept.append(time)
    return np.array(kept)


# --- the three kinds of clips ---


def of_scores(rng, font: Path) -> Iterator[tuple[np.ndarray, list[float], bool]]:
    """Our own scores, played by a soundfont: sound, onsets, whether it is loud music."""
    kinds = scores.draw(rng)
    pieces = [scores.write(next(kinds), rng, SECONDS) for _ in range(CLIPS)]
    for piece, sound in zip(pieces, rendering.album(pieces, font, RATE), strict=True):
        times = [
            time
            for part in piece.parts
            if part.volume >= 40
            for time in sounding(part.programme, part.notes, font)
        ]
        yield sound, times, piece.kind in making.LOUD


def of_styles(rng, font: Path, split: str) -> Iterator[tuple[np.ndarray, list[float], bool]]:
    """Accompaniments of mma's style files; each file is in one split only, as in the corpus."""
    files = making.style_files(split)
    made = 0
    while made < CLIPS:
        text = making.accompaniment(rng, scores.either(rng, *files))
        with tempfile.TemporaryDirectory() as scratch:
            source, target, wav = (Path(scratch, f"song.{end}") for end in ("mma", "mid", "wav"))
            source.write_text(text)
            if subprocess.run(["mma", "-f", target, source], capture_output=True).returncode:
                continue  # a few of mma's files need more than this score has
            rendering.fluidsynth(target, font, wav, RATE)
            sound = soundfile.read(wav, dtype="float32", always_2d=True)[0].mean(axis=1)
            times = [
                time
                for programme, notes in played(mido.MidiFile(target)).items()
                for time in sounding(programme, notes, font)
            ]
        sound = sound[: round(SECONDS * RATE)]
        if len(sound) < SECONDS * RATE or np.abs(sound).max() < 1e-3 or len(times) < 5:
            continue
        made += 1
        yield sound, times, bool(rng.random() < 0.3)


def played(file: mido.MidiFile) -> dict[int, list[Note]]:
    """Return the notes of a MIDI file by programme, `scores.DRUMS` for channel 10."""
    programmes = [0] * 16
    notes: dict[int, list[Note]] = {}
    now = 0.0
    for message in file:
        now += message.time
        if message.type == "program_change":
            programmes[message.channel] = message.program
        elif message.type == "note_on" and message.velocity:
            programme = scores.DRUMS if message.channel == 9 else programmes[message.channel]
            notes.setdefault(programme, []).append(Note(now, 0.1, message.note, message.velocity))
    return notes


def of_kits(
    rng, font: Path, names: Sequence[str], folder: Path
) -> Iterator[tuple[np.ndarray, list[float], bool]]:
    """Real drums: alone in half of the clips, and with a band played by a soundfont."""
    base = folder / kits.PACKAGE / kits.PATTERN[:-1]
    for _ in range(CLIPS):
        kind = scores.either(
            rng, "rock", "metal", "pop", "country", "techno", "beats", "drums-alone"
        )
        piece = scores.write(kind, rng, SECONDS)
        drums = kits.kit(base / scores.either(rng, *names), RATE)
        strokes = [note for part in piece.parts if part.programme < 0 for note in part.notes]
        struck = [(note, kits.stroke(note, drums)) for note in strokes]
        times = [
            note.start + attack(sample)
            for note, sample in struck
            if sample is not None and note.velocity >= SOFTEST
        ]
        sound = kits.play(strokes, drums, SECONDS, RATE)
        band = [part for part in piece.parts if part.programme >= 0]
        if band and (rng.random() < 0.5 or not times):
            (own,) = rendering.album([piece._replace(parts=band)], font, RATE)
            level = 10 ** (rng.uniform(-4, 6) / 20)
            sound = own / (own.std() + 1e-9) + level * sound / (sound.std() + 1e-9)
            for part in band:
                times += sounding(part.programme, part.notes, font)
        yield sound, times, True


# --- room and background ---


def finished(sound: np.ndarray, times: list[float], loud: bool, rng) -> Clip:
    """Give a clip a room, a tone and a level, and merge its onsets."""
    sound = rendering.finish(sound, RATE, rng, 0.4, loud)
    onsets = merged(time for time in times if time < len(sound) / RATE - 0.05)
    return Clip(sound, onsets, np.zeros(0))


def laid_over(clip: Clip, background: np.ndarray, decibels: float) -> Clip:
    """Mix real music under a clip; list when the music itself may have onsets.

    Args:
        clip: in front.
        background: (samples,), at least as long.
        decibels: its level beside the clip's.
    """
    background = background[: len(clip.sound)]
    gain = 10 ** (decibels / 20) * clip.sound.std() / (background.std() + 1e-9)
    found = librosa.onset.onset_detect(
        y=background, sr=RATE, hop_length=441, units="time", delta=0.05, wait=2
    )
    mix = clip.sound + gain * background
    return clip._replace(sound=(mix / max(1.0, np.abs(mix).max())).astype("float32"), ignored=found)


def backgrounds(folder: Path, rng) -> Iterator[np.ndarray]:
    """Yield excerpts of the corpus's real music for training, without end."""
    tracks = [folder / t.file for t in games.read() if t.split == "train" and t.seconds > 30]
    tracks = [track for track in tracks if track.is_file()]
    if not tracks:
        raise SystemExit(f"{folder} has no music: python recipes/corpus/build.py --only games")
    while True:
        track = scores.either(rng, *tracks)
        start = rng.uniform(0, soundfile.info(track).duration - SECONDS - 1)
        yield np.concatenate(list(audio.stream(track, RATE, start, start + SECONDS)))
