"""Drums as drummers play them, from one-shots whose start is known: clips for training and test.

What scores with a regular grid lack: flams, drags, ruffs, rolls and double strokes with 15 to 95 ms
from one stroke to the next; cymbals and toms that are struck again while they ring (a ring is never
cut; only a closed hi-hat stops an open one); ghosted strokes between accents; rides and hats under
crashes; hands and feet that are not quite together; rooms and compression.

Kits. What is in one of the three splits is in no other.

| split | recorded one-shots | from Debian packages |
|---|---|---|
| train | frankensnare (snares), muldjordkit, gogodze vol. i | hydrogen-drumkits', Black Pearl |
| validation | gogodze vol. ii | Red Zeppelin |
| test | Sam's Sonor | none |

The two AVL kits, Black Pearl and Red Zeppelin (Glen MacArthur, CC-BY-SA 3.0), have five layers and
are soundfonts of the package avldrums.lv2-soundfont; fluidsynth plays each of their drums at eight
velocities. The recorded one-shots are those of these repositories, each at all its dynamics:

| repository of sfzinstruments on GitHub, and its commit | licence |
|---|---|
| karoryfer.frankensnare @ 9151c2d79fcb | CC0 |
| DrumGizmo.MuldjordKit @ fc165714974a (Lars Muldjord, DrumGizmo) | CC-BY 4.0 |
| karoryfer.gogodze-phu-vol-i @ 7452f62060cd, -vol-ii @ 69a0274cdc39 | CC0 |
| SamsSonor @ ef3e32058924 | CC-BY-SA 4.0 |

RECORDINGS is a folder with two tables, drums.csv (training and validation) and test_drums.csv, that
have a row for each one-shot with the columns file (in the folder: mono, 44.1 kHz, all of a kit with
the same gain), kit, instrument, articulation and onset_s (seconds, the first sample above a tenth
of the peak).
"""

import csv
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import sounds
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter
from sounds import RATE, SECONDS, kits, rendering, scores

p = scores.p


PACKAGE = "avldrums.lv2-soundfont"
AVL = {split: f"usr/share/sounds/sf2/{name}_4_LV2.sf2" for split, name in
       (("train", "Black_Pearl"), ("validation", "Red_Zeppelin"))}  # fmt: skip
TABLES = {"train": "drums.csv", "validation": "drums.csv", "test": "test_drums.csv"}
KEPT = ("gogodze-phu-vol-ii",)  # for validation
INSTRUMENTS = ("kick", "snare", "side stick", "closed hat", "open hat", "low tom", "tom", "ride",
               "crash", "hand drum")  # fmt: skip
KEYS = {36: "kick", 37: "side stick", 38: "snare", 40: "snare", 41: "low tom", 43: "low tom",
        42: "closed hat", 44: "closed hat", 45: "tom", 47: "tom", 46: "open hat", 48: "open hat",
        49: "crash", 55: "crash", 57: "crash", 60: "crash", 51: "ride", 53: "ride",
        59: "ride"}  # fmt: skip
VELOCITIES = (15, 30, 45, 60, 75, 90, 108, 127)  # at which a soundfont's drums are sampled
OF_GENERAL_MIDI = {p.KICK: "kick", p.SNARE: "snare", p.CLOSED: "closed hat", p.OPEN: "open hat",
                   p.LOW: "low tom", p.MIDDLE: "tom", p.HIGH: "tom", p.CRASH: "crash",
                   p.RIDE: "ride"}  # fmt: skip
NOT_A_STROKE = ("rest", "TomClicks")  # rattling wires, clicks of sticks
# dB of each instrument's loudest stroke beside the snare's, when kits are mixed
BALANCE = {"kick": 0, "snare": 0, "side stick": -8, "closed hat": -12, "open hat": -10,
           "low tom": -2, "tom": -2, "ride": -12, "crash": -4, "hand drum": 0}  # fmt: skip
