"""Warnings about usable clips: copies, onsets in another unit, labels that differ in case."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from zoo.audio.decode import duration
from zoo.audio.excerpt import SLACK
from zoo.data.clips import Clip
from zoo.data.copies import copies
from zoo.errors import AudioError
from zoo.utils.text import few


def of_files(clips: Sequence[Clip]) -> Iterator[str]:
    """Check the files of clips.

    Args:
        clips: the clips.

    Yields:
        A part of a warning: about copies, or onsets beyond the end.
    """
    same = copies(clip.path for clip in clips)
    if same:
        named = few((f"{copy} is {first}" for copy, first in same.items()), len(same))
        yield f"{len(same)} files are copies of others and are kept: {named}"
    late = [clip for clip in clips if clip.onsets and _beyond_its_end(clip)]
    if late:
        named = few((f"{c.name} (at {max(c.onsets or ()):g} s)" for c in late), len(late))
        yield (
            f"onsets beyond the end of {len(late)} clips, which may be in milliseconds or samples "
            f"instead of seconds: {named}"
        )


def of_onsets(clips: Sequence[Clip]) -> Iterator[str]:
    """Check for repeated onsets.

    Args:
        clips: the clips.

    Yields:
        A part of a warning.
    """
    doubled = [c for c in clips if c.onsets and len(set(c.onsets)) < len(c.onsets)]
    if doubled:
        named = few((clip.name for clip in doubled), len(doubled))
        yield f"the same onset more than once in {len(doubled)} clips: {named}"


def of_labels(labels: Sequence[str]) -> Iterator[str]:
    """Check for labels that differ only in case.

    Args:
        labels: of a corpus.

    Yields:
        A part of a warning.
    """
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
    """Return whether a clip's last onset is after its end, or its file's."""
    last = clip.start + max(clip.onsets or (0.0,))
    if clip.end is not None and last > clip.end + SLACK:
        return True
    try:
        return last > duration(clip.path, last) + SLACK
    except (AudioError, OSError):
        return False  # such a clip is skipped
