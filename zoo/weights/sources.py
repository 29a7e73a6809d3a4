"""Get the source files of checkpoints from a mirror, the package index or a URL.

``ZOO_MIRROR`` names a folder or a http(s) URL with such files, under their names in the manifest.
It is tried before the network. Every file is verified before it is opened.
"""

import functools
import os
import shutil
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo.errors import WeightsError
from zoo.registry.manifest import Bundled, PyPI, Remote, Url
from zoo.weights import cache, network

MIRROR = "ZOO_MIRROR"

Supplier = Callable[[Path], None]  # writes a source's file to a path


def suppliers(
    sources: tuple[PyPI | Url, ...], shelf: Path | None = None
) -> Iterator[tuple[str, Remote, Supplier]]:
    """Yield all suppliers of the sources, in the order of the attempts.

    Args:
        sources: of a checkpoint.
        shelf: folder that may contain some of the files; tried first.

    Yields:
        The place, as text for messages; the source; the function that gets its file.
    """
    for source in sources:
        if shelf is not None and (shelf / source.file).is_file():
            yield f"{shelf}", source, functools.partial(_from_mirror, f"{shelf}", source)
    mirror = os.environ.get(MIRROR)
    if mirror:
        for source in sources:
            yield f"mirror {mirror}", source, functools.partial(_from_mirror, mirror, source)
    for source in sources:
        if network.offline():
            yield f"network, for {source.file}", source, _forbidden
        elif isinstance(source, PyPI):
            for index in network.indexes():
                yield (
                    f"package index {index}",
                    source,
                    functools.partial(_from_index, index, source),
                )
        else:
            yield source.url, source, functools.partial(_from_address, source.url, source)


def verify(file: Path, source: Bundled | Remote) -> None:
    """Compare a file with its record in the manifest.

    Args:
        file: the file.
        source: its record.

    Raises:
        WeightsError: size or digest differ; the message states the expected and the actual value.
    """
    size = file.stat().st_size
    if source.bytes is not None and size < source.bytes:
        raise WeightsError(f"{file.name} is cut off: {size} of {source.bytes} bytes")
    if source.bytes is not None and size > source.bytes:
        raise WeightsError(f"{file.name} is longer than the {source.bytes} bytes expected: {size}")
    if source.sha256 is not None:
        kind, expected, got = "sha256", source.sha256, cache.sha256(file)
    else:
        kind, expected, got = "git blob", f"{source.git_blob}", cache.git_blob(file)
    if got != expected:
        raise WeightsError(
            f"{file.name} is not the file expected: {kind} expected {expected}, got {got}"
        )


def _from_mirror(mirror: str, source: Remote, target: Path) -> None:
    if mirror.startswith(("http://", "https://")):
        if network.offline():
            _forbidden(target)
        _from_address(f"{mirror.rstrip('/')}/{urllib.parse.quote(source.file)}", source, target)
    elif (file := Path(mirror).expanduser() / source.file).is_file():
        shutil.copyfile(file, target)
    else:
        raise WeightsError(f"has no file {source.file}")


def _from_index(index: str, source: PyPI, target: Path) -> None:
    import pypi_simple

    with network.session() as client:
        try:
            page = pypi_simple.PyPISimple(index, session=client).get_project_page(
                source.project, timeout=network.TIMEOUT
            )
        except pypi_simple.NoSuchProjectError:
            raise WeightsError(f"has no project {source.project!r}") from None
        except (ValueError, pypi_simple.UnsupportedRepoVersionError) as error:
            raise WeightsError(f"does not answer as a package index ({error})") from error
        listed = {package.filename: package for package in page.packages}
        if source.file not in listed:
            raise WeightsError(f"{source.project} {source.version} has no file {source.file} there")
        network.download(client, listed[source.file].url, target, source.bytes)


def _from_address(url: str, source: Remote, target: Path) -> None:
    with network.session() as client:
        network.download(client, url, target, source.bytes)


def _forbidden(target: Path) -> None:
    raise WeightsError(f"{network.offline()} is set, which forbids the network")
