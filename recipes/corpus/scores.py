"""Random scores of the rendered clips, of kinds of music that the games lack.

`KINDS` names each kind, the MagnaTagATune tags that are true of every such piece (a listener
might add others), its weight, and the function that writes one piece. The tags of
its instruments come from its parts.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import playing as p
from playing import Note

# General MIDI programmes, counted from 0.
PIANO, HARPSICHORD, ORGAN, NYLON, STEEL, CLEAN, OVERDRIVE, DISTORTION = 0, 6, 19, 24, 25, 27, 29, 30
ACOUSTIC_BASS, FINGER_BASS, PICKED_BASS, SYNTH_BASS = 32, 33, 34, 38
VIOLIN, VIOLA, CELLO, PIZZICATO, HARP, TIMPANI, STRINGS, SLOW_STRINGS = (
    40,
    41,
    42,
    45,
    46,
    47,
    48,
    49,
)
CHOIR, OOHS, SYNTH_VOICE, FRENCH_HORN, OBOE, FLUTE, RECORDER, PAN_FLUTE = (
    52,
    53,
    54,
    60,
    68,
    73,
    74,
    75,
)
SQUARE, SAW, CHARANG, NEW_AGE, WARM, POLYSYNTH, BOWED, METALLIC, HALO, SWEEP = (
    80,
    81,
    84,
    *range(88, 91),
    *range(92, 96),
)
RAIN, CRYSTAL, ATMOSPHERE, ECHOES, SITAR, BANJO, FIDDLE, TAIKO = 96, 98, 99, 102, 104, 105, 110, 116
VOICE_PAD = 91
DRUMS = -1
# MagnaTagATune's tags of each programme's instrument.
TAGS_OF = {
    PIANO: ("piano",),
    HARPSICHORD: ("harpsichord",),
    **dict.fromkeys((NYLON, STEEL, CLEAN, OVERDRIVE, DISTORTION), ("guitar",)),
    **dict.fromkeys((VIOLIN, FIDDLE), ("violin", "strings")),
    **dict.fromkeys((VIOLA, STRINGS, SLOW_STRINGS), ("strings",)),
    CELLO: ("cello", "strings"),
    HARP: ("harp",),
    **dict.fromkeys((CHOIR, OOHS), ("choir", "choral")),
    FLUTE: ("flute",),
    SITAR: ("sitar",),
    DRUMS: ("drums",),
    **dict.fromkeys((SYNTH_BASS, *range(80, 96)), ("synth",)),
}


class Part(NamedTuple):
    """What one player plays."""

    programme: int  # of General MIDI, or DRUMS
    notes: list[Note]
    volume: int = 100  # of the channel, 0 to 127
    bends: tuple[tuple[float, float], ...] = ()  # (seconds, semitones)


class Piece(NamedTuple):
    """A piece of music."""

    kind: str
    tags: tuple[str, ...]
    seconds: float
    parts: list[Part]


Chance = np.random.Generator
Writer = Callable[[Chance, float], list[Part]]
KINDS: dict[str, tuple[tuple[str, ...], float, Writer]] = {}


def kind(tags: str, weight: float = 1.0) -> Callable[[Writer], Writer]:
    """Enter a function into `KINDS`."""

    def enter(writer: Writer) -> Writer:
        name = writer.__name__.replace("_", "-")
        KINDS[name] = (tuple(t.replace("_", " ") for t in tags.split()), weight, writer)
        return writer

    return enter


def write(name: str, rng: Chance, seconds: float) -> Piece:
    """Write a piece of a kind; the same state of `rng` gives the same piece."""
    tags, _, writer = KINDS[name]
    parts = [part for part in writer(rng, seconds) if part.notes]
    cut = [
        part._replace(notes=[n for n in part.notes if n.start < seconds - 0.3]) for part in parts
    ]
    return Piece(name, (*tags, *instruments(cut, tags)), seconds, cut)


def instruments(parts: Sequence[Part], but: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the tags of the audible instruments, without those in `but`."""
    found = [tag for part in parts if part.volume >= 60 for tag in TAGS_OF.get(part.programme, ())]
    return tuple(tag for tag in dict.fromkeys(found) if tag not in but)


