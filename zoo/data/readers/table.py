"""Clips in a table: CSV, TSV or JSON lines.

    path,tags,split,group                  {"path": "a.wav", "tags": ["rock", "guitar"]}
    a.wav,rock|guitar,train,The Beats      {"path": "b.wav", "tags": [], "start": 10, "end": 20}

Columns: `path`, and `tags` or `onsets` or both; optional are `start` and `end` (seconds), `split`
(train, validation, test, or the other names that folders can have) and `group`. Other columns are
ignored.
"""

import ast
import csv
import json
import math
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from zoo.audio.paths import missing
from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.data.readers.folder import SPLITS as SPLIT_NAMES
from zoo.errors import AudioWarning, ConfigError
from zoo.utils.text import few

COLUMNS = ("path", "tags", "start", "end", "split", "group", "onsets")
SPLITS = ("train", "validation", "test")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl")

Row = dict[str, Any]


class _BadRow(Exception):
    """What is wrong with one row."""


def read(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    labels: Sequence[str] | None = None,
    single_label: bool | None = None,
    name: str | None = None,
) -> Corpus:
    """List the clips of a table; no audio file is opened.

    Args:
        path: the table, in UTF-8, ending in .csv, .tsv or .jsonl. Several tags or onsets in a cell
            are separated by "|" or ";", or are a list such as ["rock", "pop"]; in JSON they are
            lists. The columns of a .csv may be separated by semicolons or tabs, as spreadsheets
            save it; with semicolons, numbers may have a decimal comma.
        root: the folder for relative paths; None for the table's folder.
        labels: in the wanted order; None for all tags of the table, sorted. A row with another tag
            is skipped.
        single_label: whether each clip has exactly one tag; None for yes if no row has several
            tags and at least one row has a tag.
        name: of the corpus; None for the table's name.

    Returns:
        The corpus. Bad rows are in `skipped`, with their line and the reason.

    Warns:
        AudioWarning: about tags with a comma, each of which is read as one tag.

    Raises:
        FileNotFoundError: there is no such table, or no folder `root`.
        ConfigError: the table has another suffix, is not UTF-8, has no column "path", neither
            "tags" nor "onsets", or no usable row.
    """
    path = Path(path)
    if not path.is_file():
        raise missing(path)
    if root is not None and not Path(root).is_dir():
        raise missing(root)
    folder = path.parent if root is None else Path(root)
    skipped: list[Skipped] = []
    rows: list[tuple[int, Clip, str]] = []
    for line, row in _rows(path):
        try:
            if isinstance(row, _BadRow):
                raise row
            rows.append((line, _clip(row, folder, labels), _split(row)))
        except _BadRow as bad:
            skipped.append(Skipped(f"{path.name}, line {line}", str(bad)))
    if single_label is None:
        counts = {len(clip.tags) for _, clip, _ in rows}
        single_label = 1 in counts and max(counts) == 1
    if single_label:
        for line, clip, _ in rows:
            if len(clip.tags) != 1:
                reason = _not_one(clip.tags)
                skipped.append(Skipped(f"{path.name}, line {line}", reason))
        rows = [row for row in rows if len(row[1].tags) == 1]
    if not rows:
        raise ConfigError(_no_row(path, skipped))
    if path.suffix.lower() in DELIMITERS:
        _warn_of_commas(path, [clip for _, clip, _ in rows])
    splits: dict[str, list[int]] = {split: [] for split in SPLITS}
    for i, (_, _, split) in enumerate(rows):
        if split:
            splits[split].append(i)
    clips = tuple(clip for _, clip, _ in rows)
    return Corpus(
        name=name or path.stem,
        clips=clips,
        labels=tuple(labels or sorted({tag for clip in clips for tag in clip.tags})),
        splits={split: tuple(members) for split, members in splits.items() if members},
        single_label=single_label,
        skipped=tuple(skipped),
    )


# --- lines to rows ---


