"""How far the decoding of a file has come, and what is known of its length."""

import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from zoo.audio.excerpt import SLACK
from zoo.errors import AudioError, AudioWarning

Frames = Callable[[float, float | None], tuple[int, int | None]]
"""(sample rate, seconds if known) -> first frame to decode, and the one after the last, or None."""


@dataclass
class Progress:
    """How far the decoding of a file has come.

    Attributes:
        path: of the file.
        part: that is to be decoded.
        at: the frame that comes next.
        rate: in Hz; 0 as long as it is unknown.
        announced: length in seconds by the header; None if it states none.
        damage: a decoder's error, in brackets; None without one.
        holes: the error of a piece that was left out, in brackets; None without one.
        notes: what else is wrong with the file.
    """

    path: Path
    part: Frames
    at: int = 0
    rate: float = 0
    announced: float | None = None
    damage: str | None = None
    holes: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def wanted(self) -> tuple[int, int | None]:
        """The first frame of the part, and the one after its last, or None for the end."""
        return self.part(self.rate, None) if self.rate else (0, None)

    @property
    def missing(self) -> bool:
        """Whether the part goes on after what was decoded."""
        _, stop = self.wanted
        end = math.inf if self.announced is None else self.announced
        if stop is not None:
            end = min(end, stop / self.rate)
        return end < math.inf and self.at / (self.rate or 1) <= end - SLACK

    def check(self) -> None:
        """Warn or raise if a file contains less than it announces, or is damaged.

        Raises:
            AudioError: none of the requested part could be decoded.
        """
        first, stop = self.wanted
        words = self.damage or self.holes or ""
        seconds = self.at / self.rate if self.rate else 0.0
        if self.at <= first and (self.damage is not None or self.holes is not None or self.missing):
            where = f" {first / self.rate:.2f} s into it" if first else " in it"
            raise AudioError(
                f"{self.path}: nothing{where} could be decoded{words}; the file is damaged, or cut "
                f"off {'before that' if first else 'right after its header'}. Is the download "
                "complete?"
            )
        if self.missing or (self.damage is not None and self.announced is None):
            expected = f" of the {self.announced:.2f} s announced" if self.announced else ""
            self._warn(
                f"only {seconds:.2f} s{expected} could be decoded{words}; the file is cut off or "
                "damaged there. The result is based on the audio before."
            )
        elif self.damage is not None or self.holes is not None:
            self._warn(
                f"damaged in places{words}: pieces of it are left out. The result is "
                f"based on the {seconds:.2f} s that could be decoded."
            )
        for note in self.notes if stop is None else ():
            self._warn(f"{note}. The result is based on the {seconds:.2f} s that were decoded.")

    def _warn(self, text: str) -> None:
        warnings.warn(f"{self.path}: {text}", AudioWarning, stacklevel=2)


def reason(error: Exception) -> str:
    """Return a decoder's message in brackets, without those that would mislead."""
    text = str(getattr(error, "strerror", None) or error).rsplit(": ", 1)[-1].rstrip(".")
    return "" if re.search("regular file|internal error", text) else f" ({text})"