def either(rng: Chance, *choices):
    """Choose."""
    return choices[int(rng.integers(len(choices)))]


SLOW, MIDDLING, FAST = (46, 76), (80, 120), (126, 176)
ANY = (56, 160)


def tempo(rng: Chance) -> tuple[float, float]:
    """Choose a range of tempi."""
    return either(rng, SLOW, MIDDLING, FAST)


# --- one instrument ---


@kind("piano solo classical", 1.0)
def piano(rng, seconds):
    f = p.frame(rng, seconds, tempo(rng), (34, 104), ("major", "minor", "harmonic"))
    left = either(
        rng, p.arpeggio(f, 36, 5), p.alberti(f, 48), p.held(f, 40, 4), p.arpeggio(f, 40, 4, 3)
    )
    right = either(rng, p.melody(f, 64, 90), p.running(f, 60, 92), p.melody(f, 67, 96, 2))
    return [Part(PIANO, left, 85), Part(PIANO, p.ornamented(f, right, 0.1))]


@kind("harpsichord solo classical", 2.0)
def harpsichord(rng, seconds):
    f = p.frame(
        rng,
        seconds,
        (60, 150),
        (70, 110),
        ("major", "minor", "harmonic"),
        int(rng.choice([3, 4])),
    )
    style = int(rng.integers(4))
    if style == 0:
        return [Part(HARPSICHORD, p.arpeggio(f, 45, 6, 4))]
    if style == 1:
        left = p.melody(f, 40, 58, 2, rests=0.15)
        return [Part(HARPSICHORD, p.ornamented(f, p.running(f, 60, 84))), Part(HARPSICHORD, left)]
    if style == 2:
        upper = p.ornamented(f, p.melody(f, 60, 84, 1.5), 0.5)
        return [Part(HARPSICHORD, upper), Part(HARPSICHORD, p.held(f, 43, 3, 0.9, 2))]
    return [
        Part(HARPSICHORD, p.ornamented(f, p.melody(f, 62, 86, 2), 0.4)),
        Part(HARPSICHORD, p.alberti(f, 48)),
    ]


@kind("guitar solo classical", 1.0)
def classical_guitar(rng, seconds):
    f = p.frame(rng, seconds, (60, 130), (50, 100), ("major", "minor", "harmonic", "phrygian"))
    under = either(rng, p.arpeggio(f, 40, 5), p.arpeggio(f, 40, 4, 3, 2), p.picking(f, 40))
    over = p.melody(f, 60, 80, 1) if rng.random() < 0.6 else []
    return [Part(NYLON, under, 90), Part(NYLON, over)]


@kind("guitar solo", 1.0)
def steel_guitar(rng, seconds):
    f = p.frame(rng, seconds, (70, 130), (60, 105), ("major", "mixolydian", "minor"))
    return [Part(either(rng, STEEL, STEEL, CLEAN), either(rng, p.picking(f, 40), p.strum(f, 40)))]


@kind("violin solo classical strings", 1.0)
def violin(rng, seconds):
    f = p.frame(rng, seconds, tempo(rng), (60, 115), ("minor", "harmonic", "major"))
    line = either(rng, p.melody(f, 58, 90, 0.8), p.running(f, 57, 88), p.arpeggio(f, 57, 6, 4, 1))
    return [Part(VIOLIN, p.ornamented(f, line, 0.15))]


@kind("cello solo classical strings", 2.0)
def cello(rng, seconds):
    f = p.frame(rng, seconds, either(rng, SLOW, SLOW, MIDDLING), (60, 112), ("minor", "major"))
    line = either(rng, p.melody(f, 38, 62, 0.7), p.melody(f, 38, 60, 1), p.arpeggio(f, 36, 5, 4, 1))
    low = p.held(f, 38, 1) if rng.random() < 0.3 else []
    return [Part(CELLO, line), Part(CELLO, low, 70)]


