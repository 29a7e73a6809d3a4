"""The web page as a folder: static files, ONNX Runtime for browsers, and models as ONNX files.

The page computes everything in the visitor's browser, so a server only has to hand out files. What
is large is compressed with gzip here and unpacked by the page: no host needs settings for it.
"""

import gzip
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from zoo.errors import ConfigError
from zoo.inference import graphs
from zoo.registry import cards, exported, lookup, manifest, saved
from zoo.registry.exported import Geometry
from zoo.utils.files import PathLike, scratch
from zoo.utils.version import __version__
from zoo.weights import fetch, runtimes

INDEX = "zoo.json"  # what the page knows of its models
RUNTIME = "vendor/ort-wasm-simd-threaded.wasm.gz"
WORKER_LIST = "files.js"  # what the service worker keeps for visits without a network
AT_ONCE = (".css", ".html", ".js", ".json", ".mjs", ".svg")  # the others when first used
LONG_FILES = "mediabunny.min.mjs"  # decodes long files; it too when first used


def page_folder() -> Path:
    """Return the folder of the page's own files: in the package, or in the checkout."""
    installed = manifest.PACKAGE / "web"
    return installed if installed.is_dir() else manifest.PACKAGE.parent / "web"


def default_models() -> list[str]:
    """Return the bundled default checkpoints, the first of which the page opens with."""
    found = manifest.load().checkpoints
    return [name for name, c in found.items() if c.default and c.bundled]


