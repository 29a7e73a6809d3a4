"""Audio files in folders, with a subfolder for each class.

The folders look like one of these:

music/rock/*.wav                    class "rock"
music/rock/<artist>/*.wav           clips of one artist form a group
music/train/rock/*.wav              with splits, if all folders have such names
"""

import os
from collections.abc import Callable
from pathlib import Path

from zoo.audio.paths import AUDIO_SUFFIXES, find, missing
from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import AudioError, ConfigError
from zoo.utils.files import escaped

SPLITS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""Lower-case name, of a folder or in a table -> split."""


def read(
    root: str | os.PathLike[str],
    group: str | Callable[[Path], str] = "subfolder",
    name: str | None = None,
) -> Corpus:
    """List the audio files of a folder with a subfolder for each class; no file is opened.

    Args:
        root: the folder. If all its subfolders are named after splits (train, validation or valid,
            val or dev, test), the classes are one level below.
        group: "subfolder": clips in the same subfolder of a class form a group with its name, over
            all classes; each file directly in the class's folder is a group of its own. "none":
            each file is a group of its own. Or a function from a path to the group's name.
        name: of the corpus; None for the folder's name.

    Returns:
        A single-label corpus; labels sorted, clips sorted by split, class and path.

    Raises:
        FileNotFoundError: there is no such folder.
        AudioError: no subfolder has audio files.
        ConfigError: `root` is a file, or `group` is unknown.
    """
    root = Path(root)
    if not root.exists():
        raise missing(root)
    if not root.is_dir():
        raise ConfigError(
            f"{root} is a file; expected a folder with a subfolder for each class. For a table of "
            "files use from_table."
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
            f"{root}: no class has audio files. Expected a subfolder for each class with files in "
            f"it ({', '.join(AUDIO_SUFFIXES)}); found {found}."
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
    """List the clips of class folders; add empty folders to `skipped`."""
    clips = []
    for folder in folders:
        try:
            paths = find([folder])
        except AudioError:
            skipped.append(Skipped(str(folder), "a class without audio files"))
            continue
        tags = (escaped(folder.name),)
        clips += [Clip(path, tags, group=_group(path, folder, group)) for path in paths]
    return clips


def _group(path: Path, folder: Path, group: str | Callable[[Path], str]) -> str:
    """Return the group of a file in a class's folder."""
    if callable(group):
        return str(group(path))
    inner = path.relative_to(folder).parts
    return inner[0] if group == "subfolder" and len(inner) > 1 else ""


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _sounds(folder: Path) -> list[Path]:
    """List the audio files directly in a folder."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
