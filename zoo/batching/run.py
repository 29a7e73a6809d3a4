"""`zoo.batch`: many files through a model, into a Parquet data set that resumes."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import filelock
import msgspec

from zoo.batching import sources as listing
from zoo.batching.plan import Plan
from zoo.batching.pool import Limits, Outcome, Pool
from zoo.batching.status import Status
from zoo.batching.work import About, Job, open_model
from zoo.errors import ConfigError
from zoo.registry import lookup, saved
from zoo.utils import cores
from zoo.utils.lazy import required
from zoo.utils.version import __version__
from zoo.weights import cache, fetch, hub_client, runtimes

FLUSH = 300.0  # seconds after which the rows that wait become a part, even a small one
FORMAT = 1
INFORMATION = ("created", "version", "format")  # of run.json; the rest must not change


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has done.

    Attributes:
        folder: of the results.
        tracks: number of new results.
        failed: number of new failures.
        tracks_before: number of results of earlier runs, of the same list.
        failed_before: number of failures of earlier runs, of the same list.
        seconds: of sound in the new results.
        elapsed: seconds that the run took.
    """

    folder: str
    tracks: int
    failed: int
    tracks_before: int
    failed_before: int
    seconds: float
    elapsed: float


def batch(
    model: str | os.PathLike[str],
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    tags: bool | None = None,
    segments: bool = False,
    embed: Sequence[str] = (),
    onsets: bool | None = None,
    hop: float | None = None,
    runtime: str = "auto",
    workers: int | None = None,
    shard: tuple[int, int] = (1, 1),
    part: int = 500,
    timeout: float = 300.0,
    memory: float = 4.0,
    retry: bool = False,
    overwrite: bool = False,
    column: str = "path",
    engine: str = "local",
    address: str | None = None,
    progress: bool = True,
) -> Summary:
    """Predict many files, and write the results as a Parquet data set.

    Called again, it goes on where it stopped: a track is known by its path, size and time of
    change (or etag). A file that cannot be used is a row of failed.parquet and stops nothing. The
    files of the results: see docs/batch.md. Processes are started, so a script must call this under
    `if __name__ == "__main__":`.

    Args:
        model: as in `zoo.load`: a name, a file or a folder.
        sources: files, folders, patterns, lists of paths (.txt, .m3u, .csv, .tsv, .parquet; other
            columns are carried to the results), and addresses (s3://, gs://, hf://, https://),
            which need the extra `remote`.
        out: folder of the results.
        tags: whether to score the labels; None for yes, unless the model finds onsets.
        segments: whether to write a row for each segment too.
        embed: stages of the network to write: the mean over the track and, with `segments`, of
            each segment.
        onsets: whether to find onsets; None for yes, if the model does that.
        hop: as in `AudioModel.tag`, in seconds.
        runtime: "auto", "onnx", "openvino" or "keras", as in `zoo.load`.
        workers: number of processes, each with one thread; None for one per core.
        shard: number i (from 1) and count n: only the tracks of the i-th of n shards. Runs of
            different shards can write into the same folder at the same time.
        part: the most tracks in a part of the data set.
        timeout: seconds that a track may take for each started hour of its sound.
        memory: GB (10^9 bytes) that the process of a track may take.
        retry: whether tracks that failed before are tried again.
        overwrite: whether results of other settings or another model in `out` are deleted.
        column: name of the column with the paths in lists.
        engine: "local" for processes on this machine, "ray" for a Ray cluster (the extra `ray`).
        address: of the Ray cluster; None for the one that Ray finds, or a new one on this machine.
        progress: whether to show the progress on standard error.

    Returns:
        What was done.

    Raises:
        ConfigError: arguments that do not fit, results of other settings in `out`, or a missing
            package.
        Unfinished: the disk is full; given again, the call goes on.
        UnknownName, WeightsError, FileNotFoundError: as in `zoo.load`; or a source does not exist.
        KeyboardInterrupt: Ctrl-C or a signal to end; what was done is written.
    """
    many = [sources] if isinstance(sources, str | os.PathLike) else sources
    names = [os.fspath(source) for source in many]
    _check(names, workers, shard, part, timeout, memory, engine)
    if runtime == "auto":
        runtime = "onnx" if runtimes.has_graph(os.fspath(model)) else "keras"
    job = Job(
        model=os.fspath(model),
        runtime=runtime,
        tags=tags,
        onsets=onsets,
        embed=tuple(dict.fromkeys(embed)),
        segments=segments,
        hop=hop,
    )
    limits = Limits(timeout, memory * 1e9)
    count = workers or cores.available()

    def start() -> Any:
        if engine == "ray":
            from zoo.batching.ray_pool import RayPool  # not above: an extra

            return RayPool(partial(open_model, job), workers, limits, address)
        return Pool(partial(open_model, job), count, limits)

    return run(
        start,
        digest(job.model),
        names,
        Path(out),
        settings={"runtime": runtime},
        shard=shard,
        part=part,
        retry=retry,
        overwrite=overwrite,
        column=column,
        progress=progress,
    )


