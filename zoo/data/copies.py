"""Find files with the same content: compare sizes, then a few parts, then whole files."""

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

PART = 4096  # bytes to read at the beginning, in the middle and at the end


def copies(paths: Iterable[Path]) -> dict[Path, Path]:
    """Find the files that are copies of another.

    Only files of equal size are opened, and only those with equal parts are read whole.

    Args:
        paths: of the files.

    Returns:
        Copy -> the first file with the same content; without files that are empty or unreadable.
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

    It identifies a recording without reading it whole, and does not depend on the file's name.

    Args:
        path: of the file.

    Returns:
        16 hexadecimal digits.

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
    """Return for each file whether its `sample` is among given ones.

    Args:
        paths: of the files.
        samples: from `sample`.

    Returns:
        One value per file; False for a file that cannot be read.
    """
    found = {path: bool(samples_of([path]) & set(samples)) for path in set(paths)}
    return [found[path] for path in paths]


def samples_of(paths: Iterable[Path]) -> frozenset[str]:
    """Return the `sample` of each file that can be read.

    Args:
        paths: of the files.

    Returns:
        The samples.
    """
    found = set()
    for path in set(paths):
        with contextlib.suppress(OSError):
            found.add(sample(path))
    return frozenset(found)


def joined(groups: Sequence[str], paths: Sequence[Path]) -> tuple[str, ...]:
    """Join groups whose clips have files with the same content.

    Args:
        groups: of each clip.
        paths: of each clip's file.

    Returns:
        The new group of each clip.
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
