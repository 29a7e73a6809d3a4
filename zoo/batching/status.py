"""How far a run is: a line on a terminal, or a line of JSON a minute elsewhere."""

import json
import sys
import time
from types import TracebackType
from typing import Any

from zoo.batching.pool import Outcome
from zoo.utils.progress import bars

MINUTE = 60.0  # seconds between two lines of JSON


class Status:
    """Counts and shows what a run has done. Use it in a `with` statement.

    Args:
        total: number of tracks of this run.
        before: number of tracks that were done before.
        shown: whether anything is shown, on standard error.

    Attributes:
        tracks: number of new results.
        failed: number of new failures.
        seconds: of sound in the new results.
    """

    def __init__(self, total: int, before: int, shown: bool = True):
        self.total, self.before, self.shown = total, before, shown
        self.tracks = self.failed = 0
        self.seconds = 0.0
        self.started = self.said = time.monotonic()
        self.context: Any = None

    def __enter__(self) -> "Status":
        if self.shown and sys.stderr.isatty():
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # as in `bars`

            text = "{task.completed:,}/{task.total:,} tracks, {task.fields[failed]:,} failed, "
            text += "{task.fields[speed]:.0f} times real time, left:"
            self.context = bars(BarColumn(), TextColumn(text), TimeRemainingColumn())
            self.bar = self.context.__enter__()
            self.task = self.bar.add_task("", total=self.total, failed=0, speed=0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None
    ) -> None:
        if self.context is not None:
            self.context.__exit__(kind, error, trace)
        elif self.shown:
            self._say()

    def speed(self) -> float:
        """Return seconds of sound per second of time."""
        return self.seconds / max(time.monotonic() - self.started, 1e-9)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        if outcome.answer is None:
            self.failed += 1
        else:
            self.tracks += 1
            self.seconds += outcome.answer.seconds

    def show(self) -> None:
        """Show the state, unless that was done a moment ago."""
        now = time.monotonic()
        if self.context is not None and now - self.said > 0.2:
            done = self.tracks + self.failed
            self.bar.update(self.task, completed=done, failed=self.failed, speed=self.speed())
            self.said = now
        elif self.context is None and self.shown and now - self.said > MINUTE:
            self._say()

    def _say(self) -> None:
        self.said = now = time.monotonic()
        done = self.tracks + self.failed
        left = (now - self.started) / done * (self.total - done) if done else None
        content = {
            "tracks": self.before + self.tracks,
            "failed": self.failed,
            "left": self.total - done,
            "times_real_time": round(self.speed(), 1),
            "eta_seconds": None if left is None else round(left),
        }
        print(json.dumps(content), file=sys.stderr, flush=True)
