"""Notes of arpeggios, melodies, basses, chorales and drums over a run of chords.

All players of a piece share a `Frame`: tempo, metre, key, scale, and a chord for each bar. Each
function returns the notes of one player, at random among many variants.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "bhairav": (0, 1, 4, 5, 7, 8, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
}
# Degrees of the scale, a bar each; common to half the music of the world.
PROGRESSIONS = (
    (0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 0, 4), (0, 0, 3, 4),
    (1, 4, 0, 5), (0, 6, 5, 4), (0, 5, 1, 4), (0, 2, 3, 4), (0, 4, 0, 4), (0, 6, 3, 0),
    (0, 4, 5, 2, 3, 0, 3, 4), (0, 0, 3, 3, 0, 0, 4, 4), (5, 1, 4, 0, 3, 6, 2, 5),
)  # fmt: skip
KICK, SNARE, CLAP, CLOSED, LOW, OPEN, MIDDLE, CRASH, HIGH, RIDE = (
    36,
    38,
    39,
    42,
    45,
    46,
    47,
    49,
    50,
    51,
)
# Sixteenths of a bar of four in each style: kick, snare, hat.
GRIDS = {
    "rock": ("X.....x.X.......", "....X.......X...", "x.x.x.x.x.x.x.x."),
    "half": ("X..x..x...x.....", "........X.......", "x.x.x.x.x.x.x.x."),
    "punk": ("X...X...X...X...", "..X...X...X...X.", "x.x.x.x.x.x.x.x."),
    "blast": ("xxxxxxxxxxxxxxxx", "..X...X...X...X.", "x.x.x.x.x.x.x.x."),
    "gallop": ("x.xxx.xxx.xxx.xx", "....X.......X...", "x...x...x...x..."),
    "four": ("X...X...X...X...", "....x.......x...", "..x...x...x...x."),
    "acid": ("X...X...X...X..x", "....X.......X...", "x.xxx.xxx.xxx.xx"),
    "break": ("X.X.......XX....", "....X..x.x..X..x", "x.x.x.x.x.x.x.x."),
    "hiphop": ("X.....x...X.....", "....X.......X...", "x.x.x.x.x.x.x.xx"),
    "funk": ("X..x..x...x..x..", "....X..x.x..X..x", "xxxxxxxxxxxxxxxx"),
    "train": ("X...x...X...x...", "x.xxx.xxx.xxX.xx", "................"),
    "shuffle": ("X.......X.......", "....X.......X...", "x..xx..xx..xx..x"),
    "tribal": ("X..X..X...X.X...", "................", "................"),
}


class Note(NamedTuple):
    """A note, or a stroke on a drum."""

    start: float  # seconds
    seconds: float
    pitch: int  # MIDI number, or General MIDI drum
    velocity: int  # 1 to 127


@dataclass(frozen=True)
class Frame:
    """What all players of a piece share."""

    rng: np.random.Generator
    seconds: float
    tempo: float  # beats a minute
    metre: int  # beats a bar
    key: int  # 0 to 11
    mode: str
    degrees: tuple[int, ...]  # of the chord of each bar, repeated
    level: int  # velocity around which they play

    @property
    def beat(self) -> float:
        """Seconds a beat."""
        return 60 / self.tempo

    @property
    def bars(self) -> list[float]:
        """Seconds at which bars begin."""
        return list(np.arange(0.05, self.seconds, self.metre * self.beat))

    def tone(self, degree: int, low: int) -> int:
        """Return the pitch of a degree of the scale, counted from the first tonic over `low`."""
        octave, step = divmod(degree, 7)
        return low + (self.key - low) % 12 + MODES[self.mode][step] + 12 * octave

    def chord(self, bar: int, low: int, size: int = 3) -> list[int]:
        """Return `size` tones of a bar's chord from `low` upwards."""
        degree = self.degrees[bar % len(self.degrees)]
        tones = {self.tone(degree + third, 0) % 12 for third in (0, 2, 4)}
        return [pitch for pitch in range(low, low + 49) if pitch % 12 in tones][:size]

    def root(self, bar: int, low: int) -> int:
        """Return the root of a bar's chord within the octave over `low`."""
        pitch = self.tone(self.degrees[bar % len(self.degrees)], 0)
        return low + (pitch - low) % 12

    def note(self, start: float, seconds: float, pitch: int, accent: float = 0) -> Note:
        """Write a note as people play it: not quite in time, not all equally loud."""
        start = max(0.0, start + self.rng.normal(0, 0.006))
        velocity = int(np.clip(self.level + accent + self.rng.normal(0, 6), 12, 127))
        return Note(start, max(seconds, 0.04), int(np.clip(pitch, 12, 115)), velocity)


