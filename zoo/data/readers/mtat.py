"""MagnaTagATune: 25,863 clips of 29 s with 188 tags (Law, West, Mandel, Bay and Downie, 2009).

The files, as published: `annotations_final.csv` (tab-separated: clip_id, 188 tags as 0 and 1,
mp3_path), `clip_info_final.csv`, and the clips in the folders `0` to `f`, in the root or in `mp3/`.

The folders are divided 12 : 1 : 3. There are two kinds of splits, whose scores cannot be compared:

    train, validation, test             all clips: 18,706, 1,825, 5,329 (Choi 2016, Pons 2017)
    train_cleaned, ..._cleaned          clips with at least one of the 50 tags: 15,244, 1,529, 4,332
                                        (Lee 2017, Kim 2018, Won 2020)
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import ConfigError

TAGS = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast"),
    *("piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male"),
    *("singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman"),
    *("male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice"),
    *("new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice"),
    *("weird", "country", "metal", "female voice", "choral"),
)
"""The 50 most frequent tags, in the order of the networks' outputs (musicnn, Won 2020)."""

SPLITS = {"train": "0123456789ab", "validation": "c", "test": "def"}
"""Split -> folders."""

UNREADABLE = ("35644", "55753", "57881")
"""Clips whose files are empty as published."""


def read(root: Path, tags: int = 50) -> Corpus:
    """List the clips of MagnaTagATune; no audio file is opened.

    Args:
        root: the folder of annotations_final.csv.
        tags: 50, or 188 for all in the order of annotations_final.csv.

    Returns:
        The corpus in the order of the annotations, with both kinds of splits; "cleaned" refers to
        the 50 tags also with `tags=188`. A clip's group is its artist, from clip_info_final.csv or
        else from the file's name. The three clips whose files are empty as published are in
        `skipped`, and so are bad rows.

    Raises:
        ConfigError: annotations or folders of clips are missing; other columns; `tags` is not 50
            or 188.
    """
    if tags not in (50, 188):
        raise ConfigError(f"tags={tags!r}: MagnaTagATune has 50 (the usual ones) or 188.")
    audio = _audio(root)
    artists = _artists(root / "clip_info_final.csv")
    rows = _rows(root / "annotations_final.csv", ("clip_id", "mp3_path", *TAGS))
    _, header = next(rows)
    number, path_column = header.index("clip_id"), header.index("mp3_path")
    names = [name for name in header if name not in ("clip_id", "mp3_path")]
    labels = tuple(names) if tags == 188 else TAGS
    columns = [(header.index(label), label) for label in labels]
    usual = [header.index(tag) for tag in TAGS]
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    splits: dict[str, list[int]] = {
        split + kind: [] for kind in ("", "_cleaned") for split in SPLITS
    }
    for line, cells in rows:
        split = _split(cells[path_column]) if len(cells) == len(header) else None
        if split is None:
            where = f"annotations_final.csv, line {line}"
            skipped.append(Skipped(where, _bad(cells, header, path_column)))
            continue
        path = cells[path_column]
        if cells[number] in UNREADABLE:
            skipped.append(Skipped(str(audio / path), "unreadable as published"))
            continue
        splits[split].append(len(clips))
        if any(cells[i] == "1" for i in usual):
            splits[f"{split}_cleaned"].append(len(clips))
        own = tuple(label for i, label in columns if cells[i] == "1")
        group = artists.get(cells[number]) or Path(path).name.partition("-")[0]
        clips.append(Clip(audio / path, own, group=sys.intern(group)))
    return Corpus(
        name="mtat",
        clips=tuple(clips),
        labels=labels,
        splits={split: tuple(members) for split, members in splits.items()},
        skipped=tuple(skipped),
    )


def _audio(root: Path) -> Path:
    """Return the folder that holds the folders 0 to f."""
    for base in (root, root / "mp3", root / "audio"):
        if any((base / folder).is_dir() for folder in "".join(SPLITS.values())):
            return base
    raise ConfigError(
        f"{root}: the clips of MagnaTagATune are expected in folders named 0 to f, here or in "
        "mp3/, but there are none. Join the three parts of mp3.zip and unpack it here."
    )


def _artists(path: Path) -> dict[str, str]:
    """Return clip_id -> artist; empty if the file is missing."""
    if not path.is_file():
        return {}
    rows = _rows(path, ("clip_id", "artist"))
    _, header = next(rows)
    number, artist = header.index("clip_id"), header.index("artist")
    return {cells[number]: cells[artist] for _, cells in rows if len(cells) == len(header)}


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield the header and the rows of a tab-separated file, each with its line."""
    if not path.is_file():
        raise ConfigError(f"{path.parent}: the file {path.name} of MagnaTagATune is missing.")
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter="\t")
        header = next(reader, [])
        missing = [column for column in columns if column not in header]
        if missing:
            raise ConfigError(
                f"{path}: missing columns: {', '.join(missing)}; found {len(header)} columns, "
                f"separated by tabs: {', '.join(header[:5])[:80]}."
            )
        yield 1, header
        for cells in reader:
            if cells:
                yield reader.line_num, cells


def _split(path: str) -> str | None:
    """Return the split of a clip by its folder; None if the folder is not one of 0 to f."""
    folder, slash, name = path.partition("/")
    known = len(folder) == 1 and slash and name
    return next((s for s, folders in SPLITS.items() if known and folder in folders), None)


def _bad(cells: list[str], header: list[str], path_column: int) -> str:
    """Return what is wrong with a row."""
    if len(cells) != len(header):
        return f"{len(cells)} cells, but the header has {len(header)} columns"
    return f"mp3_path {cells[path_column]!r}: expected a folder 0 to f and a file"