@kind("solo classical", 1.5)
def flute(rng, seconds):
    f = p.frame(rng, seconds, tempo(rng), (60, 112))
    line = either(rng, p.melody(f, 62, 94, 1), p.running(f, 64, 95), p.melody(f, 65, 90, 0.6))
    return [Part(either(rng, FLUTE, FLUTE, FLUTE, RECORDER), p.ornamented(f, line, 0.3))]


@kind("flute classical", 1.0)
def flute_and_others(rng, seconds):
    f = p.frame(rng, seconds, either(rng, SLOW, MIDDLING), (55, 105))
    with_ = either(
        rng,
        (PIANO, p.arpeggio(f, 43, 5)),
        (NYLON, p.arpeggio(f, 43, 5)),
        (HARP, p.arpeggio(f, 41, 6, 4)),
        (STRINGS, p.held(f, 48, 4)),
        (HARPSICHORD, p.held(f, 48, 4, 0.8, 2)),
    )
    return [Part(FLUTE, p.ornamented(f, p.melody(f, 66, 94)), 110), Part(*with_, 75)]


@kind("harp solo classical", 3.0)
def harp(rng, seconds):
    f = p.frame(rng, seconds, (50, 110), (45, 105), ("major", "minor", "lydian", "dorian"))
    under = either(
        rng, p.arpeggio(f, 36, 7, 4, 4), p.arpeggio(f, 40, 6, 3, 4), p.glissandi(f, 40, 92)
    )
    over = p.melody(f, 67, 90, 0.8) if rng.random() < 0.5 else []
    return [Part(HARP, under), Part(HARP, over, 110)]


@kind("sitar indian", 2.5)
def sitar(rng, seconds):
    """A raga: an octave of scale over a drone, in phrases; often with drums in cycles."""
    f = p.frame(
        rng,
        seconds,
        (60, 150),
        (80, 115),
        ("bhairav", "dorian", "lydian", "mixolydian", "phrygian"),
    )
    f = p.Frame(rng, seconds, f.tempo, 4, f.key, f.mode, (0,), f.level)
    line = either(
        rng,
        p.melody(f, 55, 77, 1.5, 1.5, 0.05),
        p.running(f, 55, 80),
        p.melody(f, 52, 74, 0.7, 1.5),
    )
    tonic = f.tone(0, 44)
    drone = []
    for i, now in enumerate(np.arange(0, seconds, f.beat)):
        drone.append(
            f.note(now, 2.5 * f.beat, tonic + (7, 12, 12, 0)[i % 4] - 12 * (i % 4 == 3), -22)
        )
    bends = []
    for note in line:
        if note.seconds > 0.3 and rng.random() < 0.6:  # slide into the note, tremble on it
            size = rng.choice([-2, -1, 1])
            bends += [(note.start + t, size * (1 - t / 0.12)) for t in np.linspace(0, 0.12, 7)]
            bends += [
                (note.start + t, 0.4 * np.sin(40 * t))
                for t in np.arange(0.2, note.seconds - 0.05, 0.03)
            ]
            bends.append((note.start + note.seconds, 0.0))
    parts = [Part(SITAR, p.ornamented(f, line, 0.3), 110, tuple(bends)), Part(SITAR, drone, 80)]
    if rng.random() < 0.6:  # bongos, congas and low toms for tabla
        pattern = either(rng, "X..x.x..X.xx.x.x", "X.xxX.xx", "X.x.xxX.x.xx", "XxxXxxXxXx")
        strokes = []
        for i, now in enumerate(np.arange(seconds * either(rng, 0, 0.2), seconds, f.beat / 4)):
            stroke = pattern[i % len(pattern)]
            if stroke != ".":
                drum = either(rng, 64, 61, 41) if stroke == "X" else either(rng, 60, 62, 63)
                strokes.append(f.note(now, 0.2, drum, 0 if stroke == "X" else -15))
        parts.append(Part(DRUMS, strokes, 90))
    if rng.random() < 0.3:
        parts.append(Part(either(rng, FLUTE, PAN_FLUTE, FIDDLE), p.melody(f, 62, 82, 0.7), 90))
    return parts


# --- ensembles ---


