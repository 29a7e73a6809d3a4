"""Build the bundled weight files from those that their authors published.

    python recipes/bundle.py pons2017.mtt

For each name, the checkpoint's published file is fetched (or taken from `ZOO_MIRROR`), verified and
converted; `weights/NAME.safetensors` is written, and the size and sha256 of the bundled source in
`weights_manifest.json` are updated. The same source gives the same bytes, so that
anybody can check the bundled file. Takes some seconds and the download (musicnn's wheel: 29 MB).
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import keras
import msgspec
import numpy as np
import safetensors.numpy

import zoo
from zoo.inference.variables import variables
from zoo.registry import manifest
from zoo.utils.files import replacing
from zoo.weights import cache, fetch

CHECKOUT = Path(__file__).resolve().parents[1]
LISTING = CHECKOUT / manifest.FILE_NAME
AUTHORS, LICENCE = ["The zoo's authors"], "Apache-2.0"  # of our own weights
LARGEST = 4_750_000  # bytes; a network of our own that needs more is stored in half precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "names", metavar="NAME", nargs="+", help="Names of checkpoints, such as pons2017.mtt."
    )
    for name in parser.parse_args().names:
        bundle(name)


def bundle(name: str) -> None:
    """Write the file of one checkpoint and describe it in the manifest."""
    file = CHECKOUT / "weights" / f"{name}.safetensors"
    with tempfile.TemporaryDirectory() as fresh:  # not the user's cache: convert again
        os.environ[cache.VARIABLE] = fresh
        shutil.copyfile(fetch.path(name, published_only(name)), file)
    source = described(file)
    entry = listed()[name]
    others = [other for other in entry["sources"] if other["kind"] != "bundled"]
    enter(name, {**entry, "sources": [source, *others]})


def publish(model: zoo.AudioModel, name: str, entry: dict, default: bool = True) -> None:
    """Bundle a network of our own, by default as the default of its architecture.

    Args:
        model: the network.
        name: name of its weights.
        entry: its entry in the manifest, without the fields that are the same for all our networks
            or follow from the model. Authors and licence, if it goes on from weights of others.
        default: whether the architecture's bare name loads it.
    """
    authors, licence = entry.get("authors", AUTHORS), entry.get("licence", LICENCE)
    whole = {
        "architecture": model.architecture,
        **({"default": True} if default else {}),
        "options": entry["options"],
        "parameters": sum(int(np.prod(v.shape)) for v in model.trainable_variables),
        "labels": entry["labels"],
        "sources": [save(model, name, ", ".join(authors), licence)],
        "input": entry["input"],
        "licence": {"weights": licence, "data": entry["data"]},
        "authors": authors,
        "citation": entry["citation"],
        "provenance": entry["provenance"],
        "status": "verified",
        "metrics": entry["metrics"],
    }
    enter(name, whole)


def save(model: zoo.AudioModel, name: str, authors: str, licence: str = LICENCE) -> dict:
    """Write the weights of a network of our own to `weights/`; return their source's record.

    The wheel holds each file. So one over `LARGEST` is written in float16, half as large, and
    `zoo.load` gives float32. Scores of lee2009 then differ by less than .001.
    """
    file = CHECKOUT / "weights" / f"{name}.safetensors"
    arrays = {
        path: np.asarray(keras.ops.convert_to_numpy(variable), "float32")
        for path, variable in variables(model).items()
    }
    if sum(array.nbytes for array in arrays.values()) > LARGEST:
        arrays = {path: array.astype("float16") for path, array in arrays.items()}
    about = f"{name}: weights by {authors}; licence {licence}"
    with replacing(file) as new:
        new.write(safetensors.numpy.save(arrays, metadata={"about": about}))
    return described(file)


def listed() -> dict[str, dict]:
    """Return the entries of the manifest, as they are in the file."""
    return json.loads(LISTING.read_text(encoding="utf-8"))["checkpoints"]


def described(file: Path) -> dict:
    """Return the record of a bundled file, as the manifest has it among a checkpoint's sources."""
    size = file.stat().st_size
    return {"kind": "bundled", "file": file.name, "sha256": cache.sha256(file), "bytes": size}


def enter(name: str, entry: dict) -> None:
    """Put a checkpoint, whose first source is bundled, into the manifest, if it is well-formed."""
    content = json.loads(LISTING.read_text(encoding="utf-8"))
    content["checkpoints"][name] = entry
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    manifest.parse(text.encode(), str(LISTING))
    LISTING.write_text(text, encoding="utf-8")
    source = entry["sources"][0]
    print(f"{source['file']}: {source['bytes']} bytes, sha256 {source['sha256']}")


def published_only(name: str) -> manifest.Manifest:
    """Return a manifest of one checkpoint, without its bundled source."""
    checkpoint = manifest.load().checkpoint(name)
    published = msgspec.structs.replace(checkpoint, sources=checkpoint.remote)
    return manifest.Manifest(checkpoints={name: published})


if __name__ == "__main__":
    main()
