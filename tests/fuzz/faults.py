"""Disturb whatever writes, at each step of its writing, and give the same call again.

    python tests/fuzz/faults.py --writers finetune --every -o results/faults.csv

A step is a call that opens a file for writing, writes, syncs, renames, removes or makes a folder.
At it the process is killed, or the call fails: the disk is full (from then on), an input or output
error, no permission, too many open files, no memory. The same call follows, undisturbed. Its result
must equal that of a run that was never disturbed, in values and names of files; or it must say what
to delete. Without `--every` a few steps of each kind are chosen by the seed. The commands that
train have 200 to 300 steps: an hour and a half each with `--every`.

Each attempt is a forked process, which alone replaces functions of Python; the zoo has no hooks.
What libraries write in C (HDF5, TensorFlow's records) is disturbed where Python calls them.
"""

import argparse
import builtins
import errno
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"  # sums in one order

from writers import WRITERS, Result, Writer

sys.path.append(str(Path(__file__).resolve().parents[2] / "recipes" / "distillation"))

KILL, MEMORY = "SIGKILL", "MemoryError"
FULL = "ENOSPC"
OPENING = ("open", "mkdir")
FAULTS = {  # -> the steps at which it occurs; None for all
    KILL: None,
    FULL: ("open", "write", "fsync", "mkdir"),
    "EIO": ("open", "write", "fsync", "replace"),
    "EACCES": ("open", "mkdir", "replace", "unlink"),
    "EMFILE": ("open",),
    MEMORY: ("open", "write"),
}
OUTCOMES = ("equal", "says what to do", "different", "left behind", "raw error", "hang")
HANG = 900.0  # seconds


class Report(NamedTuple):
    """How an attempt ended: "done", "killed", "refused", "raw error" or "hang", and the words."""

    end: str
    text: str
    steps: list[str]


class Injector:
    """Counts the steps of this process below a folder, and disturbs one of them."""

    def __init__(self, folder: Path, at: int, fault: str | None):
        self.folder, self.at, self.fault = os.path.realpath(folder), at, fault
        self.steps: list[str] = []
        self.full = self.over = False

    def step(self, kind: str, path: Any) -> None:
        """Count a step, or disturb it."""
        if not self._inside(path) or self.over:
            return
        if self.full and kind in FAULTS[FULL]:  # type: ignore[operator]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        self.steps.append(kind)
        if len(self.steps) - 1 != self.at or self.fault is None:
            return
        if self.fault == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == MEMORY:
            raise MemoryError
        self.full = self.fault == FULL
        number = getattr(errno, self.fault)
        raise OSError(number, os.strerror(number), str(path))

    def _inside(self, path: Any) -> bool:
        try:
            if isinstance(path, int):
                path = os.readlink(f"/proc/self/fd/{path}")
            path = os.path.abspath(os.fsdecode(path))
        except (OSError, TypeError):
            return False
        return path.startswith(self.folder + os.sep)

    def install(self) -> None:
        """Replace the functions of this process."""
        step, original, original_open = self.step, io.open, os.open

        class Raw(io.FileIO):
            def write(self, data: Any) -> Any:
                step("write", self.name)
                return super().write(data)

        def opened(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kw: Any) -> Any:
            plain = isinstance(file, str | bytes | os.PathLike)
            if not plain or not set(mode) & set("wxa+") or not self._inside(file):
                return original(file, mode, buffering, *args, **kw)
            step("open", file)
            raw = Raw(file, mode.replace("b", "").replace("t", ""), opener=kw.pop("opener", None))
            both = io.BufferedRandom if "+" in mode else io.BufferedWriter
            if "b" in mode:
                return raw if buffering == 0 else both(raw)
            return io.TextIOWrapper(both(raw), *args, **kw)

        def os_opened(path: Any, flags: int, *args: Any, **kw: Any) -> int:
            if flags & os.O_CREAT:
                step("open", path)
            return original_open(path, flags, *args, **kw)

        builtins.open = io.open = opened  # type: ignore[assignment]
        os.open = os_opened
        for name in ("replace", "rename", "mkdir", "unlink", "remove", "rmdir", "fsync"):
            kind = {"rename": "replace", "remove": "unlink", "rmdir": "unlink"}.get(name, name)
            setattr(os, name, self._stepping(kind, getattr(os, name)))
        if "tensorflow" in sys.modules:
            self._tensorflow()

    def _stepping(self, kind: str, function: Callable) -> Callable:
        def stepping(path: Any, *args: Any, **kw: Any) -> Any:
            self.step(kind, args[0] if kind == "replace" else path)
            return function(path, *args, **kw)

        return stepping

    def _tensorflow(self) -> None:
        """Disturb TensorFlow's record files, with its own errors."""
        import tensorflow as tf

        writer = tf.io.TFRecordWriter
        kinds = {errno.ENOSPC: tf.errors.ResourceExhaustedError, errno.EIO: tf.errors.UnknownError}

        def wrapped(kind: str, function: Callable) -> Callable:
            def stepping(own: Any, *args: Any) -> Any:
                try:
                    self.step(kind, getattr(own, "place", args[0] if args else ""))
                except OSError as error:
                    found = kinds.get(error.errno or 0, tf.errors.FailedPreconditionError)
                    raise found(None, None, str(error)) from None
                if kind == "open":
                    own.place = args[0]
                return function(own, *args)

            return stepping

        for name, kind in (("__init__", "open"), ("write", "write"), ("close", "write")):
            setattr(writer, name, wrapped(kind, getattr(writer, name)))


