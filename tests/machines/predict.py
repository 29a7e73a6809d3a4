"""Predict with every bundled checkpoint on another machine, and compare with this one.

    python tests/machines/predict.py NUMBERS.json CLIP ...          on each of the two machines
    python tests/machines/predict.py HERE.json --with THERE.json    here: differences, into a table

`tests/machines/emulate` runs the first on an emulated processor. The table is
`results/machines.csv`; rows of the other machine are replaced. Differences are the largest of a
score of a segment, or of an activation of schluter2014.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import numpy as np

CHECKOUT = Path(__file__).resolve().parents[2]
TABLE = CHECKOUT / "results" / "machines.csv"
sys.path.append(str(CHECKOUT / "recipes" / "distillation"))
HEAD = ["machine", "byte order", "Python", "ONNX Runtime", "checkpoint", "largest difference"]


def predict(clips: list[str]) -> dict:
    """Return what this machine is, and the scores of each checkpoint, clip after clip."""
    import onnxruntime

    import zoo
    from zoo.registry import lookup, manifest

    found: dict[str, list] = {}
    for name, checkpoint in manifest.load().checkpoints.items():
        if not checkpoint.bundled:
            continue
        model = zoo.load(name, runtime="onnx")
        onsets = lookup.info(name).architecture.task == "onsets"
        found[name] = [
            (model.onsets(clip).activation if onsets else model.taggram(clip).values).tolist()
            for clip in clips
        ]
        print(name, flush=True)
    machine = [platform.machine(), sys.byteorder, platform.python_version()]
    return {"machine": [*machine, onnxruntime.__version__], "scores": found}


def compare(here: dict, there: dict, table: Path) -> None:
    """Write the rows of the other machine."""
    rows = [
        [*there["machine"], name, f"{difference(scores, there['scores'][name]):.1e}"]
        for name, scores in here["scores"].items()
    ]
    for row in rows:
        print(*row)
    from following import merge  # the other machine lacks what it needs

    merge(table, HEAD, rows)


def difference(one: list, other: list) -> float:
    """Return the largest difference of two lists of arrays."""
    pairs = zip(one, other, strict=True)
    return max(float(np.abs(np.subtract(a, b)).max()) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("numbers", type=Path, help="The file of this machine's scores.")
    parser.add_argument("clips", nargs="*", help="Recordings to predict.")
    parser.add_argument("--with", dest="there", type=Path, help="The file of the other machine.")
    parser.add_argument("--table", type=Path, default=TABLE)
    given = parser.parse_args()
    if given.there:
        here, there = (json.loads(path.read_text()) for path in (given.numbers, given.there))
        compare(here, there, given.table)
    else:
        given.numbers.write_text(json.dumps(predict(given.clips)))


if __name__ == "__main__":
    main()
