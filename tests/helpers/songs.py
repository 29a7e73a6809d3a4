"""Short synthetic sounds for the training tests; a small network can classify them."""

from pathlib import Path

import numpy as np
import soundfile

from zoo.data import Clip, Corpus

RATE = 16000


def make(
    folder: Path,
    clips: int = 6,
    seconds: float = 1.2,
    kinds: tuple[str, ...] = ("noise", "tone"),
    rate: int = RATE,
) -> Corpus:
    """Write so many clips of each kind, a class each, and return them as a corpus."""
    found = []
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(clips):
            path = folder / kind / f"{i}.wav"
            rng = np.random.default_rng((i, len(kind)))
            soundfile.write(path, sound(kind, round(rate * seconds), rng), rate)
            found.append(Clip(path, (kind,)))
    return Corpus(folder.name, tuple(found), tuple(kinds), single_label=True)


def sound(kind: str, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise, a tone, or both, at a random level: (samples,) float32."""
    time = np.arange(samples) / RATE
    noise = rng.normal(0, 0.2, samples)
    tone = 0.4 * np.sin(2 * np.pi * rng.uniform(300, 3000) * time)
    parts = {"noise": noise, "tone": tone + 0.05 * noise, "both": tone + noise}
    return (rng.uniform(0.5, 1) * parts[kind]).astype("float32")
