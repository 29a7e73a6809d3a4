"""What a model costs: parameters, bytes on the disk, and time."""

import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import audio
from zoo.errors import AudioWarning, ZooError
from zoo.registry import manifest
from zoo.weights import fetch

if TYPE_CHECKING:
    from zoo.data.corpus import Corpus
    from zoo.inference.audio_model import AudioModel

SOUND = 60.0  # seconds on which speed is measured
TURNS = 5


def parameters(model: "AudioModel") -> int:
    """Return how many parameters of a model can be trained, also if they are frozen now."""
    config = model.get_config()
    frozen = ("trainable", "layer_settings")
    fresh = type(model).from_config({k: v for k, v in config.items() if k not in frozen})
    return sum(int(np.prod(v.shape)) for v in fresh.trainable_variables)


def size(model: "AudioModel", source: Any) -> int:
    """Return the bytes of a model's weights on disk, or in memory if no file has them.

    Args:
        model: the model.
        source: what it was loaded from: a name, a file, a folder; or the model itself.
    """
    if isinstance(source, str) and source in manifest.load().checkpoints:
        return fetch.path(source).stat().st_size
    if isinstance(source, str | Path):
        for file in (Path(source), Path(source) / "model.keras"):
            if file.is_file():
                return file.stat().st_size
    return sum(np.asarray(v).nbytes for v in model.variables)


def speeds(models: "Sequence[AudioModel]", corpus: "Corpus", batch_size: int) -> list[float]:
    """Return how many seconds of sound each network processes in a second.

    Decoding and cutting are done before. The models take turns, so that other work on the machine
    affects all alike, and the median of `TURNS` counts. A first turn, in which networks are
    compiled, does not count.

    Args:
        models: taggers, or onset detectors.
        corpus: its first clips are joined, or repeated, to `SOUND` seconds.
        batch_size: segments that go through a network at once.
    """
    # They were given when the clips were scored.
    with warnings.catch_warnings(action="ignore", category=AudioWarning):
        runs = [work(m, excerpt(corpus, m.sample_rate), batch_size) for m in models]
    for run in runs:
        run()
    times: list[list[float]] = [[] for _ in models]
    for _ in range(TURNS):
        for run, taken in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run()
            taken.append(time.perf_counter() - begin)
    return [SOUND / statistics.median(taken) for taken in times]


def excerpt(corpus: "Corpus", sample_rate: int) -> np.ndarray:
    """Return `SOUND` seconds of a corpus, (samples,): its first clips, repeated if need be."""
    wanted = round(SOUND * sample_rate)
    parts: list[np.ndarray] = []
    got = 0
    for clip in corpus.clips:
        try:
            for block in audio.stream(clip.path, sample_rate, clip.start, clip.end):
                parts.append(block)
                got += len(block)
                if got >= wanted:
                    return np.concatenate(parts)[:wanted]
        except (ZooError, OSError):
            continue  # listed among the failures of the evaluation
    return np.resize(np.concatenate(parts), wanted)


def work(model: "AudioModel", sound: np.ndarray, batch_size: int) -> Callable[[], Any]:
    """Return a function that runs a network on a sound."""
    source = (sound, model.sample_rate)
    if model.frame_wise:
        return lambda: model.onsets(source)
    cut = [s.samples for s in audio.segments(source, model.sample_rate, model.segmentation)]
    batches = [np.stack(cut[i : i + batch_size]) for i in range(0, len(cut), batch_size)]
    return lambda: [model.predict_on_batch(batch) for batch in batches]
