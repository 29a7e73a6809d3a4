"""Score the default taggers in fewer bits on the genre test.

    python recipes/genre_test/fetch.py FOLDER
    python recipes/genre_test/precision.py FOLDER

writes `results/precision.csv`: for each default tagger in ONNX Runtime's float32, in float16 and
int8 weights (`zoo.export(quantize=...)`) and in bfloat16 the mean ROC-AUC over the genres, on the
middle 30 s of each track, and the largest and mean difference of a clip's score from float32. A
precision that `zoo.export` refuses has the reason in its row. OpenVINO's bfloat16 is left out on
processors without it, where it computes in float32; Keras rounds to bfloat16 on any. `score.py`
scores whole tracks, so that its float32 numbers differ.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import track
from sklearn.metrics import roc_auc_score
from tracks import GENRES, corpus

import zoo
from zoo.data.corpus import Clip
from zoo.registry import lookup
from zoo.weights.export import QUANTIZED

sys.path += [
    str(Path(__file__).resolve().parents[1] / name) for name in ("distillation", "real_test")
]
import following
from real_scores import of_questions

RESULTS = Path(__file__).resolve().parents[2] / "results"
HEADER = ("checkpoint", "precision", "clips", "ROC-AUC", "largest", "mean", "reason")
SECONDS = 30
BFLOAT16 = ("avx512_bf16", "amx_bf16")  # flags of Linux


def has_bfloat16() -> bool:
    """Say whether the processor computes in bfloat16, as far as Linux tells."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and any(flag in flags.read_text() for flag in BFLOAT16)


def precisions(
    name: str, folder: Path
) -> Iterator[tuple[str, zoo.AudioModel | zoo.RuntimeModel | str]]:
    """Yield each precision's name and network, or the reason why there is none."""
    yield "float32", zoo.load(name, runtime="onnx")
    model = zoo.load(name)
    for quantize in QUANTIZED:
        path = folder / f"{name}.{quantize}.onnx"
        try:
            yield quantize, zoo.load(zoo.export(model, path, quantize=quantize))
        except zoo.ConfigError as error:
            yield quantize, str(error)
    if has_bfloat16():
        yield "bfloat16, OpenVINO", zoo.load(name, runtime="openvino", dtype="bfloat16")
    yield "bfloat16, Keras", zoo.load(name, dtype="mixed_bfloat16")


def cut(clips: list[Clip], folder: Path) -> list[Path]:
    """Write the middle of each track as a FLAC file at its own rate."""
    paths = []
    for i, clip in enumerate(track(clips, "clips", transient=True)):
        with soundfile.SoundFile(clip.path) as file:
            wanted = round(SECONDS * file.samplerate)
            file.seek(max(file.frames - wanted, 0) // 2)
            sound, rate = file.read(wanted, dtype="float32"), file.samplerate
        paths.append(folder / f"{i}.flac")
        soundfile.write(paths[-1], sound, rate, subtype="PCM_24")
    return paths


def scores(model: zoo.AudioModel | zoo.RuntimeModel, paths: list[Path]) -> np.ndarray:
    """Return a network's scores, (clips, labels): the mean over the segments of each clip."""
    found = []
    for gram in model.stream(paths):
        if isinstance(gram, Exception):
            raise gram
        found.append(gram.tags(None).scores)
    return np.stack(found)


def area(values: np.ndarray, labels: list[str], clips: list[Clip]) -> float:
    """Return the mean ROC-AUC over the genres that the labels have."""
    found = of_questions(values, labels, GENRES)
    truth = np.array([[genre in clip.tags for genre in found] for clip in clips])
    return float(roc_auc_score(truth, np.stack([*found.values()], axis=1), average="macro"))


def rows(name: str, clips: list[Clip], paths: list[Path]) -> Iterator[list[str]]:
    """Yield the row of each precision of a checkpoint."""
    reference = None
    with tempfile.TemporaryDirectory() as exported:
        for precision, model in precisions(name, Path(exported)):
            row = [name, precision, str(len(clips))]
            if isinstance(model, str):
                yield [*row, "", "", "", model]
                continue
            values = scores(model, paths)
            reference = values if reference is None else reference  # float32 is the first
            apart = np.abs(values - reference)
            found = area(values, model.labels, clips)
            yield [*row, f"{found:.4f}", f"{apart.max():.5f}", f"{apart.mean():.5f}", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that fetch.py filled.")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="Score only these checkpoints. Default: all."
    )
    parser.add_argument("--csv", type=Path, default=RESULTS / "precision.csv", help="The table.")
    given = parser.parse_args()
    clips = list(corpus(given.folder).clips)
    defaults = (lookup.default_checkpoint(name) for name in lookup.architectures())
    names = [name for name in defaults if name and not name.startswith("schluter2014")]
    with tempfile.TemporaryDirectory() as scratch:
        paths = cut(clips, Path(scratch))
        for name in given.only or names:
            found = []
            for row in rows(name, clips, paths):
                found.append(row)
                print(*row, flush=True)
            following.merge(given.csv, HEADER, found, keys=1)


if __name__ == "__main__":
    main()