def _rows(path: Path) -> Iterator[tuple[int, Row | _BadRow]]:
    """Yield each row with its line in the file; check the table as a whole."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"{path}: a table with the suffix {suffix!r}; expected one of {', '.join(SUFFIXES)}."
        )
    line = 1
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = _json_rows if suffix == ".jsonl" else _cell_rows
            for line, row in reader(file, path, DELIMITERS.get(suffix, "")):
                yield line, row
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 after line {line} or a little further: byte "
            f"{error.object[error.start]:#x}. Save it as UTF-8."
        ) from None
    except csv.Error as error:
        raise ConfigError(
            f"{path}: after line {line} the cells cannot be separated ({error}). Check for a "
            "missing quotation mark."
        ) from None


def _cell_rows(file: Any, path: Path, delimiter: str) -> Iterator[tuple[int, Row | _BadRow]]:
    """Yield the rows of a CSV or TSV file."""
    delimiter = _delimiter(file) if delimiter == "," else delimiter
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    header = [cell.strip().lower() for cell in next(reader, [])]
    _check_columns(path, header)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            yield (
                reader.line_num,
                _BadRow(f"{len(cells)} cells, but the header has {len(header)} columns"),
            )
            continue
        row: Row = {k: cell.strip() for k, cell in zip(header, cells, strict=True)}
        if delimiter == ";":
            row |= {k: row[k].replace(",", ".") for k in ("start", "end", "onsets") if k in row}
        row["tags"] = _listed(row.get("tags", ""))
        row["onsets"] = _listed(row["onsets"]) if row.get("onsets") else None
        yield reader.line_num, row


def _delimiter(file: Any) -> str:
    """Return the separator of the columns of a .csv, from its first line."""
    header = file.readline()
    file.seek(0)
    return next((delimiter for delimiter in ",;\t" if delimiter in header), ",")


def _listed(cell: str) -> Any:
    """Return the parts of a cell: a list in JSON or Python, or separated words."""
    if cell.startswith("[") and cell.endswith("]"):
        try:
            return ast.literal_eval(cell)
        except (SyntaxError, ValueError):
            return cell  # not a list, so the row is skipped
    return [value.strip() for value in re.split(r"[|;]", cell) if value.strip()]


def _json_rows(file: Any, path: Path, _: str) -> Iterator[tuple[int, Row | _BadRow]]:
    """Yield the rows of a file with a JSON object in each line."""
    columns: set[str] = set()
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            yield number, _BadRow(f"not JSON ({error})")
            continue
        if not isinstance(row, dict):
            yield number, _BadRow(f"{line.strip()[:40]}: expected an object such as {{...}}")
            continue
        columns |= row.keys()
        yield number, row
    _check_columns(path, sorted(columns))


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    """Raise ConfigError if a table lacks a column or has one twice."""
    found = f"found {', '.join(columns) or 'none'}"
    if "path" not in columns or not {"tags", "onsets"} & set(columns):
        raise ConfigError(
            f'{path}: expected the columns "path" and "tags" (or "onsets"), and optionally start, '
            f"end, split and group; {found}."
        )
    twice = [column for column in COLUMNS if list(columns).count(column) > 1]
    if twice:
        raise ConfigError(f"{path}: the column {twice[0]!r} occurs twice; {found}.")


# --- rows to clips ---


def _clip(row: Row, folder: Path, labels: Sequence[str] | None) -> Clip:
    """Make a clip from a row."""
    path = row.get("path")
    if not isinstance(path, str) or not path:
        raise _BadRow("no path")
    tags = row.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(t, str) and t.strip() for t in tags):
        raise _BadRow(f'tags {tags!r}: expected a list of words, such as ["rock", "guitar"]')
    for tag in tags:
        if labels is not None and tag not in labels:
            raise _BadRow(f"tag {tag!r}: not among the labels")
    start = _number(row, "start") or 0.0
    end = _number(row, "end")
    if end is not None and end <= start:
        raise _BadRow(f"end {end:g} is not after start {start:g}")
    return Clip(
        path=_path(folder, path),
        tags=tuple(sys.intern(tag) for tag in dict.fromkeys(tags)),
        start=start,
        end=end,
        group=sys.intern(str(row.get("group") or "")),
        onsets=_onsets(row.get("onsets")),
    )


def _path(folder: Path, name: str) -> Path:
    """Return a file's path; a name with backslashes can be a Windows path."""
    path = folder / name
    if "\\" in name and os.sep == "/" and not path.exists():
        return folder / PureWindowsPath(name).as_posix()
    return path


def _number(row: Row, column: str) -> float | None:
    """Return a time in seconds; None for an empty cell."""
    value = row.get(column)
    if value is None or value == "":
        return None
    seconds = _seconds(value)
    if seconds is None:
        raise _BadRow(f"{column} {value!r}: expected seconds, 0 or more")
    return seconds


def _onsets(values: Any) -> tuple[float, ...] | None:
    """Return the times at which notes start, ascending."""
    if values is None:
        return None
    times = [_seconds(v) for v in values] if isinstance(values, list) else [None]
    if any(time is None for time in times):
        raise _BadRow(f"onsets {values!r}: expected seconds, 0 or more, such as 0.52|1.04")
    return tuple(sorted(time for time in times if time is not None))


def _seconds(value: Any) -> float | None:
    """Return a number that can be a time; None for anything else."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _split(row: Row) -> str:
    """Return the split that a row names; "" for none."""
    split = row.get("split") or ""
    if str(split).lower() not in ("", *SPLIT_NAMES):
        raise _BadRow(f"split {split!r}: expected one of {', '.join(SPLITS)}, or nothing")
    return SPLIT_NAMES.get(str(split).lower(), "")


def _warn_of_commas(path: Path, clips: Sequence[Clip]) -> None:
    """Warn if tags have commas, which may be meant as separators."""
    commas = sorted({tag for clip in clips for tag in clip.tags if "," in tag})
    if commas:
        named = few(map(repr, commas), len(commas))
        warnings.warn(
            f"{path}: {len(commas)} tags with a comma, each read as one tag: {named}. To give "
            'several tags, separate them with "|" or ";".',
            AudioWarning,
            stacklevel=4,
        )


def _not_one(tags: Sequence[str]) -> str:
    """Return why a row cannot be in a single-label corpus."""
    if tags:
        return f"the tags {', '.join(tags)}; expected one"
    return "no tag; expected one (give single_label=False if clips may have none)"


def _no_row(path: Path, skipped: Sequence[Skipped]) -> str:
    """Return the message for a table without a usable row."""
    if not skipped:
        return f"{path}: no row below the header."
    named = few((f"{s.name} ({s.reason})" for s in skipped), len(skipped))
    return f"{path}: no row can be used: {named}."
