"""Clips with voices: real ones that speak, and real ones made to sing our melodies.

`KINDS` names each kind, its weight, and the function that makes it. The words are those of
telephone prompts and of two fish (`speech.py`). `singing.py` makes the singing, `scores.py` the
accompaniment.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import playing as p
import rendering
import scores
import singing
import soxr
from scores import Piece, either
from singing import Singer, Sung
from speech import RATE, Repertoire

SUNG = ("vocal", "vocals", "voice", "singing")
SPOKEN = ("vocal", "vocals", "voice")
FEMALE = ("female", "woman", "female vocal", "female voice")
MALE = ("male", "man", "male vocal", "male voice")


class Plan(NamedTuple):
    """A clip before it is mixed: the voice, and the music under it."""

    kind: str
    tags: tuple[str, ...]
    voice: np.ndarray  # (samples,) at 16 kHz
    under: Piece
    balance: float  # dB by which the voice is louder than the music
    wet: float  # room at most
    voices: tuple[str, ...]


Cast = Sequence[Repertoire]
Maker = Callable[[np.random.Generator, float, Cast], Plan]
KINDS: dict[str, tuple[float, Maker]] = {}
GENRES = {"rock": ("rock",), "country": ("country",), "pop": ("pop",)}
GENRES |= {"techno": ("techno", "electronic")}


def kind(weight: float) -> Callable[[Maker], Maker]:
    """Enter a function into `KINDS`."""

    def enter(maker: Maker) -> Maker:
        KINDS[maker.__name__.replace("_", "-")] = (weight, maker)
        return maker

    return enter


def sex(who: Repertoire) -> tuple[str, ...]:
    """Return the tags of a voice."""
    return FEMALE if who.voice.female else MALE


def somebody(rng, cast: Cast) -> Repertoire:
    """Choose a woman or a man, then who it is."""
    female = bool(rng.random() < 0.5)
    return either(rng, *[who for who in cast if who.voice.female == female])


def plan(name: str, rng, seconds: float, cast: Cast) -> Plan:
    """Make a clip's voice and write the music under it; the same `rng` gives the same plan."""
    made = KINDS[name][1](rng, seconds, cast)
    return made._replace(tags=made.tags + scores.instruments(made.under.parts, made.tags))


def mixed(plan: Plan, under: np.ndarray, rng, loud: bool = False) -> np.ndarray:
    """Mix a voice with the music under it: (samples,) at 22,050 Hz."""
    rate = rendering.SAMPLE_RATE
    voice = soxr.resample(plan.voice.astype(np.float32), RATE, rate)
    voice = np.pad(voice, (0, max(0, len(under) - len(voice))))[: len(under)]
    voice = voice / (np.sqrt(np.mean(voice**2)) + 1e-9)
    voice = rendering.room(voice, rate, rng.uniform(0.3, 2.5), rng.uniform(0, plan.wet), rng)
    level = np.sqrt(np.mean(under**2))
    if level > 1e-5:
        voice = voice + under / level * 10 ** (-plan.balance / 20)
    return rendering.finish(voice, rate, rng, 0.15, loud)


# --- singing ---


def words(rng, who: Repertoire, count: int) -> list[singing.Syllable]:
    """Take syllables in the order in which they were spoken."""
    start = int(rng.integers(len(who.syllables)))
    return [who.syllables[(start + i) % len(who.syllables)] for i in range(count)]


def tune(f: p.Frame, who: Repertoire, up: float, density: float, span: int = 15) -> list[Sung]:
    """Write a melody `up` semitones over where a voice speaks."""
    low = round(who.pitch + up) - 3
    notes = p.melody(f, low, low + span, density, 0.97, 0.12)
    return [Sung(n.start + 0.15, n.seconds, n.pitch, n.velocity / 110) for n in notes]


def sung(rng, who: Repertoire, notes: Sequence[Sung], singer: Singer, seconds: float) -> np.ndarray:
    """Let a voice sing."""
    return singing.sing(notes, words(rng, who, len(notes)), singer, seconds, rng)


def any_singer(rng, ring: float = 0) -> Singer:
    """Return a random singer."""
    return Singer(
        vibrato=rng.uniform(0.05, 0.5) + 0.03 * ring,
        rate=rng.uniform(4.8, 6.4),
        glide=rng.uniform(0.03, 0.12),
        breath=rng.uniform(0.02, 0.15),
        formants=rng.uniform(0.95, 1.06),
        ring=ring,
        tilt=rng.uniform(-3, 1),
    )


