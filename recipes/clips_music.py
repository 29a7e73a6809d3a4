"""The music of the rendered clips: what `recipes/clips.py` plays. Nothing here reads or writes.

A part is (instrument, loudness as MIDI velocity, score). A score is a row of tokens: a note
``E5:.5`` is its name and its length in quarter notes, ``C4+E4+G4:2`` is a chord, ``r:1`` a rest;
a length holds until another is given, bars ``|`` are for the reader. A score of drums is a grid of
sixteenths, one line a drum, ``x`` a stroke and ``X`` a loud one. A part begins again when it ends.

Tunes by name (Bach, Beethoven, Mozart, Pachelbel, Petzold, Vivaldi, Brahms, the Genevan psalter,
tradition) are in the public domain; only their openings are played, accompaniments are plain.
Pieces whose names begin with "own" were written for this file.

The tags are the tags of MagnaTagATune that a listener would give. They follow the rules in
``examples/clips/README.md`` and were written with the music, before any model scored it.
"""

import re
from typing import NamedTuple

Part = tuple[int | str, int, str]

# General MIDI programmes, counted from 0.
PIANO, HARPSICHORD, NYLON, STEEL, OVERDRIVE, DISTORTION = 0, 6, 24, 25, 29, 30
ACOUSTIC_BASS, PICKED_BASS, SYNTH_BASS = 32, 34, 38
VIOLIN, CELLO, HARP, STRINGS, SLOW_STRINGS, CHOIR, OOHS = 40, 42, 46, 48, 49, 52, 53
FLUTE, SQUARE, SAW, NEW_AGE, WARM, POLYSYNTH, HALO, SWEEP = 73, 80, 81, 88, 89, 90, 94, 95
SITAR, BANJO = 104, 105
DRUMS = "drums"

FLUID, MUSESCORE = "FluidR3_GM", "MuseScore_General"  # soundfonts; see clips.py


class Piece(NamedTuple):
    """A clip to render: on which soundfont, which tune, how fast, what it is, and its parts."""

    kind: str
    soundfont: str
    tune: str
    tempo: float  # quarter notes a minute
    tags: str
    parts: list[Part]


def broken(chords: str, order: str, length: float) -> str:
    """Break each chord (notes joined by +) into single notes, in an order such as "012321"."""
    notes = [chord.split("+") for chord in chords.split()]
    return " ".join(f"{chord[int(i)]}:{length}" for chord in notes for i in order)


def power(riff: str) -> str:
    """Turn the tokens of a bass line into chords of root, fifth and octave; rests stay."""
    fifth = {"E2": "B2+E3", "F2": "C3+F3", "G2": "D3+G3", "A2": "E3+A3", "B2": "F#3+B3"}
    fifth |= {"C3": "G3+C4", "D3": "A3+D4", "Bb2": "F3+Bb3", "F#2": "C#3+F#3", "D2": "A2+D3"}
    tokens = [token.partition(":") for token in riff.split()]
    return " ".join(
        f"{note}+{fifth[note]}{colon}{length}" if note in fifth else f"{note}{colon}{length}"
        for note, colon, length in tokens
    )


def octave(score: str) -> str:
    """Put each note of a score an octave higher."""
    return re.sub(r"([A-G][#b]?)(\d)", lambda note: f"{note[1]}{int(note[2]) + 1}", score)


GREENSLEEVES = """A4:1 C5:2 D5:1 E5:1.5 F5:.5 E5:1 D5:2 B4:1 G4:1.5 A4:.5 B4:1 C5:2 A4:1
    A4:1.5 G#4:.5 A4:1 B4:2 G#4:1 E4:2"""
