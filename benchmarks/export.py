"""Error, size and speed of exported files: every default checkpoint in every format.

    python benchmarks/export.py [NAME ...] [--csv results/export.csv]

NAME is a checkpoint, or an architecture for its default one; without any, the default ones are
measured. Those that are not the default of their architecture are measured in float32 only. `--csv`
replaces the rows of these models in the table, and leaves those of others.

Each file is compared with Keras as `zoo.export` does, on the example clip too, but with all stages
and without a limit. Milliseconds are those of one segment in the format's own runtime, the median
of the runs after a first one; they depend on the machine. `python docs/generate.py` puts
`results/export.csv` into docs/export.md.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import zoo
from zoo.registry import lookup
from zoo.weights import export as exporting

sys.path.append(str(Path(__file__).resolve().parents[1] / "recipes" / "distillation"))
import following

CHECKOUT = Path(__file__).resolve().parents[1]
RUNS = 5


def measured(model: zoo.AudioModel, kind: str, quantize: str | None, clip: Path) -> dict[str, str]:
    """Export a model; return its row, or the reason why it cannot be."""
    suffix = next(s for s, name in exporting.SUFFIXES.items() if name == kind)
    row = {"model": model.name, "format": kind, "quantize": quantize or ""}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        try:
            exporting.checked(model, path, None, quantize)
            stages = ("probabilities",) if quantize else model.stages
            about = exporting.description(model, stages, quantize)
            run = exporting.WRITERS[kind](model, path, about)
            sounds = exporting.check_sounds(model, clip)
            error, *_ = exporting.compare(model, run, sounds, stages, quantize)
        except zoo.ConfigError as reason:
            return {**row, "error": "", "megabytes": "", "milliseconds": "", "reason": str(reason)}
        batch = sounds["noise"]
        times = []
        for _ in range(RUNS + 1):
            start = time.perf_counter()
            run(batch)
            times.append(time.perf_counter() - start)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {
        **row,
        "error": f"{error:.1e}",
        "megabytes": f"{size / 1e6:.2f}",
        "milliseconds": f"{1000 * statistics.median(times[1:]):.1f}",
        "reason": "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="Checkpoints. Default: the default ones.")
    parser.add_argument("--csv", type=Path, help="The file to write. Default: none.")
    given = parser.parse_args()
    (clip,) = (CHECKOUT / "examples" / "audio").glob("*.flac")
    ways = [(kind, None) for kind in exporting.FORMATS]
    ways += [(kind, small) for kind in ("onnx", "litert") for small in exporting.QUANTIZED]
    names = lookup.architectures()
    default = [name for name in map(lookup.default_checkpoint, names) if name is not None]
    for name in given.names or default:
        model = zoo.load(name)
        rows = []
        measures = ways if name in (*names, *default) else ways[: len(exporting.FORMATS)]
        for kind, quantize in measures:
            rows.append(measured(model, kind, quantize, clip))
            print(*rows[-1].values(), flush=True)
        if given.csv:
            following.merge(given.csv, tuple(rows[0]), [list(row.values()) for row in rows], 3)


if __name__ == "__main__":
    main()
