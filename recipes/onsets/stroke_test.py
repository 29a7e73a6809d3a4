"""Score onset detectors on strokes as drummers play them, and on fast repeated notes.

    python recipes/onsets/stroke_test.py FOLDER

FOLDER is the folder that material.py and train.py filled; with `--published`, which scores the
published schluter2014.zoo, `material.py FOLDER --only strokes_validation strokes_test` is enough.
The two parts (`strokes.py`, `repeats.py`): "strokes_validation", two kits and a soundfont that were
used for choosing, and "strokes_test", another kit, drummer and room and another soundfont, which no
training and no choice has used. Detectors: schluter2014.madmom at madmom's threshold and at the one
of the best F on strokes_validation; schluter2014.zoo as trained in FOLDER, at its default threshold
and where its precision on strokes_validation is that of madmom's network at each of the two, so
that recall can be compared at the same precision; an older weight file of it (`--before FILE`).

It writes results/onset_strokes.csv. "all" has precision, recall and F of all clips together within
25 and 50 ms (mir_eval's matching). The other rows have recall alone, within 25 ms, of a part of the
onsets: by the time since the onset before, by instrument (onsets of one drum alone), by the level
beside the loudest stroke of the clip. Onsets that follow each other within 30 ms are one, as in
the paper. Intervals are of 95 %, from 1,000 resamplings of the clips.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.numpy
import score
import strokes
import train
from mir_eval.util import match_events
from rich.progress import track as progress

import zoo
from zoo.inference import onsets
from zoo.inference.variables import assign
from zoo.utils.files import write_csv

PARTS = ("strokes_validation", "strokes_test")
MADMOM = "schluter2014.madmom"
WINDOWS = (0.025, 0.05)
ROUNDS = 1000
GAPS = {"under 60 ms": (0, 0.06), "60 to 100 ms": (0.06, 0.1), "100 ms and more": (0.1, np.inf)}
LEVELS = {"up to 10 dB softer": (-10, 1), "10 to 20 dB softer": (-20, -10), "more": (-99, -20)}
HEADER = ["part", "detector", "threshold", "window", "of", "class", "onsets", "precision", "recall",
          "recall low", "recall high", "F", "F low", "F high"]  # fmt: skip


class Marked(NamedTuple):
    """What is known of a clip's onsets."""

    file: Path
    times: np.ndarray  # seconds
    instruments: np.ndarray
    levels: np.ndarray  # dB


def clips(folder: Path, part: str) -> list[Marked]:
    """Return the clips of a part."""
    found = []
    for archive in sorted(folder.glob(f"{part}-*.npz")):
        with np.load(archive) as kept:
            for file in sorted((folder / "sounds").glob(f"{archive.stem}-*.flac")):
                i = int(file.stem[-2:])
                names = (f"{name}{i}" for name in ("onsets", "instruments", "levels"))
                found.append(Marked(file, *(kept[name] for name in names)))
    return found