SCARBOROUGH = """D4:2 D4:1 A4:2 A4:1 E4:1.5 F4:.5 E4:1 D4:3 r:1 A4:1 C5 D5:2 C5:1 A4 B4 G4 A4:3"""
ODE = "F#3:1 F#3 G3 A3 | A3 G3 F#3 E3 | D3 D3 E3 F#3 | F#3:1.5 E3:.5 E3:2"
CANON = "D3+A3+D4+F#4 A2+A3+C#4+E4 B2+F#3+B3+D4 F#2+F#3+A3+C#4"
# Bach, Prelude in C, BWV 846, bars 1 to 4: each chord twice, as recipes/example_audio.py has it.
BACH = "C4+E4+G4+C5+E5 C4+D4+A4+D5+F5 B3+D4+G4+D5+F5 C4+E4+G4+C5+E5"
BACH = " ".join(f"{chord} {chord}" for chord in BACH.split())

SOLO = "classical solo"
ROCK = "rock guitar drums beat loud"
METAL = "metal rock guitar drums beat loud fast"
TECHNO = "techno electronic dance synth drums beat fast"
AMBIENT = "ambient electronic synth slow quiet"
DOWNTEMPO = "electronic synth drums beat slow"
COUNTRY = "country guitar drums beat"

ROCK_BEAT = """kick  X.....x.X.......
    snare ....X.......X...
    hat   x.x.x.x.x.x.x.x."""
HALF_TIME = """kick  X..x..x...x.....
    snare ........X.......
    crash X..............."""
BLAST = """kick  xxxxxxxxxxxxxxxx
    snare ....X.......X..x
    ride  x.x.x.x.x.x.x.x."""
GALLOP = """kick  x.xxx.xxx.xxx.xx
    snare ....X.......X...
    crash X.......x......."""
FOUR = """kick  X...X...X...X...
    clap  ....x.......x...
    open  ..x...x...x...x."""
ACID = """kick  X...X...X...X..x
    hat   x.xxx.xxx.xxx.xx
    open  ..X...X...X...X."""
SLOW_BEAT = """kick  X.....x...x.....
    snare ....X.......X...
    hat   x.x.x.xxx.x.x.x."""
TRAIN = """snare x.xxx.xxx.xxX.xx
    kick  X...x...X...x..."""