def attempt(
    writer: Writer, given: Path, out: Path, at: int = -1, fault: str | None = None
) -> Report:
    """Run a writer in a forked process."""
    reader, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(writer, given, out, at, fault, sender)
    os.close(sender)
    end, content = time.monotonic() + HANG, b""
    os.set_blocking(reader, False)
    while True:
        try:
            piece = os.read(reader, 65536)
        except BlockingIOError:
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                os.close(reader)
                return Report("hang", "", [])
            time.sleep(0.01)
            continue
        content += piece
        if not piece:
            break
    os.close(reader)
    _, status = os.waitpid(child, 0)
    if content:
        return Report(*json.loads(content))
    return Report("killed" if os.WIFSIGNALED(status) else "raw error", f"status {status}", [])


def _child(writer: Writer, given: Path, out: Path, at: int, fault: str | None, sender: int) -> None:
    from zoo.errors import ZooError

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    injector = Injector(out, at, fault)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            injector.install()
            writer.write(given, out)
            end, text = "done", ""
        except (ZooError, OSError, MemoryError, KeyboardInterrupt) as error:
            end, text = "refused", f"{type(error).__name__}: {error}"
        except BaseException as error:
            end, text = "raw error", "".join(traceback.format_exception(error))[-3000:]
    injector.over = True
    os.write(sender, json.dumps([end, text, injector.steps]).encode())
    os._exit(0)  # nothing of what was replaced is used again


def same(found: Result, expected: Result) -> bool:
    """Say whether two results are equal: texts to the letter, numbers to a millionth."""
    return found.keys() == expected.keys() and all(
        found[name] == value
        if isinstance(value, str)
        else np.allclose(found[name], value, rtol=0, atol=1e-6)
        for name, value in expected.items()
    )


def unfinished(out: Path) -> set[str]:
    """Return what bears the name of something unfinished, but for locks."""
    names = {str(p.relative_to(out)) for p in out.rglob("*") if not p.name.endswith("lock")}
    return {name for name in names if "/." in f"/{name}" or name.endswith(".part")}


