"""Write `results/leaderboard.csv`: every checkpoint with its scores, size and speed.

    python docs/leaderboard.py

It reads `weights_manifest.json` and the other tables in `results/`, and measures nothing. `python
docs/generate.py` runs it too, and writes the page from the same rows. `zoo.leaderboard()` reads the
file.
"""

import csv
import statistics
from pathlib import Path

from zoo.registry import lookup, manifest
from zoo.registry.leaderboard import FILE_NAME, Row, as_cells
from zoo.registry.manifest import Bundled, Checkpoint
from zoo.utils.files import write_csv

RESULTS = Path(__file__).resolve().parents[1] / "results"
# Parts of results/onsets.csv that no training had, of enough onsets to count.
HELD_OUT = ("soundfont", "styles", "kits")
# Formats in results/export.csv -> field of a row.
FORMATS = {
    "onnx": "ms_onnx",
    "litert": "ms_litert",
    "openvino": "ms_openvino",
    "savedmodel": "ms_savedmodel",
}
# Columns of results/web_speed.csv -> field of a row.
FROM_FILES = {
    "zoo tag or onsets, times real time": "ms_file",
    "page, one thread, times real time": "ms_page",
}


def result(name: str) -> list[dict[str, str]]:
    """Return the rows of a table in `results/`, none if it is not there."""
    path = RESULTS / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows() -> list[Row]:
    """Return the rows, the best on real players first."""
    found = [Row(**known(name, c)) for name, c in manifest.load().checkpoints.items()]
    return sorted(found, key=lambda r: (-(r.players_roc_auc or 0), r.task != "tagging",
                                        r.checkpoint))  # fmt: skip


def known(name: str, checkpoint: Checkpoint) -> dict:
    """Return what is known of a checkpoint."""
    card, source = lookup.architecture(checkpoint.architecture), checkpoint.sources[0]
    segment, rate = checkpoint.input.segment, checkpoint.input.sample_rate
    seconds = segment / rate if segment else card_seconds(card)
    return {
        "checkpoint": name,
        "architecture": checkpoint.architecture,
        "task": card.task,
        "default": checkpoint.default,
        "licence": checkpoint.licence.weights,
        "weights": "bundled" if isinstance(source, Bundled) else "fetched",
        "status": checkpoint.status,
        "parameters": checkpoint.parameters,
        "megabytes": round(source.bytes / 1e6, 1) if source.bytes else None,
        "segment": round(seconds, 2),
        **published(checkpoint),
        **measured(name),
        **speeds(name, seconds),
    }


def card_seconds(card) -> float:
    """Return the length of a segment of the default network."""
    default = next(iter(card.variants.values()))
    return default.segment / default.sample_rate


def published(checkpoint: Checkpoint) -> dict:
    """Return the scores of the authors, on the first data set that they name."""
    found = [m for m in checkpoint.metrics if m.kind == "published"]
    if not found:
        return {}
    scores = {m.name: m.value for m in found if m.data == found[0].data}
    return {
        "published_roc_auc": rounded(scores.get("ROC-AUC")),
        "published_pr_auc": rounded(scores.get("PR-AUC")),
        "published_data": found[0].data.partition(",")[0],
    }


def measured(name: str) -> dict:
    """Return the scores of our own tests."""
    cells: dict[str, float | int | None] = {}
    for row in result("real_test"):
        if (row["checkpoint"], row["part"], row["question"]) == (name, "test", "mean"):
            cells |= with_interval("players", row)
    for row in result("genre_test"):
        if (row["checkpoint"], row["genre"]) == (name, "mean of 4 genres"):
            cells |= with_interval("genres", row)
    for row in result("distillation"):
        if (row["model"], row["split"]) == (name, "test"):
            cells["teachers_roc_auc"] = float(row["ROC-AUC"])
            cells["teachers_tags"] = int(row["tags counted"])
    parts = [
        float(row["F"])
        for row in result("onsets")
        if row["detector"] == name and row["part"] in HELD_OUT and "default" in row["threshold"]
    ]
    if len(parts) == len(HELD_OUT):
        cells["onsets_f"] = round(statistics.mean(parts), 4)
    return cells


def with_interval(field: str, row: dict[str, str]) -> dict:
    """Return a ROC-AUC and its interval."""
    ends = {"_roc_auc": "", "_low": " low", "_high": " high"}
    return {f"{field}{key}": float(row[f"ROC-AUC{end}"]) for key, end in ends.items()}


def speeds(name: str, seconds: float) -> dict:
    """Return milliseconds for a segment; nothing where they were not measured."""
    cells = {
        FORMATS[row["format"]]: float(row["milliseconds"])
        for row in result("export")
        if row["model"] == name and not row["quantize"] and row["milliseconds"]
    }
    for row in result("web_speed"):
        if row["model"] == name:
            cells |= {
                field: round(1000 * seconds / float(row[column]), 1)
                for column, field in FROM_FILES.items()
            }
    return cells


def rounded(value: float | None) -> float | None:
    """Return a score with four digits."""
    return None if value is None else round(value, 4)


def text() -> str:
    """Return the content of the file."""
    return write_csv(as_cells(rows()))


if __name__ == "__main__":
    (RESULTS / FILE_NAME).write_text(text(), encoding="utf-8")