@kind("strings classical", 1.0)
def string_orchestra(rng, seconds):
    f = p.frame(rng, seconds, tempo(rng), (45, 115), ("minor", "major", "harmonic"))
    soprano, *others = p.chorale(f)
    upper = either(rng, soprano, p.melody(f, 62, 90), p.running(f, 60, 86))
    parts = [Part(either(rng, STRINGS, SLOW_STRINGS), part) for part in (upper, *others)]
    return parts + ([Part(PIZZICATO, p.arpeggio(f, 48, 5), 80)] if rng.random() < 0.3 else [])


@kind("strings violin cello classical", 1.0)
def quartet(rng, seconds):
    f = p.frame(rng, seconds, tempo(rng), (55, 110), ("minor", "major", "harmonic"))
    _, alto, tenor, low = p.chorale(f)
    first = either(rng, p.melody(f, 62, 88), p.running(f, 60, 88), p.melody(f, 64, 90, 2))
    return [
        Part(VIOLIN, p.ornamented(f, first, 0.1)),
        Part(VIOLIN, alto, 80),
        Part(VIOLA, tenor, 80),
        Part(CELLO, low, 95),
    ]


@kind("harpsichord classical strings", 1.0)
def baroque(rng, seconds):
    f = p.frame(rng, seconds, (70, 140), (65, 110), ("major", "minor", "harmonic"))
    solo = either(rng, VIOLIN, VIOLIN, FLUTE, OBOE, CELLO)
    low, high = (40, 62) if solo == CELLO else (62, 88)
    return [
        Part(
            solo,
            p.ornamented(f, either(rng, p.melody(f, low, high, 1.5), p.running(f, low, high))),
        ),
        Part(HARPSICHORD, either(rng, p.held(f, 48, 4, 0.8, 2), p.arpeggio(f, 48, 5, 2))),
        Part(CELLO, p.bass(f, 36), 85),
        Part(STRINGS, p.held(f, 50, 4), int(rng.integers(0, 70))),
    ]


@kind("classical strings", 0.6)
def orchestra(rng, seconds):
    f = p.frame(rng, seconds, tempo(rng), (50, 120), ("minor", "major", "harmonic"))
    soprano, alto, tenor, low = p.chorale(f)
    timpani = [n._replace(pitch=n.pitch - 12 if n.pitch > 47 else n.pitch) for n in p.bass(f, 38)]
    return [
        Part(STRINGS, either(rng, soprano, p.melody(f, 64, 90))),
        Part(STRINGS, alto),
        Part(FRENCH_HORN, tenor, 90),
        Part(CELLO, low),
        Part(OBOE, p.melody(f, 65, 86, 0.7), int(rng.integers(0, 90))),
        Part(TIMPANI, timpani, int(rng.integers(0, 90))),
    ]


@kind("choir choral", 3.5)
def choir(rng, seconds):
    f = p.frame(rng, seconds, (44, 100), (60, 115), ("major", "minor", "dorian"))
    voice, shift = either(rng, CHOIR, CHOIR, CHOIR, OOHS), int(rng.choice([-5, 0, 0, 4]))
    parts = [[n._replace(pitch=n.pitch + shift) for n in part] for part in p.chorale(f)]
    chosen = either(rng, parts, parts[:2], parts[2:], parts)  # all, women, men
    return [Part(voice, part) for part in chosen]


@kind("choir choral classical strings", 1.5)
def choir_and_orchestra(rng, seconds):
    f = p.frame(
        rng, seconds, either(rng, SLOW, MIDDLING), (60, 115), ("minor", "harmonic", "major")
    )
    voices = p.chorale(f)
    parts = [Part(CHOIR, voice, 115) for voice in voices]
    under = either(
        rng,
        [Part(ORGAN, v, 70) for v in voices],
        [Part(STRINGS, v, 80) for v in voices],
        [Part(PIANO, p.arpeggio(f, 40, 5), 80)],
        [Part(HARP, p.arpeggio(f, 40, 7, 4), 90)],
    )
    return parts + under