def frame(rng, seconds: float, tempo, level=(60, 105), modes=("major", "minor"), metre=4) -> Frame:
    """Return a random frame; `tempo` and `level` are ranges."""
    mode = str(rng.choice(modes))
    degrees = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    speed, loud = rng.uniform(*tempo), int(rng.uniform(*level))
    return Frame(rng, seconds, speed, metre, int(rng.integers(12)), mode, degrees, loud)


# --- harmony ---


def arpeggio(f: Frame, low: int, size: int = 6, division: int = 2, ring: float = 1.5) -> list[Note]:
    """Break the chords: `division` notes a beat, each ringing `ring` times its length."""
    orders = [
        list(range(size)) + list(range(size - 2, 0, -1)),
        list(range(size)),
        list(range(size))[::-1],
        [0, *f.rng.permutation(np.arange(1, size)).tolist()],
        [i for pair in zip(range(size), range(size)[::-1], strict=True) for i in pair],
    ]
    order, step, notes = orders[f.rng.integers(len(orders))], f.beat / division, []
    for bar, start in enumerate(f.bars):
        tones = f.chord(bar, low, size)
        for i in range(f.metre * division):
            accent = 8 if i % division == 0 else 0
            notes.append(
                f.note(start + i * step, step * ring, tones[order[i % len(order)]], accent)
            )
    return notes


def alberti(f: Frame, low: int, division: int = 4) -> list[Note]:
    """Play low, high, middle, high."""
    notes, step = [], f.beat / division
    for bar, start in enumerate(f.bars):
        tones = f.chord(bar, low, 3)
        for i in range(f.metre * division):
            notes.append(f.note(start + i * step, step, tones[(0, 2, 1, 2)[i % 4]], -8))
    return notes


def held(f: Frame, low: int, size: int = 4, legato: float = 1.0, parts: int = 1) -> list[Note]:
    """Hold the chords, `parts` times a bar."""
    notes, length = [], f.metre * f.beat / parts
    for bar, start in enumerate(f.bars):
        for i in range(parts):
            tones = f.chord(bar, low, size)
            notes += [f.note(start + i * length, length * legato, tone) for tone in tones]
    return notes


def strum(f: Frame, low: int, size: int = 5) -> list[Note]:
    """Strum a guitar in eighths."""
    pattern = str(f.rng.choice(["D.DUD.DU", "D.D.D.DU", "D.DU.UDU", "DUDUDUDU", "D...D.DU"]))
    notes, step = [], f.beat / 2
    for bar, start in enumerate(f.bars):
        tones = f.chord(bar, low, size)
        for i in range(2 * f.metre):
            stroke = pattern[i % 8]
            order = {"D": tones, "U": tones[::-1][:3], ".": []}[stroke]
            for j, tone in enumerate(order):
                notes.append(f.note(start + i * step + 0.012 * j, step * 1.8, tone, 6 - 2 * j))
    return notes