def singing_frame(rng, seconds: float, tempo=(64, 120)) -> p.Frame:
    """Return a random frame for singer and players."""
    return p.frame(rng, seconds, tempo, (65, 100), ("major", "minor", "dorian", "harmonic"))


@kind(3.5)
def song(rng, seconds, cast):
    """A singer and some players; sometimes a second voice a third below."""
    who = somebody(rng, cast)
    f = singing_frame(rng, seconds)
    name = either(
        rng,
        "guitar",
        "guitar",
        "piano",
        "pop",
        "pop",
        "rock",
        "country",
        "beats",
        "techno",
        "drone",
        "harp",
    )
    notes = tune(f, who, rng.uniform(0, 6), rng.uniform(0.7, 1.2))
    voice = sung(rng, who, notes, any_singer(rng), seconds)
    if rng.random() < 0.25:
        second = [n._replace(pitch=n.pitch - 4 + (n.pitch % 12 in (0, 2, 7))) for n in notes]
        voice = voice + 0.6 * sung(rng, who, second, any_singer(rng), seconds)
    tags = SUNG + sex(who) + GENRES.get(name, ())
    under = Piece(f"song-{name}", tags, seconds, scores.accompaniment(name, f))
    return Plan(f"song-{name}", tags, voice, under, rng.uniform(5, 17), 0.4, (who.voice.name,))


@kind(2.5)
def aria(rng, seconds, cast):
    """A trained voice: high, trembling, ringing over strings, harpsichord or piano."""
    who = somebody(rng, cast)
    f = singing_frame(rng, seconds, (46, 84))
    notes = tune(f, who, rng.uniform(6, 11), rng.uniform(0.5, 0.9))
    voice = sung(rng, who, notes, any_singer(rng, rng.uniform(6, 14)), seconds)
    name = either(rng, "strings", "strings", "piano", "baroque", "organ")
    under = Piece(f"aria-{name}", (), seconds, scores.accompaniment(name, f))
    tags = (*SUNG, *sex(who), "opera", "classical")
    return Plan("aria", tags, voice, under, rng.uniform(5, 17), 0.7, (who.voice.name,))


@kind(3.0)
def alone(rng, seconds, cast):
    """A singer without anybody else."""
    who = somebody(rng, cast)
    f = singing_frame(rng, seconds, (56, 110))
    notes = tune(f, who, rng.uniform(0, 7), rng.uniform(0.6, 1.2))
    voice = sung(rng, who, notes, any_singer(rng, either(rng, 0, 0, 8)), seconds)
    nothing = Piece("alone", (), seconds, [])
    return Plan("alone", SUNG + sex(who), voice, nothing, 0, 0.7, (who.voice.name,))


@kind(1.0)
def choir(rng, seconds, cast):
    """Four voices, each of several singers who do not quite agree; or men, or women alone."""
    f = singing_frame(rng, seconds, (50, 90))
    soprano, alto, tenor, low = p.chorale(f)
    women = [who for who in cast if who.voice.female]
    men = [who for who in cast if not who.voice.female]
    lines = either(
        rng,
        [(soprano, women), (alto, women), (tenor, men), (low, men)],
        [(soprano, women), (alto, women)],
        [(tenor, men), (low, men)],
    )
    voice = np.zeros(int(seconds * RATE), np.float32)
    vowels = rng.random() < 0.5
    for notes, singers in lines:
        for _ in range(int(rng.integers(2, 4))):
            who = either(rng, *singers)
            late, off = rng.uniform(0, 0.05), rng.normal(0, 0.08)
            part = [Sung(n.start + 0.15 + late, n.seconds, n.pitch + off, 0.8) for n in notes]
            text = words(rng, who, len(part))
            if vowels:  # all on ah and oh: no consonants
                text = [syllable._replace(consonant=syllable.consonant[:0]) for syllable in text]
            singer = any_singer(rng, either(rng, 0, 5))
            voice += singing.sing(part, text, singer, seconds, rng)
    tags = (*SUNG, "choir", "choral")
    if len(lines) == 2:
        tags += ("female",) if lines[0][0] is soprano else ("male",)
    under = scores.accompaniment("organ", f) if rng.random() < 0.3 else []
    return Plan(
        "choir",
        tags,
        voice,
        Piece("choir", (), seconds, under),
        8,
        0.9,
        tuple(w.voice.name for w in cast),
    )


