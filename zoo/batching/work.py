"""What is done with one track, and the process that does it."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from zoo import audio
from zoo.batching import remote
from zoo.errors import AudioError, AudioWarning, ConfigError, ZooError
from zoo.inference import onsets, prediction
from zoo.utils.files import escaped

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from zoo.inference.predictor import Predictor

LONGEST = 24 * 3600.0  # seconds of sound: more comes from damaged or hostile files
BEAT = 1.0  # seconds between two signs of life

Beat = Callable[[float], None]
"""Takes the seconds of sound that are done."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a model for each track.

    Attributes:
        model: as in `zoo.load`.
        runtime: "onnx", "openvino" or "keras".
        tags: the scores of the labels; None for yes, unless the model scores frames.
        onsets: the times of onsets; None for yes, if the model scores frames.
        embed: stages of the network whose output is wanted.
        segments: whether each segment gets a row, too.
        hop: seconds from one segment to the next; None for the model's own.
    """

    model: str
    runtime: str = "onnx"
    tags: bool | None = None
    onsets: bool | None = None
    embed: tuple[str, ...] = ()
    segments: bool = False
    hop: float | None = None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a model gives for each track.

    Attributes:
        model: its full name.
        labels: of the scores; () for no scores.
        units: stage -> length of its vector.
        onsets: whether there are onsets.
        segments: whether each segment gets a row.
        sample_rate: of the network, in Hz.
        segment: length of a segment in seconds.
        hop: from one segment to the next, in seconds.
    """

    model: str
    labels: tuple[str, ...] = ()
    units: dict[str, int] = {}
    onsets: bool = False
    segments: bool = False
    sample_rate: int = 0
    segment: float = 0.0
    hop: float = 0.0


@dataclass
class Answer:
    """The result for one track.

    Attributes:
        seconds: length of the sound.
        scores: (labels,) float32, the mean over the segments; None without tags.
        vectors: stage -> (units,) float32, the mean over frames and segments.
        onsets: (onsets,) times in seconds; None if they were not asked for.
        starts: (segments,) start of each segment in seconds.
        fresh: (segments,) seconds that no earlier segment covers.
        segment_scores: (segments, labels) float32; None without rows for segments.
        segment_vectors: stage -> (segments, units) float32, the mean over frames.
        warning: what may make the result less reliable; "" for nothing.
    """

    seconds: float
    scores: Any = None
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    onsets: np.ndarray | None = None
    starts: np.ndarray = field(default_factory=lambda: np.zeros(0))
    fresh: np.ndarray = field(default_factory=lambda: np.zeros(0))
    segment_scores: Any = None
    segment_vectors: dict[str, np.ndarray] = field(default_factory=dict)
    warning: str = ""


class Computer(Protocol):
    """A model that is ready to work."""

    about: About

    def compute(self, path: str, beat: Beat) -> Answer:
        """Return the result of a file."""


def open_model(job: Job) -> Computer:
    """Load the model of a job, with one thread for its network.

    Args:
        job: what is asked of it.

    Returns:
        The model, ready to work.

    Raises:
        ConfigError: what is asked does not fit the model.
        ZooError, OSError: as in `zoo.load`.
    """
    if job.runtime == "keras":
        for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(variable, "1")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from zoo.weights import loading  # not above: it imports a framework

        return Model(loading.load(job.model, runtime="keras"), job)
    from zoo.weights import runtimes

    return Model(runtimes.load(job.model, job.runtime, threads=1), job)


