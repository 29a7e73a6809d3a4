"""Find the sound files behind names, folders and patterns; suggest names for missing ones."""

import difflib
import errno
import glob
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

from zoo.errors import AudioError, AudioWarning

SNDFILE_SUFFIXES = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg", ".opus",
    ".rf64", ".snd", ".w64", ".wav", ".wave",
)  # fmt: skip
FFMPEG_SUFFIXES = (
    ".3gp", ".aac", ".ac3", ".amr", ".ape", ".asf", ".avi", ".dts", ".eac3", ".flv", ".m4a", ".m4b",
    ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".mpeg", ".mpg", ".spx", ".tta", ".webm",
    ".wma", ".wmv", ".wv",
)  # fmt: skip

AUDIO_SUFFIXES = tuple(sorted(SNDFILE_SUFFIXES + FFMPEG_SUFFIXES))
"""Suffixes of the files that a search of a folder finds; a file given by name may have any."""


def find(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the sound files behind names, folders and patterns, each once.

    Args:
        paths: files (with any suffix), folders (searched recursively for `AUDIO_SUFFIXES`, in
            sorted order, without hidden files) and patterns (`"*.mp3"`, `**` for any depth).

    Returns:
        The files, in the order of `paths`.

    Raises:
        FileNotFoundError: a path does not exist, or no file matches a pattern.
        AudioError: a folder or the matches of a pattern contain no sound.
    """
    found: dict[Path, None] = {}
    for given in [paths] if isinstance(paths, str | os.PathLike) else paths:
        path = given
        if os.fspath(path).startswith("~") and not os.path.lexists(path):
            path = os.path.expanduser(path)
        if os.path.isdir(path):
            names = _inside(path)
        elif os.path.lexists(path):
            found[Path(path)] = None
            continue
        elif glob.has_magic(os.fspath(path)):
            matches = sorted(glob.glob(os.fspath(path), recursive=True))
            if not matches:
                raise FileNotFoundError(f"{os.fspath(path)}: no file matches this pattern.")
            names = [Path(name) for name in matches if _is_sound(name) and os.path.isfile(name)]
            names += [sound for name in matches if os.path.isdir(name) for sound in _inside(name)]
        else:
            raise missing(path)
        if not names:
            raise AudioError(
                f"{os.fspath(path)}: no sound file in it. The search is for names ending in .wav, "
                f".flac, .mp3, .ogg, .m4a and {len(AUDIO_SUFFIXES) - 5} others (zoo.audio."
                "AUDIO_SUFFIXES); give the name of a file with another ending."
            )
        found.update(dict.fromkeys(names))
    return list(found)


def missing(path: str | os.PathLike[str]) -> FileNotFoundError:
    """Return the error for a path that does not exist.

    Args:
        path: the missing path.

    Returns:
        The error, with the nearest names in the folder.
    """
    if is_address(os.fspath(path)):
        return FileNotFoundError(f"{os.fspath(path)}: {ADDRESS}")
    path = Path(path)
    if glob.has_magic(str(path)):
        return FileNotFoundError(
            f"{path}: no such file. It looks like a pattern: zoo.audio.find({str(path)!r}) lists "
            "the files that match it."
        )
    if is_loop(path):
        return FileNotFoundError(f"{path}: a link that leads back to itself, and to no file.")
    if path.is_symlink():
        return FileNotFoundError(f"{path}: a link to {os.readlink(path)}, which does not exist.")
    if not path.parent.is_dir():
        return FileNotFoundError(f"{path}: no such file: there is no folder {path.parent}.")
    try:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), n=3)
    except OSError:
        near = []
    hint = f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    return FileNotFoundError(f"{path}: no such file or folder.{hint}")


ADDRESS = "an address, where a file or folder is expected. Download it first, and name the file."


def is_address(name: str) -> bool:
    """Say whether a name is an address, such as https://example.com/song.mp3, and not a path."""
    return re.match(r"(https?|ftp|s3|gs|hf|file):/", name) is not None  # Path leaves one slash


def is_loop(path: Path) -> bool:
    """Say whether a path is a link that leads back to itself."""
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _inside(folder: str | os.PathLike[str]) -> list[Path]:
    """List the sounds in a folder and its subfolders, sorted, without hidden ones.

    Links to folders are followed; each folder is searched once.
    """

    def skip(error: OSError) -> None:
        text = f"{error.filename}: skipped: this folder cannot be read ({error.strerror})."
        warnings.warn(text, AudioWarning, stacklevel=2)

    sounds, searched = [], set()
    waiting = [os.fspath(folder)]
    while waiting:  # links come last, so that a folder keeps its own name
        for here, folders, names in os.walk(waiting.pop(0), onerror=skip):
            real = os.path.realpath(here)
            if real in searched:
                folders.clear()
                continue
            searched.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            waiting += [link for n in folders if os.path.islink(link := os.path.join(here, n))]
            sounds += [Path(here, n) for n in names if _is_sound(n) and not n.startswith(".")]
    return sorted(sounds)


def _is_sound(name: str) -> bool:
    return name.lower().endswith(AUDIO_SUFFIXES)
