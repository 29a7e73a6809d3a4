"""Build the weight files that travel with the package from those that their authors published.

    python recipes/bundle.py pons2017.mtt

For each name, the checkpoint's published file is fetched (or taken from `ZOO_MIRROR`), verified and
converted; `weights/NAME.safetensors` is written, and the size and sha256 of the bundled source in
`weights_manifest.json` are brought up to date. The same source gives the same bytes, so that
anybody can check what we ship. Takes some seconds and the download (musicnn's wheel: 29 MB).
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from zoo.weights import cache, fetch, manifest

CHECKOUT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="+", help="such as pons2017.mtt")
    for name in parser.parse_args().names:
        bundle(name)


def bundle(name: str) -> None:
    """Write the file of one checkpoint and describe it in the manifest."""
    file = CHECKOUT / "weights" / f"{name}.safetensors"
    with tempfile.TemporaryDirectory() as fresh:  # not the user's cache: convert anew
        os.environ[cache.VARIABLE] = fresh
        shutil.copyfile(fetch.path(name, published_only(name)), file)
    described = {
        "kind": "bundled",
        "file": file.name,
        "sha256": cache.sha256(file),
        "bytes": file.stat().st_size,
    }

    listing = CHECKOUT / manifest.FILE_NAME
    content = json.loads(listing.read_text(encoding="utf-8"))
    entry = content["checkpoints"][name]
    others = [source for source in entry["sources"] if source["kind"] != "bundled"]
    entry["sources"] = [described, *others]
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    manifest.parse(text.encode(), str(listing))
    listing.write_text(text, encoding="utf-8")
    print(f"{file}: {described['bytes']} bytes, sha256 {described['sha256']}")


def published_only(name: str) -> manifest.Manifest:
    """Return a manifest of one checkpoint, without its bundled source."""
    checkpoint = manifest.load().checkpoint(name)
    published = msgspec.structs.replace(checkpoint, sources=checkpoint.remote)
    return manifest.Manifest(checkpoints={name: published})


if __name__ == "__main__":
    main()