@kind(0.7)
def chant(rng, seconds, cast):
    """Several men or several women on one line, slowly, in a church."""
    who = somebody(rng, cast)
    f = singing_frame(rng, seconds, (56, 84))
    notes = tune(f, who, rng.uniform(-2, 3), rng.uniform(0.7, 1.1), 10)
    voice = np.zeros(int(seconds * RATE), np.float32)
    for _ in range(int(rng.integers(3, 6))):
        part = [
            n._replace(start=n.start + rng.uniform(0, 0.05), pitch=n.pitch + rng.normal(0, 0.07))
            for n in notes
        ]
        voice += sung(rng, who, part, replace(any_singer(rng), vibrato=0.1), seconds)
    tags = (*SUNG, "choir", "choral", "female" if who.voice.female else "male")
    under = scores.accompaniment("drone", f) if rng.random() < 0.2 else []
    return Plan("chant", tags, voice, Piece("chant", (), seconds, under), 8, 1.0, (who.voice.name,))


# --- speaking ---


def spoken(rng, who: Repertoire, seconds: float) -> np.ndarray:
    """Return a random part of a voice's recordings."""
    count = int(seconds * RATE)
    start = int(rng.integers(max(len(who.speech) - count, 1)))
    return who.speech[start : start + count].astype(np.float32) / 32768


@kind(1.5)
def speech(rng, seconds, cast):
    """A voice that speaks."""
    who = somebody(rng, cast)
    nothing = Piece("speech", (), seconds, [])
    return Plan(
        "speech",
        SPOKEN + sex(who),
        spoken(rng, who, seconds),
        nothing,
        0,
        0.4,
        (who.voice.name,),
    )


@kind(1.0)
def speech_over_music(rng, seconds, cast):
    """A voice that speaks while a band plays."""
    who = somebody(rng, cast)
    f = singing_frame(rng, seconds)
    name = either(rng, *scores.ACCOMPANIMENTS)
    tags = SPOKEN + sex(who) + GENRES.get(name, ())
    under = Piece(f"speech-{name}", tags, seconds, scores.accompaniment(name, f))
    voice = spoken(rng, who, seconds)
    return Plan("speech-over-music", tags, voice, under, rng.uniform(5, 17), 0.3, (who.voice.name,))


@kind(0.8)
def rap(rng, seconds, cast):
    """Syllables in time with drums, near the pitch of speech."""
    who = somebody(rng, cast)
    f = singing_frame(rng, seconds, (80, 110))
    notes, now = [], 0.3
    while now < seconds - 0.3:
        length = f.beat * float(rng.choice([0.25, 0.25, 0.25, 0.5]))
        if rng.random() > 0.12:
            notes.append(
                Sung(now, length * 0.9, who.pitch + rng.normal(0, 1.5), rng.uniform(0.7, 1))
            )
        now += length
    voice = sung(rng, who, notes, Singer(vibrato=0, glide=0.05), seconds)
    under = Piece("rap", (), seconds, scores.accompaniment("beats", f))
    tags = SPOKEN + sex(who)
    return Plan("rap", tags, voice, under, rng.uniform(3, 14), 0.15, (who.voice.name,))


@kind(0.5)
def strange(rng, seconds, cast):
    """Speech backwards, too low or through a ring modulator, over effects without a key."""
    who = somebody(rng, cast)
    voice = spoken(rng, who, 1.3 * seconds)
    effect = int(rng.integers(3))
    if effect == 0:
        voice = voice[::-1]
    elif effect == 1:
        voice = soxr.resample(voice, RATE, RATE * rng.uniform(1.15, 1.3))
    else:
        at = np.arange(len(voice)) / RATE
        voice = voice * np.sin(2 * np.pi * rng.uniform(30, 300) * at)
    under = Piece("strange", (), seconds, scores.KINDS["weird"][2](rng, seconds))
    voice = voice[: int(seconds * RATE)]
    return Plan("strange", ("weird",), voice, under, rng.uniform(-3, 9), 0.8, (who.voice.name,))


def draw(rng) -> str:
    """Choose a kind in proportion to the weights."""
    names = list(KINDS)
    weights = np.array([KINDS[name][0] for name in names])
    return str(rng.choice(names, p=weights / weights.sum()))
