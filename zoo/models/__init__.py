"""One file per paper. Every file in this folder is registered; `ModelFile` defines its content."""

from collections.abc import Mapping
from typing import Any, Protocol


class ModelFile(Protocol):
    """The content of a file of this folder, as a module.

    `zoo.inference.assembly` joins the parts and adds the head. The keyword arguments of the three
    functions, each with a default, are the options of the architecture; each function takes those
    that it needs.

    A file may also contain
    - `TRAINING`: a literal with the fields of `zoo.training.recipe.Recipe`: the paper's training;
    - `FRAMES`: for a network with one output per frame, {"hop_length": samples, "context": frames};
    - functions `from_<format>(tensors)`, named in the manifest, which turn the arrays of a
      published file into arrays by Keras variable path.

    Attributes:
        CARD: a literal with the fields of `zoo.registry.cards.Architecture`, without the name,
            which is the file's. It is read without running the file. A variant after the first
            states only what is different from the first.
    """

    CARD: dict[str, Any]

    @staticmethod
    def segmentation(**options: Any) -> Mapping[str, int | bool]:
        """Return how to cut a clip.

        Args:
            **options: of the architecture.

        Returns:
            "sample_rate" in Hz; "segment", "hop" and "pad" in samples, see
            `zoo.audio.Segmentation`; "fixed", True if the network takes this length only.
        """

    @staticmethod
    def frontend(waveform: Any, **options: Any) -> dict[str, Any]:
        """Build the paper's front-end.

        Args:
            waveform: Keras tensor, (batch, samples), float32 in [-1, 1].
            **options: of the architecture.

        Returns:
            Stage name -> Keras tensor, in order; among them "frontend", (batch, frames, channels)
            or (batch, frames, bands, channels).
        """

    @staticmethod
    def backend(stages: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Build the paper's back-end.

        Args:
            stages: what `frontend` returned.
            **options: of the architecture.

        Returns:
            Further stages, in order; the last is the input of the head, (batch, units).
        """
