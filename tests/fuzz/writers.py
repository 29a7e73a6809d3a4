"""What `faults.py` disturbs: for each command that writes, its input, a small call, its result."""

import contextlib
import hashlib
import io
import json
import os
import sys
import types
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HELPERS = str(Path(__file__).parents[1] / "helpers")
if HELPERS not in sys.path:
    sys.path.append(HELPERS)

Result = dict[str, Any]
SMALL = {"segment": 1.0, "lengths": [64], "strides": [32], "filters": [4], "stride": 512}


class Writer(NamedTuple):
    """Something that writes.

    Attributes:
        prepare: makes the input in a folder.
        write: writes into the second folder, from the input in the first.
        result: reads what is there: name -> array or text.
        framework: whether it needs TensorFlow.
    """

    prepare: Callable[[Path], object]
    write: Callable[[Path, Path], object]
    result: Callable[[Path], Result]
    framework: bool = False


# --- training ---


def start(folder: Path) -> None:
    """Make songs and a small network."""
    import songs

    import zoo
    from zoo.training import preparation

    for name, count in (("train", 4), ("validation", 2)):
        songs.make(folder / name, count)
    with preparation.seeded(1):
        zoo.build("dieleman2014", ["noise", "tone"], segment=1.0).save(folder / "start.keras")


def corpora(folder: Path) -> list:
    """Return the corpora of songs."""
    from zoo import data

    return [data.from_folder(folder / name) for name in ("train", "validation")]


def finetune(given: Path, out: Path) -> None:
    """Fine-tune the network, both phases, with one epoch each."""
    import zoo

    zoo.finetune(
        zoo.load(given / "start.keras"),
        *corpora(given),
        folder=out / "run",
        epochs=1,
        head_epochs=1,
        batch_size=8,
        progress=False,
    )


def train(given: Path, out: Path) -> None:
    """Train the network from the beginning for two epochs, with a cache of decoded audio."""
    import zoo

    zoo.train(
        "dieleman2014",
        *corpora(given),
        folder=out / "run",
        epochs=2,
        batch_size=8,
        options={"segment": 1.0},
        cache=out / "cache",
        progress=False,
    )