def classes(clip: Marked) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield kinds of classes, classes, and which onsets are of each: (onsets,) bool."""
    gaps = np.diff(clip.times, prepend=-1e3)  # before the first there is none
    for name, (low, high) in GAPS.items():
        yield "gap", name, (gaps >= low) & (gaps < high)
    for name in (*strokes.INSTRUMENTS, "several", "pitched"):
        yield "instrument", name, clip.instruments == name
    drums = clip.instruments != "pitched"
    for name, (low, high) in LEVELS.items():
        yield "level", name, drums & (clip.levels > low) & (clip.levels <= high)


def right(clip: Marked, found: np.ndarray, window: float) -> np.ndarray:
    """Return which onsets were found, (onsets,) bool."""
    hit = np.zeros(len(clip.times), bool)
    if len(found):
        hit[[i for i, _ in match_events(clip.times, found, window)]] = True
    return hit


def rows(part: list[Marked], found: list[np.ndarray]) -> Iterator[list[str]]:
    """Yield the rows of a detector, from the window on.

    Args:
        part: clips.
        found: the onsets found in each, in seconds.
    """
    draws = np.random.default_rng(0).integers(len(part), size=(ROUNDS, len(part)))
    for window in WINDOWS:
        hits = [right(clip, times, window) for clip, times in zip(part, found, strict=True)]
        counts = np.array([
            (len(clip.times), len(times), hit.sum())
            for clip, times, hit in zip(part, found, hits, strict=True)
        ])  # fmt: skip
        there, mine, both = counts.sum(axis=0)
        of = counts[draws].sum(axis=1).T  # (3, rounds)
        numbers = [both / mine, both / there, *interval(of[2] / of[0])]
        numbers += [2 * both / (there + mine), *interval(2 * of[2] / (of[0] + of[1]))]
        yield [f"{window:.3f}", "all", "all", str(there), *(f"{n:.4f}" for n in numbers)]
        if window != WINDOWS[0]:
            continue
        masks: dict[tuple[str, str], list[np.ndarray]] = {}
        for clip in part:
            for kind, name, mask in classes(clip):
                masks.setdefault((kind, name), []).append(mask)
        for (kind, name), each in masks.items():
            counts = np.array(
                [(m.sum(), (m & hit).sum()) for m, hit in zip(each, hits, strict=True)]
            )
            there, both = counts.sum(axis=0)
            if there:
                of = counts[draws].sum(axis=1).T
                numbers = [both / there, *interval(of[1] / np.maximum(of[0], 1))]
                cells = [f"{n:.4f}" for n in numbers]
                yield [f"{window:.3f}", kind, name, str(there), "", *cells, "", "", ""]


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the middle 95 %."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def precision(part: list[Marked], activations: list[np.ndarray], threshold: float) -> float:
    """Return the precision within 25 ms, of all clips together."""
    found = [score.picked(activation, threshold) for activation in activations]
    hits = [right(clip, times, WINDOWS[0]).sum() for clip, times in zip(part, found, strict=True)]
    return float(sum(hits) / max(1, sum(len(times) for times in found)))


def as_precise(part: list[Marked], activations: list[np.ndarray], wanted: float) -> float:
    """Return the lowest threshold that gives at least a precision, by bisection."""
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if precision(part, activations, middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def of_detector(
    name: str,
    activations: dict[str, list[np.ndarray]],
    parts: dict[str, list[Marked]],
    settings: dict[str, float],
) -> list[list[str]]:
    """Return all rows of a detector at some thresholds."""
    return [
        [part, name, f"{kind}: {value:.4f}", *row]
        for kind, value in settings.items()
        for part, marked in parts.items()
        for row in rows(marked, [score.picked(a, value) for a in activations[part]])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, help="The folder that material.py and train.py filled."
    )
    parser.add_argument(
        "--before", type=Path, help="An older weight file of schluter2014 to compare with."
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="Score the published schluter2014.zoo. Default: the network trained in FOLDER.",
    )
    given = parser.parse_args()
    parts = {part: clips(given.folder, part) for part in PARTS}
    own = zoo.load(train.NAME) if given.published else train.finished(given.folder)
    detectors = {MADMOM: zoo.load(MADMOM), train.NAME: own}
    if given.before:
        model, _ = train.network(train.NAME)
        assign(model, safetensors.numpy.load_file(given.before), given.before.name)
        detectors[f"{train.NAME} before"] = model
    activations = {}
    for name, model in detectors.items():
        activation = score.activation_of(model)
        activations[name] = {
            part: [activation(clip.file) for clip in progress(marked, f"{name}: {part}")]
            for part, marked in parts.items()
        }
    choosing = parts[PARTS[0]]
    theirs, ours = (activations[name][PARTS[0]] for name in (MADMOM, train.NAME))
    _, best = train.best_threshold([{"onsets": clip.times} for clip in choosing], theirs)
    settings = {name: {"default": onsets.THRESHOLD} for name in detectors}
    settings[MADMOM]["best on strokes_validation"] = best
    for kind, value in list(settings[MADMOM].items()):
        wanted = precision(choosing, theirs, value)
        settings[train.NAME][f"as precise as madmom's, {kind}"] = as_precise(choosing, ours, wanted)
    found = []
    for name in detectors:
        found += of_detector(name, activations[name], parts, settings[name])
    found.sort(key=lambda row: list(parts).index(row[0]))
    for row in found:
        print("  ".join(row))
    write_csv([HEADER, *found], score.RESULTS / "onset_strokes.csv")


if __name__ == "__main__":
    main()
