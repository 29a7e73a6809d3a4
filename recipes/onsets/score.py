"""Score onset detectors on clips on which none of them was trained.

    python recipes/onsets/score.py FOLDER [--annotated SOUND ONSETS]

FOLDER is the folder that material.py and train.py filled. The threshold of each detector is chosen
on the validation part. It is then scored on the three parts of the test: a soundfont, style files
of mma and drum kits that were not used in training. `--annotated` adds a recording that
a person annotated: a sound and a text file with an onset on each line. An example is madmom's test
clip (madmom's network may have been trained on it; that is not known).

    schluter2014.zoo       ours, at the default threshold
    schluter2014.madmom    at madmom's threshold, and at the best one on the validation
    librosa                onset_detect with its defaults, and with the best delta on the validation

It writes results/onsets.csv: precision, recall and F of all clips of a part together, an onset
being right within 25 ms (mir_eval's matching); and results/onset_ablation.csv: the four networks of
train.py beside the paper's scores. Those were measured on other data, so only the order can be
compared. The best threshold of each is that on the validation part. It is not written if FOLDER has
not got these four networks.
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import train
from features import SIZES, log_mels
from rich.progress import track as progress

import zoo
from zoo import audio
from zoo.evaluation.records import ClipOnsets
from zoo.inference import onsets
from zoo.models.schluter2014 import CONTEXT
from zoo.utils.files import write_csv

RESULTS = Path(__file__).resolve().parents[2] / "results"
PARTS = ("soundfont", "styles", "kits")
PAPER = (0.885, 0.890, 0.899, 0.903)  # section 3 and its table
DELTAS = np.arange(0.01, 0.3, 0.01)
Sounds = list[tuple[Path, np.ndarray]]
Detector = Callable[[np.ndarray, float], np.ndarray]  # activation, threshold -> times
HEADER = ["part", "detector", "threshold", "clips", "onsets", "found", "precision", "recall", "F"]


def clips(folder: Path, part: str) -> Sounds:
    """Return the sounds of a part with their onsets."""
    found = []
    for archive in sorted(folder.glob(f"{part}-*.npz")):
        with np.load(archive) as kept:
            for file in sorted((folder / "sounds").glob(f"{archive.stem}-*.flac")):
                found.append((file, kept[f"onsets{int(file.stem[-2:])}"]))
    return found


def strength(path: Path) -> np.ndarray:
    """Return the onset strength, of which librosa's detector picks peaks."""
    sound = np.concatenate(list(audio.stream(path, 44100)))
    return librosa.onset.onset_strength(y=sound, sr=44100, hop_length=441)


def peaks(envelope: np.ndarray, delta: float) -> np.ndarray:
    """Return librosa's onsets, in seconds."""
    return librosa.onset.onset_detect(
        onset_envelope=envelope, sr=44100, hop_length=441, units="time", delta=float(delta)
    )


@cache
def spectrograms(path: Path) -> np.ndarray:
    """Return the log-mels of a file, the first and the last frame repeated as in the network."""
    sound = np.concatenate(list(audio.stream(path, 44100)))
    ends = [(CONTEXT, CONTEXT), (0, 0), (0, 0)]
    return np.pad(log_mels(sound), ends, mode="edge")


def activation_of(model: zoo.AudioModel) -> Callable[[Path], np.ndarray]:
    """Return a function from a file of 16 bits to the activation of a network, (frames,).

    It is that of `model.onsets`, whose own log-mels take ten times as long on a CPU.
    """
    part = train.behind_log_mels(model)
    sizes = model.get_layer("features").config["frame_sizes"]
    order = [SIZES.index(size) for size in sizes]
    return lambda path: part.predict(spectrograms(path)[None, ..., order], verbose=0)[0, :, 0]


def picked(activation: np.ndarray, threshold: float) -> np.ndarray:
    """Return a network's onsets, in seconds."""
    return onsets.pick(activation, 100, threshold)


def measured(found: list[np.ndarray], sounds: Sounds) -> ClipOnsets:
    """Count the onsets and the onsets found in all clips together."""
    return train.together((times, mine) for (_, times), mine in zip(sounds, found, strict=True))


def rows(
    name: str,
    activation: Callable,
    detect: Detector,
    default: float,
    parts: dict[str, Sounds],
    tune: bool,
) -> list[list[str]]:
    """Return a detector's rows, with its default threshold and, with `tune`, with its best one."""
    activations = {
        part: [activation(path) for path, _ in progress(sounds, f"{name}: {part}")]
        for part, sounds in parts.items()
    }
    settings = {"default": default}
    if tune:
        grid = DELTAS if detect is peaks else train.THRESHOLDS
        settings["best on validation"] = max(
            (
                measured(
                    [detect(a, t) for a in activations["validation"]], parts["validation"]
                ).f_measure,
                t,
            )
            for t in grid
        )[1]
    lines = []
    for kind, value in settings.items():
        for part, sounds in parts.items():
            count = measured([detect(a, value) for a in activations[part]], sounds)
            sizes = (len(sounds), count.onsets, count.found)
            numbers = (count.precision, count.recall, count.f_measure)
            lines.append([part, name, f"{kind}: {value:.4f}", *map(str, sizes)])
            lines[-1] += [f"{number:.4f}" for number in numbers]
    return lines


def ablation(folder: Path) -> list[list[str]]:
    """Return the scores of the paper's four steps, beside the paper's own."""
    clips_of = {p: train.read(folder, p) for p in ("validation", *PARTS)}
    table_rows = []
    for step, theirs in zip(train.STEPS[:4], PAPER, strict=True):
        _, part = train.network_of(step, folder)
        activations = {p: train.predict(part, found) for p, found in clips_of.items()}
        f, threshold = train.best_threshold(clips_of["validation"], activations["validation"])
        test = [train.f_measure(clips_of[p], activations[p], threshold) for p in PARTS]
        numbers = (f, *test, float(np.mean(test)))
        table_rows.append([step, f"{theirs:.3f}", *(f"{n:.4f}" for n in numbers)])
    return table_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, help="The folder that material.py and train.py filled."
    )
    parser.add_argument(
        "--annotated",
        nargs=2,
        type=Path,
        metavar=("SOUND", "ONSETS"),
        help="An annotated recording to score as well. Default: none.",
    )
    given = parser.parse_args()
    parts = {part: clips(given.folder, part) for part in ("validation", *PARTS)}
    if given.annotated:
        sound, times = given.annotated
        parts["annotated recording"] = [(sound, np.loadtxt(times, ndmin=2)[:, 0])]
    found = []
    for name, tune in ((train.NAME, False), ("schluter2014.madmom", True)):
        model = train.finished(given.folder) if name == train.NAME else zoo.load(name)
        found += rows(name, activation_of(model), picked, onsets.THRESHOLD, parts, tune)
    found += rows("librosa", strength, peaks, 0.07, parts, True)
    order = list(parts)
    found.sort(key=lambda row: order.index(row[0]))
    for row in found:
        print("  ".join(row))
    write_csv([HEADER, *found], RESULTS / "onsets.csv")
    if not (given.folder / "state-0.npz").is_file():
        return  # train.py went on from a weight file
    head = ["step", "F in the paper", "F on validation", *(f"F on {p}" for p in PARTS), "mean F"]
    write_csv([head, *ablation(given.folder)], RESULTS / "onset_ablation.csv")


if __name__ == "__main__":
    main()