@kind("opera", 1.0)
def aria_of_patches(rng, seconds):
    """A lone voice patch high over strings: the nearest to an aria without a singer."""
    f = p.frame(
        rng, seconds, either(rng, SLOW, MIDDLING), (75, 115), ("minor", "harmonic", "major")
    )
    voice = either(rng, OOHS, CHOIR, SYNTH_VOICE)
    line = p.melody(f, 62, 84, 0.8)
    bends = []
    for note in line:
        if note.seconds > 0.35:
            bends += [
                (note.start + t, 0.45 * np.sin(2 * np.pi * 5.6 * t))
                for t in np.arange(0.15, note.seconds, 0.02)
            ]
            bends.append((note.start + note.seconds, 0.0))
    return [
        Part(voice, line, 120, tuple(bends)),
        Part(either(rng, STRINGS, PIANO, SLOW_STRINGS), p.held(f, 45, 4, 0.95, 2), 75),
    ]


# --- bands ---


def band(f: p.Frame, style: str) -> Part:
    return Part(DRUMS, p.drums(f, style), int(f.rng.integers(80, 118)))


@kind("rock guitar drums", 1.5)
def rock(rng, seconds):
    f = p.frame(rng, seconds, (96, 150), (90, 118), ("minor", "mixolydian", "major"))
    guitar = either(rng, OVERDRIVE, DISTORTION, DISTORTION)
    lead = (
        Part(guitar, p.melody(f, 57, 80, 1.5), 95)
        if rng.random() < 0.4
        else Part(STEEL, p.strum(f, 45), 70)
    )
    return [
        Part(guitar, p.power(f), 105),
        Part(PICKED_BASS, p.bass(f), 105),
        lead,
        band(f, either(rng, "rock", "rock", "half", "punk")),
    ]


@kind("metal rock guitar drums loud", 1.5)
def metal(rng, seconds):
    f = p.frame(rng, seconds, (130, 200), (100, 124), ("phrygian", "minor", "harmonic"))
    low = int(rng.integers(33, 40))
    lead = p.running(f, 60, 86) if rng.random() < 0.4 else []
    return [
        Part(DISTORTION, p.power(f, low), 112),
        Part(DISTORTION, p.power(f, low), 95),
        Part(DISTORTION, lead, 90),
        Part(PICKED_BASS, p.bass(f, low - 12), 110),
        band(f, either(rng, "blast", "gallop", "punk", "half")),
    ]


@kind("country guitar", 2.5)
def country(rng, seconds):
    f = p.frame(rng, seconds, (90, 150), (75, 108), ("major", "major", "mixolydian"))
    parts = [
        Part(STEEL, either(rng, p.strum(f, 43), p.picking(f, 40)), 90),
        Part(either(rng, ACOUSTIC_BASS, FINGER_BASS), p.bass(f, 31), 95),
    ]
    if rng.random() < 0.6:
        parts.append(Part(BANJO, p.arpeggio(f, 55, 5, 4), 85))
    if rng.random() < 0.6:
        line = p.melody(f, 60, 84, 1.5)
        bends = tuple(
            (n.start + t, -2 + 2 * min(t / 0.1, 1)) for n in line for t in np.linspace(0, 0.1, 5)
        )
        parts.append(Part(either(rng, FIDDLE, CLEAN, STEEL), line, 100, bends))
    return parts + (
        [band(f, either(rng, "train", "train", "shuffle"))] if rng.random() < 0.75 else []
    )


@kind("pop drums", 1.0)
def pop(rng, seconds):
    f = p.frame(rng, seconds, (84, 132), (70, 105), ("major", "minor"))
    return [
        Part(
            either(rng, PIANO, STEEL, CLEAN),
            either(rng, p.held(f, 50, 4, 0.9, 2), p.strum(f, 45)),
            90,
        ),
        Part(FINGER_BASS, p.bass(f), 100),
        Part(either(rng, WARM, STRINGS, POLYSYNTH), p.held(f, 55, 4), 65),
        Part(either(rng, STEEL, SQUARE, SAW, PIANO), p.melody(f, 62, 84), 90),
        band(f, either(rng, "rock", "funk", "four", "hiphop")),
    ]


