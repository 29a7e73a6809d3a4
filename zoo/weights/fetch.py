"""Fetch the arrays of a checkpoint.

The order: the bundled file, the cache, a mirror, the network. A fetched file is verified, converted
and cached, so the next time no network is necessary. A bundled or cached file with a wrong checksum
is reported and skipped, never loaded.

Environment variables:
    ZOO_CACHE: folder of fetched weights.
    ZOO_MIRROR: folder or http(s) URL with the files of the manifest's sources.
    ZOO_OFFLINE (or HF_HUB_OFFLINE): 1 forbids the network.
    pip's own, for the package index: see ``zoo/weights/network.py``.
"""

import logging
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.numpy

from zoo.errors import WeightsError
from zoo.registry import manifest
from zoo.registry.manifest import Bundled, Checkpoint, Manifest, Remote
from zoo.weights import cache, network, sources
from zoo.weights.convert import convert

logger = logging.getLogger(__name__)

# A place, as text for messages, and a function that gets the file from it.
Attempt = tuple[str, Callable[[], Path]]


def tensors(name: str, catalogue: Manifest | None = None) -> dict[str, np.ndarray]:
    """Return a checkpoint's arrays, fetched first if necessary.

    Args:
        name: such as "pons2017.mtt".
        catalogue: a manifest; None for the project's own.

    Returns:
        Arrays by Keras variable path, float32; a file may hold them in half precision.

    Raises:
        UnknownName: the manifest has no such checkpoint.
        WeightsError: it could not be loaded; the message lists every place that was tried, each
            with the reason.
    """
    arrays = safetensors.numpy.load_file(path(name, catalogue))
    return {key: array.astype("float32", copy=False) for key, array in arrays.items()}


def path(name: str, catalogue: Manifest | None = None, shelf: Path | None = None) -> Path:
    """Return the verified safetensors file of a checkpoint, fetched first if necessary.

    Args:
        name: as in `tensors`.
        catalogue: as in `tensors`.
        shelf: folder that shares the files of sources, so that checkpoints from the same file
            download it once.

    Returns:
        Path of the file.

    Raises:
        UnknownName: as in `tensors`.
        WeightsError: as in `tensors`.
    """
    checkpoint = (catalogue or manifest.load()).checkpoint(name)
    tried: list[str] = []
    local = _first([*_bundled(checkpoint), *_cached(name, checkpoint)], tried)
    if local is not None:
        if checkpoint.remote:
            cache.tidy(local.parent, name)
        return local
    if checkpoint.remote:
        logger.info("fetching %s (%s)", name, "; ".join(tried))
        place = cache.writable_folder()
        with cache.workspace(place, name) as scratch:
            # Another process may have fetched it while this one waited for the lock.
            found = _first(_cached(name, checkpoint), []) or _first(
                _fetched(name, checkpoint, scratch, place, shelf), tried
            )
        if found is not None:
            logger.info("%s. %s", about(name, checkpoint), checkpoint.provenance)
            return found
    raise WeightsError(_report(name, checkpoint, tried))


def mirror(name: str, folder: Path, catalogue: Manifest | None = None) -> Path | None:
    """Download the source file of a checkpoint into a folder, for use as ZOO_MIRROR.

    Nothing is converted or cached; a valid file that already exists stays.

    Args:
        name: as in `tensors`.
        folder: an existing folder.
        catalogue: as in `tensors`.

    Returns:
        The verified file; None if the checkpoint has only bundled sources.

    Raises:
        UnknownName: as in `tensors`.
        WeightsError: as in `tensors`.
    """
    checkpoint = (catalogue or manifest.load()).checkpoint(name)
    if not checkpoint.remote:
        return None
    tried: list[str] = []
    try:
        with cache.workspace(folder, name) as scratch:

            def put(source: Remote, supplier: sources.Supplier) -> Path:
                raw = scratch / source.file
                supplier(raw)
                sources.verify(raw, source)
                return raw.replace(folder / source.file)

            found = _first(
                (
                    (where, partial(put, source, supplier))
                    for where, source, supplier in sources.suppliers(checkpoint.remote, folder)
                ),
                tried,
            )
    finally:
        with suppress(OSError):  # a mirror is served: nothing but its files stays
            cache.lock_file(folder, name).unlink()
    if found is None:
        raise WeightsError(_report(name, checkpoint, tried))
    return found