def run(
    start: Callable[[], Any],
    sha256: str,
    sources: Sequence[str],
    out: Path,
    *,
    settings: dict[str, Any],
    shard: tuple[int, int] = (1, 1),
    part: int = 500,
    retry: bool = False,
    overwrite: bool = False,
    column: str = "path",
    progress: bool = True,
) -> Summary:
    """Work on tracks; `batch` with the processes and the model's digest as arguments.

    Args:
        start: returns a `Pool`, or what has its methods.
        sha256: of the model's file.
        sources: as in `batch`.
        out: as in `batch`.
        settings: further ones that must be the same in all runs.
        shard: as in `batch`.
        part: as in `batch`.
        retry: as in `batch`.
        overwrite: as in `batch`.
        column: as in `batch`.
        progress: as in `batch`.

    Returns:
        What was done.

    Raises:
        ZooError, OSError, KeyboardInterrupt: as in `batch`.
    """
    began = time.monotonic()
    dataset = required(
        "zoo.batching.dataset",
        "zoo batch writes Parquet, for which a package is missing ({error}): "
        "pip install 'music-zoo[batch]'.",
    )
    old = dataset.read_run(out)
    carried = listing.columns(sources, column)
    plan = Plan()
    plan.add(listing.tracks(sources, column), shard)
    out.mkdir(parents=True, exist_ok=True)
    with _interruptible(), _lock(out, shard):
        pool = start()
        try:
            new = _settings(pool.about, sha256, carried, settings)
            if old is not None and (changes := _changes(old, new)):
                if not overwrite:
                    raise ConfigError(
                        f"{out} has results of other settings: {'; '.join(changes)}. Give another "
                        "folder, or overwrite (--overwrite), which deletes them."
                    )
                dataset.clear(out)
                old = None
            if old is None:
                new |= {
                    "format": FORMAT,
                    "version": __version__,
                    "created": datetime.now(UTC).isoformat(timespec="seconds"),
                }
                dataset.write_run(out, new)
            data = dataset.DataSet(out, old or new, pool.about, carried, shard, part)
            _compare(plan, data, retry)
            left, done, failed = plan.settle()
            with Status(left, done, progress) as status:
                _work(pool.outcomes(plan.pending()), data, status, pool)
        finally:
            pool.stop()
    return Summary(
        folder=str(out),
        tracks=status.tracks,
        failed=status.failed,
        tracks_before=done,
        failed_before=failed,
        seconds=status.seconds,
        elapsed=time.monotonic() - began,
    )


def _compare(plan: Plan, data: Any, retry: bool) -> None:
    """Tell the plan what the data set has; drop rows whose files have changed since."""
    plan.add_done(data.done())
    for part, names in plan.stale(retry).items():
        data.drop(part, names)
        plan.forget(names)


def _work(outcomes: Iterator[Outcome | None], data: Any, status: Status, pool: Any) -> None:
    """Write the outcomes; whatever ends the run, what was done is written."""
    flushed = time.monotonic()
    try:
        for outcome in outcomes:
            if outcome is not None:
                status.add(outcome)
                if outcome.answer is None:
                    data.fail(outcome.track, outcome.reason, outcome.attempts)
                else:
                    data.add(outcome.track, outcome.answer)
            if time.monotonic() - flushed > FLUSH:
                flushed = time.monotonic()
                data.flush()
            status.show()
    except (KeyboardInterrupt, ConfigError):
        pool.stop()
        data.finish()
        raise
    data.finish()


# --- checks ---


def _check(
    sources: list[str],
    workers: int | None,
    shard: tuple[int, int],
    part: int,
    timeout: float,
    memory: float,
    engine: str,
) -> None:
    if not sources:
        raise ConfigError("no sources: give files, folders, patterns, lists or addresses.")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}; expected at least 1.")
    if not 1 <= shard[0] <= shard[1]:
        raise ConfigError(
            f"shard is {shard[0]}/{shard[1]}; expected i/n with i from 1 to n, such as 1/8."
        )
    for name, value in (("part", part), ("timeout", timeout), ("memory", memory)):
        if not value > 0:
            raise ConfigError(f"{name} is {value}; expected more than 0.")
    if engine not in ("local", "ray"):
        raise ConfigError(f"engine is {engine!r}; it is 'local' or 'ray'.")


def digest(model: str) -> str:
    """Return what tells a model's weights apart: the sha256 of their file.

    Args:
        model: as in `zoo.load`.

    Raises:
        ZooError, OSError: as in `zoo.load`.
    """
    if model.startswith("hf://"):
        return cache.sha256(hub_client.fetch(model).weights)
    if lookup.is_file_name(model):
        path = Path(model)
        return cache.sha256(path if path.is_file() else saved.find(path)[0])
    return cache.sha256(fetch.path(lookup.resolve(model)))


def _settings(
    about: About, sha256: str, carried: dict[str, str], others: dict[str, Any]
) -> dict[str, Any]:
    content = {**msgspec.to_builtins(about), "sha256": sha256, "columns": carried, **others}
    return msgspec.json.decode(msgspec.json.encode(content))  # as it is read from run.json


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the settings that differ, with both values."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        before, now = (_short(value.get(name)) for value in (old, new))
        if name not in INFORMATION and old.get(name) != new.get(name):
            found.append(f"{name} was {before} and is {now}")
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@contextmanager
def _lock(out: Path, shard: tuple[int, int]) -> Iterator[None]:
    """Keep a second run of the same shard out of the folder."""
    lock = filelock.FileLock(out / f".{shard[0]}of{shard[1]}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(
            f"{out}: another run writes there. Wait until it has ended, or give another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat a signal to end, which schedulers send, like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
