"""Fast repeated notes, trills and grace notes of pitched instruments, through a soundfont."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sounds
from sounds import RATE, SECONDS, Note, rendering, scores

# General MIDI programmes whose notes begin at once, counted from 0.
QUICK = (0, 1, 4, 6, 8, 11, 12, 13, 15, 16, 21, 24, 25, 26, 27, 28, 29, 30, 32, 33, 34, 36, 45, 46,
         47, 56, 65, 71, 73, 80, 81, 104, 105, 106, 107, 108, 110, 114)  # fmt: skip
DRAWN = 6  # instruments an album
FIGURES = ("repeats", "repeats", "trill", "grace", "grace", "run", "long")


def figure(rng, name: str, start: float, pitch: int) -> list[Note]:
    """Write a figure: its notes in order."""
    loud = int(rng.integers(60, 120))
    gap = rng.uniform(0.055, 0.17)
    if name == "long":
        return [Note(start, rng.uniform(0.3, 1), pitch, loud)]
    if name == "grace":
        count, gap = int(rng.integers(1, 4)), rng.uniform(0.03, 0.08)
        near = [pitch + int(rng.choice([-2, -1, 0, 1, 2])) for _ in range(count)]
        soft = max(35, loud - int(rng.integers(0, 40)))
        graces = [Note(start + i * gap, gap, key, soft) for i, key in enumerate(near)]
        return [*graces, Note(start + count * gap, rng.uniform(0.15, 0.6), pitch, loud)]
    count = int(rng.integers(3, 15))
    step = int(rng.choice([-2, -1, 1, 2]))
    keys = {
        "repeats": [pitch] * count,
        "trill": [pitch + step * (i % 2) for i in range(count)],
        "run": [int(np.clip(pitch + step * i, 30, 100)) for i in range(count)],
    }[name]
    held = gap * rng.uniform(0.5, 1.1)
    louds = np.clip(loud + rng.normal(0, 8, count), 40, 127).astype(int)
    times = start + gap * (np.arange(count) + rng.normal(0, 0.04, count))
    times = np.maximum.accumulate(times)
    return [
        Note(float(time), held, key, int(v))
        for time, key, v in zip(times, keys, louds, strict=True)
    ]


def clips(rng, font: Path) -> Iterator[tuple[np.ndarray, list[float]]]:
    """Yield the clips of an album: sound and onsets."""
    able = rng.choice(QUICK, DRAWN, replace=False)
    pieces = []
    for _ in range(sounds.CLIPS):
        programme, middle = int(scores.either(rng, *able)), int(rng.integers(45, 80))
        notes, now = [], 0.3
        while now < SECONDS - 2:
            pitch = middle + int(rng.integers(-7, 8))
            notes += figure(rng, scores.either(rng, *FIGURES), now, pitch)
            now = notes[-1].start + rng.choice([rng.uniform(0.1, 0.25), rng.uniform(0.25, 0.9)])
        parts = [scores.Part(programme, notes, 100)]
        if rng.random() < 0.3:  # held chords below
            chords = [
                Note(2.0 * bar + 0.3, 1.9, middle - 12 + key, 60)
                for bar in range(int(SECONDS / 2) - 1) for key in (0, 4, 7)
            ]  # fmt: skip
            parts.append(scores.Part(int(scores.either(rng, *able)), chords, 70))
        pieces.append(scores.Piece("", (), SECONDS, parts))
    for piece, sound in zip(pieces, rendering.album(pieces, font, RATE), strict=True):
        yield (
            sound,
            [t for part in piece.parts for t in sounds.sounding(part.programme, part.notes, font)],
        )
