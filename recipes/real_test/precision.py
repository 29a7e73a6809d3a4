"""Score the default taggers in fewer bits on the recordings of real players.

    python recipes/real_test/build.py FOLDER --recordings RECORDINGS --genre GENRE
    python recipes/real_test/precision.py FOLDER

writes `results/precision.csv`: for each default tagger in ONNX Runtime's float32, in float16 and
int8 weights (`zoo.export(quantize=...)`) and in OpenVINO's bfloat16 the mean ROC-AUC over the
questions of the test part, and the largest and mean difference of a clip's score from float32. A
precision that `zoo.export` refuses has the reason in its row. bfloat16 is left out on processors
without it, where OpenVINO computes in float32.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from real_clips import QUESTIONS, TEST, Clip, read
from real_scores import MEAN, areas, of_questions

import zoo
from zoo.registry import lookup
from zoo.weights.export import QUANTIZED

sys.path.append(str(Path(__file__).resolve().parents[1] / "distillation"))
import following

RESULTS = Path(__file__).resolve().parents[2] / "results"
HEADER = ("checkpoint", "precision", "clips", "ROC-AUC", "largest", "mean", "reason")
BFLOAT16 = ("avx512_bf16", "amx_bf16")  # flags of Linux


def has_bfloat16() -> bool:
    """Say whether the processor computes in bfloat16, as far as Linux tells."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and any(flag in flags.read_text() for flag in BFLOAT16)


def precisions(name: str, folder: Path) -> Iterator[tuple[str, zoo.RuntimeModel | str]]:
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
        yield "bfloat16", zoo.load(name, runtime="openvino", dtype="bfloat16")


def scores(model: zoo.RuntimeModel, clips: list[Clip], folder: Path) -> np.ndarray:
    """Return a network's scores, (clips, labels): the mean over the segments of each clip."""
    found = []
    for gram in model.stream([folder / clip.part / f"{clip.clip}.flac" for clip in clips]):
        if isinstance(gram, Exception):
            raise gram
        found.append(gram.tags(None).scores)
    return np.stack(found)


def rows(name: str, clips: list[Clip], folder: Path) -> Iterator[list[str]]:
    """Yield the row of each precision of a checkpoint."""
    reference = None
    with tempfile.TemporaryDirectory() as exported:
        for precision, model in precisions(name, Path(exported)):
            row = [name, precision, str(len(clips))]
            if isinstance(model, str):
                yield [*row, "", "", "", model]
                continue
            values = scores(model, clips, folder)
            reference = values if reference is None else reference  # float32 is the first
            apart = np.abs(values - reference)
            area = areas(of_questions(values, model.labels, QUESTIONS), clips)[MEAN]
            yield [*row, f"{area.value:.4f}", f"{apart.max():.5f}", f"{apart.mean():.5f}", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that build.py filled.")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="Score only these checkpoints. Default: all."
    )
    parser.add_argument("--csv", type=Path, default=RESULTS / "precision.csv", help="The table.")
    given = parser.parse_args()
    clips = read(TEST)
    defaults = (lookup.default_checkpoint(name) for name in lookup.architectures())
    names = [name for name in defaults if name and not name.startswith("schluter2014")]
    for name in given.only or names:
        found = []
        for row in rows(name, clips, given.folder):
            found.append(row)
            print(*row, flush=True)
        following.merge(given.csv, HEADER, found, keys=1)


if __name__ == "__main__":
    main()
