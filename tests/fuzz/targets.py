"""What is fuzzed: for each kind of file a whole one, and the function that reads a damaged one."""

import io
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

RATE, SECONDS = 22050, 4
ALLOWED = 0.2  # seconds that a sound may silently be off


class Wrong(Exception):
    """A result that is silently wrong."""


class Target(NamedTuple):
    """A kind of file."""

    suffix: str
    whole: Callable[[], bytes]
    read: Callable[[Path], None]


def sound() -> np.ndarray:
    """Noise with a swell, stereo: (samples, 2)."""
    time = np.arange(RATE * SECONDS) / RATE
    values = np.random.default_rng(0).uniform(-0.5, 0.5, (len(time), 2))
    return (values * (0.6 + 0.4 * np.sin(3 * time))[:, None]).astype("float32")


def encoded(form: str, subtype: str | None = None, rate: int = RATE) -> bytes:
    """Return the sound in a format of libsndfile."""
    file = io.BytesIO()
    samples = sound() if rate == RATE else np.repeat(sound(), 2, axis=0)[: rate * SECONDS]
    soundfile.write(file, samples, rate, subtype, format=form)
    return file.getvalue()


def m4a() -> bytes:
    """Return the sound in AAC."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "stereo"
        both = np.ascontiguousarray(sound().T)
        for i in range(0, both.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(both[:, i : i + 1024], "fltp", "stereo")
            frame.sample_rate, frame.pts = RATE, i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def decode(path: Path) -> None:
    """Decode a damaged sound; its length must be right, unless there is a warning."""
    from zoo import audio

    length = sum(len(block) for block in audio.stream(path, RATE)) / RATE
    if abs(length - SECONDS) > ALLOWED:
        raise Wrong(f"{length:.2f} s")


# --- weights ---


def weights() -> bytes:
    """Return a file of weights."""
    from zoo.registry import manifest

    return (manifest.bundled_folder() / "dieleman2014.zoo.safetensors").read_bytes()


def hub_weights(path: Path) -> None:
    """Load weights as from a repository whose checksum is that of the damaged file."""
    from zoo.weights import cache, hub_client, hub_files, runtimes

    config = runtimes.configuration("dieleman2014.zoo")
    config.pop("card")
    content = {
        "library": "music-zoo",
        "format": 1,
        "version": "0",
        "sha256": cache.sha256(path),
        "model": {**config, "labels": list(config["labels"]), "options": config["options"] or {}},
    }
    place = path.with_name("config.json")
    place.write_text(json.dumps(content))
    original, snapshot = hub_client.fetch, hub_client.Snapshot("a/b", place, path)
    hub_client.fetch = lambda _: snapshot
    try:
        _, _, found = hub_files.fetch("hf://a/b")
    finally:
        hub_client.fetch = original
    runtimes.of_weights("a/b", config, found, "onnx")
    if not all(np.isfinite(array).all() for array in found.values()):
        raise Wrong("weights that are not finite")


@cache
def exported() -> bytes:
    """Return an ONNX file such as zoo.export writes, made without a framework."""
    import hashlib

    import msgspec

    from zoo.inference import graphs
    from zoo.registry.exported import GRAPH, KEY, METADATA, Description
    from zoo.utils.protobuf import field, fields
    from zoo.weights import fetch, runtimes

    name = "dieleman2014.zoo"
    config = runtimes.configuration(name)
    graph = graphs.find(config)
    arrays = graphs.initializers(graph, fetch.tensors(name), name)
    proto, _ = graphs.with_outputs(graph, arrays, ["probabilities"], embedded=True)
    inner = next(bytes(v) for n, v in fields(memoryview(proto)) if n == GRAPH)  # type: ignore[arg-type]
    about = Description(
        format=1,
        version="0",
        name="mine",
        labels=tuple(config["labels"]),
        geometry=msgspec.structs.replace(graph.geometry, stages=("probabilities",)),
        config=config,
        graph_sha256=hashlib.sha256(inner).hexdigest(),
    )
    return proto + field(METADATA, field(1, KEY) + field(2, msgspec.json.encode(about)))


def load_and_tag(path: Path) -> None:
    """Load a damaged model, and tag with it."""
    import zoo

    model = zoo.load(path, runtime="onnx")
    scores = model.tag((sound(), RATE)).scores
    if not np.isfinite(scores).all():
        raise Wrong("scores that are not finite")


@cache
def saved() -> bytes:
    """Return a saved Keras model."""
    import zoo

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mine.keras")
        zoo.build("pons2016", ["a", "b"], variant="time").save(path)
        return path.read_bytes()


def load_keras(path: Path) -> None:
    """Load a damaged Keras model."""
    import zoo

    model = zoo.load(path, runtime="keras")
    if not all(np.isfinite(array).all() for array in model.get_weights()):
        raise Wrong("weights that are not finite")


def embedding() -> bytes:
    """Return a saved embedding."""
    import zoo

    model = zoo.load("dieleman2014.zoo", runtime="onnx")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npz")
        model.embed((sound(), RATE)).save(path)
        return path.read_bytes()


def load_embedding(path: Path) -> None:
    """Load a damaged embedding."""
    import zoo

    found = zoo.Embedding.load(path)
    if found.values.dtype.kind != "f":
        raise Wrong("values that are no numbers")


def pickled() -> bytes:
    """Return a pickle of plain objects."""
    import pickle

    content = {"a": [1, 2.5, "three", (4, 5)], "b": {"c": ["six", None, True]}, "d": "x" * 300}
    return pickle.dumps(content, 2)


def unpickle(path: Path) -> None:
    """Read a damaged pickle."""
    from zoo.errors import ConfigError
    from zoo.utils import unpickling

    try:
        with path.open("rb") as file:
            unpickling.load(file, {})
    except unpickling.Refused as error:
        raise ConfigError(str(error)) from error


# --- text ---


def manifest_text() -> bytes:
    """Return the manifest."""
    return (Path(__file__).parents[2] / "weights_manifest.json").read_bytes()


def read_manifest(path: Path) -> None:
    """Read a damaged manifest."""
    from zoo.registry import manifest

    manifest.parse(path.read_bytes(), path.name)


def table() -> bytes:
    """Return a table of clips."""
    rows = [f"s{i}.wav,rock|pop{i % 3},{i},{i + 5},train,g{i % 4},0.5|1.5" for i in range(30)]
    return "\n".join(["path,tags,start,end,split,group,onsets", *rows]).encode()


def lines() -> bytes:
    """Return a table of clips in JSON lines."""
    rows = ({"path": f"s{i}.wav", "tags": ["rock"], "start": i, "onsets": [1]} for i in range(30))
    return "\n".join(map(json.dumps, rows)).encode()


def read_table(path: Path) -> None:
    """Read a damaged table."""
    from zoo import data

    data.from_table(path, check=False)


def read_onsets(path: Path) -> None:
    """Read a damaged list of onsets."""
    from zoo.data.readers import onsets

    onsets.times(path)


AUDIO = {
    "wav": Target(".wav", lambda: encoded("WAV", "PCM_16"), decode),
    "wav_float": Target(".wav", lambda: encoded("WAV", "FLOAT"), decode),
    "aiff": Target(".aiff", lambda: encoded("AIFF", "PCM_16"), decode),
    "w64": Target(".w64", lambda: encoded("W64", "PCM_16"), decode),
    "caf": Target(".caf", lambda: encoded("CAF", "PCM_16"), decode),
    "flac": Target(".flac", lambda: encoded("FLAC"), decode),
    "ogg": Target(".ogg", lambda: encoded("OGG", "VORBIS"), decode),
    "opus": Target(".opus", lambda: encoded("OGG", "OPUS", 24000), decode),
    "mp3": Target(".mp3", lambda: encoded("MP3"), decode),
    "m4a": Target(".m4a", m4a, decode),
}
WEIGHTS = {
    "safetensors": Target(".safetensors", weights, hub_weights),
    "onnx": Target(".onnx", exported, load_and_tag),
    "keras": Target(".keras", saved, load_keras),
    "npz": Target(".npz", embedding, load_embedding),
    "pickle": Target(".pkl", pickled, unpickle),
}
TEXT = {
    "manifest": Target(".json", manifest_text, read_manifest),
    "csv": Target(".csv", table, read_table),
    "jsonl": Target(".jsonl", lines, read_table),
    "onsets": Target(".txt", lambda: b"\n".join(b"%d.25" % i for i in range(50)), read_onsets),
}


def fail(path: Path) -> None:
    """Crash on some files, and never return from others: a check of the counting itself."""
    first = path.read_bytes()[0]
    if first % 4 == 0:
        os.abort()
    if first % 4 == 1:
        time.sleep(3600)
    if first % 4 == 2:
        raise KeyError("of a library")


CHECKS = {"failing": Target(".bin", lambda: b"\x03", fail)}
TARGETS = AUDIO | WEIGHTS | TEXT | CHECKS


def outcome(target: Target, path: Path) -> tuple[str, str]:
    """Read a damaged file, and return the class of what happened, with a detail."""
    from zoo.errors import ZooError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            target.read(path)
        except Wrong as error:
            said = [w for w in caught if path.name in str(w.message)]
            return ("warned", str(said[0].message)) if said else ("silent and wrong", str(error))
        except (ZooError, FileNotFoundError) as error:
            return "refused", str(error)
        except BaseException as error:
            return "raw error", f"{type(error).__name__}: {error}"
    said = [w for w in caught if path.name in str(w.message)]
    return ("warned", str(said[0].message)) if said else ("right", "")