RANGE = 34.0  # dB from the softest to the loudest stroke of an instrument
# A stroke is audible if it raises some third of an octave by this, in the first 25 ms of it, and
# that band is no further below the loudest band of the clip.
RAISED, FLOOR = 4.0, 55.0  # dB


class Shot(NamedTuple):
    """A recorded stroke."""

    sound: np.ndarray  # (samples,)
    onset: int  # samples
    level: float  # dB, the peak of its first .1 s


class Stroke(NamedTuple):
    """A stroke to play."""

    time: float  # seconds, of the onset
    instrument: str
    loudness: float  # 0 to 1


class Drum(NamedTuple):
    """One instrument of a kit."""

    articulations: list[list[Shot]]  # of each its shots, softest first
    faster: float = 1.0  # by how much it is tuned up
    gain: float = 0.0  # dB


Kit = dict[str, Drum]


# --- kits ---


def shot(sound: np.ndarray, onset: float | None = None) -> Shot:
    """Measure a stroke; `onset` in seconds, None: it is looked for."""
    start = round(RATE * (sounds.attack(sound) if onset is None else onset))
    return Shot(sound, start, 20 * np.log10(np.abs(sound[: start + RATE // 10]).max() + 1e-6))


def kit_of(articulations: dict[tuple[str, str], list[Shot]]) -> Kit:
    """Sort articulations by instrument, and their shots by level."""
    kit: Kit = {}
    for (instrument, _), shots in sorted(articulations.items()):
        drum = kit.setdefault(instrument, Drum([]))
        drum.articulations.append(sorted(shots, key=lambda shot: shot.level))
    return kit


def instrument_of(instrument: str, articulation: str) -> str | None:
    """Return our name for a row of the tables; None for what is no stroke on a drum."""
    if articulation.startswith(NOT_A_STROKE):
        return None
    words = articulation.lower()
    if instrument == "snare" and "sidestick" in words:
        return "side stick"
    if instrument == "hihat":
        closed = words in ("closed", "tight", "foot", "hhclosed", "hhpedal")
        return "closed hat" if closed else "open hat"
    if instrument == "tom":
        return "low tom" if words in ("low", "tomlow", "3", "4") else "tom"
    same = {"china": "crash", "cajon": "hand drum"}.get(instrument, instrument)
    return same if same in INSTRUMENTS else None


@cache
def recorded(folder: Path, split: str) -> list[Kit]:
    """Read the recorded kits of a split."""
    found: dict[str, dict[tuple[str, str], list[Shot]]] = {}
    with (folder / TABLES[split]).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = instrument_of(row["instrument"], row["articulation"])
            if name is None or (split != "test" and (row["kit"] in KEPT) != (split != "train")):
                continue
            sound, rate = soundfile.read(folder / row["file"], dtype="float32")
            if rate != RATE or sound.ndim != 1:
                raise SystemExit(f"{row['file']} is not mono at {RATE} Hz")
            one = shot(sound, float(row["onset_s"]))
            found.setdefault(row["kit"], {}).setdefault((name, row["articulation"]), []).append(one)
    return [kit_of(found[name]) for name in sorted(found)]


@cache
def sampled(soundfont: Path) -> Kit:
    """Play each drum of a soundfont, its only preset, alone at all `VELOCITIES`."""
    probes = [(key, velocity) for key in KEYS for velocity in VELOCITIES]
    pieces = [
        scores.Piece("", (), 3.0, [scores.Part(0, [p.Note(0.0, 2.9, *probe)], 127)])
        for probe in probes
    ]
    found: dict[tuple[str, str], list[Shot]] = {}
    for (key, _), sound in zip(probes, rendering.album(pieces, soundfont, RATE), strict=True):
        if np.abs(sound).max() > 1e-4:
            found.setdefault((KEYS[key], str(key)), []).append(shot(sound))
    return kit_of(found)


@cache
def of_hydrogen(folder: Path) -> Kit:
    """Read a kit of hydrogen-drumkits."""
    drums = kits.kit(folder, RATE)
    return kit_of({
        (OF_GENERAL_MIDI[drum], str(drum)): [shot(sound) for sound in layers if len(sound) > 2000]
        for drum, layers in drums.items() if drum in OF_GENERAL_MIDI
        and any(len(sound) > 2000 for sound in layers)
    })  # fmt: skip


def kits_of(split: str, folder: Path, recordings: Path) -> list[Kit]:
    """Return all kits of a split.

    Args:
        split: "train", "validation" or "test".
        folder: has Debian's packages.
        recordings: has the tables and the recorded one-shots.
    """
    found = list(recorded(recordings, split))
    if split in AVL:
        found.append(sampled(folder / PACKAGE / AVL[split]))
    if split == "train":
        base = folder / kits.PACKAGE / kits.PATTERN[:-1]
        found += [of_hydrogen(base / name) for name in kits.KITS["train"]]
    return found


def drawn(rng, split: str, found: Sequence[Kit]) -> Kit:
    """Draw a kit: for training each instrument from any kit, else a whole kit."""
    if split != "train":
        return scores.either(rng, *found)
    kit: Kit = {}
    for instrument in INSTRUMENTS:
        able = [each[instrument].articulations for each in found if instrument in each]
        # Kits with several layers are recordings of dynamics, so they are drawn more often.
        weights = np.array([4.0 if len(each[0]) > 3 else 1.0 for each in able])
        articulations = able[int(rng.choice(len(able), p=weights / weights.sum()))]
        gain = BALANCE[instrument] + rng.normal(0, 4) - max(s[-1].level for s in articulations)
        kit[instrument] = Drum(articulations, 2 ** (rng.normal(0, 0.6) / 12), gain)
    return kit


def tuned(each: Shot, faster: float) -> Shot:
    """Return a stroke that is higher and shorter."""
    places = np.arange(int(len(each.sound) / faster)) * faster
    sound = np.interp(places, np.arange(len(each.sound)), each.sound)
    return Shot(sound.astype("float32"), round(each.onset / faster), each.level)


# --- what drummers play ---


def figure(rng, name: str, start: float, surface: str, loud: float) -> list[Stroke]:
    """Write a rudiment: its strokes in order; `loud` is the loudness of its accents."""
    soft = max(0.05, loud - rng.uniform(0.15, 0.55))

    def spread(gaps: Sequence[float], louds: Sequence[float]) -> list[Stroke]:
        times = start + np.concatenate([[0], np.cumsum(gaps)])
        return [
            Stroke(float(t), surface, float(np.clip(v + rng.normal(0, 0.03), 0.02, 1)))
            for t, v in zip(times, louds, strict=True)
        ]

    def uneven(count: int, low: float, high: float) -> np.ndarray:
        return np.maximum(rng.uniform(low, high) * (1 + rng.normal(0, 0.07, count)), 0.015)

    if name == "flam":
        return spread(uneven(1, 0.015, 0.065), [soft, loud])
    if name == "drag":
        return spread(uneven(2, 0.03, 0.08), [soft, soft, loud])
    if name == "ruff":
        return spread(uneven(3, 0.03, 0.065), [soft, soft, soft + 0.05, loud])
    if name == "doubles":
        count = int(rng.integers(2, 13)) * 2
        second = rng.uniform(0.6, 1.0)  # the rebound is softer
        louds = np.tile([loud, loud * second], count // 2) * rng.uniform(0.6, 1)
        return spread(uneven(count, 0.045, 0.095), [*louds, loud])
    if name == "two":
        return spread(uneven(1, 0.03, 0.1), rng.permutation([loud, rng.uniform(0.6, 1) * loud]))
    if name == "singles":
        count = int(rng.integers(3, 12))
        louds = np.where(rng.random(count + 1) < 0.3, loud, rng.uniform(soft, loud))
        return spread(uneven(count, 0.06, 0.2), louds)
    count = int(rng.integers(2, 5)) * 4  # ghosts between accents
    louds = np.where(np.arange(count) % scores.either(rng, 3, 4) == 0, loud, soft)
    return spread(uneven(count - 1, 0.08, 0.17), louds)


FIGURES = ("flam", "drag", "ruff", "doubles", "two", "singles", "ghosts")


def rudiments(rng) -> list[Stroke]:
    """Rudiments on a drum or a cymbal or two, with pauses."""
    surfaces = ["snare", "snare", "hand drum", "low tom", "tom", "ride", "closed hat", "side stick"]
    mine = [scores.either(rng, *surfaces) for _ in range(2)]
    strokes, now = [], rng.uniform(0.2, 0.5)
    while now < SECONDS - 1:
        name, surface = scores.either(rng, *FIGURES), mine[int(rng.random() < 0.3)]
        strokes += figure(rng, name, now, surface, rng.uniform(0.45, 1))
        now = strokes[-1].time + rng.choice([rng.uniform(0.07, 0.2), rng.uniform(0.2, 0.9)])
    return strokes


def groove(rng) -> list[Stroke]:
    """Kick, snare and hats or a ride, with ghosts, flams, crashes and fills."""
    grid = p.GRIDS[scores.either(rng, *p.GRIDS)]
    step = 60 / rng.uniform(72, 170) / 4
    swing = step * rng.choice([0, rng.uniform(0, 0.35)])
    late = {limb: rng.normal(0, 0.006) for limb in ("kick", "snare", "hand")}
    if rng.random() < 0.35:  # a limb that is not quite together with the others
        late[scores.either(rng, *late)] += rng.choice([-1, 1]) * rng.uniform(0.02, 0.05)
    hand, ghosts = scores.either(rng, "closed hat", "ride", "open hat", "closed hat"), rng.random()
    shaky = rng.uniform(0.001, 0.008)
    strokes: list[Stroke] = []

    def strike(limb: str, instrument: str, time: float, loud: float) -> None:
        time += late[limb] + rng.normal(0, shaky)
        strokes.append(Stroke(time, instrument, float(np.clip(loud, 0.03, 1))))

    for bar in range(int((SECONDS - 1) / (16 * step))):
        fill = int(rng.choice([8, 10, 12])) if rng.random() < 0.3 else 16
        crashed = rng.random() < 0.3
        for i in range(16):
            now = 0.3 + (16 * bar + i) * step + (swing if i % 2 else 0)
            if i >= fill:
                if i % 2 == 0:
                    drum = scores.either(rng, "tom", "low tom", "snare")
                strike("hand", drum, now, rng.uniform(0.5, 1))
                if rng.random() < 0.35 and step > 0.09:
                    strike("hand", drum, now + step / 2, rng.uniform(0.4, 0.9))
                continue
            kick, snare, hat = (line[i] for line in grid)
            if kick != "." and rng.random() < 0.95:
                strike("kick", "kick", now, 0.9 if kick == "X" else rng.uniform(0.5, 0.9))
                if rng.random() < 0.06:
                    strike("kick", "kick", now + step / rng.uniform(1.2, 2), rng.uniform(0.5, 0.9))
            if snare != ".":
                loud = rng.uniform(0.8, 1) if snare == "X" else rng.uniform(0.2, 0.6)
                if rng.random() < 0.2:
                    name = scores.either(rng, "flam", "drag", "ruff", "flam")
                    made = figure(rng, name, 0, "snare", loud)
                    strokes += [s._replace(time=now + s.time - made[-1].time) for s in made[:-1]]
                strike("snare", "snare", now, loud)
            elif rng.random() < 0.35 * ghosts:
                strike("snare", "snare", now, rng.uniform(0.08, 0.4))
            if crashed and i == 0:
                strike("hand", "crash", now, rng.uniform(0.6, 1))
            elif hat != ".":
                opened = hand == "closed hat" and i % 4 == 2 and rng.random() < 0.08
                loud = rng.uniform(0.55, 0.9) if i % 4 == 0 else rng.uniform(0.25, 0.7)
                strike("hand", "open hat" if opened else hand, now, loud)
    return strokes


def swung(rng) -> list[Stroke]:
    """A ride's pattern with a comping snare, crashes that ring over it, and the foot's hat."""
    beat = 60 / rng.uniform(80, 290)
    swing = rng.uniform(0.55, 0.72)
    cymbal = scores.either(rng, "ride", "ride", "ride", "crash", "open hat")
    strokes = []
    for i in range(int((SECONDS - 1) / beat)):
        now = 0.3 + i * beat
        played = [(0.0, cymbal, rng.uniform(0.4, 0.8), 0.95)]
        if i % 2:
            played += [(swing * beat, cymbal, rng.uniform(0.25, 0.6), 0.85)]
            played += [(rng.normal(0, 0.01), "closed hat", rng.uniform(0.4, 0.8), 0.7)]
        played += [(0.0, "kick", rng.uniform(0.15, 0.5), 0.35), (0.0, "crash", 0.8, 0.06)]
        played += [(swing * beat, "snare", rng.uniform(0.1, 0.7), 0.3)]
        played += [(beat * rng.choice([1 / 3, 2 / 3, 0.5]), "low tom", rng.uniform(0.3, 0.9), 0.08)]
        strokes += [
            Stroke(now + after + rng.normal(0, 0.006), instrument, loud)
            for after, instrument, loud, chance in played
            if rng.random() < chance
        ]
    return strokes


def restruck(rng) -> list[Stroke]:
    """Cymbals and toms again and again, while they ring; single strokes and fast ones."""
    strokes, now = [], 0.3
    able = ("ride", "crash", "low tom", "tom", "open hat", "ride", "low tom")
    mine = [scores.either(rng, *able) for _ in range(3)]
    while now < SECONDS - 1:
        surface, count = scores.either(rng, *mine), int(rng.integers(2, 14))
        gap = rng.choice([rng.uniform(0.06, 0.12), rng.uniform(0.12, 0.3), rng.uniform(0.3, 0.6)])
        rise = np.linspace(*rng.uniform(0.2, 1, 2), count)
        for loud in rise:
            strokes.append(Stroke(now, surface, float(np.clip(loud + rng.normal(0, 0.08), 0.1, 1))))
            if rng.random() < 0.15:
                under = scores.either(rng, "kick", "snare", "closed hat")
                strokes.append(Stroke(now + rng.normal(0, 0.02), under, rng.uniform(0.2, 0.9)))
            now += gap * (1 + rng.normal(0, 0.05))
        now += rng.choice([0.0, rng.uniform(0.1, 0.6)])
    return strokes


PLAYED: tuple[Callable[..., list[Stroke]], ...] = (
    rudiments, rudiments, rudiments, groove, groove, groove, groove, swung, swung, restruck,
    restruck, restruck,
)  # fmt: skip


# --- sound ---


def bands(sound: np.ndarray) -> np.ndarray:
    """Return the energy of 25 ms in thirds of an octave from 60 Hz."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2048)) ** 2
    edges = np.minimum(60 * 2 ** (np.arange(27) / 3) * 2048 / RATE, 1024).astype(int)
    return np.add.reduceat(power, np.unique(edges))[:-1]


def perform(rng, strokes: Sequence[Stroke], kit: Kit) -> tuple[np.ndarray, list[Stroke]]:
    """Play strokes on a kit.

    Args:
        rng: random generator.
        strokes: in any order.
        kit: strokes on what it lacks are left out, and so are those that nobody could notice.

    Returns:
        (samples,), and the strokes that were played, in order; as loudness the dB of each.
    """
    length = round(SECONDS * RATE)
    mix, taken, loudest = np.zeros(length + 4 * RATE, "float32"), [], 1e-9
    chosen = {name: scores.either(rng, *drum.articulations) for name, drum in kit.items()}
    ringing: tuple[int, int] | None = None  # the open hat
    hats = np.zeros_like(mix)
    for stroke in sorted(strokes):
        if stroke.instrument not in kit or not 0.1 < stroke.time < SECONDS - 0.3:
            continue
        if rng.random() < 0.1:
            chosen[stroke.instrument] = scores.either(rng, *kit[stroke.instrument].articulations)
        drum = kit[stroke.instrument]
        each, decibels = picked(rng, chosen[stroke.instrument], stroke.loudness)
        each, decibels = tuned(each, drum.faster), decibels + drum.gain
        start = round(stroke.time * RATE)
        sound = each.sound * 10 ** (decibels / 20)
        first, head = start - each.onset, slice(start, start + 1102)
        own = np.zeros(1102, "float32")
        piece = sound[each.onset : each.onset + 1102]
        own[: len(piece)] = piece
        old = bands(mix[head] + hats[head])
        new = bands(mix[head] + hats[head] + own)
        top = max(loudest, bands(own).max())
        audible = (new > old * 10 ** (RAISED / 10)) & (bands(own) > top * 10 ** (-FLOOR / 10))
        if not audible.any() or first < 0:
            continue
        loudest = top
        if "hat" in stroke.instrument:
            if ringing is not None and stroke.instrument == "closed hat":
                hats[start : start + 882] *= np.linspace(1, 0, 882, dtype="float32")
                hats[start + 882 :] = 0
            ringing = (start, len(sound)) if stroke.instrument == "open hat" else None
            hats[first : first + len(sound)] += sound[: len(hats) - first]
        else:
            mix[first : first + len(sound)] += sound[: len(mix) - first]
        taken.append(stroke._replace(loudness=each.level + decibels))
    return (mix + hats)[:length], taken


def picked(rng, shots: Sequence[Shot], loudness: float) -> tuple[Shot, float]:
    """Choose a recording for a loudness: the shot, and the dB by which it is changed."""
    wanted = shots[-1].level - RANGE * (1 - loudness)
    far = np.argsort([abs(each.level - wanted) for each in shots], kind="stable")
    each = shots[int(far[int(rng.integers(min(3 if len(shots) > 6 else 1, len(shots))))])]
    most = 5.0 if len(shots) > 3 else RANGE
    return each, float(np.clip(wanted - each.level, -most, most) + rng.normal(0, 0.7))


def compressed(sound: np.ndarray, rng) -> np.ndarray:
    """Compress a sound as a mixing desk does: random threshold, ratio, attack and release."""
    level = maximum_filter1d(np.abs(sound), 2 * int(RATE * rng.uniform(0.0005, 0.004)) + 1)
    pole = np.exp(-1 / (RATE * rng.uniform(0.03, 0.25)))
    level = np.maximum(level, lfilter([1 - pole], [1, -pole], level) * rng.uniform(1, 2))
    over = 20 * np.log10(level / (level.max() + 1e-9) + 1e-6) + rng.uniform(10, 35)
    return sound * 10 ** (-np.maximum(over, 0) * (1 - 1 / rng.uniform(1.5, 8)) / 20)


def clip(rng, split: str, found: Sequence[Kit], number: int) -> sounds.Clip:
    """Make a clip of drums.

    Args:
        rng: random generator.
        split: see `kits_of`.
        found: kits of the split.
        number: of the clip, which decides what is played.
    """
    taken: list[Stroke] = []
    while len(taken) < 20:  # a kit may lack most of what was written
        sound, taken = perform(rng, PLAYED[number % len(PLAYED)](rng), drawn(rng, split, found))
    if rng.random() < 0.5:
        sound = compressed(sound, rng)
    if rng.random() < 0.4:
        hiss = rng.normal(0, sound.std() * 10 ** (rng.uniform(-60, -30) / 20), len(sound))
        sound = sound + hiss
    made = sounds.finished(sound, [s.time for s in taken], rng.random() < 0.3, rng)
    loudest = max(s.loudness for s in taken)
    groups = [
        [s for s in taken if -1e-9 <= s.time - time <= sounds.TOGETHER] for time in made.onsets
    ]
    names = [{s.instrument for s in group} for group in groups]
    return made._replace(
        every=np.array([s.time for s in taken]),
        instruments=np.array([next(iter(n)) if len(n) == 1 else "several" for n in names]),
        levels=np.array([max(s.loudness for s in group) - loudest for group in groups]),
    )
