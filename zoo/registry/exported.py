"""What an exported ONNX file says of itself. Loads no framework, nor a runtime.

`zoo.export` writes these files. Their metadata hold one entry, `KEY`: JSON with the fields of
`Description`.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from zoo.errors import ConfigError, WeightsError
from zoo.utils import protobuf

SUFFIX = ".onnx"
KEY = "music-zoo"
FORMAT = 1

GRAPH, METADATA = 7, 14  # fields of ONNX's ModelProto


class Geometry(msgspec.Struct, frozen=True, kw_only=True):
    """The input and the outputs of a network.

    Attributes:
        sample_rate: in Hz.
        segment: length of the input in samples.
        hop: from one segment to the next, in samples.
        pad: zeros before and after a clip, in samples.
        fixed: whether the network takes a segment's length only.
        stages: names of the outputs, from the waveform on.
        frame_wise: whether the output is one row a frame.
        frames: for `onsets`, as in `zoo.models.ModelFile`.
    """

    sample_rate: int
    segment: int
    hop: int
    pad: int
    fixed: bool
    stages: tuple[str, ...]
    frame_wise: bool = False
    frames: dict[str, int] | None = None


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of an exported file.

    Attributes:
        format: version of this description; it increases with each incompatible change.
        version: of the package that wrote the file.
        name: of the model.
        labels: names of the outputs, in order.
        geometry: input and outputs.
        config: arguments of `AudioModel`, among them the card.
        licence: of the weights.
        authors: of the weights.
        citation: what to cite.
        checkpoint: that the weights come from; "" for none.
        checkpoint_sha256: of the checkpoint's file of weights; "" if unknown.
        graph_sha256: of the graph with its weights: the field `graph` of the file.
        quantized: "int8" or "float16"; "" for float32.
    """

    format: int
    version: str
    name: str
    labels: tuple[str, ...]
    geometry: Geometry
    config: dict[str, Any]
    licence: str = ""
    authors: tuple[str, ...] = ()
    citation: str = ""
    checkpoint: str = ""
    checkpoint_sha256: str = ""
    graph_sha256: str = ""
    quantized: str = ""


def describe(path: Path) -> Description:
    """Read and check an exported file.

    Args:
        path: the .onnx file.

    Returns:
        What it says of itself.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it is no ONNX file, is cut off, was not written by `zoo.export`, or is newer.
        WeightsError: its content does not match its checksum.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no exported model at {path}.")
    graph: bytes | memoryview = b""
    found: dict[str, bytes] = {}
    try:
        for number, value in protobuf.fields(memoryview(path.read_bytes())):
            if number == GRAPH and not isinstance(value, int):
                graph = value
            elif number == METADATA and not isinstance(value, int):
                key, text = (bytes(v) for _, v in protobuf.fields(value) if not isinstance(v, int))
                found[key.decode()] = text
        if not graph:
            raise protobuf.Cut("it has no graph")
    except ValueError as error:
        raise ConfigError(
            f"{path} is not an ONNX file, or is damaged or cut off: {error}. Export it again."
        ) from error
    if KEY not in found:
        raise ConfigError(
            f"{path} is an ONNX file without the metadata of music-zoo, which state labels and "
            "sample rate. Expected is a file that zoo.export or `zoo export` wrote."
        )
    about = parse(found[KEY], str(path))
    if hashlib.sha256(graph).hexdigest() != about.graph_sha256:
        raise WeightsError(
            f"{path} is damaged or was changed: its graph and weights do not match the sha256 in "
            "its metadata. Export it again."
        )
    return about


def parse(content: bytes | str, origin: str) -> Description:
    """Parse the metadata.

    Args:
        content: JSON.
        origin: the file, for messages.

    Returns:
        The description.

    Raises:
        ConfigError: it is not valid, or from a newer version.
    """
    try:
        about = msgspec.json.decode(content, type=Description)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the metadata of {origin} are not valid: {error}.") from error
    if about.format != FORMAT:
        raise ConfigError(
            f"{origin} was written by music-zoo {about.version} in format {about.format}; this "
            f"version reads format {FORMAT}. Upgrade: pip install --upgrade music-zoo."
        )
    return about
