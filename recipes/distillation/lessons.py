"""Make the lessons that students learn from: excerpts of the corpus, and what the teachers say.

    python recipes/corpus/build.py CORPUS --rendered 3 --voices 3
    python recipes/distillation/lessons.py CORPUS LESSONS --hours 10
    rm LESSONS/validation-* LESSONS/test-*
    python recipes/corpus/build.py CORPUS
    python recipes/corpus/build.py CORPUS --rendered 16 --voices 16 --seldom 9 --split test
    python recipes/distillation/lessons.py CORPUS LESSONS --hours 15
    python recipes/distillation/lessons.py CORPUS LESSONS --hours 30
    python recipes/distillation/lessons.py CORPUS LESSONS --hours 50

The corpus grew while ours were made; the first two lines are there so that the first 10 h come out
as ours did. The others are enough for as good a set; which network learned from how much is said
above `STUDENTS` in `distill.py`.

A lesson is 30 s of sound, changed by chance, cut into 10 segments of 3 s; each teacher hears each
of these segments **after** the changes, so that what it says is true of just what the student will
hear. For training, with chances that are ours: another speed, and so another pitch, up to 8 %
(1.3 semitones) either way (every second lesson); a second sound mixed under it, 0 to 12 dB softer
(one in four); a gain of -12 to 6 dB (every second one). Six lessons in ten are real music of games,
two rendered, two with voices, where the corpus has all of these; longer tracks are drawn more
often, but none as if it had more than 5 minutes.

The lessons of validation and test are not changed: a track gives one for each minute, at most 4, as
far from each other as it allows; in test also one half way between any two.

LESSONS gets an array of sounds and an archive of scores for each lot of 20. It can be stopped, and
goes on; a larger number of hours later makes more. Takes 26 MB and some 15 seconds of two cores a
lot, most of it for the teachers; with KERAS_BACKEND=jax, within 2e-4 of the same scores, less.
"""

import argparse
import sys
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from rich.progress import track as progress

import zoo
from zoo import audio
from zoo.utils.files import replacing

sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))
import listening

RATE = 22050  # the highest of a student's
SECONDS = 30.0
LOT = 20
SEGMENTS, HOP = 10, 47872 / 16000  # of a lesson; seconds between the teachers' segments
SHARES = {"games": 0.6, "rendered": 0.2, "voices": 0.2}
LONGEST = 300.0  # seconds for which a track counts when one is drawn
FASTER, MIXED, LOUDER = 0.5, 0.25, 0.5  # chances of the changes
MOST = 4  # lessons of a track of validation and test
TRAIN, VALIDATION, TEST = "train", "validation", "test"


class Piece(NamedTuple):
    """Where a lesson comes from: a file, its part and length, and where in it; seconds."""

    path: Path
    part: str
    length: float
    start: float


class Lot(NamedTuple):
    """Lessons: sounds (lessons, samples) int16, scores (lessons, segments, labels), parts."""

    sounds: np.ndarray
    scores: np.ndarray
    parts: tuple[str, ...]
    rate: int = RATE


# --- reading ---


def lots(folder: Path, split: str) -> list[Path]:
    """List the lots of a split."""
    found = sorted(folder.glob(f"{split}-*.npz"))
    if not found:
        raise SystemExit(f"{folder} has no {split}-*.npz: run recipes/distillation/lessons.py")
    return found


def read(path: Path) -> Lot:
    """Open a lot; the scores are the mean of the teachers'. The sounds stay on the disk."""
    with np.load(path) as kept:
        scores = np.mean([kept[name].astype("float32") for name in listening.TEACHERS], axis=0)
        parts = tuple(kept["parts"].tolist())
    return Lot(np.load(path.with_suffix(".npy"), mmap_mode="r"), scores, parts)


@cache
def read_at(path: Path, rate: int) -> Lot:
    """Return a lot at a network's rate; it stays in memory, 20 to 27 MB."""
    lot = read(path)
    if rate == lot.rate:
        return lot
    sounds = np.clip(np.round(at_rate(lot.sounds, rate) * 32767), -32768, 32767)
    return lot._replace(sounds=sounds.astype("int16"), rate=rate)


# --- making ---


def heard(piece: Piece, seconds: float) -> np.ndarray:
    """Return what a piece sounds like, at `RATE`; what ends early starts again."""
    count, end = round(seconds * RATE), piece.start + seconds
    rest = end > piece.length - 0.1  # the table's length is rounded
    blocks = list(audio.stream(piece.path, RATE, piece.start, None if rest else end))
    return np.resize(np.concatenate(blocks), count)


class Chances:
    """Draws pieces of the corpus's training split."""

    def __init__(self, clips: Sequence[listening.Clip], folder: Path):
        self.folder = folder
        self.clips = {
            part: [c for c in clips if c.part == part and c.split == TRAIN] for part in SHARES
        }
        self.clips = {part: found for part, found in self.clips.items() if found}
        self.parts = list(self.clips)
        shares = np.array([SHARES[part] for part in self.parts])
        self.shares = shares / shares.sum()
        lengths = {p: np.array([min(c.seconds, LONGEST) for c in f]) for p, f in self.clips.items()}
        self.weights = {part: length / length.sum() for part, length in lengths.items()}

    def piece(self, chance: np.random.Generator, seconds: float) -> Piece:
        """Draw a file, and where in it."""
        part = self.parts[chance.choice(len(self.parts), p=self.shares)]
        clip = self.clips[part][chance.choice(len(self.clips[part]), p=self.weights[part])]
        start = chance.uniform(0, max(0.0, clip.seconds - seconds))
        return Piece(self.folder / clip.path, part, clip.seconds, start)

    def lesson(self, chance: np.random.Generator) -> tuple[np.ndarray, str]:
        """Draw a sound, change it, and say which part it is of."""
        speed = np.exp(chance.uniform(-0.08, 0.08)) if chance.random() < FASTER else 1.0
        piece = self.piece(chance, speed * SECONDS)
        sound = heard(piece, speed * SECONDS)
        if speed != 1:
            sound = fitted(soxr.resample(sound, speed * RATE, RATE))
        if chance.random() < MIXED:
            under = heard(self.piece(chance, SECONDS), SECONDS)
            level = 10 ** (chance.uniform(-12, 0) / 20)
            sound = sound + level * (sound.std() + 1e-4) / (under.std() + 1e-4) * under
        if chance.random() < LOUDER:
            sound = sound * 10 ** (chance.uniform(-12, 6) / 20)
        return sound, piece.part


