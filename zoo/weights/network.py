"""Download files, with the network settings of this machine.

pip's settings apply, from its environment variables and its configuration files: ``index-url``,
``extra-index-url``, ``cert`` and ``proxy``. Proxies and certificates of the environment
(``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``) apply too. Every wait has a time limit,
see TIMEOUT.
"""

import configparser
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from zoo.errors import WeightsError
from zoo.utils.progress import bars

if TYPE_CHECKING:
    import requests

TIMEOUT = (10, 60)  # seconds to connect, and seconds without data while receiving
CHUNK = 1 << 16


def offline() -> str | None:
    """Return the environment variable that forbids the network, if one does."""
    for variable in ("ZOO_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(variable, "").lower() in ("1", "true", "yes", "on"):
            return variable
    return None


def session() -> "requests.Session":
    """Return a session with this machine's certificates and proxies."""
    import requests

    from zoo.utils.version import __version__

    new = requests.Session()
    new.headers["User-Agent"] = f"music-zoo/{__version__}"
    new.verify = pip_option("cert") or os.environ.get("SSL_CERT_FILE") or True
    if proxy := pip_option("proxy"):
        new.proxies = {"http": proxy, "https": proxy}
    return new


def indexes() -> list[str]:
    """Return the URLs of the package indexes: pip's or uv's if set, else the public one."""
    import pypi_simple

    first = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    main = pip_option("index-url") or first or pypi_simple.PYPI_SIMPLE_ENDPOINT
    return [main, *(pip_option("extra-index-url") or "").split()]


def download(
    client: "requests.Session", url: str, target: Path, expected_bytes: int | None
) -> None:
    """Download a URL to a file, with a progress bar on a terminal.

    Args:
        client: from `session`.
        url: http or https.
        target: file to write.
        expected_bytes: the download stops as soon as it is longer; None for no limit.

    Raises:
        OSError: the network or the disk failed (all errors of requests are OSErrors).
        WeightsError: the file is longer than expected.
    """
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

    columns = (TextColumn(target.name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    headers = {"Accept-Encoding": "identity"}  # a mirror must not compress the file again
    with (
        client.get(url, stream=True, timeout=TIMEOUT, headers=headers) as answer,
        target.open("wb") as out,
        bars(*columns, transient=True) as bar,
    ):
        answer.raise_for_status()
        task = bar.add_task("", total=expected_bytes)
        received = 0
        for chunk in answer.iter_content(CHUNK):
            received += len(chunk)
            if expected_bytes is not None and received > expected_bytes:
                raise WeightsError(
                    f"{target.name} is longer than the {expected_bytes} bytes expected"
                )
            out.write(chunk)
            bar.update(task, advance=len(chunk))


def hide_password(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def pip_option(name: str) -> str | None:
    """Return pip's value of a global option such as "index-url"; None if it is not set."""
    from_environment = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if from_environment:
        return from_environment
    parser = configparser.RawConfigParser()
    try:
        parser.read(_pip_files(), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return None  # pip would refuse such a file; we ignore it
    for section in ("install", "download", "global"):
        if parser.has_option(section, name):
            return parser.get(section, name).strip()
    return None


def _pip_files() -> Iterator[Path]:
    """Yield pip's configuration files, later ones overriding earlier ones.

    Places and order: pip's documentation, "Configuration".
    """
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    if sys.platform != "win32":
        yield Path("/etc") / name
    for folder in platformdirs.site_config_dir("pip", False, multipath=True).split(os.pathsep):
        yield Path(folder) / name
    if not chosen:
        yield Path.home() / ("pip" if os.name == "nt" else ".pip") / name
        yield Path(platformdirs.user_config_dir("pip", False, roaming=True)) / name
        yield Path.home() / ".config" / "pip" / name
    yield Path(sys.prefix) / name
    if chosen:
        yield Path(chosen)
