"""A model that runs without Keras: the same methods as `AudioModel`, in another runtime."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.audio import Segmentation
from zoo.errors import ConfigError
from zoo.inference.onsets import RUNTIME_CHUNKS
from zoo.inference.predictor import Predictor
from zoo.inference.sessions import Forward
from zoo.registry.exported import Geometry
from zoo.utils import text

RUNTIMES = ("onnx", "openvino")


class RuntimeModel(Predictor):
    """A network that ONNX Runtime or OpenVINO computes: it predicts and cannot be trained.

    Made by `zoo.load(name, runtime="onnx")` and `zoo.load("mine.onnx")`. Its methods `tag`,
    `taggram`, `embed`, `onsets` and `stream` are those of `AudioModel`, with the same results.

    Args:
        name: of the model.
        config: arguments of `AudioModel` for the same network.
        geometry: its input and its stages.
        open_stages: returns the forward pass to some stages; called once for each such set.
        runtime: one of `RUNTIMES`.
    """

    def __init__(
        self,
        name: str,
        config: dict[str, Any],
        geometry: Geometry,
        open_stages: Callable[[tuple[str, ...]], Forward],
        runtime: str,
    ):
        self.name, self.runtime = name, runtime
        self._config, self._geometry = config, geometry
        self._open_stages = open_stages
        self._opened: dict[tuple[str, ...], Forward] = {}
        self._process = os.getpid()
        self._labels = tuple(config["labels"])

    def __repr__(self) -> str:
        seconds = self.segmentation.segment / self.sample_rate
        return (
            f"RuntimeModel({self.name!r}: {self.architecture} in {self.runtime}, "
            f"{text.plural(len(self.labels), 'label')}, segments of {seconds:.2f} s at "
            f"{self.sample_rate} Hz)"
        )

    @property
    def _arguments(self) -> dict[str, Any]:
        return self._config

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return self._labels

    @property
    def sample_rate(self) -> int:
        """Sample rate of the input, in Hz."""
        return self._geometry.sample_rate

    @property
    def segmentation(self) -> Segmentation:
        """How a clip is cut, in samples."""
        return Segmentation(self._geometry.segment, self._geometry.hop, self._geometry.pad)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, from the waveform to the output."""
        return self._geometry.stages

    @property
    def frame_wise(self) -> bool:
        """Whether the output is one row a frame, (batch, frames, labels), and not one a clip."""
        return self._geometry.frame_wise

    @property
    def frames(self) -> dict[str, int] | None:
        """Frames of the output for `onsets`: as in `AudioModel`, and how many at once."""
        frames = self._geometry.frames
        return frames and frames | RUNTIME_CHUNKS

    def forward_pass(self, stage: str) -> Callable[[np.ndarray], np.ndarray]:
        """Return the forward pass to a stage, (batch, samples) -> (batch, ...), NumPy arrays.

        Args:
            stage: one of `stages`.

        Returns:
            The function.

        Raises:
            UnknownName: with the names that there are.
            ConfigError: the runtime is not installed, or refuses the network; or the model was
                used before this process was forked from its parent.
        """
        run = self.forward_passes((stage,))
        return lambda batch: run(batch)[0]

    def start_pass(self, stage: str) -> Callable[[np.ndarray, bool], Callable[[], np.ndarray]]:
        """Return a function that starts the forward pass to a stage: see `Predictor.start_pass`.

        Args:
            stage: one of `stages`.

        Returns:
            The function.

        Raises:
            UnknownName, ConfigError: as in `forward_pass`.
        """
        start = self.forward_passes((stage,)).start

        def started(batch: np.ndarray, only: bool) -> Callable[[], np.ndarray]:
            result = start(batch, only)
            return lambda: result()[0]

        return started

    def forward_passes(self, stages: tuple[str, ...]) -> Forward:
        """Return the forward pass to several stages, computed in one run of the network.

        Args:
            stages: of `stages`.

        Returns:
            The function, (batch, samples) -> [(batch, ...) of each stage], NumPy arrays.

        Raises:
            UnknownName, ConfigError: as in `forward_pass`.
        """
        for stage in stages:
            self.check_stage(stage)
        if self._opened and self._process != os.getpid():  # its threads do not survive a fork
            raise ConfigError(
                f"{self.name} was used before this process was forked, and {self.runtime} would "
                "hang in it. Load the model in each process, or use the start method 'spawn'."
            )
        if stages not in self._opened:
            self._opened[stages] = self._open_stages(stages)
            self._process = os.getpid()
        return self._opened[stages]

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to train, and say how to.

        Args:
            *args: of `keras.Model.fit`.
            **kwargs: of `keras.Model.fit`.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{self.name} runs in {self.runtime}, which does not train. Load the model with "
            "runtime='keras' to train it."
        )