# fmt: off
PIECES = [
    # --- one instrument ---
    Piece("piano", FLUID, "beethoven-elise", 72, f"piano {SOLO}", [
        (PIANO, 62, """E5:.25 D#5 E5 D#5 E5 B4 D5 C5 | A4:.5 r:.25 C4 E4 A4 | B4:.5 r:.25 E4 G#4
            B4 | C5:.5 r:.25 E4 E5 D#5"""),
        (PIANO, 54, "r:2 | A2:.25 E3 A3 r:.75 | E2:.25 E3 G#3 r:.75 | A2:.25 E3 A3 r:.75")]),
    Piece("piano", FLUID, "beethoven-moonlight", 54, f"piano {SOLO} slow quiet", [
        (PIANO, 44, broken("G#3+C#4+E4", "012" * 8, 1 / 3) + broken("A3+C#4+E4", "012" * 4, 1 / 3)),
        (PIANO, 46, "C#2+C#3:4 B1+B2:4 A1+A2:4")]),
    Piece("piano", MUSESCORE, "mozart-march", 132, f"piano {SOLO} fast", [
        (PIANO, 86, """B4:.25 A4 G#4 A4 | C5:.5 r D5:.25 C5 B4 C5 | E5:.5 r F5:.25 E5 D#5 E5 |
            B5 A5 G#5 A5 B5 A5 G#5 A5 | C6:1 A5:.5 C6 | B5 A5 G5 A5 | B5 A5 G5 A5"""),
        (PIANO, 70, "r:1" + " | A3:.5 C4+E4 C4+E4 C4+E4" * 4 + " | E3:.5 B3+E4 B3+E4 B3+E4" * 2)]),
    Piece("piano", MUSESCORE, "own-nocturne", 58, f"piano {SOLO} slow quiet", [
        (PIANO, 52, "Bb4:1.5 G5:1 F5:.5 | Eb5:1.5 D5:.5 C5:1 | Bb4:2 r:1"),
        (PIANO, 40, broken("Eb3+Bb3+Eb4+G4 C3+G3+C4+Eb4 F2+C3+Ab3+Eb4", "012321", 0.5))]),
    Piece("harpsichord", FLUID, "bach-prelude", 84, f"harpsichord {SOLO}", [
        (HARPSICHORD, 80, broken(BACH, "01234234", 0.25))]),
    Piece("harpsichord", FLUID, "own-toccata", 138, f"harpsichord {SOLO} fast", [
        (HARPSICHORD, 90, """D5:.25 C#5 D5 E5 F5 E5 D5 C5 Bb4 A4 G4 F4 E4 F4 G4 A4 | D4 F4 A4 D5
            C#5 A4 G4 E4 D4 E4 F4 G4 A4 Bb4 C5 A4"""),
        (HARPSICHORD, 80, "D3+A3:2 G2+G3:2 D3:1 A2 D3+F3:2")]),
    Piece("harpsichord", MUSESCORE, "bach-invention", 88, f"harpsichord {SOLO}", [
        (HARPSICHORD, 84, """r:.25 C4 D4 E4 F4 D4 E4 C4 G4:.5 C5 B4 C5 | D5:.25 G4 A4 B4 C5 A4 B4
            G4 D5:.5 G5 F5 G5"""),
        (HARPSICHORD, 80, """r:2.25 C3:.25 D3 E3 F3 D3 E3 C3 | G3:.5 G2 r:1.25 G3:.25 A3 B3 C4 A3
            B3 G3""")]),
    Piece("harpsichord", MUSESCORE, "petzold-minuet", 132, f"harpsichord {SOLO}", [
        (HARPSICHORD, 84, """D5:1 G4:.5 A4 B4 C5 | D5:1 G4 G4 | E5 C5:.5 D5 E5 F#5 | G5:1 G4 G4 |
            C5 D5:.5 C5 B4 A4"""),
        (HARPSICHORD, 78, "G3+B3+D4:2 A3:1 | B3:3 | C4:3 | B3:3 | A3:3")]),
    Piece("guitar", FLUID, "greensleeves", 112, f"guitar {SOLO}", [
        (NYLON, 90, GREENSLEEVES),
        (NYLON, 66, "r:1 " + broken("A2+E3+A3+C4 G2+D3+G3+B3 A2+E3+A3+C4 E2+B2+E3+G#3", "012321"
                                    * 2, 0.5))]),
    Piece("guitar", FLUID, "own-andalusia", 126, "guitar solo", [
        (NYLON, 100, """A2+E3+A3+C4+E4:.5 A2+E3+A3+C4+E4 E4:.25 F4 E4 D4 | G2+D3+G3+B3+G4:.5
            G2+D3+G3+B3+G4 D4:.25 E4 D4 C4 | F2+C3+F3+A3+F4:.5 F2+C3+F3+A3+F4 C4:.25 D4 C4 B3 |
            E2+B2+E3+G#3+E4:.5 E2+B2+E3+G#3+E4 B3:.25 C4 B3 G#3""")]),
    Piece("guitar", MUSESCORE, "own-study", 76, f"guitar {SOLO}", [
        (NYLON, 80, broken("A2+E4+A4+C5 D3+F4+A4+D5 E2+E4+G#4+B4 A2+E4+A4+C5", "0123212" + "3",
                           0.25))]),
    Piece("guitar", MUSESCORE, "own-fingerpicking", 104, "guitar solo", [
        (STEEL, 92, broken("C3+G3+C4+E4+G4 G2+D3+B3+D4+G4 A2+E3+A3+C4+E4 F2+C3+A3+C4+F4",
                           "03142413", 0.5))]),
    Piece("violin", FLUID, "own-jig", 176, "violin solo fast", [
        (VIOLIN, 100, """D5:.5 F#5 A5 A5 F#5 D5 | E5 G5 B5 B5 G5 E5 | F#5 A5 D6 C#6 B5 A5 | B5 A5
            G5 F#5 E5 D5 | D5 E5 F#5 G5 A5 B5 | A5 F#5 D5 E5 C#5 A4""")]),
    Piece("violin", FLUID, "brahms-lullaby", 72, f"violin {SOLO} slow", [
        (VIOLIN, 70, """E5:.5 E5 G5:2 E5:.5 E5 G5:2 E5:.5 G5 C6:1 B5:1.5 A5:.5 A5:1 G5""")]),
    Piece("violin", MUSESCORE, "own-caprice", 120, f"violin {SOLO} fast", [
        (VIOLIN, 104, broken("A4+C5+E5+A5 D5+F5+A5+D6 G#4+B4+E5+G#5 A4+C5+E5+A5", "01232121"
                             "32101210", 0.25))]),
    Piece("violin", MUSESCORE, "own-elegy", 56, f"violin {SOLO} slow", [
        (VIOLIN, 76, "D5:2 F5:1 E5 | D5:1.5 C#5:.5 D5:2 | A5:2 G5:1 F5 | E5:3 r:1")]),
    Piece("cello", FLUID, "bach-suite", 72, f"cello {SOLO}", [
        (CELLO, 88, broken("G2+D3+B3+A3 G2+E3+C4+B3", "01232121" * 2, 0.25))]),
    Piece("cello", FLUID, "own-lament", 54, f"cello {SOLO} slow", [
        (CELLO, 84, "D3:2 A3:1.5 G3:.5 | F3:2 E3:1 D3 | C#3:3 r:1")]),
    Piece("cello", MUSESCORE, "beethoven-ode", 104, f"cello {SOLO}", [(CELLO, 90, ODE)]),
    Piece("cello", MUSESCORE, "own-sarabande", 60, f"cello {SOLO} slow", [
        (CELLO, 84, "D2+A2+F3:1 G3:1.5 A3:.5 | Bb2+G3:1 E3:1.5 F3:.5 | A2+E3:1 C#3:2")]),
    Piece("flute", FLUID, "greensleeves", 100, f"flute {SOLO}", [
        (FLUTE, 84, octave(GREENSLEEVES))]),
    Piece("flute", FLUID, "own-birds", 138, f"flute {SOLO} fast", [
        (FLUTE, 96, """G5:.25 A5 G5 A5 B5 D6 B5 G5 | E6 D6 B5 D6 G6:.5 r | A5:.25 B5 A5 B5 C6 E6
            C6 A5 | F#6 E6 D6 C6 B5:.5 r""")]),
    Piece("flute", MUSESCORE, "bach-badinerie", 116, f"flute {SOLO} fast", [
        (FLUTE, 96, """B5:.5 D6:.25 B5 F#5:.5 B5:.25 F#5 D5:.5 F#5:.25 D5 B4:1 | F#4:.25 B4 D5 B4
            C#5 B4 C#5 B4 A#4 C#5 E5 C#5 D5:.5 B4""")]),
    Piece("flute", MUSESCORE, "own-pastoral", 60, f"flute {SOLO} slow", [
        (FLUTE, 76, "A5:1.5 B5:.5 C6:1 B5:.5 A5 | E5:2 G5:1 A5 | F5:1.5 E5:.5 D5:2")]),
    Piece("harp", FLUID, "pachelbel-canon", 66, f"harp {SOLO} slow", [
        (HARP, 84, broken(CANON, "01232123", 0.25))]),
    Piece("harp", FLUID, "own-glissandi", 92, f"harp {SOLO}", [
        (HARP, 84, " ".join(f"{n}{o}:.125" for o in (3, 4, 5) for n in "CDEFGAB") + " C6:1.375"
         + " ".join(f" {n}{o}:.125" for o in (5, 4, 3) for n in "BAGFEDC") + " G2+C3:1.375")]),
    Piece("harp", MUSESCORE, "scarborough-fair", 116, "harp solo", [
        (HARP, 92, SCARBOROUGH),
        (HARP, 66, broken("D3+A3+D4 D3+A3+D4 C3+G3+C4 D3+A3+D4", "012101", 0.5))]),
    Piece("harp", MUSESCORE, "own-pentatonic", 80, f"harp {SOLO}", [
        (HARP, 80, broken("F3+C4+F4+A4+C5+D5 D3+A3+D4+F4+A4+C5 Bb2+F3+Bb3+D4+F4+C5",
                          "01234543", 0.25))]),
    Piece("sitar", FLUID, "own-yaman", 60, "sitar indian solo slow", [
        (SITAR, 100, "B3:.5 D4 E4:2 r:.5 F#4:.25 E4 D4:1 | B3:.5 D4 C4:2 r:1"),
        (SITAR, 60, "C3:1 G2 C3 C2")]),
    Piece("sitar", FLUID, "own-kafi", 104, "sitar indian solo", [
        (SITAR, 104, "C4:.5 D4 Eb4 F4 G4:1 F4:.25 Eb4 D4 C4 | Bb3:.5 C4 D4:1 Eb4:.5 D4 C4:1"),
        (SITAR, 64, "C3:.5 G2 C3 C3")]),
    Piece("sitar", MUSESCORE, "own-bhairav", 132, "sitar indian solo fast", [
        (SITAR, 108, """C4:.25 Db4 E4 Db4 E4 F4 G4 F4 G4 Ab4 B4 Ab4 C5:.5 B4:.25 Ab4 | G4 F4 E4 F4
            E4 Db4 C4 Db4 C4:1 G3:.5 B3"""),
        (SITAR, 64, "C3:.5 G2 C3 C3")]),
    Piece("sitar", MUSESCORE, "own-bhupali", 72, "sitar indian solo slow", [
        (SITAR, 100, "G3:.5 A3 C4:1.5 r:.5 D4:.25 E4:.75 | G4:.25 E4 D4:1 C4:.5 A3 C4:2"),
        (SITAR, 60, "C3:1 G2 C3 C2")]),
    # --- ensembles ---
    Piece("strings", FLUID, "pachelbel-canon", 60, "strings classical slow", [
        (STRINGS, 76, " ".join(f"{chord}:2" for chord in CANON.split()))]),
    Piece("strings", FLUID, "own-adagio", 52, "strings classical slow quiet", [
        (SLOW_STRINGS, 70, "G2+D3+Bb3+G4:2 F#2+D3+A3+A4:2 Eb2+Eb3+G3+Bb4:2 D2+D3+A3+F#4:2")]),
    Piece("strings", MUSESCORE, "vivaldi-spring", 112, "strings classical", [
        (STRINGS, 100, """E5:.5 G#5 G#5 G#5 F#5:.25 E5 B5:1.5 B5:.25 A5 G#5:.5 G#5 G#5 F#5:.25 E5
            B5:1.5 B5:.25 A5"""),
        (STRINGS, 92, "r:.5 " + "E4+B4:.5 " * 12 + "E2+E3:.5"),
        (STRINGS, 84, "r:.5 " + "E2+E3:.5 " * 13)]),
    Piece("strings", MUSESCORE, "mozart-serenade", 138, "strings classical fast", [
        (STRINGS, 110, """G4+G5:1 r:.5 D4+D5 G4+G5:1 r:.5 D4+D5 | G4+G5 D4+D5 G4+G5 B4+B5 D5+D6:1
            r:1 | C5+C6:1 r:.5 A4+A5 C5+C6:1 r:.5 A4+A5 | C5+C6 A4+A5 F#4+F#5 A4+A5 D4+D5:1 r:1"""),
        (STRINGS, 100, """G2+G3:1 r:.5 D2+D3 G2+G3:1 r:.5 D2+D3 | G2+G3 D2+D3 G2+G3 B2+B3 D3:1 r:1
            | C3:1 r:.5 A2+A3 C3:1 r:.5 A2+A3 | C3 A2+A3 F#2+F#3 A2+A3 D2+D3:1 r:1""")]),
    Piece("choir", FLUID, "old-hundredth", 76, "choir classical slow", [
        (CHOIR, 96, """G2+D3+B3+G4:2 G2+D3+B3+G4:1 D3+A3+D4+F#4 E3+G3+B3+E4 B2+F#3+B3+D4
            E3+G3+B3+G4 D3+F#3+D4+A4 G2+G3+D4+B4:2""")]),
    Piece("choir", FLUID, "own-organum", 66, "choir slow", [
        (CHOIR, 90, "D3+A3:1 E3+B3 F3+C4 E3+B3 | D3+A3:1.5 C3+G3:.5 D3+A3:2"),
        (OOHS, 70, "D2+D3:8")]),
    Piece("choir", MUSESCORE, "own-amen", 60, "choir classical slow", [
        (CHOIR, 100, """F3+C4+F4+A4:2 Bb2+D4+F4+Bb4:2 C3+C4+E4+G4:2 F2+C4+F4+A4:2""")]),
    Piece("choir", MUSESCORE, "own-chorale", 84, "choir classical", [
        (CHOIR, 104, """A2+E3+C4+A4:1 G2+D3+B3+B4 C3+E3+G3+C5 G2+D3+B3+B4 | F2+F3+C4+A4 C3+E3+C4+G4
            D3+F3+A3+F4 E2+E3+B3+E4""")]),
    # --- bands and machines ---
    Piece("rock", FLUID, "own-rock-a", 128, ROCK, [
        (DISTORTION, 110, power("A2:.5 A2 A2 C3 | D3 D3 C3 D3 | A2 A2 A2 G2 | G2 A2 C3 A2")),
        (PICKED_BASS, 110, "A1:.5 A1 A1 C2 | D2 D2 C2 D2 | A1 A1 A1 G1 | G1 A1 C2 A1"),
        (DRUMS, 110, ROCK_BEAT)]),
    Piece("rock", FLUID, "own-rock-e", 116, ROCK, [
        (OVERDRIVE, 112, power("E2:1 r:.5 G2 A2:1 r:1 | E2:1 r:.5 G2 Bb2:.5 A2:1 r:.5")),
        (DISTORTION, 100, "r:4 | B4:.5 D5 E5:1 D5:.5 B4 A4 G4"),
        (PICKED_BASS, 110, "E1:.5 E1 E1 G1 A1 A1 A1 A1"), (DRUMS, 112, ROCK_BEAT)]),
    Piece("rock", MUSESCORE, "own-rock-d", 136, ROCK, [
        (DISTORTION, 110, power("D3:.5 D3 D3 D3 Bb2 Bb2 Bb2 Bb2 | F2 F2 F2 F2 C3 C3 C3 C3")),
        (PICKED_BASS, 110, "D2:.5 D2 D2 D2 Bb1 Bb1 Bb1 Bb1 | F1 F1 F1 F1 C2 C2 C2 C2"),
        (DRUMS, 110, ROCK_BEAT)]),
    Piece("rock", MUSESCORE, "own-rock-g", 108, ROCK, [
        (OVERDRIVE, 112, power("G2:1.5 G2:.5 r:.5 F2:.5 C3:1 | G2:1.5 G2:.5 r:.5 Bb2:.5 C3:1")),
        (OVERDRIVE, 100, "r:2 D5:.25 F5 G5:1.5 | F5:.5 D5 C5 D5:2.5"),
        (PICKED_BASS, 110, "G1:.5 G1 G1 G1 r F1 C2 C2"), (DRUMS, 112, HALF_TIME)]),
    Piece("metal", FLUID, "own-metal-e", 184, METAL, [
        (DISTORTION, 120, power("E2:.25 E2 E2 E2 E2 E2 G2:.5 | E2:.25 E2 E2 E2 F2:.5 F#2:.5")),
        (DISTORTION, 112, "E2:.25 E2 E2 E2 E2 E2 G2:.5 | E2:.25 E2 E2 E2 F2:.5 F#2:.5"),
        (PICKED_BASS, 116, "E1:.5 E1 E1 G1 E1 E1 F1 F#1"), (DRUMS, 118, BLAST)]),
    Piece("metal", FLUID, "own-metal-d", 168, METAL, [
        (DISTORTION, 120, power("D2:.5 D2:.25 D2 D2:.5 D2:.25 D2 F2:.5 F2:.25 F2 E2:.5 E2:.25 E2")),
        (DISTORTION, 104, "D5:.25 F5 A5 F5 D5 F5 A5 F5 C5 F5 A5 F5 Bb4 E5 G5 E5"),
        (PICKED_BASS, 116, "D1:.5 D1 D1 D1 F1 F1 E1 E1"), (DRUMS, 118, GALLOP)]),
    Piece("metal", MUSESCORE, "own-metal-b", 192, METAL, [
        (DISTORTION, 120, power("B2:.25 B2 B2 B2 C3:.5 B2:.5 | E2:.25 E2 E2 E2 F2:.5 E2:.5")),
        (DISTORTION, 112, "B2:.25 B2 B2 B2 C3:.5 B2 | E2:.25 E2 E2 E2 F2:.5 E2"),
        (PICKED_BASS, 116, "B1:.5 B1 C2 B1 E1 E1 F1 E1"), (DRUMS, 118, BLAST)]),
    Piece("metal", MUSESCORE, "own-metal-a", 176, METAL, [
        (DISTORTION, 120, power("A2:.5 A2:.25 A2 A2 A2 C3:.5 | F2:.5 F2:.25 F2 G2:.5 G2:.25 G2")),
        (DISTORTION, 104, "A5:.25 E5 C5 E5 A5 E5 C5 E5 | F5 C5 A4 C5 G5 D5 B4 D5"),
        (PICKED_BASS, 116, "A1:.5 A1 A1 C2 F1 F1 G1 G1"), (DRUMS, 118, GALLOP)]),
    Piece("drums", FLUID, "own-drums-rock", 112, "drums beat", [(DRUMS, 112, ROCK_BEAT)]),
    Piece("drums", FLUID, "own-drums-toms", 124, "drums beat", [
        (DRUMS, 112, """kick x...x...x...x...
            low  X..x..x...x.x...
            mid  ..x..x.x........
            high ............xxxx""")]),
    Piece("drums", MUSESCORE, "own-drums-funk", 100, "drums beat", [
        (DRUMS, 112, """kick  X..x..x...x..x..
            snare ....X..x.x..X..x
            hat   xxxxxxxxxxxxxxxx""")]),
    Piece("techno", FLUID, "own-techno-a", 134, TECHNO, [
        (SAW, 90, broken("A3+C4+E4+A4", "0302130231023120", 0.25)),
        (SYNTH_BASS, 112, "r:.25 A1:.25 A1 A1"), (DRUMS, 116, FOUR)]),
    Piece("techno", FLUID, "own-techno-c", 140, TECHNO, [
        (SYNTH_BASS, 116, "C2:.25 C2 Eb2 C2 C3 C2 Bb1 C2 | C2 G2 C2 Eb2 C2 C3 Db2 C2"),
        (POLYSYNTH, 80, "r:.75 C4+Eb4+G4:.25 r:1 r:.5 C4+Eb4+G4:.25 r:.25 r:1"),
        (DRUMS, 116, ACID)]),
    Piece("techno", MUSESCORE, "own-techno-f", 132, TECHNO, [
        (SQUARE, 84, broken("F4+Ab4+C5+Eb5", "0102030102031032", 0.25)),
        (SYNTH_BASS, 112, "F1:.5 F2 F1 F2"), (DRUMS, 116, FOUR)]),
    Piece("techno", MUSESCORE, "own-techno-g", 138, TECHNO, [
        (SYNTH_BASS, 116, "G1:.25 G1 G2 G1 Bb1 G1 F2 G1 | G1 G2 G1 Ab1 G1 G1 D2 F2"),
        (SAW, 80, "G4+Bb4+D5:.25 r:.5 G4+Bb4+D5:.25 r:.5 F4+Ab4+C5:.25 r:.25"),
        (DRUMS, 116, ACID)]),
    Piece("downtempo", FLUID, "own-downtempo-d", 72, DOWNTEMPO, [
        (WARM, 76, "D3+A3+C4+F4:4 Bb2+F3+A3+D4:4"),
        (SQUARE, 64, "A5:.5 F5 D5 r:1 C5:.5 D5 r | F5 D5 A4 r:1 D5:.5 C5 r"),
        (SYNTH_BASS, 100, "D2:1.5 D2:.5 r:1 A1 | Bb1:1.5 Bb1:.5 r:1 F1"), (DRUMS, 96, SLOW_BEAT)]),
    Piece("downtempo", MUSESCORE, "own-downtempo-e", 68, DOWNTEMPO, [
        (POLYSYNTH, 72, "E3+B3+D4+G4:4 C3+G3+B3+E4:4"),
        (SAW, 60, broken("E4+G4+B4+D5", "0213", 0.5)),
        (SYNTH_BASS, 100, "E2:1 r:.5 E2:.5 r:1 D2 | C2 r:.5 C2:.5 r:1 B1"),
        (DRUMS, 96, SLOW_BEAT)]),
    Piece("ambient", FLUID, "own-ambient-c", 40, AMBIENT, [
        (WARM, 64, "C3+G3+D4+E4:4 A2+E3+B3+C4:4"), (HALO, 50, "G4+D5:4 E4+B4:4")]),
    Piece("ambient", FLUID, "own-ambient-f", 44, AMBIENT, [
        (SWEEP, 64, "F2+C3+G3+A3:5"), (NEW_AGE, 54, "r:1 C5:1 G4 A4:2")]),
    Piece("ambient", MUSESCORE, "own-ambient-a", 40, AMBIENT, [
        (SWEEP, 64, "A2+E3+B3:4 F2+C3+G3:4"), (WARM, 56, "r:1 C4+E4:3 A3+E4:4")]),
    Piece("ambient", MUSESCORE, "own-ambient-d", 42, AMBIENT, [
        (HALO, 64, "D3+A3+E4:4.5"), (NEW_AGE, 54, "r:.5 F#4:1 A4 E5:2")]),
    Piece("country", FLUID, "own-country-g", 112, COUNTRY, [
        (STEEL, 96, "G2:.5 G3+B3+D4 D2 G3+B3+D4 | C3 G3+C4+E4 G2 G3+C4+E4"),
        (BANJO, 88, broken("G3+B3+D4+G4 C4+E4+G4+C5", "02132103", 0.25)),
        (ACOUSTIC_BASS, 100, "G1:1 D2 C2 G1"), (DRUMS, 80, TRAIN)]),
    Piece("country", MUSESCORE, "own-country-d", 104, COUNTRY, [
        (STEEL, 96, "D3:.5 A3+D4+F#4 A2 A3+D4+F#4 | G2 B3+D4+G4 A2 C#4+E4+G4"),
        (BANJO, 88, broken("D4+F#4+A4+D5 G3+B3+D4+G4", "02132103", 0.25)),
        (ACOUSTIC_BASS, 100, "D2:1 A1 G1 A1"), (DRUMS, 80, TRAIN)]),
]
# fmt: on