def write(folder: PathLike, models: Sequence[PathLike] = (), level: int = 9) -> list[str]:
    """Write the page with its models.

    Args:
        folder: to write; must not exist, or must be empty.
        models: further models: names of `zoo.list_models`, .onnx files of `zoo.export`, or files
            and folders that Keras must open. The page opens with the first of them.
        level: of the compression, 1 to 9.

    Returns:
        Names of the models on the page, in order.

    Raises:
        FileExistsError: the folder has content.
        FileNotFoundError: its parent does not exist, or a model does not.
        ConfigError, UnknownName, WeightsError: a model cannot be put on the page.
    """
    folder = Path(folder)
    if not folder.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"cannot write {folder}: there is no folder {folder.absolute().parent}."
        )
    with scratch(folder.absolute(), ".site-") as work:
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise FileExistsError(
                f"{folder} exists and is not empty. Give the name of a new folder."
            )
        own = [_own(model) for model in models]
        taken = {about["name"] for about, _ in own}
        if len(taken) < len(own):
            raise ConfigError("two of the models have the same name. Rename one of the files.")
        rest = [name for name in default_models() if name not in taken]
        new = work / "site"
        _copy_page(new)
        described = []
        for about, content in [*own, *map(checkpoint, rest)]:
            file = new / about["file"]
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(gzip.compress(content, level, mtime=0))
            described.append({**about, **_address(file)})
        runtime = {"file": RUNTIME, **_address(new / RUNTIME)}
        index = {
            "version": __version__,
            "runtime": runtime,
            "models": described,
            "map": review_map(),
            "example": next((new / "example").glob("*.flac")).relative_to(new).as_posix(),
        }
        (new / INDEX).write_bytes(msgspec.json.encode(index))
        (new / WORKER_LIST).write_text(_worker_list(new), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        shutil.move(new, folder)
    return [about["name"] for about in described]


def checkpoint(name: str) -> tuple[dict[str, Any], bytes]:
    """Return what the page shows of a checkpoint, and its network as a complete ONNX file.

    Args:
        name: of the checkpoint.

    Raises:
        ConfigError, UnknownName, WeightsError: it cannot be loaded or has no graph.
    """
    name = lookup.resolve(name)
    return _of_weights(name, runtimes.configuration(name), fetch.tensors(name))


def review_map() -> dict[str, Any]:
    """Return the review's grid: front-ends with their networks, back-ends with their lengths."""
    all_of_them = lookup.architectures()
    return {
        "front_ends": lookup.grid(all_of_them),
        "back_ends": {
            name: {"length": length, "after": paper}
            for name, (length, paper) in cards.BACKENDS.items()
        },
        "architectures": {
            name: {
                "title": a.title,
                "by": f"{cards.people(a)} {a.year}",
                "url": a.url,
                "filters": a.filters,
                "backend": a.backend,
            }
            for name, a in all_of_them.items()
        },
    }


def _own(model: PathLike) -> tuple[dict[str, Any], bytes]:
    """Return what `checkpoint` does, of a model by name, file or folder."""
    if not lookup.is_file_name(model):
        return checkpoint(str(model))
    path = Path(model)
    if path.suffix.lower() == exported.SUFFIX:
        return _of_export(path)
    # Not above: both load a framework, which only files of Keras need.
    from zoo.inference.variables import variables
    from zoo.weights import keras_models

    loaded = keras_models.load_file(path)
    config = {**loaded.get_config(), "card": loaded.card.to_dict()}
    try:
        graphs.find(config)
    except ConfigError:  # an architecture with other options
        from zoo.weights.export import export  # not above: needs the extra "export"

        with tempfile.TemporaryDirectory() as place:
            file = export(loaded, Path(place) / f"{loaded.name}.onnx", stages=loaded.stages)
            return _of_export(file)
    tensors = {path: variable.numpy() for path, variable in variables(loaded).items()}
    return _of_weights(loaded.name, config, tensors, own=True)


def _of_export(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return what `checkpoint` does, of a file that `zoo.export` wrote."""
    about = exported.describe(path)
    config = {**about.config, "labels": about.labels}
    described = _describe(saved.as_name(path.stem), config, about.geometry, own=True)
    return {**described, "licence": about.licence or described["licence"]}, path.read_bytes()


def _of_weights(
    name: str, config: dict[str, Any], tensors: dict[str, Any], own: bool = False
) -> tuple[dict[str, Any], bytes]:
    """Return what `checkpoint` does, from the arguments of `AudioModel` and weights."""
    graph, geometry = runtimes.graph_of(name, config)
    arrays = graphs.initializers(graph, tensors, name)
    content, _ = graphs.with_outputs(graph, arrays, ["probabilities"], embedded=True)
    # All stages are in the graph; the page makes an output of the one that it shows.
    return {**_describe(name, config, geometry, own), "open_stages": True}, content


def _describe(name: str, config: dict[str, Any], geometry: Geometry, own: bool) -> dict[str, Any]:
    """Return what the page shows of a model.

    Args:
        name: of the model.
        config: arguments of `AudioModel`.
        geometry: its input and its stages.
        own: whether it is the user's. It has the licence of the checkpoint that it comes from, if
            any, but not its scores.
    """
    card = lookup.card_of(config, name)
    a = card.architecture
    record = next(iter(card.checkpoints.values()), None)
    return {
        "name": name,
        "architecture": a.name,
        "file": f"models/{name}.onnx.gz",
        "by": f"{cards.people(a)} {a.year}",
        "url": a.url,
        "about": a.filters,
        "licence": record.licence.weights if record else "not stated",
        "labels": list(config["labels"]),
        "scores": [
            {"name": m.name, "value": m.value, "data": m.data, "kind": m.kind}
            for m in (record.metrics if record and not own else ())
            if m.name in ("ROC-AUC", "ROC-AUC on real players")
        ],
        "geometry": msgspec.to_builtins(geometry),
        "stages": {stage: a.stages.get(stage, "") for stage in geometry.stages},
        "picture": f"filters/{a.name}.svg",
        "own": own,
        "open_stages": False,
    }


def _copy_page(new: Path) -> None:
    """Copy the page's files, the example and the pictures of filters; check what is not ours."""
    page = page_folder()
    if not (page / "index.html").is_file():
        raise ConfigError(f"the files of the page are not at {page}. Reinstall the package.")
    shutil.copytree(page, new, ignore=shutil.ignore_patterns(".*"))
    pinned = msgspec.json.decode((page / "vendor" / "pinned.json").read_bytes())
    files = [item for package in pinned["packages"] for item in package["files"].items()]
    for name, sha256 in files:
        if hashlib.sha256((page / "vendor" / name).read_bytes()).hexdigest() != sha256:
            raise ConfigError(f"{page / 'vendor' / name} is damaged. Reinstall the package.")
    checkout = manifest.PACKAGE.parent
    if not (new / "example").is_dir():  # in a checkout they are elsewhere
        shutil.copytree(checkout / "examples" / "audio", new / "example")
    if not (new / "filters").is_dir():
        (new / "filters").mkdir()
        for picture in sorted((checkout / "docs" / "models").glob("*.svg")):
            shutil.copy(picture, new / "filters")


def _address(file: Path) -> dict[str, Any]:
    """Return the size of a file, and the version with which the page asks for it."""
    content = file.read_bytes()
    return {"bytes": len(content), "version": hashlib.sha256(content).hexdigest()[:16]}


def _worker_list(new: Path) -> str:
    """Return the script with the version of the page and the files that it always keeps."""
    digest = hashlib.sha256()
    kept = []
    for file in sorted(path for path in new.rglob("*") if path.is_file()):
        name = file.relative_to(new).as_posix()
        digest.update(f"{name}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
        later = name == "sw.js" or file.name == LONG_FILES or file.parent.name == "filters"
        if file.suffix in AT_ONCE and not later:
            kept.append(name)
    content = {"version": digest.hexdigest()[:16], "files": kept}
    return f"self.ZOO = {msgspec.json.encode(content).decode()};\n"
