"""Make the training clips of distillation: excerpts of the corpus with the teachers' scores.

    python recipes/corpus/notes.py NOTES
    python recipes/corpus/build.py CORPUS --rendered 3 --voices 0 --recordings RECORDINGS NOTES
    python recipes/distillation/training_clips.py CORPUS CLIPS --hours 50.7

A clip is 30 s of sound. It is changed at random and cut into 10 segments of 3 s. Each teacher
scores the clip **after** the changes, so that its scores belong to exactly the sound that the
student gets. The changes are for training only, and their probabilities are ours: another speed,
and so another pitch (every second clip); rooms, microphones, noise, compression and MP3
(`changes.py`); a second sound mixed under it, 0 to 12 dB softer (one in four); a gain of -12 to
6 dB (every second one).

`MIXES` says how many clips come from each part of the corpus, and how far the speed is changed. The
first 15 h are a mix for all tags, with speeds up to 8 % (1.3 semitones) up or down. Students of it
followed their teachers well on the players of the training, and less on others, above all with
strings, guitars and pianos. So the hours after it have more instruments, and speeds up to 20 %
(3 semitones), which make another instrument, or another singer, of the same recording. The hours
from 26.7 on (shards from 160 on) have more singers again, and less rendered music. Ours of the
first mix were made before there was `notes.py`, so none has its instruments; those of the second
have its first 14, those of the third its first 25. The hours from 38.7 on (shards from 232 on) have
more games again, and bowed strings and winds of an orchestra's players.

Of games, rendered music and synthetic voices, longer tracks are sampled more often, but none as if
it had more than 5 minutes. Of recordings, a player is sampled first, by the square root of what
there is of them, and files of that player are joined to 30 s. To every second clip of a singer an
accompaniment is added, of instruments, rendered music or games, 12 dB softer to 6 dB louder than
the voice.

The validation and test clips are not changed. A track gives one for each minute, at most 4, as far
from each other as it allows; in the test split also one half way between any two. `MOST_CLIPS` of
each split are taken at random. (What holds on real music is not decided here, but by
`recipes/real_test`.)

A teacher of 3 s segments scores each segment, one of longer segments the whole clip; the scores of
each teacher are kept apart on disk, so that another mean of the teachers needs no new pass. The
same command adds the scores of a teacher that shards do not have yet.

CLIPS gets shards of 20 clips: an array of sounds and an archive of scores each. The command can be
stopped, and continues when it is run again; with a larger number of hours it makes more.
`--only train` makes only that split. A shard takes 26 MB and some 20 seconds of a core, most of
it for the teachers; KERAS_BACKEND=jax is the fastest on a processor.
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
import changes
import teacher_scores

RATE = 22050  # the highest of a student's
SECONDS = 30.0
CLIPS_PER_SHARD = 20
SEGMENTS, HOP = 10, 47872 / 16000  # of a clip; seconds between the teachers' segments
ACCOMPANIED = 0.5  # of the clips of a singer
JOIN = 0.01  # s; fade at both ends of a file that is joined to others
LONGEST = 300.0  # seconds; a longer track is not sampled more often
FASTER, MIXED, LOUDER = 0.5, 0.25, 0.5  # probabilities of the changes
MOST = 4  # clips of a track in validation and test
MOST_CLIPS = {"validation": 120, "test": 120}
TRAIN, VALIDATION, TEST = "train", "validation", "test"


class Mix(NamedTuple):
    """Where training clips come from."""

    first: int  # shard of this mix
    shares: dict[str, float]  # of the parts of the corpus
    uses: dict[str, float]  # of the recordings
    faster: float  # change of speed, at most; 0.08 for 8 %


MIXES = (
    Mix(
        0,
        {"games": 0.27, "rendered": 0.2, "voices": 0.1, "recordings": 0.43},
        {"voice": 0.5, "instrument": 0.3, "song": 0.2},
        0.08,
    ),
    Mix(
        90,
        {"games": 0.2, "rendered": 0.2, "recordings": 0.6},
        {"voice": 0.35, "instrument": 0.5, "song": 0.15},
        0.2,
    ),
    Mix(
        160,
        {"games": 0.2, "rendered": 0.15, "recordings": 0.65},
        {"voice": 0.42, "instrument": 0.42, "song": 0.16},
        0.2,
    ),
    Mix(
        232,
        {"games": 0.4, "rendered": 0.12, "recordings": 0.48},
        {"voice": 0.37, "instrument": 0.5, "song": 0.13},
        0.2,
    ),
)
USES = tuple(MIXES[0].uses)


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

    def of(self, parts: Sequence[str]) -> "Shard":
        """Return the clips of some parts of the corpus; all clips if no part is given."""
        if not parts:
            return self
        index = [i for i, part in enumerate(self.parts) if part in parts]
        found = tuple(self.parts[i] for i in index)
        return self._replace(sounds=self.sounds[index], scores=self.scores[index], parts=found)


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
    """Open a shard. Its scores are the mean of the teachers'; its sounds stay on the disk.

    The one score of a teacher that takes whole clips counts for each of their segments.
    """
    with np.load(path) as kept:
        of_each = [kept[name].astype("float32") for name in teacher_scores.TEACHERS]
        scores = sum(np.broadcast_to(s, (len(s), SEGMENTS, s.shape[2])) for s in of_each)
        scores = scores / np.float32(len(of_each))
        parts = tuple(kept["parts"].tolist())
    return Shard(np.load(path.with_suffix(".npy"), mmap_mode="r"), scores, parts)


def parts(folder: Path, split: str) -> list[str]:
    """Return the part of the corpus of each clip of a split."""
    found: list[str] = []
    for path in shards(folder, split):
        with np.load(path) as kept:
            found += kept["parts"].tolist()
    return found


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


def joined(paths: Sequence[Path], seconds: float) -> np.ndarray:
    """Read files one after the other, with short fades, until they fill some seconds."""
    count = round(seconds * RATE)
    fade = np.linspace(0, 1, round(JOIN * RATE), dtype="float32")
    parts: list[np.ndarray] = []
    for path in paths:
        sound = np.concatenate(list(audio.stream(path, RATE)))
        sound[: len(fade)] *= fade
        sound[-len(fade) :] *= fade[::-1]
        parts.append(sound)
        if sum(map(len, parts)) >= count:
            break
    return np.resize(np.concatenate(parts), count)


class Sampler:
    """Samples from the training split of the corpus."""

    def __init__(self, clips: Sequence[teacher_scores.Clip], folder: Path, mix: Mix):
        self.folder, self.mix = folder, mix
        self.clips = {
            part: [c for c in clips if c.part == part and c.split == TRAIN] for part in mix.shares
        }
        self.clips = {part: found for part, found in self.clips.items() if found}
        self.parts = list(self.clips)
        shares = np.array([mix.shares[part] for part in self.parts])
        self.shares = shares / shares.sum()
        lengths = {p: np.array([min(c.seconds, LONGEST) for c in f]) for p, f in self.clips.items()}
        self.weights = {part: length / length.sum() for part, length in lengths.items()}
        self.players: dict[str, dict[str, list[teacher_scores.Clip]]] = {}
        for clip in self.clips.get("recordings", ()):
            self.players.setdefault(clip.kind, {}).setdefault(clip.group, []).append(clip)

    def piece(
        self, rng: np.random.Generator, seconds: float, parts: Sequence[str] = ()
    ) -> tuple[np.ndarray, str]:
        """Sample a sound of a part of the corpus; return it with the part."""
        if parts:
            part = parts[rng.integers(len(parts))]
        else:
            part = self.parts[rng.choice(len(self.parts), p=self.shares)]
        if part == "recordings":
            uses = [use for use in self.mix.uses if use in self.players]
            shares = np.array([self.mix.uses[use] for use in uses])
            use = uses[rng.choice(len(uses), p=shares / shares.sum())]
            sound = self.recording(rng, use, seconds)
            if use == "voice" and rng.random() < ACCOMPANIED:
                sound = self.accompanied(rng, sound, seconds)
            return sound, f"recordings/{use}"
        clip = self.clips[part][rng.choice(len(self.clips[part]), p=self.weights[part])]
        start = rng.uniform(0, max(0.0, clip.seconds - seconds))
        return excerpt(Piece(self.folder / clip.path, part, clip.seconds, start), seconds), part

    def recording(self, rng: np.random.Generator, use: str, seconds: float) -> np.ndarray:
        """Sample a player, and files of that player, or a place in a song."""
        players = list(self.players[use].values())
        lengths = np.array([sum(clip.seconds for clip in found) for found in players]) ** 0.5
        found = players[rng.choice(len(players), p=lengths / lengths.sum())]
        clip = found[rng.integers(len(found))]
        if clip.seconds >= seconds:
            start = rng.uniform(0, clip.seconds - seconds)
            path = self.folder / clip.path
            return excerpt(Piece(path, "recordings", clip.seconds, start), seconds)
        short = [other for other in found if other.seconds < seconds]
        return joined([self.folder / short[i].path for i in rng.permutation(len(short))], seconds)

    def accompanied(
        self, rng: np.random.Generator, voice: np.ndarray, seconds: float
    ) -> np.ndarray:
        """Add a sound without this singer to a voice."""
        others = [part for part in ("games", "rendered") if part in self.clips]
        if "instrument" in self.players and (not others or rng.random() < 0.4):
            under = self.recording(rng, "instrument", seconds)
        else:
            under, _ = self.piece(rng, seconds, others)
        level = 10 ** (rng.uniform(-12, 6) / 20)
        return voice + level * (voice.std() + 1e-4) / (under.std() + 1e-4) * under

    def clip(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        """Sample a sound and change it; return it with its part of the corpus."""
        most = self.mix.faster
        speed = np.exp(rng.uniform(-most, most)) if rng.random() < FASTER else 1.0
        sound, part = self.piece(rng, speed * SECONDS)
        if speed != 1:
            sound = fitted(soxr.resample(sound, speed * RATE, RATE))
        sound = changes.changed(sound, RATE, rng)
        if rng.random() < MIXED:
            under, _ = self.piece(rng, SECONDS)
            level = 10 ** (rng.uniform(-12, 0) / 20)
            sound = sound + level * (sound.std() + 1e-4) / (under.std() + 1e-4) * under
        if rng.random() < LOUDER:
            sound = sound * 10 ** (rng.uniform(-12, 6) / 20)
        return sound, part


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
    return [pieces[i] for i in order[: MOST_CLIPS[split]]]


def make(folder: Path, split: str, number: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Make the sounds of a shard; return them with their parts of the corpus."""
    clips = teacher_scores.read(folder)
    if split != TRAIN:
        pieces = fixed(clips, folder, split)[
            number * CLIPS_PER_SHARD : (number + 1) * CLIPS_PER_SHARD
        ]
        return whole([excerpt(piece, SECONDS) for piece in pieces]), tuple(p.part for p in pieces)
    # The text is the seed: with another one the clips would differ from ours.
    rng = np.random.default_rng(zlib.crc32(f"clips of real music {number}".encode()))
    mix = next(mix for mix in reversed(MIXES) if number >= mix.first)
    sampler = Sampler(clips, folder, mix)
    made = [sampler.clip(rng) for _ in range(CLIPS_PER_SHARD)]
    return whole([sound for sound, _ in made]), tuple(part for _, part in made)