def picking(f: Frame, low: int) -> list[Note]:
    """Pick a guitar: bass on the beat with the thumb, the other strings between."""
    notes, step = [], f.beat / 2
    for bar, start in enumerate(f.bars):
        tones, root = f.chord(bar, low + 10, 4), f.root(bar, low)
        for i in range(2 * f.metre):
            if i % 2 == 0:
                notes.append(f.note(start + i * step, step * 2, root + (0, 7)[i // 2 % 2], 8))
            if i % 2 or f.rng.random() < 0.3:
                notes.append(f.note(start + i * step, step * 2, int(f.rng.choice(tones))))
    return notes


def power(f: Frame, low: int = 38) -> list[Note]:
    """Riff on root, fifth and octave: eighths, palm-muted or held, at random."""
    grids = ("x.xxx.xx", "xxxxxxxx", "x..x..x.", "x.......", "x.xx.xx.", "xx.xx.xx")
    grid, division = f.rng.choice(grids), int(f.rng.choice([2, 4]))
    steps, notes = f.beat / division, []
    for bar, start in enumerate(f.bars):
        root = f.root(bar, low)
        for i in range(f.metre * division):
            if grid[i % 8] != ".":
                shift = int(f.rng.choice([0, 0, 0, 0, 3, 5])) if i % 8 > 5 else 0
                length = steps * (4 if grid == "x......." else 0.95)
                for interval in (0, 7, 12):
                    notes.append(f.note(start + i * steps, length, root + interval + shift))
    return notes


def bass(f: Frame, low: int = 33) -> list[Note]:
    """Play a bass: on the roots, in fifths, in octaves or walking."""
    style, notes = int(f.rng.integers(4)), []
    for bar, start in enumerate(f.bars):
        root = f.root(bar, low)
        for i in range(2 * f.metre):
            if style < 3 and not (style == 0 or i % 2 == 0):
                continue
            if style == 3 and i % 2:
                continue
            walk = f.chord(bar, root, 4)[(i // 2) % 4]
            pitch = (root, root + (0, 7)[i // 2 % 2], root + (0, 12)[i // 2 % 2], walk)[style]
            notes.append(
                f.note(start + i * f.beat / 2, f.beat * (0.45, 0.9, 0.9, 0.9)[style], pitch)
            )
    return notes


# --- melody ---


def melody(
    f: Frame, low: int, high: int, density: float = 1.0, legato: float = 0.98, rests: float = 0.1
) -> list[Note]:
    """Wander through the scale: motifs that come back, chord tones on strong beats.

    Args:
        f: the frame.
        low: MIDI number; the bottom of the register.
        high: its top.
        density: notes a beat, more or less.
        legato: share of its time that a note sounds.
        rests: share of the notes that are silent.
    """
    scale = [p for p in range(low, high) if (p - f.key) % 12 in MODES[f.mode]]
    rhythms = [f.rng.choice([0.25, 0.5, 0.5, 1, 1, 1.5, 2], size=16) / density for _ in range(2)]
    leaps = [f.rng.choice([-3, -2, -1, -1, 1, 1, 2, 3, 4, -4], size=16) for _ in range(2)]
    notes, now, place, count = [], 0.05, len(scale) // 2, 0
    end, bar_seconds = f.seconds, f.metre * f.beat
    while now < end:
        motif = int(now / bar_seconds) // 2 % 3 % 2
        length = float(rhythms[motif][count % 16]) * f.beat
        place += int(leaps[motif][count % 16])
        if not 0 <= place < len(scale):
            place = int(np.clip(place, 0, len(scale) - 1) + f.rng.integers(-5, 6))
            place = int(np.clip(place, 0, len(scale) - 1))
        pitch = scale[place]
        tones = {p % 12 for p in f.chord(int(now / bar_seconds), 36, 3)}
        if length >= f.beat and pitch % 12 not in tones:
            pitch = min((p for p in scale if p % 12 in tones), key=lambda p: abs(p - pitch))
        if f.rng.random() > rests:
            notes.append(f.note(now, length * legato, pitch))
        now += length
        count += 1
    return notes


def ornamented(f: Frame, notes: list[Note], share: float = 0.25) -> list[Note]:
    """Put trills, turns and grace notes on some of the longer notes."""
    done = []
    for note in notes:
        upper = note.pitch + (1 if (note.pitch + 1 - f.key) % 12 in MODES[f.mode] else 2)
        if note.seconds < 0.25 or f.rng.random() > share:
            done.append(note)
        elif f.rng.random() < 0.5:
            grace = note._replace(pitch=upper, seconds=0.07)
            rest = note._replace(start=note.start + 0.07, seconds=note.seconds - 0.07)
            done += [grace, rest]
        else:
            times = int(note.seconds / 0.08)
            for i in range(times):
                pitch = (note.pitch, upper)[i % 2]
                done.append(Note(note.start + 0.08 * i, 0.08, pitch, note.velocity - 6))
    return done


def running(f: Frame, low: int, high: int, division: int = 4) -> list[Note]:
    """Run up and down the scale without a rest, turning at random."""
    scale = [p for p in range(low, high) if (p - f.key) % 12 in MODES[f.mode]]
    place, direction, notes, step = len(scale) // 2, 1, [], f.beat / division
    for now in np.arange(0.05, f.seconds, step):
        if f.rng.random() < 0.2:
            direction = -direction
        place += direction * int(f.rng.choice([1, 1, 1, 1, 2]))
        if not 0 <= place < len(scale):
            direction, place = -direction, int(np.clip(place, 1, len(scale) - 2))
        notes.append(f.note(now, step, scale[place]))
    return notes


def glissandi(f: Frame, low: int, high: int) -> list[Note]:
    """Sweep over the strings of a harp at the beginning of bars, a chord between."""
    scale = [p for p in range(low, high) if (p - f.key) % 12 in MODES[f.mode]]
    notes = []
    for bar, start in enumerate(f.bars):
        length = f.metre * f.beat
        if f.rng.random() < 0.6:
            strings = scale if f.rng.random() < 0.6 else scale[::-1]
            first = int(f.rng.integers(0, len(scale) // 3))
            step = length * 0.5 / len(strings)
            for i, pitch in enumerate(strings[first:]):
                notes.append(f.note(start + i * step, 1.5, pitch, -10))
        for i, tone in enumerate(f.chord(bar, low + 5, 5)):
            notes.append(f.note(start + length * 0.6 + 0.06 * i, 1.5, tone))
    return notes


def chorale(f: Frame) -> list[list[Note]]:
    """Write four voices, note against note, each going where it is near: S, A, T, B."""
    voices: list[list[Note]] = [[], [], [], []]
    place = [72, 67, 60, 50]
    ranges = [(62, 80), (55, 72), (48, 66), (40, 57)]
    halves = int(f.rng.choice([1, 2, 2]))
    length = f.metre * f.beat / halves
    for bar, start in enumerate(f.bars):
        for half in range(halves):
            tones = {p % 12 for p in f.chord(bar, 36, 3)}
            for v, (low, high) in enumerate(ranges):
                free = [p for p in range(low, high) if p % 12 in tones]
                aim = place[v] + f.rng.normal(0, 2.5 if v == 0 else 1.5)
                if v == 3 and half == 0:
                    free = [p for p in free if p % 12 == f.root(bar, 36) % 12] or free
                place[v] = min(free, key=lambda p: abs(p - aim))
                voices[v].append(f.note(start + half * length, length * 0.98, place[v]))
    return voices


# --- drums ---


def drums(f: Frame, style: str) -> list[Note]:
    """Drum a style of `GRIDS`; every fourth bar ends with a fill."""
    kick, snare, hat = GRIDS[style]
    metal = int(f.rng.choice([CLOSED, CLOSED, RIDE, OPEN]))
    back = int(f.rng.choice([SNARE, SNARE, CLAP])) if style in ("four", "acid", "hiphop") else SNARE
    notes, step = [], f.beat / 4
    for bar, start in enumerate(f.bars):
        if bar % 4 == 0 and style in ("rock", "punk", "blast", "gallop", "half"):
            notes.append(f.note(start, 0.3, CRASH))
        for i in range(4 * f.metre):
            fill = bar % 4 == 3 and i >= 4 * f.metre - 4
            for drum, grid in ((KICK, kick), (back, snare), (metal, hat)):
                stroke = grid[i % 16]
                if stroke != "." and not (fill and drum != KICK):
                    accent = 8 if stroke == "X" else -8
                    notes.append(f.note(start + i * step, 0.1, drum, accent))
            if fill or (style == "tribal" and f.rng.random() < 0.4):
                tom = int(f.rng.choice([LOW, MIDDLE, HIGH, SNARE]))
                notes.append(f.note(start + i * step, 0.1, tom))
    return notes