class Model:
    """A model of the zoo and what is asked of it.

    Args:
        model: the model.
        job: what is asked of it.

    Raises:
        ConfigError: they do not fit, or nothing is asked.
        UnknownName: a stage that the model does not have.
    """

    def __init__(self, model: "Predictor", job: Job):
        self.model, self.job = model, job
        self.tags = not model.frame_wise if job.tags is None else job.tags
        self.find_onsets = model.frame_wise if job.onsets is None else job.onsets
        if self.tags and model.frame_wise:
            raise ConfigError(f"{model.name} scores frames, not clips: it finds onsets, not tags.")
        if self.find_onsets and (model.frames is None or not model.frame_wise):
            raise ConfigError(
                f"{model.name} does not find onsets: leave out onsets, or use schluter2014."
            )
        if not (self.tags or self.find_onsets or job.embed):
            raise ConfigError("nothing is asked of the model: no tags, no embedding, no onsets.")
        if job.segments and not (self.tags or job.embed):
            raise ConfigError("segments need tags or an embedding; onsets have no segments.")
        self.cut = model.cut(job.hop)
        for stage in job.embed:
            model.check_stage(stage)
        wanted = [*job.embed, *(["probabilities"] if self.tags else [])]
        self.stages = tuple(dict.fromkeys(wanted))
        units: dict[str, np.ndarray] = {}
        if self.stages:
            self.forward = model.forward_passes(self.stages)
            silence = np.zeros((1, self.cut.segment), "float32")
            units = dict(zip(self.stages, self.forward(silence), strict=True))
        self.about = About(
            model=model.name,
            labels=model.labels if self.tags else (),
            units={stage: int(units[stage].shape[-1]) for stage in job.embed},
            onsets=self.find_onsets,
            segments=job.segments,
            sample_rate=model.sample_rate,
            segment=self.cut.segment / model.sample_rate,
            hop=self.cut.hop / model.sample_rate,
        )

    def compute(self, path: str, beat: Beat) -> Answer:
        """Decode a file once, and compute all that is asked.

        Args:
            path: of a sound file, or its address.
            beat: called now and then with the seconds of sound that are done.

        Returns:
            The result.

        Raises:
            AudioError, OSError: what is wrong with the file.
        """
        with warnings.catch_warnings(record=True) as caught, remote.local(path) as file:
            warnings.simplefilter("always", AudioWarning)
            try:
                answer = self._segments(file, beat) if self.stages else Answer(0.0)
                if self.find_onsets:
                    self._onsets(file, beat, answer)
            except (AudioError, OSError) as error:
                if file == path:
                    raise
                raise AudioError(str(error).replace(file, path)) from error
        said = [str(w.message) for w in caught if issubclass(w.category, AudioWarning)]
        answer.warning = " ".join(text.replace(file, path) for text in said)
        return answer

    def _segments(self, file: str, beat: Beat) -> Answer:
        scores: list[np.ndarray] = []
        vectors: dict[str, list[np.ndarray]] = {stage: [] for stage in self.job.embed}
        starts: list[float] = []
        fresh: list[float] = []
        cut = audio.segments(file, self.model.sample_rate, self.cut)
        for batch, _ in prediction.batches(cut):
            samples = np.stack([segment.samples for segment in batch])
            for stage, values in zip(self.stages, self.forward(samples), strict=True):
                if stage in vectors:
                    frames = tuple(range(1, values.ndim - 1))
                    vectors[stage].append(values.mean(axis=frames, dtype="float64"))
                if stage == "probabilities" and self.tags:
                    scores.append(values)
            starts += [segment.start for segment in batch]
            fresh += [segment.fresh for segment in batch]
            _check_length(starts[-1])
            beat(starts[-1])
        weights = np.array(fresh)
        answer = Answer(float(weights.sum()), starts=np.array(starts), fresh=weights)
        if self.tags:
            joined = np.concatenate(scores)
            answer.scores = np.average(joined, axis=0, weights=weights).astype("float32")
            answer.segment_scores = joined if self.job.segments else None
        for stage, parts in vectors.items():
            mean = np.concatenate(parts)
            answer.vectors[stage] = np.average(mean, axis=0, weights=weights).astype("float32")
            if self.job.segments:
                answer.segment_vectors[stage] = mean.astype("float32")
        return answer

    def _onsets(self, file: str, beat: Beat, answer: Answer) -> None:
        network = self.model.forward_pass("probabilities")
        rate, done = self.model.sample_rate, 0.0

        def predict(samples: np.ndarray) -> np.ndarray:
            nonlocal done
            done += samples.size / rate
            _check_length(done)
            beat(done)
            return network(samples)

        frames = self.model.frames or {}
        found = onsets.detect(file, predict, rate, **frames, model=self.model.name)
        answer.onsets = found.times
        answer.seconds = answer.seconds or len(found.activation) / found.frame_rate


def _check_length(seconds: float) -> None:
    if seconds > LONGEST:
        raise AudioError(f"longer than {LONGEST / 3600:g} hours, which no track is. Cut it first.")


# --- the process ---


def serve(connection: "Connection", opener: Callable[[], Computer]) -> None:
    """Work on the paths that come through a connection until it is closed.

    It answers ("ready", About) or ("refused", reason) first; for each path then ("at", seconds)
    now and then, and ("done", Answer) or ("failed", reason).

    Args:
        connection: to the process that asks.
        opener: loads the model.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        computer = opener()
    except (ZooError, OSError) as error:
        connection.send(("refused", f"{error}"))
        return
    connection.send(("ready", computer.about))
    last = 0.0

    def beat(seconds: float) -> None:
        nonlocal last
        if time.monotonic() - last > BEAT:
            last = time.monotonic()
            connection.send(("at", seconds))

    while True:
        try:
            path = connection.recv()
        except (EOFError, OSError):
            return
        message: tuple[str, Any]
        try:
            message = "done", computer.compute(path, beat)
        except MemoryError:
            os._exit(1)  # nothing can be relied on now
        except Exception as error:  # whatever a file raises is that file's failure
            message = "failed", reason_of(error)
        try:
            connection.send(message)
        except OSError:
            return


def reason_of(error: Exception) -> str:
    """Return an error as a reason of failure, in valid UTF-8."""
    known = isinstance(error, (ZooError, OSError))
    text = str(error) if known and str(error) else f"{type(error).__name__}: {error}"
    return escaped(text)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, even amidst a file."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
