"""Make the training clips of distillation: excerpts of the corpus with the teachers' scores.

    python recipes/corpus/build.py CORPUS --rendered 3 --voices 3
    python recipes/distillation/training_clips.py CORPUS CLIPS --hours 10
    rm CLIPS/validation-* CLIPS/test-*
    python recipes/corpus/build.py CORPUS
    python recipes/corpus/build.py CORPUS --rendered 16 --voices 16 --seldom 9 --split test
    python recipes/distillation/training_clips.py CORPUS CLIPS --hours 15
    python recipes/distillation/training_clips.py CORPUS CLIPS --hours 30
    python recipes/distillation/training_clips.py CORPUS CLIPS --hours 50

The corpus grew while our clips were made. The first two lines reproduce our first 10 h. For a set
that is as good, the other lines are enough. The comment above `STUDENTS` in `distill.py` says which
network was trained on how much.

A clip is 30 s of sound. It is changed at random and cut into 10 segments of 3 s. Each teacher
scores these segments **after** the changes, so that its scores belong to exactly the sound that the
student gets. The changes are for training only, and their probabilities are ours: another speed,
and so another pitch, up to 8 % (1.3 semitones) up or down (every second clip); a second sound mixed
under it, 0 to 12 dB softer (one in four); a gain of -12 to 6 dB (every second one). Six clips in
ten are real music of games, two are rendered and two have voices, where the corpus has all of
these. Longer tracks are sampled more often, but none as if it had more than 5 minutes.

The validation and test clips are not changed. A track gives one for each minute, at most 4, as far
from each other as it allows; in the test split also one half way between any two.

CLIPS gets shards of 20 clips: an array of sounds and an archive of scores each. The command can be
stopped, and continues when it is run again; with a larger number of hours it makes more. A shard
takes 26 MB and some 15 seconds of two cores, most of it for the teachers; with KERAS_BACKEND=jax it
takes less, and the scores are the same within 2e-4.
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
import teacher_scores

RATE = 22050  # the highest of a student's
SECONDS = 30.0
CLIPS_PER_SHARD = 20
SEGMENTS, HOP = 10, 47872 / 16000  # of a clip; seconds between the teachers' segments
SHARES = {"games": 0.6, "rendered": 0.2, "voices": 0.2}
LONGEST = 300.0  # seconds; a longer track is not sampled more often
FASTER, MIXED, LOUDER = 0.5, 0.25, 0.5  # probabilities of the changes
MOST = 4  # clips of a track in validation and test
TRAIN, VALIDATION, TEST = "train", "validation", "test"


class Piece(NamedTuple):
    """Where a clip comes from: file, part of the corpus, length and start in seconds."""

    path: Path
    part: str
    length: float
    start: float


class Shard(NamedTuple):
    """Some clips: sounds (clips, samples) int16, scores (clips, segments, labels), parts."""

    sounds: np.ndarray
    scores: np.ndarray
    parts: tuple[str, ...]
    rate: int = RATE


# --- reading ---


def shards(folder: Path, split: str) -> list[Path]:
    """List the shards of a split.

    Raises:
        SystemExit: the folder has none.
    """
    found = sorted(folder.glob(f"{split}-*.npz"))
    if not found:
        raise SystemExit(
            f"{folder} has no {split}-*.npz. To fix this: run "
            "recipes/distillation/training_clips.py."
        )
    return found


def read(path: Path) -> Shard:
    """Open a shard. Its scores are the mean of the teachers'; its sounds stay on the disk."""
    with np.load(path) as kept:
        scores = np.mean([kept[name].astype("float32") for name in teacher_scores.TEACHERS], axis=0)
        parts = tuple(kept["parts"].tolist())
    return Shard(np.load(path.with_suffix(".npy"), mmap_mode="r"), scores, parts)


@cache
def read_at(path: Path, rate: int) -> Shard:
    """Return a shard at a network's sample rate. It stays in memory, 20 to 27 MB."""
    shard = read(path)
    if rate == shard.rate:
        return shard
    sounds = np.clip(np.round(at_rate(shard.sounds, rate) * 32767), -32768, 32767)
    return shard._replace(sounds=sounds.astype("int16"), rate=rate)


# --- making ---


def excerpt(piece: Piece, seconds: float) -> np.ndarray:
    """Read a piece at `RATE`. A file that ends early is repeated from the start of the piece."""
    count, end = round(seconds * RATE), piece.start + seconds
    rest = end > piece.length - 0.1  # the table's length is rounded
    blocks = list(audio.stream(piece.path, RATE, piece.start, None if rest else end))
    return np.resize(np.concatenate(blocks), count)


