"""Shared by the benchmarks in which programs take turns, each in a process of its own."""

import json
import statistics
import subprocess
from typing import Any

LOOP = """
import json, sys, time
for line in sys.stdin:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    print(json.dumps(["answer", seconds, found(result)]), flush=True)
"""


class Contender:
    """A process that does its work on request."""

    def __init__(self, python: str, code: str, *arguments: str):
        """Start it.

        Args:
            python: path of the interpreter.
            code: defines `work()`, and `found(result)`, which turns its result into JSON.
            arguments: command-line arguments of the code.
        """
        self.process = subprocess.Popen(
            [python, "-c", code + LOOP, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self) -> tuple[float, Any]:
        """Work once; return seconds and the result."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith('["answer"'):  # not a greeting of some library
                _, seconds, found = json.loads(line)
                return seconds, found
        raise SystemExit("a contender died; run its code by hand to see why")

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def spread(values: list[float]) -> str:
    """Return median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
