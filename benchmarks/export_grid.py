"""ONNX files of the whole grid: every front-end with every back-end.

    python benchmarks/export_grid.py [--csv results/export_grid.csv]

Each cell has the sizes of its papers, random weights, two labels and a short segment. It is
exported with `zoo.export`, which compares it with Keras, and read back with `zoo.load`. A cell that
cannot be exported has the reason in its row. `python docs/generate.py` counts them in
docs/export.md.
"""

import argparse
import csv
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import zoo
from zoo.registry import cards
from zoo.weights import tracing

SECONDS = {  # of a segment: long enough for every back-end's pooling
    "choi2016": 1.5,
    "dieleman2014": 1.0,
    "lee2009": 1.0,
    "lee2017": 0.5,
    "pons2017": 0.3,
    "schluter2014": 0.2,
    "zhu2016": 0.3,
}


def exported(architecture: str, backend: str) -> dict[str, str]:
    """Export a cell and read it back; return its row."""
    row = {"frontend": architecture, "backend": backend}
    model = zoo.build(architecture, ["a", "b"], segment=SECONDS[architecture], backend=backend)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cell.onnx"
        try:
            zoo.export(model, path)
        except zoo.ConfigError as reason:
            return {**row, "error": "", "reason": str(reason)}
        read = zoo.load(path)
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 0.1, (2, model.segmentation.segment)).astype("float32")
        ours, theirs = (m.forward_pass("probabilities")(noise) for m in (read, model))
    error = tracing.difference(model, "probabilities", ours, theirs)
    return {**row, "error": f"{error:.1e}", "reason": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", help="The file to write. Default: none.")
    arguments = parser.parse_args()
    rows = []
    for architecture in SECONDS:
        for backend in cards.BACKENDS:
            rows.append(exported(architecture, backend))
            print(*rows[-1].values(), flush=True)
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