# --- the teachers' scores ---


def at_rate(sounds: np.ndarray, rate: int) -> np.ndarray:
    """Return sounds at a network's sample rate: (clips, samples) float32."""
    floats = np.ascontiguousarray(np.asarray(sounds).T, "float32") / 32767  # (samples, clips)
    return np.ascontiguousarray(soxr.resample(floats, RATE, rate).T)


def scored(teacher: zoo.AudioModel, sounds: np.ndarray) -> np.ndarray:
    """Return a teacher's scores: (clips, segments, labels) float16; of whole clips, 1 segment."""
    rate, length = teacher.sample_rate, teacher.segmentation.segment
    resampled = at_rate(sounds, rate)
    if length > resampled.shape[1] // 2:
        starts = [(resampled.shape[1] - length) // 2]
    else:
        starts = [round(i * HOP * rate) for i in range(SEGMENTS)]
        # Zeros before the first segment, as in `AudioModel.taggram`; the last may be longer.
        resampled = np.pad(resampled, ((0, 0), (teacher.segmentation.pad, length)))
    segments = np.stack([resampled[:, start : start + length] for start in starts], axis=1)
    scores = teacher.predict(segments.reshape(-1, length), batch_size=CLIPS_PER_SHARD, verbose=0)
    return scores.reshape(len(sounds), len(starts), -1).astype("float16")


def keep(folder: Path, name: str, sounds: np.ndarray | None, arrays: dict[str, np.ndarray]) -> None:
    """Write a shard. The sounds come first: a file of scores then always has its sounds.

    Args:
        folder: the folder of the shards.
        name: of the shard.
        sounds: its sounds; None if they are there already.
        arrays: scores of each teacher, and parts.
    """
    if sounds is not None:
        with replacing(folder / f"{name}.npy") as file:
            np.save(file, sounds)
    with replacing(folder / f"{name}.npz") as file:
        np.savez(file, **arrays)


def numbers(folder: Path, split: str, hours: float, first: int = 0) -> range:
    """Return the numbers of the shards of a split; of training from `first` on."""
    if split == TRAIN:
        return range(first, round(hours * 3600 / SECONDS / CLIPS_PER_SHARD))
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
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        metavar="SHARD",
        help="Leave out the training shards before this one. Default: 0, none.",
    )
    parser.add_argument(
        "--only",
        choices=(TRAIN, VALIDATION, TEST),
        nargs="+",
        default=(VALIDATION, TEST, TRAIN),
        help="Make only these splits. Default: all.",
    )
    given = parser.parse_args()
    given.clips.mkdir(parents=True, exist_ok=True)
    teachers = {name: zoo.load(name) for name in teacher_scores.TEACHERS}
    for split in given.only:
        wanted = numbers(given.corpus, split, given.hours, given.first)
        names = {n: f"{split}-{n:04}" for n in wanted}
        lacking = [name for name in names.values() if missing(given.clips / f"{name}.npz")]
        for name in progress(lacking, f"{split}, scores of more teachers"):
            with np.load(given.clips / f"{name}.npz") as kept:
                arrays = dict(kept)
            sounds = np.load(given.clips / f"{name}.npy")
            arrays |= {t: scored(teachers[t], sounds) for t in teachers if t not in arrays}
            keep(given.clips, name, None, arrays)
        absent = [n for n, name in names.items() if not (given.clips / f"{name}.npz").is_file()]
        batches = progress(made(given, split, absent), f"{split}, shards", total=len(absent))
        for number, sounds, parts in batches:
            scores = {name: scored(teacher, sounds) for name, teacher in teachers.items()}
            keep(given.clips, names[number], sounds, {**scores, "parts": np.array(parts)})


def missing(path: Path) -> set[str]:
    """Return the teachers whose scores a shard that is there does not have."""
    if not path.is_file():
        return set()
    with np.load(path) as kept:
        return set(teacher_scores.TEACHERS) - set(kept.files)


if __name__ == "__main__":
    main()
