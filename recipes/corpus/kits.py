"""Real drums: the one-shots of the kits of `hydrogen-drumkits`, played from a score."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import playing as p
import soundfile
import soxr
from rendering import SAMPLE_RATE

PACKAGE = "hydrogen-drumkits"
PATTERN = "usr/share/hydrogen/data/drumkits/*"
KITS = {
    "train": ("Audiophob", "BJA_Pacific", "ColomboAcousticDrumkit", "HardElectro1",
              "circAfrique v4", "Millo-Drums_v.1", "The Black Pearl 1.0", "VariBreaks"),
    "validation": ("ForzeeStereo", "rumpf_kit_z01_h2"),
    "test": ("ElectricEmpireKit", "Millo_MultiLayered2", "Gimme A Hand 1.0"),
}  # fmt: skip
# Names of drums in the kits; the first pattern that matches counts.
NAMES = (
    (p.CLAP, r"clap"),
    (p.OPEN, r"open|hh ?o|hihat 3|hat 3"),
    (p.CLOSED, r"hat|hh|closed|pedal|shaker|tamb"),
    (p.CRASH, r"crash|cymbal|splash|china"),
    (p.RIDE, r"ride|bell"),
    (p.SNARE, r"snare|snr|sd|rim|stick|slap"),
    (p.HIGH, r"(hi|high|small|tom ?1|1st).*|.*conga.*high|bongo"),
    (p.LOW, r"floor|low|tom ?3|large|djun"),
    (p.KICK, r"kick|bass ?d|bd|stomp|808"),
    (p.MIDDLE, r"tom|conga|perc|djembe|drum|mid"),
)
INSTEAD = {p.CLAP: p.SNARE, p.OPEN: p.CLOSED, p.RIDE: p.CLOSED, p.CRASH: p.OPEN, p.CLOSED: p.RIDE}
INSTEAD |= {p.HIGH: p.MIDDLE, p.LOW: p.MIDDLE, p.MIDDLE: p.SNARE, p.SNARE: p.MIDDLE, p.KICK: p.LOW}


@cache
def kit(folder: Path, sample_rate: int = SAMPLE_RATE) -> dict[int, list[np.ndarray]]:
    """Read a kit: General MIDI drum -> its samples, softest stroke first."""
    drums: dict[int, list[np.ndarray]] = {}
    text = re.sub(
        r' xmlns(:\w+)?="[^"]*"| xsi:\w+="[^"]*"', "", (folder / "drumkit.xml").read_text("utf-8")
    )
    for instrument in ElementTree.fromstring(text).iter("instrument"):
        name = (instrument.findtext("name") or "").lower()
        drum = next((number for number, words in NAMES if re.search(words, name)), None)
        files = [node.text for node in instrument.iter("filename") if node.text]
        if drum is None or drum in drums:
            continue
        sounds = []
        for file in files[:6]:
            if (folder / file).is_file():
                sound, rate = soundfile.read(folder / file, dtype="float32", always_2d=True)
                sounds.append(
                    soxr.resample(sound.mean(axis=1), rate, sample_rate)[: 3 * sample_rate]
                )
        if sounds:
            drums[drum] = sorted(sounds, key=lambda sound: float(np.abs(sound).max()))
    return drums


def play(
    notes: Sequence[p.Note],
    drums: dict[int, list[np.ndarray]],
    seconds: float,
    rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """Play strokes: (samples,). A drum that a kit lacks is played on one like it."""
    sound = np.zeros(int((seconds + 3.5) * rate), np.float32)
    for note in notes:
        layer = stroke(note, drums)
        if layer is not None:
            start = int(note.start * rate)
            room = sound[start : start + len(layer)]
            room += layer[: len(room)] * (note.velocity / 127) ** 1.5
    return sound[: int(seconds * rate)]


def stroke(note: p.Note, drums: dict[int, list[np.ndarray]]) -> np.ndarray | None:
    """Return the sample that is played for a stroke; None if the kit has nothing like it."""
    drum, tries = note.pitch, 0
    while drum not in drums and tries < 4:
        drum, tries = INSTEAD.get(drum, p.SNARE), tries + 1
    layers = drums.get(drum)
    return layers[min(int(note.velocity / 128 * len(layers)), len(layers) - 1)] if layers else None