def chosen(
    steps: list[str], every: bool, few: int, rng: random.Random, faults: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Yield the steps to disturb, and how."""
    for fault in faults:
        kinds = FAULTS[fault]
        places = [i for i, kind in enumerate(steps) if kinds is None or kind in kinds]
        if not every and fault == KILL:  # each rename, and a few others
            others = [i for i in places if steps[i] != "replace"]
            renames = [i for i in places if steps[i] == "replace"]
            places = sorted([*renames, *rng.sample(others, min(few, len(others)))])
        elif not every:
            places = sorted(rng.sample(places, min(few, len(places))))
        for place in places:
            yield place, fault


def disturb(
    name: str,
    every: bool = False,
    few: int = 2,
    seed: int = 0,
    kills: int = 0,
    faults: Sequence[str] = tuple(FAULTS),
) -> list[dict[str, Any]]:
    """Disturb a writer at many steps.

    Args:
        name: of `WRITERS`.
        every: all steps at which the faults occur.
        few: else, how many steps of each fault.
        seed: of the choice.
        kills: so many random kills instead, up to three in a row before the call may end.
        faults: of `FAULTS`.

    Returns:
        A row for each fault: writer, fault, step, its kind, how the disturbed call ended, and the
        outcome of the one after it.
    """
    writer, rng, rows = WRITERS[name], random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        given = work / "given"
        given.mkdir()
        ready = attempt(
            Writer(writer.prepare, lambda _, out: writer.prepare(out), dict), work, given
        )
        if ready.end != "done":
            raise RuntimeError(f"{name}: the input could not be made: {ready.text}")

        def fresh() -> Path:
            shutil.rmtree(work / "out", ignore_errors=True)
            (work / "out").mkdir()
            return work / "out"

        out = fresh()
        whole = attempt(writer, given, out)
        if whole.end != "done":
            raise RuntimeError(f"{name} fails undisturbed: {whole.text}")
        expected, listing = writer.result(out), unfinished(out)

        def judged(out: Path) -> tuple[str, str]:
            after = attempt(writer, given, out)
            if after.end == "refused":
                told = "elete" in after.text or "nother folder" in after.text
                finished = "finished run" in after.text or "is not empty" in after.text
                if not (finished and same(writer.result(out), expected)):
                    return ("says what to do" if told else "raw error"), after.text
            elif after.end != "done":
                return after.end, after.text
            try:
                if not same(writer.result(out), expected):
                    return "different", ""
            except Exception as error:
                return "different", f"{type(error).__name__}: {error}"
            if left := unfinished(out) - listing:
                return "left behind", ", ".join(sorted(left))
            return "equal", ""

        if kills:
            plan = [[(rng.randrange(len(whole.steps)), KILL) for _ in range(rng.randint(1, 3))]
                    for _ in range(kills)]  # fmt: skip
        else:
            plan = [[one] for one in chosen(whole.steps, every, few, rng, faults)]
        for disturbances in plan:
            out = fresh()
            for at, fault in disturbances:
                first = attempt(writer, given, out, at, fault)
            outcome, text = judged(out)
            if first.end in ("raw error", "hang"):  # the disturbed call itself is at fault
                outcome, text = first.end, first.text
            kind = whole.steps[at]
            rows.append(
                {
                    "writer": name,
                    "fault": fault if not kills else f"{len(disturbances)} random SIGKILL",
                    "step": at,
                    "kind": kind,
                    "end": first.end,
                    "outcome": outcome,
                    "text": text,
                }
            )
    return rows


def counts(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Count outcomes by writer and fault."""
    found = []
    for writer, fault in dict.fromkeys((row["writer"], row["fault"]) for row in rows):
        these = [row for row in rows if (row["writer"], row["fault"]) == (writer, fault)]
        outcomes = Counter(row["outcome"] for row in these)
        found.append([writer, fault, len(these), *(outcomes[name] for name in OUTCOMES)])
    return found


HEAD = ["writer", "fault", "cases", *OUTCOMES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--writers", nargs="+", default=list(WRITERS), choices=WRITERS)
    parser.add_argument("--every", action="store_true", help="all steps")
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=FAULTS)
    parser.add_argument("--few", type=int, default=2, help="steps for each fault, without --every")
    parser.add_argument("--kills", type=int, default=0, help="so many random kills instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="CSV; rows of these writers are replaced")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each case that fails")
    given = parser.parse_args()
    import following  # not above: tests need none of its libraries

    for name in given.writers:
        load(name)
        # The table is written after each fault: all of them take more than an hour with --every.
        for faults in [given.faults] if given.kills else [[fault] for fault in given.faults]:
            start = time.monotonic()
            rows = disturb(name, given.every, given.few, given.seed, given.kills, faults)
            for row in rows:
                if given.verbose and row["outcome"] != "equal":
                    print(row, flush=True)
            new = [[str(cell) for cell in row] for row in counts(rows)]
            for row in new:
                print(*row, f"({time.monotonic() - start:.0f} s)", flush=True)
            if given.output:
                following.merge(given.output, HEAD, new, keys=2)


def load(name: str) -> None:
    """Import what a writer needs, before any fork: it takes longer than the writing."""
    if WRITERS[name].framework:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401

        import zoo.training.finetune
        import zoo.training.train
        import zoo.weights.export  # noqa: F401


if __name__ == "__main__":
    main()
