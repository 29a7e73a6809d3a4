"""What is fuzzed: for each kind of file a whole one, and the function that reads a damaged one."""

import io
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

sys.path.append(str(Path(__file__).parents[1] / "helpers"))  # writers of others' formats

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


# --- weights in the formats of others, and what the zoo keeps of its own work ---


def by_writer(write: Callable[[Path], object]) -> bytes:
    """Return the bytes of a file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write(path)
        return path.read_bytes()


def torch_file() -> bytes:
    """Return a state dict as PyTorch writes it."""
    import torch_writer

    rng = np.random.default_rng(0)
    arrays = {f"layer{i}.weight": rng.normal(size=(5, 4)).astype("float32") for i in range(3)}
    return by_writer(lambda path: torch_writer.write_zip(path, arrays))


def torch_legacy() -> bytes:
    """Return a state dict as PyTorch wrote it before version 1.6."""
    import torch_writer

    rng = np.random.default_rng(0)
    arrays = {f"layer{i}.weight": rng.normal(size=(5, 4)).astype("float32") for i in range(3)}
    return by_writer(lambda path: torch_writer.write_legacy(path, arrays))


def madmom_file() -> bytes:
    """Return a network as madmom writes it."""
    import madmom_writer

    weights = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    layers = [
        madmom_writer.layer("BatchNormLayer", mean=weights[0], beta=0, gamma=0.5),
        madmom_writer.layer(
            "FeedForwardLayer", weights=weights, activation_fn=madmom_writer.activation("tanh")
        ),
    ]
    return madmom_writer.network(*layers)


def keras1_file() -> bytes:
    """Return weights as Keras 1 wrote them."""
    import keras1_writer

    return by_writer(
        lambda path: keras1_writer.write(path, keras1_writer.sample_cnn(2, width=8, labels=5))
    )


def convert(name: str) -> Callable[[Path], None]:
    """Return a function that reads a damaged file in a format of others."""

    def read(path: Path) -> None:
        import importlib

        from zoo.inference.weight_values import check_finite

        found = importlib.import_module(f"zoo.weights.convert.{name}").read(path, "")
        check_finite(found.items(), path.name)  # as loading does

    return read


def hub_config() -> bytes:
    """Return config.json of a repository, with the record of a checkpoint."""
    import msgspec

    from zoo.registry import manifest
    from zoo.weights import runtimes

    name = "dieleman2014.zoo"
    config = runtimes.configuration(name)
    config.pop("card")
    content = {
        "library": "music-zoo",
        "format": 1,
        "version": "0",
        "sha256": "0" * 64,
        "model": {**config, "labels": list(config["labels"]), "options": config["options"] or {}},
        "checkpoints": {name: manifest.load().checkpoint(name)},
    }
    return msgspec.json.encode(content)


def read_hub_config(path: Path) -> None:
    """Read a damaged config.json and card of a repository."""
    from zoo.weights import hub_client, hub_files

    snapshot = hub_client.Snapshot("a/b", path, path)
    config = hub_files.read_config(snapshot)
    hub_files.card(config, snapshot).to_dict()


def state() -> bytes:
    """Return the state of a training."""
    rng = np.random.default_rng(0)
    arrays = {f"variable {i}": rng.normal(size=(6, 5)).astype("float32") for i in range(4)}
    file = io.BytesIO()
    np.savez(file, phase="head", rows=json.dumps([{"phase": "head", "val_loss": 0.5}]), **arrays)
    return file.getvalue()


def read_state(path: Path) -> None:
    """Read the damaged state of a training."""
    from zoo.training import run_folder

    run = run_folder.Run(path.parent, {})
    path.replace(path.with_name(run_folder.STATE))
    run.state()


SETTINGS = {
    "made_by": "zoo.finetune",
    "train": {"name": "songs", "clips": 12, "labels": ["a", "b"], "sha256": "0" * 64},
    "recipe": {"epochs": 5, "learning_rate": 0.001, "schedule": None},
    "monitor": "score",
}


def settings() -> bytes:
    """Return settings.json of a training."""
    from zoo.utils.version import __version__

    return json.dumps({"zoo": __version__, **SETTINGS}, indent=1).encode()


def read_settings(path: Path) -> None:
    """Go on with a training whose settings are damaged."""
    from zoo.training import run_folder

    with tempfile.TemporaryDirectory() as folder:
        path.replace(Path(folder, run_folder.SETTINGS))
        Path(folder, run_folder.STATE).write_bytes(state())
        with run_folder.Run(folder, SETTINGS):
            pass


def parts() -> bytes:
    """Return a part of the results of zoo batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from zoo.batching import dataset

    rng, count = np.random.default_rng(0), 50
    columns = {
        "path": [f"music/song {i}.mp3" for i in range(count)],
        "size": list(range(count)),
        "modified": pa.array(range(count), pa.int64()).cast(dataset._KNOWN[2].type),
        "etag": [None] * count,
        "rock": rng.random(count).astype("float32"),
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd", write_page_checksum=True)
    return file.getvalue()


def resume_batch(path: Path) -> None:
    """Go on with results of zoo batch that have a damaged part."""
    from zoo.batching import dataset
    from zoo.batching.plan import Plan
    from zoo.batching.work import About

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, dataset.TRACKS).mkdir()
        path.replace(Path(folder, dataset.TRACKS, "part-000000.parquet"))
        about = About(model="x", labels=("rock",), units={}, segments=False, onsets=False)
        Plan().add_done(dataset.DataSet(Path(folder), {}, about, {}).done())


def read_list(path: Path) -> None:
    """List the tracks of a damaged Parquet file."""
    from zoo.batching import sources

    for _ in sources.tracks([str(path)], "path"):
        pass


def run_json() -> bytes:
    """Return run.json of zoo batch."""
    content = {"model": "pons2017.mtt", "labels": ["rock", "pop"], "embed": [], "version": "0"}
    return json.dumps(content, indent=1).encode()


def read_run_json(path: Path) -> None:
    """Read the damaged run.json of zoo batch."""
    from zoo.batching import dataset

    path.replace(path.with_name(dataset.RUN))
    with tempfile.TemporaryDirectory() as folder:
        path.with_name(dataset.RUN).replace(Path(folder, dataset.RUN))
        dataset.read_run(Path(folder))


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
# The seed of a case depends on the place of its kind, so new kinds are added at the end.
FOREIGN = {
    "torch": Target(".pth", torch_file, convert("torch")),
    "torch_legacy": Target(".pth", torch_legacy, convert("torch")),
    "madmom": Target(".pkl", madmom_file, convert("madmom")),
    "keras1": Target(".hdf5", keras1_file, convert("keras1")),
}
KEPT = {
    "hub_config": Target(".json", hub_config, read_hub_config),
    "state": Target(".npz", state, read_state),
    "settings": Target(".json", settings, read_settings),
    "parquet": Target(".parquet", parts, resume_batch),
    "track_list": Target(".parquet", parts, read_list),
    "run_json": Target(".json", run_json, read_run_json),
}
TARGETS = AUDIO | WEIGHTS | TEXT | CHECKS | FOREIGN | KEPT


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
