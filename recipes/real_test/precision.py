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
import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from real_clips import QUESTIONS, TEST, Clip, read
from real_scores import MEAN, areas, of_questions

import zoo
from zoo.registry import lookup
from zoo.weights.export import QUANTIZED

RESULTS = Path(__file__).resolve().parents[2] / "results"
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that build.py filled.")
    parser.add_argument("--csv", type=Path, default=RESULTS / "precision.csv", help="The table.")
    given = parser.parse_args()
    clips: list[Clip] = read(TEST)
    rows = []
    for architecture in lookup.architectures():
        name = lookup.default_checkpoint(architecture)
        if name is None or architecture == "schluter2014":
            continue
        with tempfile.TemporaryDirectory() as folder:
            for precision, model in precisions(name, Path(folder)):
                row = {"checkpoint": name, "precision": precision, "clips": str(len(clips))}
                if isinstance(model, str):
                    rows.append({**row, "ROC-AUC": "", "largest": "", "mean": "", "reason": model})
                    continue
                values = scores(model, clips, given.folder)
                area = areas(of_questions(values, model.labels, QUESTIONS), clips)[MEAN]
                if precision == "float32":
                    reference = values
                apart = np.abs(values - reference)
                numbers = {"largest": f"{apart.max():.5f}", "mean": f"{apart.mean():.5f}"}
                rows.append({**row, "ROC-AUC": f"{area.value:.4f}", **numbers, "reason": ""})
                print(*rows[-1].values(), flush=True)
    with given.csv.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
