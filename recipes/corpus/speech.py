"""Real voices in Debian packages, as sounds and as syllables for singing.

Telephone prompts (asterisk-core-sounds: Allison Smith in English and in Spanish, June Wallack in
French, Carlo in Italian, a Russian woman; CC BY-SA 3.0), and the talk of the two fish of Fish
Fillets, played by actors in Czech and in Dutch (GPL-2+): the small fish is a woman, the big one a
man. Prompts are coded as G.722, which `ffmpeg` reads. A voice is in one split only.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import singing
import soundfile
import soxr

RATE = singing.SAMPLE_RATE
MINUTES = 12  # of speech to take from each voice
LONGEST = 20.0  # seconds; longer recordings are cut there


class Voice(NamedTuple):
    """A person who speaks."""

    name: str
    package: str
    pattern: str  # of its files in the package
    female: bool
    split: str


FISH = "usr/share/games/fillets-ng/sound/*/{}/*-{}-*.ogg"
PROMPTS = "usr/share/asterisk/sounds/*.g722"
VOICES = (
    Voice("allison", "asterisk-core-sounds-en-g722", PROMPTS, True, "train"),
    Voice("allison-es", "asterisk-core-sounds-es-g722", PROMPTS, True, "train"),
    Voice("june", "asterisk-core-sounds-fr-g722", PROMPTS, True, "train"),
    Voice("fish-cs-woman", "fillets-ng-data-cs", FISH.format("cs", "m"), True, "train"),
    Voice("fish-cs-man", "fillets-ng-data-cs", FISH.format("cs", "v"), False, "train"),
    Voice("russian", "asterisk-core-sounds-ru-g722", PROMPTS, True, "validation"),
    Voice("carlo", "asterisk-core-sounds-it-g722", PROMPTS, False, "validation"),
    Voice("fish-nl-woman", "fillets-ng-data-nl", FISH.format("nl", "m"), True, "test"),
    Voice("fish-nl-man", "fillets-ng-data-nl", FISH.format("nl", "v"), False, "test"),
)


def packages() -> dict[str, list[str]]:
    """Return the files to fetch: package -> patterns."""
    wanted: dict[str, list[str]] = {}
    for voice in VOICES:
        wanted.setdefault(voice.package, []).append(voice.pattern)
    return wanted


def recordings(voice: Voice, folder: Path) -> Iterator[np.ndarray]:
    """Yield the recordings of a voice: (samples,) at 16 kHz, silence cut off.

    Args:
        voice: the voice.
        folder: the folder into which the packages were fetched.
    """
    files = sorted((folder / voice.package).glob(voice.pattern.replace("sounds/*", "sounds/**/*")))
    order = np.random.default_rng(0).permutation(len(files))
    for i in order:
        if "silence" in files[i].name or files[i].stat().st_size < 8000:
            continue
        sound = decoded(files[i])
        loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max(initial=1e-6))
        if len(loud) > RATE // 2:
            yield sound[max(loud[0] - 400, 0) : loud[-1] + 800]


def decoded(file: Path) -> np.ndarray:
    """Read a file: (samples,) float32 at 16 kHz, at most 20 s."""
    if file.suffix == ".g722":
        command = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(file), "-f", "s16le", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        sound, rate = np.frombuffer(raw, "<i2").astype(np.float32) / 32768, RATE
    else:
        sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
        sound = soxr.resample(sound.mean(axis=1), rate, RATE)
    return sound[: int(LONGEST * RATE)]


class Repertoire(NamedTuple):
    """The recordings and syllables of a voice."""

    voice: Voice
    speech: np.ndarray  # (samples,) int16 at 16 kHz: recordings with pauses between
    syllables: list[singing.Syllable]
    pitch: float  # MIDI number of the median of its speech


def repertoire(voice: Voice, folder: Path, cache: Path) -> Repertoire:
    """Return the repertoire of a voice; its analysis is kept in a file of the cache."""
    file = cache / f"{voice.name}.npz"
    if not file.is_file():
        pieces, analyses, total = [], [], 0
        for sound in recordings(voice, folder):
            sound = 0.1 * sound / (np.sqrt(np.mean(sound**2)) + 1e-6)
            pieces.append(np.concatenate([sound, np.zeros(RATE // 4, np.float32)]))
            analyses.append(singing.analyse(sound))
            total += len(pieces[-1])
            if total > MINUTES * 60 * RATE:
                break
        lengths = [len(a.pitched) for a in analyses]
        pitched = np.concatenate([a.pitched for a in analyses])
        pitch = np.concatenate([a.pitch for a in analyses])[pitched]
        cache.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.part")
        with part.open("wb") as target:
            np.savez(
                target,
                speech=np.clip(32767 * np.concatenate(pieces), -32768, 32767).astype(np.int16),
                cepstra=np.concatenate([singing.cepstra(a.envelopes) for a in analyses]),
                pitched=pitched,
                lengths=lengths,
                pitch=69 + 12 * np.log2(np.median(pitch) / 440),
            )
        part.replace(file)
    stored = np.load(file)
    cepstra, pitched, found, start = stored["cepstra"], stored["pitched"], [], 0
    for length in stored["lengths"]:
        found += singing.syllables(cepstra[start : start + length], pitched[start : start + length])
        start += length
    return Repertoire(voice, stored["speech"], found, float(stored["pitch"]))
