"""Models for the tests of `zoo batch` that answer at once, or do not."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from zoo.batching.work import About, Answer


class Quick:
    """Answers from the name and size of a file; fails if the name says so, or without a file."""

    def __init__(self, wait: float, segments: bool):
        self.wait, self.segments = wait, segments
        self.about = About(model="quick", labels=("size", "digits"), segments=segments)

    def compute(self, path, beat):
        time.sleep(self.wait)
        if "fail" in Path(path).name:
            raise OSError(f"{path}: it says so")
        scores = np.array(
            [os.path.getsize(path) if os.path.isabs(path) else 0, len(path)], "float32"
        )
        answer = Answer(2.0, scores=scores)
        if self.segments:
            answer.starts, answer.fresh = np.array([0.0, 1.0]), np.array([1.0, 1.0])
            answer.segment_scores = np.stack([scores, scores])
        return answer


def quick_opener(wait=0.0, segments=False):
    return Quick(wait, segments)


class Crashing(Quick):
    """Does what the name of a file says."""

    def compute(self, path, beat):
        held = []
        match Path(path).stem:
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(600)
            case "memory":
                while True:
                    held.append(np.ones(2**22))
                    time.sleep(0.02)
            case "raise":
                raise ZeroDivisionError("by zero")
        return super().compute(path, beat)


def crash_opener(wait=0.0):
    return Crashing(wait, False)
