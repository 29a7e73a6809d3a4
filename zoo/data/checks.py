"""Warnings about clips that can be used: copies, onsets in another unit, labels' case."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from zoo.data import probing
from zoo.data.clips import Clip
from zoo.data.copies import copies
from zoo.errors import AudioError
from zoo.utils.text import few


def of_files(clips: Sequence[Clip]) -> Iterator[str]:
    """Yield what a look at the files puts in doubt; each a clause of a warning."""
    same = copies(clip.path for clip in clips)
    if same:
        named = few((f"{copy} is {first}" for copy, first in same.items()), len(same))
        yield f"the same content under several names, {len(same)} times, which stays: {named}"
    late = [clip for clip in clips if clip.onsets and _beyond_its_end(clip)]
    if late:
        named = few((f"{c.name} (at {max(c.onsets or ()):g} s)" for c in late), len(late))
        yield (
            f"onsets beyond the end of {len(late)} clips, which may be in milliseconds or samples "
            f"where seconds are expected: {named}"
        )


def of_onsets(clips: Sequence[Clip]) -> Iterator[str]:
    """Yield whether times occur twice."""
    doubled = [c for c in clips if c.onsets and len(set(c.onsets)) < len(c.onsets)]
    if doubled:
        named = few((clip.name for clip in doubled), len(doubled))
        yield f"the same onset more than once in {len(doubled)} clips: {named}"


def of_labels(labels: Sequence[str]) -> Iterator[str]:
    """Yield which labels differ only in case."""
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        alike[label.casefold()].append(label)
    pairs = [" and ".join(map(repr, names)) for names in alike.values() if len(names) > 1]
    if pairs:
        yield (
            f"labels that differ only in case count as different: {', '.join(pairs)} "
            "(Corpus.rename makes them one)"
        )


def _beyond_its_end(clip: Clip) -> bool:
    """Say whether a clip's last onset comes after its end, or its file's."""
    last = clip.start + max(clip.onsets or (0.0,))
    if clip.end is not None and last > clip.end + probing.SLACK:
        return True
    try:
        return last > probing.seconds(clip.path, last) + probing.SLACK
    except (AudioError, OSError):
        return False  # it is left out for that
