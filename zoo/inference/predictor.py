"""What every model does with sounds, whatever computes its network: Keras or another runtime.

Cutting into segments, batches and result objects are here, once. This file loads no framework.
"""

import math
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from typing import Any, cast, overload

import numpy as np

from zoo import audio
from zoo.audio import Segmentation, Source
from zoo.audio.sources import is_list_pair
from zoo.errors import ConfigError, UnknownName
from zoo.inference import prediction
from zoo.inference.features import Clips, Features, is_corpus, of_corpus
from zoo.inference.onsets import COMBINE, SMOOTH, THRESHOLD, detect
from zoo.inference.results import Embedding, Onsets, Taggram, Tags
from zoo.registry import lookup
from zoo.registry.cards import Card


class Predictor:
    """A network that takes a waveform; `tag`, `taggram`, `embed`, `onsets` and `stream` use it.

    `AudioModel` computes it with Keras, `RuntimeModel` with ONNX Runtime or OpenVINO.

    Attributes:
        name: of the model.
    """

    name: str

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Sample rate of the input, in Hz."""

    @property
    @abstractmethod
    def segmentation(self) -> Segmentation:
        """How a clip is cut, in samples."""

    @property
    @abstractmethod
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, from the waveform to the output."""

    @property
    @abstractmethod
    def _arguments(self) -> dict[str, Any]:
        """Arguments that the network is built with, as a saved model has them."""

    @property
    def card(self) -> Card:
        """Paper, stages, labels, and the checkpoint that the weights come from, if any.

        That has its status and scores only while the weights and labels are the checkpoint's.
        """
        return lookup.card_of(self._arguments, self.name)

    @property
    def architecture(self) -> str:
        """Name of the architecture, such as "pons2017"."""
        return self._arguments["architecture"]

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of `zoo.build` that differ from the architecture's own."""
        return dict(self._arguments.get("options") or {})

    @property
    def activation(self) -> str:
        """The activation of the output: "sigmoid" or "softmax"."""
        return self._arguments.get("activation", "sigmoid")

    @property
    @abstractmethod
    def frame_wise(self) -> bool:
        """Whether the output is one row a frame, (batch, frames, labels), and not one a clip."""

    @property
    @abstractmethod
    def frames(self) -> dict[str, int] | None:
        """Frames of the output for `onsets`: "hop_length" in samples, "context" in frames."""

    @abstractmethod
    def forward_pass(self, stage: str) -> Callable[[np.ndarray], np.ndarray]:
        """Return the forward pass to a stage, (batch, samples) -> (batch, ...), NumPy arrays.

        Args:
            stage: one of `stages`.

        Returns:
            The function.

        Raises:
            UnknownName: with the names that there are.
        """

    def start_pass(self, stage: str) -> Callable[[np.ndarray, bool], Callable[[], np.ndarray]]:
        """Return a function that starts the forward pass to a stage.

        Args:
            stage: one of `stages`.

        Returns:
            A function that takes a batch, and whether no other is computed beside it; it returns a
            function, which returns the result. Here that computes it; a runtime may begin at once.

        Raises:
            UnknownName: as in `forward_pass`.
        """
        forward = self.forward_pass(stage)
        return lambda batch, _: lambda: forward(batch)

    def forward_passes(self, stages: tuple[str, ...]) -> Callable[[np.ndarray], list[np.ndarray]]:
        """Return the forward pass to several stages.

        Args:
            stages: of `stages`.

        Returns:
            The function, (batch, samples) -> [(batch, ...) of each stage], NumPy arrays.

        Raises:
            UnknownName: as in `forward_pass`.
        """
        each = [self.forward_pass(stage) for stage in stages]
        return lambda batch: [forward(batch) for forward in each]

    def check_stage(self, stage: str) -> None:
        """Raise UnknownName unless the network has such a stage; the message names those it has."""
        if stage not in self.stages:
            hint = f" Export it with --stage {stage}, too." if len(self.stages) == 1 else ""
            raise UnknownName(
                f"{self.name} has no stage named {stage!r}; it has {', '.join(self.stages)}.{hint}"
            )

    # --- what it does ---

    @overload
    def tag(
        self, audio: Source, top: int | None = 10, *, hop: float | None = None, tail: bool = True
    ) -> Tags: ...
    @overload
    def tag(
        self,
        audio: list[Source],
        top: int | None = 10,
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> list[Tags]: ...
    def tag(
        self,
        audio: Source | list[Source],
        top: int | None = 10,
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> Tags | list[Tags]:
        """Score a whole clip: the mean over its segments, each weighted by the audio it adds.

        Args:
            audio: a file, an (array, sample_rate) pair with the array (samples,) or
                (samples, channels), a file open for reading bytes, a clip of a corpus, or a
                dictionary with "array" and "sampling_rate"; or a list or iterator of these.
            top: how many tags the result shows; None for all. It holds all in any case.
            hop: seconds from one segment to the next; None for one segment after the other.
            tail: whether the rest after the last whole segment counts too. musicnn 0.1.0 drops it.

        Returns:
            `Tags` with scores (labels,); for a list, a list of them.

        Raises:
            AudioError: what is wrong with the audio. In a list, the first failure ends the call,
                and the results of the sounds before it are in the attribute `results` of the
                exception; `stream` continues with the next sound.
            FileNotFoundError: no such file.
            ConfigError: `hop` does not fit; or the model scores frames, not clips.
        """
        grams = self.taggram(audio, hop=hop, tail=tail)
        if isinstance(grams, list):
            return [gram.tags(top) for gram in grams]
        return grams.tags(top)

    @overload
    def taggram(self, audio: Source, *, hop: float | None = None, tail: bool = True) -> Taggram: ...
    @overload
    def taggram(
        self, audio: list[Source], *, hop: float | None = None, tail: bool = True
    ) -> list[Taggram]: ...
    def taggram(
        self, audio: Source | list[Source], *, hop: float | None = None, tail: bool = True
    ) -> Taggram | list[Taggram]:
        """Score every segment of a clip.

        Args:
            audio: as in `tag`.
            hop: as in `tag`, in seconds.
            tail: as in `tag`.

        Returns:
            `Taggram` with values (segments, labels), and times and seconds (segments,) in seconds;
            for a list, a list of them.

        Raises:
            AudioError, FileNotFoundError, ConfigError: as in `tag`.
        """
        return self._results(audio, None, hop, tail)

    @overload
    def embed(
        self,
        audio: Source,
        stage: str = "penultimate",
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> Embedding: ...
    @overload
    def embed(
        self,
        audio: list[Source],
        stage: str = "penultimate",
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> list[Embedding]: ...
    @overload
    def embed(
        self,
        audio: Clips,
        stage: str = "penultimate",
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> Features: ...
    def embed(
        self,
        audio: Source | list[Source] | Clips,
        stage: str = "penultimate",
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> Embedding | list[Embedding] | Features:
        """Return the output of a stage of the network for every segment of a clip.

        Args:
            audio: as in `tag`; or a corpus, for one vector a clip with labels and splits.
            stage: one of `stages`.
            hop: as in `tag`, in seconds.
            tail: as in `tag`.

        Returns:
            `Embedding` with values (segments, units), or (segments, frames, channels) where the
            stage still has a time axis, and times and seconds (segments,) in seconds; for a list, a
            list of them; for a corpus `Features`, with X and y for scikit-learn.

        Raises:
            UnknownName: with the stages that there are.
            AudioError, FileNotFoundError, ConfigError: as in `tag`.
        """
        if is_corpus(audio):
            return of_corpus(audio, self.stream(audio.clips, stage, hop=hop, tail=tail))
        return self._results(audio, stage, hop, tail)

    @overload
    def onsets(
        self,
        audio: Source,
        threshold: float = THRESHOLD,
        *,
        smooth: float = SMOOTH,
        combine: float = COMBINE,
    ) -> Onsets: ...
    @overload
    def onsets(
        self,
        audio: list[Source],
        threshold: float = THRESHOLD,
        *,
        smooth: float = SMOOTH,
        combine: float = COMBINE,
    ) -> list[Onsets]: ...
    def onsets(
        self,
        audio: Source | list[Source],
        threshold: float = THRESHOLD,
        *,
        smooth: float = SMOOTH,
        combine: float = COMBINE,
    ) -> Onsets | list[Onsets]:
        """Find where notes begin; for models whose task is onset detection.

        Args:
            audio: as in `tag`. A long file takes no more memory than a short one.
            threshold: least value of the smoothed activation, above 0 and at most 1.
            smooth: length of the Hamming window that smooths it, in seconds; 0 for none.
            combine: of onsets that follow each other within this time, in seconds, the first stays.

        Returns:
            `Onsets` with times (onsets,) in seconds and the activation (frames,); for a list, a
            list of them. The defaults give the onsets of madmom's CNNOnsetDetector.

        Raises:
            ConfigError: the model does not score frames; use `tag`. Or a setting is out of range.
            AudioError, FileNotFoundError: as in `tag`.
        """
        frames = self.frames
        if frames is None or not self.frame_wise:
            raise ConfigError(
                f"{self.name} does not find onsets; use tag or taggram. "
                f"Those that do: {', '.join(lookup.list_models(task='onsets')) or 'none'}."
            )
        many = is_many(audio)
        sources: Any = audio if many else [audio]
        found: list[Onsets] = []
        for source in sources:
            try:
                onsets = detect(
                    source,
                    self.forward_pass("probabilities"),
                    self.sample_rate,
                    **frames,
                    model=self.name,
                    threshold=threshold,
                    smooth=smooth,
                    combine=combine,
                )
            except Exception as error:
                _with_results(error, found)
                raise
            found.append(onsets)
        return found if many else found[0]

    @overload
    def stream(
        self,
        sources: Iterable[Source],
        stage: None = None,
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> Iterator[Taggram | Exception]: ...
    @overload
    def stream(
        self, sources: Iterable[Source], stage: str, *, hop: float | None = None, tail: bool = True
    ) -> Iterator[Embedding | Exception]: ...
    def stream(
        self,
        sources: Iterable[Source],
        stage: str | None = None,
        *,
        hop: float | None = None,
        tail: bool = True,
    ) -> Iterator[Taggram | Exception] | Iterator[Embedding | Exception]:
        """Yield the result of each of many sounds; one that fails does not stop the others.

        Sounds are decoded in a thread, a little ahead of the network, and only few are in memory.

        Args:
            sources: files or (array, sample_rate) pairs, also from a generator.
            stage: one of `stages`, for embeddings; None for taggrams.
            hop: as in `tag`, in seconds.
            tail: as in `tag`.

        Yields:
            For each sound, in order, its `Taggram` (whose `tags` are those of the clip) or its
            `Embedding`, or the exception that it caused.

        Raises:
            ConfigError, UnknownName: `hop` or `stage` does not fit, or `sources` is a single sound;
                before the first result.
        """
        if isinstance(sources, str | os.PathLike) or is_pair(sources):
            given = audio.name_of(cast(Source, sources))
            raise ConfigError(f"stream takes many sounds, given was one: {given}. Give a list.")
        if stage in (None, "probabilities") and self.frame_wise:
            raise ConfigError(
                f"{self.name} scores frames, not clips: use its method onsets, or `zoo onsets`."
            )
        start = self.start_pass(stage or "probabilities")
        predictions = prediction.stream(sources, start, self.sample_rate, self.cut(hop), tail)
        return (self._result(stage, source, found) for source, found in predictions)

    def _result(self, stage: str | None, source: Source, found: prediction.Prediction | Exception):
        if isinstance(found, Exception):
            return found
        if stage is None:
            return Taggram(*found, self.labels, audio.name_of(source), self.name)
        return Embedding(*found, stage, audio.name_of(source), self.name)

    def cut(self, hop: float | None) -> Segmentation:
        """Return how clips are cut with another hop.

        Args:
            hop: as in `tag`, in seconds.

        Returns:
            The segmentation, in samples.

        Raises:
            ConfigError: `hop` does not fit.
        """
        cut = self.segmentation
        if hop is None:
            return cut
        samples = round(hop * self.sample_rate) if math.isfinite(hop) else 0
        if not 0 < samples <= cut.segment:
            raise ConfigError(
                f"hop is {hop} s; a segment of {self.name} has {cut.segment / self.sample_rate:.2f}"
                " s, and hop must be more than 0 and at most that."
            )
        return Segmentation(cut.segment, samples, cut.pad)

    def _results(self, sound, stage: str | None, hop: float | None, tail: bool):
        results: list = []
        many = is_many(sound)
        for result in self.stream(sound if many else [sound], stage, hop=hop, tail=tail):
            if isinstance(result, Exception):
                raise _with_results(result, results)
            results.append(result)
        return results if many else results[0]


def is_many(sounds: Any) -> bool:
    """Say whether these are several sounds: a list, a corpus, or an iterator, such as of glob."""
    if isinstance(sounds, list):
        return not is_list_pair(sounds)
    return is_corpus(sounds) or (hasattr(sounds, "__next__") and not hasattr(sounds, "read"))


def _with_results(error: Exception, results: list) -> Exception:
    """Return the error of a sound in a list, with the results of the sounds before it."""
    error.results = results  # type: ignore[attr-defined]
    if results:
        error.add_note(
            f"The results of the {len(results)} sounds before it are in the attribute `results` of "
            "this exception. `stream` goes on after a sound that fails."
        )
    return error


def is_pair(sources: Any) -> bool:
    """Say whether this is one (array, sample_rate) pair, and not several sounds."""
    return isinstance(sources, tuple) and len(sources) == 2 and isinstance(sources[1], Real)
