"""Sounds with the times at which notes begin, in a text file of the same name.

The layout of the onset database of Böck, Krebs and Schedl (ISMIR 2012): audio/x.flac and
annotations/**/x.onsets, a time in seconds in each line. Both may also lie in one folder.
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
    """List the sounds of a folder that have onsets; no sound is opened.

    Args:
        root: the folder, searched to the bottom. An annotation belongs to the sound that has its
            name, of several to the one in its own folder.
        name: of the corpus; the folder's by default.

    Returns:
        A corpus without labels, whose clips have `onsets`, sorted by path.

    Raises:
        FileNotFoundError: there is no such folder.
        AudioError: no sound in it has onsets.
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
            f"{root}: no sound with onsets. Expected x.wav and x{' or x'.join(SUFFIXES)} for each; "
            f"the first of {len(skipped)} without: {skipped[0].name} ({skipped[0].reason})."
        )
    return Corpus(name or root.resolve().name, tuple(clips), (), skipped=tuple(skipped))


def times(path: Path) -> tuple[float, ...]:
    """Read the first number of each line, in seconds; ascending. `#` begins a comment.

    Raises:
        ConfigError: with the line that is not a time, or has a decimal comma as all lines have.
    """
    onsets = []
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(re.fullmatch(r"\d+,\d+", line) for line in lines):
        raise ConfigError(
            f"{path.name}: {lines[0]!r}, a decimal comma; write {lines[0].replace(',', '.')}"
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
                f"{path.name}, line {number}: {line.strip()[:40]!r}, where seconds are expected"
            )
    return tuple(sorted(onsets))
