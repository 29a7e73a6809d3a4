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
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from zoo.errors import ConfigError, WeightsError
from zoo.utils.progress import bars

if TYPE_CHECKING:
    import requests

TIMEOUT = (10, 60)  # seconds to connect, and seconds without data while receiving
CHUNK = 1 << 16
MAX_BYTES = 4 * 2**30  # of a file whose size the manifest does not state; ZOO_MAX_BYTES
MAX_SECONDS = 3600  # of one download, however slow it is; ZOO_MAX_SECONDS
MAX_PAGE = 2**26  # bytes of an index page


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
    new.mount("http://", _bounded_adapter())
    new.mount("https://", _bounded_adapter())
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
        expected_bytes: the download stops as soon as it is longer; None for the limit of
            `MAX_BYTES`.

    Raises:
        OSError: the network or the disk failed (all errors of requests are OSErrors).
        WeightsError: the file is longer than expected, or the download takes too long.
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
        for chunk in pieces(answer, limit("ZOO_MAX_SECONDS", MAX_SECONDS)):
            received += len(chunk)
            if expected_bytes is not None and received > expected_bytes:
                raise WeightsError(
                    f"{target.name} is longer than the {expected_bytes} bytes expected"
                )
            if expected_bytes is None and received > limit("ZOO_MAX_BYTES", MAX_BYTES):
                raise WeightsError(
                    f"{target.name} has more than {limit('ZOO_MAX_BYTES', MAX_BYTES):g} bytes, the "
                    "limit for a file of unknown size; set ZOO_MAX_BYTES to allow more"
                )
            out.write(chunk)
            bar.update(task, advance=len(chunk))


def pieces(answer: "requests.Response", seconds: float) -> Iterator[bytes]:
    """Yield the body of an answer as it comes in.

    Args:
        answer: whose body was not read yet.
        seconds: after which the download is given up, even if bytes still come in.

    Yields:
        Bytes.

    Raises:
        WeightsError: the time is over, or the body is shorter than announced.
        OSError: the connection failed.
    """
    import urllib3

    start = time.monotonic()
    try:
        # Not iter_content: it waits until a chunk is full, for hours if bytes come one by one.
        while chunk := answer.raw.read1(CHUNK, decode_content=True):
            yield chunk
            if time.monotonic() - start > seconds:
                raise WeightsError(
                    f"the download took longer than {seconds:g} s; set ZOO_MAX_SECONDS to allow "
                    "more"
                )
    except urllib3.exceptions.HTTPError as error:
        raise OSError(f"the connection failed: {error}") from error


def limit(variable: str, usual: float) -> float:
    """Return a limit, which an environment variable may change.

    Args:
        variable: its name.
        usual: the limit without it.

    Raises:
        ConfigError: it is not a positive number.
    """
    text = os.environ.get(variable, "")
    try:
        value = float(text) if text else usual
    except ValueError:
        value = 0
    if not value > 0:
        raise ConfigError(f"{variable} is {text!r}; expected a positive number.")
    return value


def _bounded_adapter() -> "requests.adapters.HTTPAdapter":
    """Return an adapter that reads pages, whose size nobody states, only up to a limit."""
    import requests

    class Bounded(requests.adapters.HTTPAdapter):
        def send(self, request: Any, stream: bool = False, *args: Any, **kwargs: Any) -> Any:
            answer: Any = super().send(request, True, *args, **kwargs)
            if stream:
                return answer
            content = bytearray()
            for piece in pieces(answer, limit("ZOO_MAX_SECONDS", MAX_SECONDS)):
                content += piece
                if len(content) > MAX_PAGE:
                    answer.close()
                    raise WeightsError(
                        f"{hide_password(request.url or '')} sends more than {MAX_PAGE:,} bytes, "
                        "which is no page of a package index"
                    )
            answer._content = bytes(content)
            answer._content_consumed = True
            return answer

    return Bounded()


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
    home = os.path.expanduser("~")
    if not chosen and home != "~":  # a user without a home, as in containers
        yield Path.home() / ("pip" if os.name == "nt" else ".pip") / name
        yield Path(platformdirs.user_config_dir("pip", False, roaming=True)) / name
        yield Path.home() / ".config" / "pip" / name
    yield Path(sys.prefix) / name
    if chosen:
        yield Path(chosen)
