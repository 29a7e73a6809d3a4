"""From a checkpoint's name to its arrays.

The order: the file that travels with the package, the cache, a mirror, the network. Whatever has to
be fetched is verified, converted and cached; the second time it is at hand, and no network is
asked. A bundled or cached file whose checksum does not fit is reported and passed over, never
loaded.

Environment variables:
    ZOO_CACHE: folder where fetched weights are kept.
    ZOO_MIRROR: folder or http(s) address that holds the files of the manifest's sources.
    ZOO_OFFLINE (or HF_HUB_OFFLINE): 1 forbids the network.
    pip's own, for the package index: see ``zoo/weights/network.py``.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
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

# A place, as a person should read it, and how to get the file from there.
Attempt = tuple[str, Callable[[], Path]]


def tensors(name: str, catalogue: Manifest | None = None) -> dict[str, np.ndarray]:
    """Return a checkpoint's arrays by our variable paths.

    Args:
        name: such as "pons2017.mtt".
        catalogue: another manifest than the project's own.

    Raises:
        UnknownName: if the manifest has no such checkpoint.
        WeightsError: if it could not be had; the message lists every place that was tried, each
            with the reason.
    """
    return safetensors.numpy.load_file(path(name, catalogue))


def path(name: str, catalogue: Manifest | None = None, shelf: Path | None = None) -> Path:
    """Return the verified safetensors file of a checkpoint, fetched first if need be.

    Args:
        name: as in `tensors`.
        catalogue: as in `tensors`.
        shelf: folder where sources' files are looked for and left, so that checkpoints that are
            made from one file fetch it once.

    Raises:
        UnknownName: as in `tensors`.
        WeightsError: as in `tensors`.
    """
    checkpoint = (catalogue or manifest.load()).checkpoint(name)
    tried: list[str] = []
    at_hand = _first([*_bundled(checkpoint), *_cached(name, checkpoint)], tried)
    if at_hand is not None:
        return at_hand
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
    """Put the file that a checkpoint is made from into a folder that ZOO_MIRROR may name.

    Nothing is converted and nothing cached; a right file that is there already stays.

    Args:
        name: as in `tensors`.
        folder: must exist.
        catalogue: as in `tensors`.

    Returns:
        The verified file; None if the checkpoint has no source but the package.

    Raises:
        UnknownName: as in `tensors`.
        WeightsError: as in `tensors`.
    """
    checkpoint = (catalogue or manifest.load()).checkpoint(name)
    if not checkpoint.remote:
        return None
    tried: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:

        def put(source: Remote, supplier: sources.Supplier) -> Path:
            raw = Path(scratch) / source.file
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
    if found is None:
        raise WeightsError(_report(name, checkpoint, tried))
    return found


def native_file(name: str, checkpoint: Checkpoint, source: Remote, raw: Path, folder: Path) -> Path:
    """Verify a source's file and write it in our format.

    The result depends on nothing but the arguments: the same source gives the same bytes.

    Args:
        name: of the checkpoint.
        checkpoint: its record.
        source: what `raw` should be.
        raw: the file as published.
        folder: where to write, under the source's name in the cache.

    Raises:
        WeightsError: if the file is not the expected one or cannot be converted.
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
    # One key only: safetensors writes several in no fixed order.
    # Not save_file, which keeps the file from other users: a cache may be shared.
    content = safetensors.numpy.save(arrays, metadata={"about": about(name, checkpoint)})
    target.write_bytes(content)
    return target


def about(name: str, checkpoint: Checkpoint) -> str:
    """Return whose weights these are and on what terms, in one line."""
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
    """Return the first file that an attempt gives; note each failure in `tried`."""
    for place, attempt in attempts:
        try:
            return attempt()
        except (WeightsError, OSError) as error:  # requests' errors are OSErrors
            tried.append(network.hide_password(f"{place}: {error}"))
    return None


def _report(name: str, checkpoint: Checkpoint, tried: list[str]) -> str:
    """Say what was tried, and what would help."""
    lines = [f"the weights {name!r} could not be had. Tried, in this order:"]
    lines += [f"  - {attempt}" for attempt in tried]
    lines.append("What helps:")
    if checkpoint.bundled:
        lines.append("  - reinstall the package: it should carry this file")
    if checkpoint.remote and network.offline():
        lines.append(f"  - unset {network.offline()}, which forbids the network")
    for source in checkpoint.remote:
        digest = f"sha256 {source.sha256}" if source.sha256 else f"git blob {source.git_blob}"
        lines.append(
            f"  - put {source.file} ({digest}) into a folder, or at an address, "
            f"and name it in {sources.MIRROR}"
        )
    if checkpoint.remote:
        lines.append(
            f"  - run `zoo fetch {name}` on a machine with a network, copy its cache folder here, "
            f"and name it in {cache.VARIABLE}"
        )
    return "\n".join(lines)
