"""Sounds in folders, with a class for each subfolder.

The folders look like one of these:

music/rock/*.wav                    class "rock"
music/rock/<artist>/*.wav           clips of one artist form a group
music/train/rock/*.wav              with splits, if all folders are named so
"""

import os
from collections.abc import Callable
from pathlib import Path

from zoo.audio.paths import AUDIO_SUFFIXES, find, missing
from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import AudioError, ConfigError

SPLITS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""Name in small letters, of a folder or in a table -> split."""


def read(
    root: str | os.PathLike[str],
    group: str | Callable[[Path], str] = "subfolder",
    name: str | None = None,
) -> Corpus:
    """List the sounds of a folder with a class in each subfolder; no file is opened.

    Args:
        root: the folder. If its subfolders are named after splits (train, validation or valid,
            val or dev, test) and nothing else, the classes are one level below.
        group: "subfolder": clips in the same subfolder of a class form a group of its name (over
            all classes), those right in the class's folder stand each for themselves. "none": each
            file for itself. Or a function from a path to the group's name.
        name: of the corpus; the folder's by default.

    Returns:
        A single-label corpus; labels sorted, clips sorted by split, class and path.

    Raises:
        FileNotFoundError: there is no such folder.
        AudioError: no subfolder of it has sounds.
        ConfigError: an unknown `group`.
    """
    root = Path(root)
    if not root.exists():
        raise missing(root)
    if not root.is_dir():
        raise ConfigError(
            f"{root}: a file, where a folder with a subfolder for each class is expected. For a "
            "table of files use from_table."
        )
    if group not in ("subfolder", "none") and not callable(group):
        raise ConfigError(f'group={group!r}: expected "subfolder", "none" or a function of a path.')
    folders = _folders(root)
    skipped = [Skipped(str(path), "in no class's folder") for path in _sounds(root)]
    splits: dict[str, list[int]] = {}
    clips: list[Clip] = []
    if folders and all(folder.name.lower() in SPLITS for folder in folders):
        for split_folder in sorted(folders, key=lambda f: list(SPLITS).index(f.name.lower())):
            skipped += [Skipped(str(p), "in no class's folder") for p in _sounds(split_folder)]
            start = len(clips)
            clips += _classes(_folders(split_folder), group, skipped)
            members = splits.setdefault(SPLITS[split_folder.name.lower()], [])
            members += range(start, len(clips))
    else:
        clips = _classes(folders, group, skipped)
    if not clips:
        found = ", ".join(folder.name for folder in folders[:10]) or "no subfolder"
        raise AudioError(
            f"{root}: no sounds in classes. Expected a subfolder for each class with sounds in it "
            f"({', '.join(AUDIO_SUFFIXES)}); found {found}."
        )
    return Corpus(
        name=name or root.resolve().name,
        clips=tuple(clips),
        labels=tuple(sorted({clip.tags[0] for clip in clips})),
        splits={split: tuple(members) for split, members in splits.items()},
        single_label=True,
        skipped=tuple(skipped),
    )


def _classes(
    folders: list[Path], group: str | Callable[[Path], str], skipped: list[Skipped]
) -> list[Clip]:
    """List the clips of class folders; note those that are empty."""
    clips = []
    for folder in folders:
        try:
            paths = find([folder])
        except AudioError:
            skipped.append(Skipped(str(folder), "a class without a sound"))
            continue
        tags = (folder.name,)
        clips += [Clip(path, tags, group=_group(path, folder, group)) for path in paths]
    return clips


def _group(path: Path, folder: Path, group: str | Callable[[Path], str]) -> str:
    """Return the group of a sound in a class's folder."""
    if callable(group):
        return str(group(path))
    inner = path.relative_to(folder).parts
    return inner[0] if group == "subfolder" and len(inner) > 1 else ""


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _sounds(folder: Path) -> list[Path]:
    """List the sounds that lie right in a folder."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
