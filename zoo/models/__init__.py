"""One file a paper. A file put here is registered by being here; `ModelFile` says what it holds."""

from collections.abc import Mapping
from typing import Any, Protocol


class ModelFile(Protocol):
    """What a file of this folder, seen as a module, offers.

    `zoo.inference.assembly` joins the parts and adds the head. The keyword arguments of the three
    functions, each with a default, are the options of the architecture: each function takes those
    that it needs.

    A file may also hold
    - `TRAINING`: a literal with the fields of `zoo.training.recipe.Recipe`, how the paper trains;
    - `FRAMES`: for a network with one output per frame, {"hop_length": samples, "context": frames};
    - functions `from_<format>(tensors)`, named in the manifest, which turn the arrays of a
      published file into arrays by Keras variable path.

    Attributes:
        CARD: a literal with the fields of `zoo.registry.cards.Architecture`, without the name,
            which is the file's. It is read without running the file.
    """

    CARD: dict[str, Any]

    @staticmethod
    def segmentation(**options: Any) -> Mapping[str, int | bool]:
        """Return how a clip is cut.

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