def trained(out: Path) -> Result:
    """Read the weights and the history of a run."""
    import h5py

    found: Result = {"history": (out / "run" / "history.csv").read_text()}
    with zipfile.ZipFile(out / "run" / "model.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "optimizer" not in name:
            found[name] = item[()]

    with h5py.File(content) as file:
        file.visititems(keep)
    return found


def cached(out: Path) -> Result:
    """Read a cache of decoded audio: the records of each clip, wherever they are."""
    found: Result = {}
    for index in sorted(out.glob("cache/*/*.json")):
        content = json.loads(index.read_bytes())
        size = 4 + 2 * 2 * content["sample_rate"] + 16
        data = index.with_suffix(".tfrecord").read_bytes()
        for entry in content["entries"]:
            count = -(-entry["samples"] // (2 * content["sample_rate"]))
            part = data[entry["first"] * size : (entry["first"] + count) * size]
            found[os.path.basename(os.path.dirname(entry["path"])) + entry["path"][-5:]] = (
                hashlib.sha256(part).hexdigest() + entry["reason"]
            )
    return found


def cache(given: Path, out: Path) -> None:
    """Decode songs into a cache."""
    from zoo.data.pipeline import shards

    shards.SHARD = 150_000  # bytes: several shards
    shards.Shards(corpora(given)[0], 16000, out / "cache", 2)


# --- commands without a framework ---


def command(*arguments: object) -> None:
    """Run `zoo` as a user does; what it prints goes nowhere."""
    from zoo.cli import main
    from zoo.errors import ZooError

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            try:
                main([str(a) for a in arguments], standalone_mode=True)
            except SystemExit as end:
                status = end.code
        if status not in (0, None):
            text = errors.getvalue()
            raise (RuntimeError if "Traceback" in text else ZooError)(text.strip()[-600:])


def sounds(folder: Path) -> None:
    """Make four sounds."""
    import songs

    songs.make(folder / "songs", 2, seconds=3.5)


def embed(given: Path, out: Path) -> None:
    """Write embeddings of the sounds."""
    command("embed", given / "songs", "-m", "dieleman2014.zoo", "-o", out / "embeddings")


def embedded(out: Path) -> Result:
    """Read the embeddings."""
    found: Result = {}
    for path in sorted(out.glob("embeddings/**/*.npz")):
        with np.load(path) as arrays:
            found[str(path.relative_to(out))] = arrays["values"]
    return found


def site(given: Path, out: Path) -> None:
    """Write the page's folder."""
    from zoo.weights import site as pages

    pages.default_models = lambda: ["dieleman2014.zoo"]  # one is enough
    pages.write(out / "site", (), level=1)


def files(out: Path) -> Result:
    """Read the bytes of all files."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


KERNEL = np.arange(12, dtype="float32").reshape(3, 4)
RELEASE = "fakenet-1.0.tar.gz"


def release(folder: Path) -> None:
    """Make a release with a network of madmom, as on a mirror."""
    import madmom_writer

    with open(folder / RELEASE, "wb") as file:
        madmom_writer.archive(file, {"net.pkl": {"weights": KERNEL, "bias": KERNEL[0]}})


def _catalogue(given: Path) -> Any:
    from zoo.registry import manifest

    content = (given / RELEASE).read_bytes()
    model: Any = types.ModuleType("zoo.models.fake2020")
    model.from_fakenet = lambda t: {"head/kernel": t["0 FeedForwardLayer/weights"].T.copy().T}
    sys.modules["zoo.models.fake2020"] = model
    source = {
        "kind": "pypi",
        "project": "fakenet",
        "version": "1.0",
        "file": RELEASE,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "format": "madmom",
        "member": "net.pkl",
        "adopt": "from_fakenet",
    }
    checkpoint = {
        "architecture": "fake2020",
        "labels": ["a", "b"],
        "sources": [source],
        "input": {"sample_rate": 16000, "segment": 48000, "description": "waveform"},
        "licence": {"weights": "MIT", "data": "none"},
        "authors": ["Nobody"],
        "citation": "none",
        "provenance": "Made up for a test.",
        "status": "verified",
    }
    text = json.dumps({"schema": 1, "checkpoints": {"fake2020.test": checkpoint}})
    return manifest.parse(text.encode(), "test")


def fetch(given: Path, out: Path) -> None:
    """Fetch and convert weights from a mirror into the cache."""
    from zoo.errors import WeightsError
    from zoo.weights import cache as cache_folder
    from zoo.weights import fetch as fetching

    os.environ |= {"ZOO_CACHE": str(out / "weights"), "ZOO_MIRROR": str(given)}
    file = fetching.path("fake2020.test", _catalogue(given))
    if not cache_folder.is_lasting(file):
        raise WeightsError("could not be kept")  # as `zoo fetch` says


def mirror(given: Path, out: Path) -> None:
    """Copy a release into the folder of a mirror."""
    from zoo.weights import fetch as fetching

    os.environ["ZOO_MIRROR"] = str(given)
    (out / "mirror").mkdir(exist_ok=True)
    fetching.mirror("fake2020.test", out / "mirror", _catalogue(given))


def batch(given: Path, out: Path) -> None:
    """Run zoo batch on names of files; its answers come from the names alone."""
    from batch_models import quick_opener

    from zoo.batching import run
    from zoo.batching.pool import Limits, Pool

    run.run(
        partial(Pool, partial(quick_opener, 0.0, True), 1, Limits()),
        "0" * 64,
        [str(given / "list.csv")],
        out / "batch",
        settings={},
        progress=False,
        part=4,
    )


def names(folder: Path) -> None:
    """Make files, two of which will fail, and a list of them."""
    lines = ["path"]
    for i in range(10):
        name = f"{i}{'fail' if i in (3, 7) else ''}.mp3"
        (folder / name).write_bytes(b"x" * (i + 1))
        lines.append(name)
    (folder / "list.csv").write_text("\n".join(lines))


def batched(out: Path) -> Result:
    """Read the rows of zoo batch, wherever they are."""
    import pyarrow.parquet as pq

    found: Result = {}
    for name in ("tracks", "segments", "failed"):
        table = pq.read_table(out / "batch" / name, partitioning=None).to_pylist()
        found[name] = "\n".join(sorted(str(list(row.values())) for row in table))
    whole = pq.read_table(out / "batch" / "failed.parquet").to_pylist()
    found["failed.parquet"] = "\n".join(sorted(str(list(row.values())) for row in whole))
    return found


def export(given: Path, out: Path) -> None:
    """Export the network to ONNX."""
    import zoo

    zoo.export(zoo.load(given / "start.keras"), out / "mine.onnx")


def exported(out: Path) -> Result:
    """Read the weights of an ONNX file; names of its nodes differ from run to run."""
    import onnx

    graph = onnx.load(out / "mine.onnx").graph
    tensors = sorted(onnx.numpy_helper.to_array(t).tobytes() for t in graph.initializer)
    return {
        "weights": hashlib.sha256(b"".join(tensors)).hexdigest(),
        "outputs": " ".join(output.name for output in graph.output),
        "nodes": " ".join(sorted(node.op_type for node in graph.node)),
    }


WRITERS = {
    "batch": Writer(names, batch, batched),
    "embed": Writer(sounds, embed, embedded),
    "fetch": Writer(release, fetch, files, True),
    "mirror": Writer(release, mirror, files, True),
    "site": Writer(lambda _: None, site, files),
    "cache": Writer(start, cache, cached, True),
    "finetune": Writer(start, finetune, trained, True),
    "train": Writer(start, train, trained, True),
    "export": Writer(start, export, exported, True),
}