def native_file(name: str, checkpoint: Checkpoint, source: Remote, raw: Path, folder: Path) -> Path:
    """Verify a source's file and write it in our format.

    The same source always gives the same bytes.

    Args:
        name: of the checkpoint.
        checkpoint: its record.
        source: record of the file `raw`.
        raw: the published file.
        folder: where to write the result.

    Returns:
        Path of the safetensors file.

    Raises:
        WeightsError: the file is not the expected one or cannot be converted.
    """
    sources.verify(raw, source)
    target = folder / cache.file_name(name, source.identity)
    if source.adopt is None:
        return raw.rename(target)
    arrays = convert(
        raw,
        reader=source.format,
        member=source.member,
        architecture=checkpoint.architecture,
        adopt=source.adopt,
    )
    # Only one key: safetensors writes several in random order.
    # Not save_file: other users could not read its file, but a cache may be shared.
    content = safetensors.numpy.save(arrays, metadata={"about": about(name, checkpoint)})
    target.write_bytes(content)
    return target


def about(name: str, checkpoint: Checkpoint) -> str:
    """Return the authors and the licence of a checkpoint, in one line."""
    authors, licence = ", ".join(checkpoint.authors), checkpoint.licence.weights
    return f"{name}: weights by {authors}; licence {licence}"


def _bundled(checkpoint: Checkpoint) -> Iterable[Attempt]:
    for source in checkpoint.bundled:
        yield f"bundled {source.file}", partial(_check_bundled, source)


def _check_bundled(source: Bundled) -> Path:
    file = manifest.bundled_folder() / source.file
    if not file.is_file():
        raise WeightsError(f"is not in {file.parent}")
    try:
        sources.verify(file, source)
    except WeightsError as error:
        logger.warning("the package is damaged, reinstall it: %s (in %s)", error, file.parent)
        raise
    return file


def _cached(name: str, checkpoint: Checkpoint) -> Iterable[Attempt]:
    for source in checkpoint.remote:
        yield f"cache {cache.folder()}", partial(cache.find, cache.file_name(name, source.identity))


def _fetched(
    name: str, checkpoint: Checkpoint, scratch: Path, place: Path, shelf: Path | None
) -> Iterable[Attempt]:
    def fetch(source: Remote, supplier: sources.Supplier) -> Path:
        raw = scratch / source.file
        supplier(raw)
        if shelf is not None and not (shelf / source.file).exists():
            sources.verify(raw, source)
            shutil.copyfile(raw, shelf / source.file)
        new = native_file(name, checkpoint, source, raw, scratch)
        return cache.keep(new, place / new.name)

    for where, source, supplier in sources.suppliers(checkpoint.remote, shelf):
        yield where, partial(fetch, source, supplier)


def _first(attempts: Iterable[Attempt], tried: list[str]) -> Path | None:
    """Return the file of the first successful attempt; append each failure to `tried`."""
    for place, attempt in attempts:
        try:
            return attempt()
        except (WeightsError, OSError) as error:  # errors of requests are OSErrors
            tried.append(network.hide_password(f"{place}: {error}"))
    return None


def _report(name: str, checkpoint: Checkpoint, tried: list[str]) -> str:
    """Return the error message: what was tried, and how to fix it."""
    lines = [f"the weights {name!r} could not be loaded. Tried, in this order:"]
    lines += [f"  - {attempt}" for attempt in tried]
    lines.append("To fix this:")
    if checkpoint.bundled:
        lines.append("  - reinstall the package, which contains this file")
    if checkpoint.remote and network.offline():
        lines.append(f"  - unset {network.offline()}, which forbids the network")
    for source in checkpoint.remote:
        digest = f"sha256 {source.sha256}" if source.sha256 else f"git blob {source.git_blob}"
        lines.append(
            f"  - put {source.file} ({digest}) into a folder, or on a web server, "
            f"and set {sources.MIRROR} to its path or URL"
        )
    if checkpoint.remote:
        lines.append(
            f"  - run `zoo fetch {name}` on a machine with a network, copy its cache folder here, "
            f"and set {cache.VARIABLE} to its path"
        )
    return "\n".join(lines)
