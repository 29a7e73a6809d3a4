"""A clip: a file, or an excerpt of one, with its tags, group and onsets."""

from pathlib import Path
from typing import NamedTuple


class Clip(NamedTuple):
    """A file, or an excerpt of one, with its tags, group and onsets."""

    path: Path
    tags: tuple[str, ...] = ()
    start: float = 0.0  # seconds into the file
    end: float | None = None  # seconds into the file; None for its end
    group: str = ""  # artist, album or soundfont; one split has the whole group
    onsets: tuple[float, ...] | None = None  # seconds after `start` at which notes begin

    @property
    def name(self) -> str:
        """The clip's name in messages and results: the path, and the excerpt if it is one."""
        if self.start == 0 and self.end is None:
            return str(self.path)
        return f"{self.path}[{self.start:g}:{'' if self.end is None else f'{self.end:g}'}]"


class Skipped(NamedTuple):
    """A row of a table, or a file, that the corpus leaves out."""

    name: str
    reason: str
