"""Measure how much a tagger's scores change when the sound is worse, or a little different.

    python recipes/genre_test/fetch.py FOLDER
    python benchmarks/robustness.py FOLDER WORK
    python benchmarks/robustness.py FOLDER WORK --models pons2017.mtt zhu2016.zoo

The middle 30 s of each of the 80 tracks of the public genre test set (recipes/genre_test/tracks.py
lists its weaknesses), unchanged and

    MP3 64 kbit/s     encoded and decoded again, stereo
    -12 dB            softer
    left channel      mono from one channel, instead of the mean of both
    8 kHz band        nothing above 8 kHz: resampled to 16 kHz and back; this changes nothing
                      for models at 16 kHz or less
    +1 semitone       pitch only, by librosa's phase vocoder, which itself smears a little

Two numbers of each: the mean ROC-AUC of the four genres that all checkpoints have, with intervals
of 95 % over 1,000 resamples of the artists; and the mean absolute difference of the scores of all
tags from those of the unchanged sound. Writes results/robustness.csv, model by model; the rows of
other models stay. The changed sounds stay in WORK (3.6 GB).

A quarter of that mean are two rock tracks of one artist, so results/robustness_genres.csv has each
genre, also classical where a model has it, and the mean of the other three. `--models` also takes
the file of a network that was saved, NAME=FILE, to compare weights with those before them: its
lines are only in that second table. Ours were saved in checkouts of the commits that they name,

    python -c 'import zoo; zoo.load("lee2017.zoo").save("before.keras")'
    python benchmarks/robustness.py FOLDER WORK --models lee2017.zoo@3a93074=before.keras
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soundfile
import soxr
from rich.progress import track as progress

import zoo
from zoo.data.corpus import Corpus
from zoo.errors import WeightsError
from zoo.evaluation import scores
from zoo.evaluation.tags import of_tags

sys.path.append(str(Path(__file__).resolve().parents[1] / "recipes" / "genre_test"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "recipes" / "distillation"))
import following
import score as genre_test
import tracks

RESULTS = Path(__file__).resolve().parents[1] / "results"

SECONDS = 30.0
# libsndfile's compression level of MP3 with a constant rate goes from 320 kbit/s down to 32.
MP3 = {"format": "MP3", "bitrate_mode": "CONSTANT", "compression_level": (320 - 64) / (320 - 32)}
WAV = {"format": "WAV", "subtype": "FLOAT"}
HEADER = ("model", "change", "clips", "artists", "ROC-AUC", "low", "high", "drop from unchanged",
          "mean absolute difference of scores")  # fmt: skip

GENRE_HEADER = ("model", "change", "genre", "with it", "ROC-AUC")
OTHERS = "mean without rock and classical"


def band(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return a sound (samples, channels) without frequencies above 8 kHz."""
    return soxr.resample(soxr.resample(sound, rate, 16000), 16000, rate)


def semitone(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return a sound (samples, channels) a semitone higher, as long as before."""
    return librosa.effects.pitch_shift(sound.T, sr=rate, n_steps=1).T


CHANGES: dict[str, tuple[Callable[[np.ndarray, int], np.ndarray], dict]] = {
    "unchanged": (lambda sound, rate: sound, WAV),
    "MP3 64 kbit/s": (lambda sound, rate: sound, MP3),
    "-12 dB": (lambda sound, rate: sound * 10 ** (-12 / 20), WAV),
    "left channel": (lambda sound, rate: sound[:, 0], WAV),
    "8 kHz band": (band, WAV),
    "+1 semitone": (semitone, WAV),
}


def changed(whole: Corpus, change: str, work: Path) -> Corpus:
    """Return the corpus with the middle of each track, changed; make missing files."""
    make, form = CHANGES[change]
    folder = work / change.replace(" ", "_").replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for i, clip in enumerate(progress(whole.clips, change)):
        file = folder / f"{i:02}.{form['format'].lower()}"
        if not file.is_file():
            with soundfile.SoundFile(clip.path) as sound:
                length = round(SECONDS * sound.samplerate)
                sound.seek(max(0, (sound.frames - length) // 2))
                samples = sound.read(length, dtype="float32", always_2d=True)
            part = file.with_suffix(".part")
            soundfile.write(part, make(samples, sound.samplerate), sound.samplerate, **form)
            part.replace(file)
        clips.append(clip._replace(path=file))
    return Corpus(f"{whole.name}, {change}", tuple(clips), whole.labels)


def rows(
    name: str, file: str, corpora: dict[str, Corpus]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the lines of a checkpoint, or of a saved network, in both tables.

    Args:
        name: of the lines.
        file: checkpoint or file to load.
        corpora: the test set after each change.
    """
    model = zoo.load(file)
    lines: list[list[str]] = []
    of_each: list[list[str]] = []
    reference: np.ndarray | None = None
    first = 0.0
    for change, corpus in progress(corpora.items(), name):
        predicted = scores.predict(model, corpus)
        four = genre_test.only(corpus, tracks.GENRES[1:])
        tags = scores.matched(name, model.labels, four)
        result = of_tags(model, four, tags, predicted, bootstrap=1000, seed=0)
        auc = result.metrics["ROC-AUC"]
        if reference is None:
            reference, first = predicted.values, auc.value
        moved = float(np.abs(predicted.values - reference).mean())
        numbers = [f"{value:.4f}" for value in (*auc, first - auc.value, moved)]
        lines.append([name, change, str(result.clips), str(result.groups), *numbers])
        of_each += genres(name, change, model, corpus, predicted)
    return lines, of_each


def genres(
    name: str, change: str, model: zoo.AudioModel, corpus: Corpus, predicted: scores.Predictions
) -> list[list[str]]:
    """Return the lines of each genre that a model has, and of the mean of three."""
    tags = scores.matched(name, model.labels, corpus)
    result = of_tags(model, corpus, tags, predicted, bootstrap=0, seed=0)
    areas = {tag.tag: tag.roc_auc.value for tag in result.tags}
    lines = [
        [name, change, tag.tag, str(tag.positives), f"{areas[tag.tag]:.4f}"] for tag in result.tags
    ]
    mean = np.mean([areas[genre] for genre in tracks.GENRES[1:4]])
    return [*lines, [name, change, OTHERS, "", f"{mean:.4f}"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, help="The folder that recipes/genre_test/fetch.py filled."
    )
    parser.add_argument("work", type=Path, help="The folder to write changed sounds to.")
    parser.add_argument(
        "--models",
        nargs="+",
        help="Checkpoints to measure, or NAME=FILE. Default: all that have the genres.",
    )
    given = parser.parse_args()
    whole = tracks.corpus(given.folder)
    corpora = {change: changed(whole, change, given.work) for change in CHANGES}
    for text in given.models or genre_test.candidates():
        name, _, file = text.partition("=")
        try:
            lines, of_each = rows(name, file or name, corpora)
        except WeightsError as error:
            print(f"{name} is left out: {error}")
            continue
        following.merge(RESULTS / "robustness_genres.csv", GENRE_HEADER, of_each, keys=3)
        if not file:
            following.merge(RESULTS / "robustness.csv", HEADER, lines)
        for line in lines:
            print("  ".join(line), flush=True)


if __name__ == "__main__":
    main()
