"""Processes that work on tracks; one that crashes, hangs or takes too much memory is replaced."""

import contextlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import connection
from typing import Any, NamedTuple

from zoo.batching.sources import Track
from zoo.batching.work import About, Answer, Computer, serve
from zoo.errors import ConfigError

ATTEMPTS = 2  # for each track
# A process that someone else ends (kill, a full machine) is rarely the track's fault.
KILLS = 3  # that do not count as an attempt, for each track
TICK = 0.2  # seconds between two looks at time and memory
STARTS = 3  # processes in a row that die before they are ready


class Limits(NamedTuple):
    """What a track may take.

    Attributes:
        seconds: for each started hour of its sound.
        memory: of its process, in bytes.
    """

    seconds: float = 300.0
    memory: float = 4e9


class Outcome(NamedTuple):
    """What has become of a track.

    Attributes:
        track: the track.
        answer: its result; None if it failed.
        reason: of the failure.
        attempts: number of them.
    """

    track: Track
    answer: Answer | None
    reason: str = ""
    attempts: int = 1


class _Worker:
    """A process, and the track that it works on."""

    def __init__(self, opener: Callable[[], Computer]):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, opener), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.track: Track | None = None
        self.attempts = self.kills = 0
        self.since = self.seconds = 0.0

    def give(self, track: Track, attempts: int = 0, kills: int = 0) -> None:
        self.track, self.attempts, self.kills = track, attempts, kills
        self.since, self.seconds = time.monotonic(), 0.0
        if self.ready:
            self.send()

    def send(self) -> None:
        if self.track is not None:
            self.since = time.monotonic()
            with contextlib.suppress(OSError):  # it has died, which shows when its answer is read
                self.connection.send(self.track.path)

    def excess(self, limits: Limits) -> str:
        """Return which limit is exceeded, in words; "" for none."""
        if self.track is None or not self.ready:
            return ""
        allowed = limits.seconds * (1 + self.seconds // 3600)
        if time.monotonic() - self.since > allowed:
            return f"it took more than {allowed:g} s, the limit of time"
        if _memory(self.process.pid) > limits.memory:
            return f"it took more than {limits.memory / 1e9:g} GB, the limit of memory"
        return ""

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class Pool:
    """Processes on this machine.

    Args:
        opener: loads the model in each process; it is pickled.
        workers: number of processes.
        limits: what a track may take.

    Raises:
        ConfigError: the model does not load; with the reason.
    """

    def __init__(self, opener: Callable[[], Computer], workers: int, limits: Limits):
        self.opener, self.limits = opener, limits
        self.deaths = 0
        first = _Worker(opener)
        self.workers = [first]
        try:
            while not first.ready:
                first = self.workers[0]
                if first.connection.poll(60):
                    self._read(first)
        except BaseException:
            self.stop()
            raise
        self.workers += [_Worker(opener) for _ in range(workers - 1)]

    about: About

    def outcomes(self, tracks: Iterator[Track]) -> Iterator[Outcome | None]:
        """Work on tracks, in any order.

        Args:
            tracks: to work on; taken one by one.

        Yields:
            What has become of each, and None now and then.

        Raises:
            ConfigError: no process can be started.
        """
        looked = time.monotonic()
        while True:
            for worker in self.workers:
                if worker.track is None and (track := next(tracks, None)) is not None:
                    worker.give(track)
            if all(worker.track is None for worker in self.workers):
                return
            waiting: dict[Any, _Worker] = {worker.connection: worker for worker in self.workers}
            for one in connection.wait(list(waiting), TICK):
                yield self._read(waiting[one])
            if time.monotonic() - looked > TICK:
                looked = time.monotonic()
                for worker in list(self.workers):
                    if excess := worker.excess(self.limits):
                        worker.stop()
                        yield self._replace(worker, excess)
                yield None

    def stop(self) -> None:
        """End all processes at once."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.stop()

    def _read(self, worker: _Worker) -> Outcome | None:
        """Read one message of a worker."""
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode or 0
            worker.stop()
            if not worker.ready:
                self.deaths += 1
                if self.deaths >= STARTS:
                    raise ConfigError(
                        f"no worker process could be started: {self.deaths} in a row ended with "
                        f"status {code} before they were ready. In a script of your own, put the "
                        'call of zoo.batch under `if __name__ == "__main__":`.'
                    ) from None
            ended = f"its process ended ({_status(code)})"
            outside = -code in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))
            return self._replace(worker, ended, outside)
        if kind == "ready":
            worker.ready, self.about, self.deaths = True, content, 0
            worker.send()
        elif kind == "refused":
            raise ConfigError(content)
        elif kind == "at":
            worker.seconds = content
        elif worker.track is not None:
            track, attempts = worker.track, worker.attempts + 1
            if kind == "failed" and attempts < ATTEMPTS:
                worker.give(track, attempts, worker.kills)
                return None
            worker.track = None
            if kind == "failed":
                return Outcome(track, None, content, attempts)
            return Outcome(track, content, "", attempts)
        return None

    def _replace(self, worker: _Worker, reason: str, outside: bool = False) -> Outcome | None:
        """Start a new process for one that is gone; it goes on with its track."""
        new = _Worker(self.opener)
        self.workers[self.workers.index(worker)] = new
        track, attempts, kills = worker.track, worker.attempts, worker.kills
        if track is None:
            return None
        if not worker.ready or (outside and kills < KILLS):
            new.give(track, attempts, kills + worker.ready)
        elif attempts + 1 < ATTEMPTS:
            new.give(track, attempts + 1, kills)
        else:
            return Outcome(track, None, f"{track.name}: {reason}.", attempts + 1)
        return None


def _memory(pid: int | None) -> int:
    """Return the resident memory of a process in bytes; 0 if it is gone."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * 4096
        except (OSError, IndexError):
            return 0
    import psutil  # not above: Linux does without

    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def _status(code: int) -> str:
    if code >= 0:
        return f"status {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
