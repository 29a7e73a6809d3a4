"""Put the results of the real test into the manifest: a score of each checkpoint, and the defaults.

    python recipes/real_test/score.py FOLDER
    python recipes/real_test/publish.py

Reads `results/real_test.csv`. The bare name of an architecture then loads its bundled checkpoint
with the highest mean on the part `test`. One exception: where the paper's own authors' network is
bundled, it keeps the bare name (`AUTHORS`).
"""

import argparse
import csv
import json
from pathlib import Path

import real_clips
from real_scores import MEAN

from zoo.registry import manifest
from zoo.registry.manifest import Bundled
from zoo.utils.files import replacing

TOP = Path(__file__).resolve().parents[2]
RESULTS = TOP / "results" / "real_test.csv"
AUTHORS = {"pons2017": "pons2017.mtt"}
NAME = "ROC-AUC on real players"


def means(table: Path = RESULTS) -> dict[str, dict[str, str]]:
    """Return the row of the mean on the test part of each checkpoint that has one."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        row["checkpoint"]: row
        for row in rows
        if (row["part"], row["question"]) == (real_clips.TEST, MEAN)
    }


def metric(row: dict[str, str]) -> dict:
    """Return a checkpoint's score, as the manifest has it."""
    questions = len(real_clips.answers(real_clips.read(real_clips.TEST)))
    interval = f"{float(row['ROC-AUC low']):.3f} to {float(row['ROC-AUC high']):.3f}"
    return {
        "name": NAME,
        "value": float(row["ROC-AUC"]),
        "data": f"recordings of real players, singers, bands and artists; mean over {questions} "
        f"questions; 95 % interval over {row['groups']} of them: {interval}",
        "split": "test part of recipes/real_test, of nobody's training",
        "clips": int(row["clips"]),
        "kind": "measured",
        "source": "python recipes/real_test/score.py FOLDER (results/real_test.csv)",
    }


def defaults(scores: dict[str, float], checkpoints: manifest.Manifest) -> dict[str, str]:
    """Return the checkpoint that the bare name of each architecture loads.

    Args:
        scores: mean of each checkpoint that has one.
        checkpoints: the manifest.
    """
    best: dict[str, str] = {}
    for name, checkpoint in checkpoints.checkpoints.items():
        bundled = isinstance(checkpoint.sources[0], Bundled)
        if bundled and scores.get(name, 0) > scores.get(best.get(checkpoint.architecture, ""), 0):
            best[checkpoint.architecture] = name
    return best | AUTHORS


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    listing = TOP / manifest.FILE_NAME
    content = json.loads(listing.read_text(encoding="utf-8"))
    rows = means()
    chosen = defaults({name: float(row["ROC-AUC"]) for name, row in rows.items()}, manifest.load())
    for name, entry in content["checkpoints"].items():
        if name in rows:
            others = [m for m in entry["metrics"] if m["name"] != NAME]
            entry["metrics"] = [*others, metric(rows[name])]
        if entry["architecture"] in chosen:
            entry.pop("default", None)
            if chosen[entry["architecture"]] == name:
                first = {"architecture": entry.pop("architecture"), "default": True}
                content["checkpoints"][name] = first | entry
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    manifest.parse(text.encode(), str(listing))
    with replacing(listing) as file:
        file.write(text.encode())
    print(*chosen.values(), sep="\n")


if __name__ == "__main__":
    main()
