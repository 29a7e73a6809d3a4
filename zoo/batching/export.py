"""The Parquet data set as CSV or JSON lines."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.batching.dataset import SEGMENTS, TRACKS, parts, reading, rows_of
from zoo.utils.files import replacing


def export(folder: Path, form: str) -> list[Path]:
    """Write the rows of a data set as tables, beside its parts.

    Args:
        folder: of the results.
        form: "csv" or "jsonl".

    Returns:
        The files: tracks, and segments where there are some.

    Raises:
        ConfigError: a part is damaged.
    """
    written = []
    for name in (TRACKS, SEGMENTS):
        if not parts(folder, name):
            continue
        path = folder / f"{name}.{form}"
        with replacing(path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text, lineterminator="\n")
            for number, row in enumerate(_rows(folder, name)):
                if form == "jsonl":
                    text.write(json.dumps(row, ensure_ascii=False) + "\n")
                    continue
                if number == 0:
                    writer.writerow(row)
                writer.writerow([json.dumps(v) if isinstance(v, list) else v for v in row.values()])
            text.detach()
        written.append(path)
    return written


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    for path in parts(folder, name):
        with reading(path):
            for batch in rows_of(path, 1024):
                for row in batch.to_pylist():
                    if row.get("modified") is not None:
                        row["modified"] = row["modified"].isoformat()
                    yield row