def fitted(sound: np.ndarray) -> np.ndarray:
    """Return exactly `SECONDS` of a sound that is a few samples off."""
    return np.resize(sound, round(SECONDS * RATE))


def whole(sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Return sounds as 16 bits; one that would clip is made softer."""
    stacked = np.stack([sound / max(1.0, np.abs(sound).max()) for sound in sounds])
    return np.round(stacked * 32767).astype("int16")


def fixed(clips: Sequence[listening.Clip], folder: Path, split: str) -> list[Piece]:
    """List the pieces of validation or test, in an order drawn by chance."""
    pieces = []
    for clip in clips:
        if clip.split == split:
            count = min(max(1, round(clip.seconds / 60)), MOST)
            count = 2 * count - 1 if split == TEST else count
            last = max(0.0, clip.seconds - SECONDS - 0.5)
            for start in np.linspace(0, last, count):
                pieces.append(Piece(folder / clip.path, clip.part, clip.seconds, float(start)))
    order = np.random.default_rng(0).permutation(len(pieces))
    return [pieces[i] for i in order]


def make(folder: Path, split: str, number: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Make the sounds of a lot, and say of which part each is."""
    clips = listening.read(folder)
    if split != TRAIN:
        pieces = fixed(clips, folder, split)[number * LOT : (number + 1) * LOT]
        return whole([heard(piece, SECONDS) for piece in pieces]), tuple(p.part for p in pieces)
    chance = np.random.default_rng(zlib.crc32(f"lesson {number}".encode()))
    drawn = Chances(clips, folder)
    made = [drawn.lesson(chance) for _ in range(LOT)]
    return whole([sound for sound, _ in made]), tuple(part for _, part in made)


# --- teaching ---


def at_rate(sounds: np.ndarray, rate: int) -> np.ndarray:
    """Return lessons at a network's rate, as float32: (lessons, samples)."""
    floats = np.ascontiguousarray(np.asarray(sounds).T, "float32") / 32767  # (samples, lessons)
    return np.ascontiguousarray(soxr.resample(floats, RATE, rate).T)


def says(teacher: zoo.AudioModel, sounds: np.ndarray) -> np.ndarray:
    """Return what a teacher says of each segment: (lessons, segments, labels) float16."""
    rate, cut = teacher.sample_rate, teacher.segmentation
    if cut.hop / rate != HOP:
        raise SystemExit(f"{teacher.name} hears every {cut.hop / rate} s, not every {HOP} s")
    segments = [
        segment.samples
        for sound in at_rate(sounds, rate)
        for segment in audio.segments((sound, rate), rate, cut, tail=False)
    ]
    scores = teacher.predict(np.stack(segments), batch_size=2 * LOT, verbose=0)
    return scores.reshape(len(sounds), SEGMENTS, -1).astype("float16")


def keep(folder: Path, name: str, sounds: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    """Write a lot: sounds first, so that where there are scores there are sounds."""
    with replacing(folder / f"{name}.npy") as file:
        np.save(file, sounds)
    with replacing(folder / f"{name}.npz") as file:
        np.savez(file, **arrays)


def numbers(folder: Path, split: str, hours: float) -> range:
    """Return the numbers of the lots that make up a split."""
    if split == TRAIN:
        return range(round(hours * 3600 / SECONDS / LOT))
    return range(-(-len(fixed(listening.read(folder), folder, split)) // LOT))


def made(
    given: argparse.Namespace, split: str, absent: Sequence[int]
) -> Iterator[tuple[int, np.ndarray, tuple[str, ...]]]:
    """Make the sounds of lots in another thread, a few ahead of the teachers."""
    with ThreadPoolExecutor(1) as pool:
        ahead = [(n, pool.submit(make, given.corpus, split, n)) for n in absent[:3]]
        for i in range(len(absent)):
            number, sounds = ahead.pop(0)
            if i + 3 < len(absent):
                ahead.append((absent[i + 3], pool.submit(make, given.corpus, split, absent[i + 3])))
            yield number, *sounds.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="that recipes/corpus/build.py filled")
    parser.add_argument("lessons", type=Path, help="where they go")
    parser.add_argument("--hours", type=float, default=10.0, help="of lessons for training")
    given = parser.parse_args()
    given.lessons.mkdir(parents=True, exist_ok=True)
    teachers = {name: zoo.load(name) for name in listening.TEACHERS}
    for split in (VALIDATION, TEST, TRAIN):
        names = {n: f"{split}-{n:04}" for n in numbers(given.corpus, split, given.hours)}
        absent = [n for n, name in names.items() if not (given.lessons / f"{name}.npz").is_file()]
        batches = progress(made(given, split, absent), f"{split}, lots", total=len(absent))
        for number, sounds, parts in batches:
            scores = {name: says(teacher, sounds) for name, teacher in teachers.items()}
            keep(given.lessons, names[number], sounds, {**scores, "parts": np.array(parts)})


if __name__ == "__main__":
    main()