@kind("techno electronic synth", 0.8)
def techno(rng, seconds):
    f = p.frame(rng, seconds, (120, 150), (90, 118), ("minor", "phrygian", "dorian"))
    lead = either(
        rng, p.arpeggio(f, 57, 5, 4, 0.8), p.melody(f, 55, 80, 2, 0.5), p.held(f, 57, 4, 0.3, 4)
    )
    return [
        Part(either(rng, SAW, SQUARE, POLYSYNTH, CHARANG), lead, 90),
        Part(SYNTH_BASS, p.bass(f, 28), 110),
        band(f, either(rng, "four", "acid")),
    ]


@kind("electronic drums beats", 1.5)
def beats(rng, seconds):
    f = p.frame(rng, seconds, (70, 110), (85, 118), ("minor", "dorian"))
    parts = [band(f, either(rng, "hiphop", "break", "funk", "hiphop"))]
    if rng.random() < 0.7:
        parts.append(Part(either(rng, SYNTH_BASS, FINGER_BASS), p.bass(f, 28), 110))
    if rng.random() < 0.6:
        parts.append(
            Part(
                either(rng, PIANO, SQUARE, POLYSYNTH, CLEAN),
                either(rng, p.held(f, 55, 4, 0.4, 2), p.melody(f, 60, 80)),
                80,
            )
        )
    return parts


@kind("drums", 1.0)
def drums_alone(rng, seconds):
    f = p.frame(rng, seconds, (76, 170), (80, 120))
    return [band(f, either(rng, *p.GRIDS))]


@kind("ambient", 1.0)
def ambient(rng, seconds):
    f = p.frame(rng, seconds, (36, 60), (35, 85), ("lydian", "dorian", "minor", "major"))
    pads = (WARM, HALO, SWEEP, BOWED, VOICE_PAD, RAIN, ECHOES, NEW_AGE, SLOW_STRINGS, METALLIC)
    parts = [
        Part(either(rng, *pads), p.held(f, int(rng.integers(36, 56)), 4, 1.1), 100)
        for _ in range(2)
    ]
    return parts + (
        [Part(either(rng, CRYSTAL, ATMOSPHERE, NEW_AGE), p.melody(f, 67, 90, 0.5, 1.5, 0.4), 80)]
        if rng.random() < 0.5
        else []
    )


@kind("new_age", 1.5)
def new_age(rng, seconds):
    f = p.frame(rng, seconds, (50, 84), (40, 88), ("major", "lydian", "dorian", "minor"))
    lead = either(
        rng,
        (PIANO, p.melody(f, 64, 88, 1, 1.5)),
        (FLUTE, p.melody(f, 65, 90, 0.7)),
        (PAN_FLUTE, p.melody(f, 62, 86, 0.7)),
        (NEW_AGE, p.melody(f, 60, 84, 0.7, 1.5)),
        (NYLON, p.melody(f, 57, 79, 1, 1.5)),
        (HARP, p.arpeggio(f, 48, 7, 2, 3)),
    )
    under = either(
        rng,
        (PIANO, p.arpeggio(f, 40, 6, 2, 3)),
        (HARP, p.arpeggio(f, 40, 7, 4, 4)),
        (NYLON, p.arpeggio(f, 43, 5, 2, 2)),
        (CRYSTAL, p.arpeggio(f, 52, 5, 2, 3)),
    )
    pad = either(rng, WARM, NEW_AGE, SLOW_STRINGS, HALO, VOICE_PAD)
    return [Part(*lead, 100), Part(*under, 80), Part(pad, p.held(f, 48, 4, 1.05), 70)]


@kind("weird", 0.4)
def weird(rng, seconds):
    """Clusters and effects without a key."""
    parts = []
    for _ in range(int(rng.integers(2, 5))):
        programme = int(either(rng, *range(96, 104), *range(115, 128), 55, 31, 47))
        notes = []
        now = 0.0
        while now < seconds:
            length = float(rng.exponential(1.2)) + 0.1
            for _ in range(int(rng.integers(1, 4))):
                notes.append(
                    Note(now, length, int(rng.integers(28, 96)), int(rng.integers(40, 115)))
                )
            now += length * rng.uniform(0.3, 1.5)
        parts.append(Part(programme, notes))
    return parts


