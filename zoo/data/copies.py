"""Files with the same content: by their size, then a few parts of them, then all of them."""

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

PART = 4096  # bytes that are read at the beginning, in the middle and at the end


def copies(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return the files that are copies of another: each -> the first that has the same content.

    Only files of equal size are opened, and only those with equal parts are read whole. A file that
    cannot be read, or is empty, is a copy of none.
    """
    same: list[list[Path]] = [list(dict.fromkeys(paths))]
    for key in (_size, sample, _content):
        parts: dict[object, list[Path]] = {}
        for number, alike in enumerate(same):
            for path in alike:
                try:
                    found = key(path)
                except OSError:
                    continue
                parts.setdefault((number, found), []).append(path)
        same = [alike for alike in parts.values() if len(alike) > 1]
    return {copy: first for first, *others in same for copy in others}


def sample(path: Path) -> str:
    """Return a short hash of a file's size and of parts of its content.

    It tells recordings apart without reading them whole, and does not depend on the file's name.

    Raises:
        OSError: the file cannot be read.
    """
    size = _size(path)
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for start in sorted({0, max(size // 2 - PART // 2, 0), max(size - PART, 0)}):
            file.seek(start)
            digest.update(file.read(PART))
    return digest.hexdigest()[:16]


def known(paths: Sequence[Path], samples: Collection[str]) -> list[bool]:
    """Say of each file whether its `sample` is among some; not so of one that cannot be read."""
    there = {path: bool(samples_of([path]) & set(samples)) for path in set(paths)}
    return [there[path] for path in paths]


def samples_of(paths: Iterable[Path]) -> frozenset[str]:
    """Return the `sample` of each file that can be read."""
    found = set()
    for path in set(paths):
        with contextlib.suppress(OSError):
            found.add(sample(path))
    return frozenset(found)


def joined(groups: Sequence[str], paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the groups of clips, those that share a file's content made one.

    Args:
        groups: of each clip.
        paths: of each clip's file.
    """
    first = copies(paths)
    if not first:
        return tuple(groups)
    leader: dict[str, str] = {}  # group -> another one that it belongs to

    def head(group: str) -> str:
        while leader.get(group, group) != group:
            group = leader[group]
        return group

    at: Mapping[Path, str] = dict(zip(reversed(paths), reversed(groups), strict=True))
    for path, group in zip(paths, groups, strict=True):
        if path in first:
            leader[head(group)] = head(at[first[path]])
    return tuple(map(head, groups))


def _size(path: Path) -> int:
    size = os.stat(path).st_size
    if not size:
        raise OSError("an empty file")
    return size


def _content(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