class Sampler:
    """Samples from the training split of the corpus."""

    def __init__(self, clips: Sequence[teacher_scores.Clip], folder: Path):
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

    def piece(self, rng: np.random.Generator, seconds: float) -> Piece:
        """Sample a file and a place in it."""
        part = self.parts[rng.choice(len(self.parts), p=self.shares)]
        clip = self.clips[part][rng.choice(len(self.clips[part]), p=self.weights[part])]
        start = rng.uniform(0, max(0.0, clip.seconds - seconds))
        return Piece(self.folder / clip.path, part, clip.seconds, start)

    def clip(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        """Sample a sound and change it; return it with its part of the corpus."""
        speed = np.exp(rng.uniform(-0.08, 0.08)) if rng.random() < FASTER else 1.0
        piece = self.piece(rng, speed * SECONDS)
        sound = excerpt(piece, speed * SECONDS)
        if speed != 1:
            sound = fitted(soxr.resample(sound, speed * RATE, RATE))
        if rng.random() < MIXED:
            under = excerpt(self.piece(rng, SECONDS), SECONDS)
            level = 10 ** (rng.uniform(-12, 0) / 20)
            sound = sound + level * (sound.std() + 1e-4) / (under.std() + 1e-4) * under
        if rng.random() < LOUDER:
            sound = sound * 10 ** (rng.uniform(-12, 6) / 20)
        return sound, piece.part


def fitted(sound: np.ndarray) -> np.ndarray:
    """Return exactly `SECONDS` of a sound that is a few samples off."""
    return np.resize(sound, round(SECONDS * RATE))


def whole(sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Return sounds as 16-bit integers; a sound that would clip is made softer."""
    stacked = np.stack([sound / max(1.0, np.abs(sound).max()) for sound in sounds])
    return np.round(stacked * 32767).astype("int16")


def fixed(clips: Sequence[teacher_scores.Clip], folder: Path, split: str) -> list[Piece]:
    """List the pieces of the validation or test split, in random order."""
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
    """Make the sounds of a shard; return them with their parts of the corpus."""
    clips = teacher_scores.read(folder)
    if split != TRAIN:
        pieces = fixed(clips, folder, split)[
            number * CLIPS_PER_SHARD : (number + 1) * CLIPS_PER_SHARD
        ]
        return whole([excerpt(piece, SECONDS) for piece in pieces]), tuple(p.part for p in pieces)
    # The text is the seed: with another one the clips would differ from ours.
    rng = np.random.default_rng(zlib.crc32(f"lesson {number}".encode()))
    sampler = Sampler(clips, folder)
    made = [sampler.clip(rng) for _ in range(CLIPS_PER_SHARD)]
    return whole([sound for sound, _ in made]), tuple(part for _, part in made)


# --- the teachers' scores ---


def at_rate(sounds: np.ndarray, rate: int) -> np.ndarray:
    """Return sounds at a network's sample rate: (clips, samples) float32."""
    floats = np.ascontiguousarray(np.asarray(sounds).T, "float32") / 32767  # (samples, clips)
    return np.ascontiguousarray(soxr.resample(floats, RATE, rate).T)


def scored(teacher: zoo.AudioModel, sounds: np.ndarray) -> np.ndarray:
    """Return a teacher's scores of each segment: (clips, segments, labels) float16."""
    rate, cut = teacher.sample_rate, teacher.segmentation
    if cut.hop / rate != HOP:
        raise SystemExit(f"{teacher.name} has a hop of {cut.hop / rate} s; expected {HOP} s")
    segments = [
        segment.samples
        for sound in at_rate(sounds, rate)
        for segment in audio.segments((sound, rate), rate, cut, tail=False)
    ]
    scores = teacher.predict(np.stack(segments), batch_size=2 * CLIPS_PER_SHARD, verbose=0)
    return scores.reshape(len(sounds), SEGMENTS, -1).astype("float16")


def keep(folder: Path, name: str, sounds: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    """Write a shard. The sounds come first: a file of scores then always has its sounds."""
    with replacing(folder / f"{name}.npy") as file:
        np.save(file, sounds)
    with replacing(folder / f"{name}.npz") as file:
        np.savez(file, **arrays)


def numbers(folder: Path, split: str, hours: float) -> range:
    """Return the numbers of the shards of a split."""
    if split == TRAIN:
        return range(round(hours * 3600 / SECONDS / CLIPS_PER_SHARD))
    return range(-(-len(fixed(teacher_scores.read(folder), folder, split)) // CLIPS_PER_SHARD))


def made(
    given: argparse.Namespace, split: str, absent: Sequence[int]
) -> Iterator[tuple[int, np.ndarray, tuple[str, ...]]]:
    """Make the sounds of shards in another thread, some shards ahead of the teachers."""
    with ThreadPoolExecutor(1) as pool:
        ahead = [(n, pool.submit(make, given.corpus, split, n)) for n in absent[:3]]
        for i in range(len(absent)):
            number, sounds = ahead.pop(0)
            if i + 3 < len(absent):
                ahead.append((absent[i + 3], pool.submit(make, given.corpus, split, absent[i + 3])))
            yield number, *sounds.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="The folder that recipes/corpus/build.py filled.")
    parser.add_argument("clips", type=Path, help="The folder to write the clips to.")
    parser.add_argument(
        "--hours",
        type=float,
        default=10.0,
        help="Hours of clips in the training split. Default: 10.",
    )
    given = parser.parse_args()
    given.clips.mkdir(parents=True, exist_ok=True)
    teachers = {name: zoo.load(name) for name in teacher_scores.TEACHERS}
    for split in (VALIDATION, TEST, TRAIN):
        names = {n: f"{split}-{n:04}" for n in numbers(given.corpus, split, given.hours)}
        absent = [n for n, name in names.items() if not (given.clips / f"{name}.npz").is_file()]
        batches = progress(made(given, split, absent), f"{split}, shards", total=len(absent))
        for number, sounds, parts in batches:
            scores = {name: scored(teacher, sounds) for name, teacher in teachers.items()}
            keep(given.clips, names[number], sounds, {**scores, "parts": np.array(parts)})


if __name__ == "__main__":
    main()