# --- quiet things, and what sings over them ---


@kind("piano", 1.0)
def quiet_piano(rng, seconds):
    f = p.frame(rng, seconds, (44, 66), (22, 46), ("minor", "major", "lydian"))
    return [
        Part(PIANO, p.melody(f, 62, 84, 0.7, 2.0, 0.25)),
        Part(PIANO, p.held(f, 43, 3, 1.1), 80),
    ]


ACCOMPANIMENTS = (
    "guitar",
    "piano",
    "strings",
    "harp",
    "organ",
    "pop",
    "rock",
    "country",
    "beats",
    "techno",
    "drone",
    "baroque",
)


def accompaniment(name: str, f: p.Frame) -> list[Part]:
    """Write what a singer sings over, in the singer's frame."""
    c = f.rng
    if name == "guitar":
        return [
            Part(
                either(c, NYLON, STEEL),
                either(c, p.strum(f, 43), p.picking(f, 40), p.arpeggio(f, 43, 5)),
            )
        ]
    if name == "piano":
        return [
            Part(
                PIANO,
                either(c, p.arpeggio(f, 40, 5), p.held(f, 45, 4, 0.9, 2), p.arpeggio(f, 43, 5, 3)),
            )
        ]
    if name == "strings":
        return [Part(either(c, STRINGS, SLOW_STRINGS), voice) for voice in p.chorale(f)]
    if name == "harp":
        return [Part(HARP, p.arpeggio(f, 38, 7, 4, 3)), Part(SLOW_STRINGS, p.held(f, 48, 4), 60)]
    if name == "organ":
        return [Part(ORGAN, p.held(f, 43, 5), 70)]
    if name == "drone":
        tonic = f.tone(0, 40)
        drone = [f.note(t, 4, tonic + i) for t in np.arange(0, f.seconds, 2.0) for i in (0, 7, 12)]
        return [Part(either(c, SITAR, WARM, STRINGS, VOICE_PAD), drone, 75)]
    if name == "baroque":
        return [
            Part(HARPSICHORD, p.held(f, 48, 4, 0.8, 2)),
            Part(CELLO, p.bass(f, 36)),
            Part(STRINGS, p.held(f, 52, 4), 70),
        ]
    bass = Part(SYNTH_BASS if name == "techno" else FINGER_BASS, p.bass(f), 100)
    if name == "rock":
        return [
            Part(either(c, OVERDRIVE, DISTORTION), p.power(f), 85),
            bass,
            band(f, either(c, "rock", "half", "punk")),
        ]
    if name == "country":
        return [
            Part(STEEL, p.strum(f, 43), 90),
            Part(BANJO, p.arpeggio(f, 55, 5, 4), int(c.integers(0, 80))),
            bass,
            band(f, "train"),
        ]
    if name == "techno":
        return [
            Part(either(c, SAW, SQUARE, POLYSYNTH), p.arpeggio(f, 57, 5, 4, 0.8), 70),
            bass,
            band(f, either(c, "four", "acid")),
        ]
    if name == "beats":
        return [
            bass,
            Part(either(c, PIANO, POLYSYNTH), p.held(f, 55, 4, 0.5, 2), 70),
            band(f, either(c, "hiphop", "break")),
        ]
    pad = Part(either(c, WARM, STRINGS, POLYSYNTH), p.held(f, 52, 4), 60)
    return [
        Part(
            either(c, PIANO, STEEL, CLEAN), either(c, p.strum(f, 45), p.held(f, 50, 4, 0.9, 2)), 85
        ),
        pad,
        bass,
        band(f, either(c, "rock", "funk", "four")),
    ]


def draw(rng: Chance) -> Iterator[str]:
    """Yield kinds for ever, in proportion to their weights."""
    names = list(KINDS)
    weights = np.array([KINDS[name][1] for name in names])
    while True:
        yield str(rng.choice(names, p=weights / weights.sum()))
