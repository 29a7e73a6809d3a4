"""Audio files with their onsets, the times at which notes start, in a text file of the same name.

The layout of the onset database of Böck, Krebs and Schedl (ISMIR 2012): audio/x.flac and
annotations/**/x.onsets, with a time in seconds in each line. Both may also be in one folder.
"""

import math
import os
import re
from pathlib import Path

from zoo.audio.paths import find, missing
from zoo.data.corpus import Clip, Corpus, Skipped
from zoo.errors import AudioError, ConfigError

SUFFIXES = (".onsets", ".txt")


def read(root: str | os.PathLike[str], name: str | None = None) -> Corpus:
    """List the audio files of a folder that have onsets; no audio file is opened.

    Args:
        root: the folder, with all its subfolders. Text file and audio file have the same name; of
            several, those in the same folder belong together.
        name: of the corpus; None for the folder's name.

    Returns:
        A corpus without labels, whose clips have `onsets`, sorted by path.

    Raises:
        FileNotFoundError: there is no such folder.
        AudioError: no audio file has onsets.
    """
    root = Path(root)
    if not root.is_dir():
        raise missing(root)
    texts: dict[str, list[Path]] = {}
    for path in sorted(p for suffix in SUFFIXES for p in root.rglob(f"*{suffix}")):
        texts.setdefault(path.stem, []).append(path)
    clips, skipped = [], []
    for sound in find([root]):
        found = texts.get(sound.stem, [])
        own = [text for text in found if text.parent == sound.parent] or found
        try:
            if len(own) != 1:
                listed = ", ".join(str(t.relative_to(root)) for t in own) or "none"
                raise ConfigError(f"expected one text file of onsets for it, found {listed}")
            clips.append(Clip(sound, onsets=times(own[0])))
        except ConfigError as error:
            skipped.append(Skipped(str(sound), str(error)))
    if not clips:
        raise AudioError(
            f"{root}: no audio file has onsets. Expected x.wav and x{' or x'.join(SUFFIXES)} for "
            f"each; the first of {len(skipped)} without: {skipped[0].name} ({skipped[0].reason})."
        )
    return Corpus(name or root.resolve().name, tuple(clips), (), skipped=tuple(skipped))


def times(path: Path) -> tuple[float, ...]:
    """Read onsets, the first number of each line. `#` starts a comment.

    Args:
        path: of the text file.

    Returns:
        Seconds, ascending.

    Raises:
        ConfigError: a line is not a time, or all lines have a decimal comma.
    """
    onsets = []
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(re.fullmatch(r"\d+,\d+", line) for line in lines):
        raise ConfigError(
            f"{path.name}: {lines[0]!r} has a decimal comma; write {lines[0].replace(',', '.')}"
        )
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            onsets.append(float(words[0]))
        except ValueError:
            onsets.append(math.nan)
        if not 0 <= onsets[-1] < math.inf:
            raise ConfigError(
                f"{path.name}, line {number}: {line.strip()[:40]!r}; expected seconds"
            )
    return tuple(sorted(onsets))
