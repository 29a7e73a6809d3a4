"""Repositories on the Hugging Face Hub: their addresses, and their files on this machine.

huggingface_hub does the transfers, so its settings apply: HF_HOME and HF_HUB_CACHE (the folder of
downloads), HF_TOKEN or `hf auth login` (private repositories), HF_ENDPOINT (another hub),
HF_HUB_OFFLINE; and our ZOO_OFFLINE. Its errors become ours, which state what to do.
"""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zoo.errors import ConfigError, WeightsError, ZooError
from zoo.utils.version import __version__
from zoo.weights import network

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CONFIG, WEIGHTS = "config.json", "model.safetensors"  # only these are read from a repository
TIMEOUT = 10  # seconds until a hub that does not answer counts as unreachable
COMMIT = re.compile(r"[0-9a-f]{40}")
URL = re.compile(r"hf://([^/@\s]+/[^/@\s]+)(?:@([^@\s]+))?")

logger = logging.getLogger(__name__)


class Address(NamedTuple):
    """A repository "user/name", and a branch, tag or commit of it; None for its main branch."""

    repo: str
    revision: str | None

    def __str__(self) -> str:
        return f"hf://{self.repo}" + (f"@{self.revision}" if self.revision else "")


class Snapshot(NamedTuple):
    """The files of one commit, on this machine."""

    repo: str
    config: Path
    weights: Path

    @property
    def url(self) -> str:
        """The address with the commit; its content never changes."""
        return f"hf://{self.repo}@{self.config.parent.name}"


class Unreachable(WeightsError):
    """The hub gave no answer, or no valid one."""


def parse(url: str) -> Address:
    """Parse "hf://user/repo" or "hf://user/repo@revision".

    Args:
        url: the address.

    Returns:
        Its parts.

    Raises:
        ConfigError: this is not such an address.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    match = URL.fullmatch(url)
    if match is None or ".." in url:
        raise ConfigError(
            f"{url!r} is no address on the hub; expected hf://user/repo or "
            "hf://user/repo@revision, with a branch, a tag or a commit as the revision."
        )
    try:
        validate_repo_id(match[1])
    except HFValidationError as error:
        raise ConfigError(f"{url!r} is no address on the hub: {error}") from error
    return Address(match[1], match[2])


def fetch(url: str) -> Snapshot:
    """Return the files of a repository, downloaded first if necessary.

    A cached commit needs no request. A branch or a tag is looked up; if the hub is unreachable, its
    last known commit is used, with a warning.

    Args:
        url: "hf://user/repo" or "hf://user/repo@revision".

    Returns:
        The files of one commit.

    Raises:
        ConfigError: this is not an address.
        WeightsError: the files could not be loaded; the message states why.
    """
    address = parse(url)
    found = cached(address)
    if variable := network.offline():
        if found is None:
            raise WeightsError(
                f"{address} is not in the cache, and {variable} is set, which forbids the network. "
                f"Run `zoo fetch {address}` on a machine with a network, copy its cache folder "
                "(see HF_HOME) here, or unset the variable."
            )
        return found
    if found is not None and COMMIT.fullmatch(address.revision or ""):
        return found
    try:
        return download(address)
    except Unreachable as error:
        if found is None:
            raise
        logger.warning("%s Using %s from the cache.", error, found.url)
        return found


def cached(address: Address) -> Snapshot | None:
    """Return the files if they are in the cache; uses no network.

    Args:
        address: of the repository.

    Returns:
        The files; None if one is missing.
    """
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(address.repo, CONFIG, revision=address.revision)
    if not isinstance(config, str):
        return None
    commit = Path(config).parent.name
    weights = try_to_load_from_cache(address.repo, WEIGHTS, revision=commit)
    if not isinstance(weights, str):
        return None
    return Snapshot(address.repo, Path(config), Path(weights))


def download(address: Address) -> Snapshot:
    """Download both files from the same commit.

    Args:
        address: of the repository.

    Returns:
        The files.

    Raises:
        WeightsError: the download failed; the message states why.
    """
    from huggingface_hub import hf_hub_url

    hub, repo = client(), address.repo
    with explained(address):
        # One request with a time limit: hf_hub_download would try for minutes.
        where = hf_hub_url(repo, CONFIG, revision=address.revision, endpoint=hub.endpoint)
        hub.get_hf_file_metadata(url=where, timeout=TIMEOUT)
        config = Path(hub.hf_hub_download(repo, CONFIG, revision=address.revision))
        weights = hub.hf_hub_download(repo, WEIGHTS, revision=config.parent.name)
    return Snapshot(repo, config, Path(weights))


def client() -> "HfApi":
    """Return huggingface_hub's client, which sends our name and version to the hub."""
    from huggingface_hub import HfApi

    return HfApi(library_name="music-zoo", library_version=__version__)


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Turn errors of huggingface_hub and its libraries into a WeightsError; keep its bars quiet.

    Args:
        address: of the repository, for the message.

    Yields:
        Nothing.

    Raises:
        WeightsError: see `reason`.
    """
    try:
        with quiet():
            yield
    except ZooError:
        raise
    except Exception as error:  # httpx, requests and hf_xet have no common error
        raise reason(address, error) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the progress bars of huggingface_hub if standard error is a file or a pipe.

    Yields:
        Nothing.
    """
    from huggingface_hub import constants, utils

    watched = "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
    decided = constants.HF_HUB_DISABLE_PROGRESS_BARS is not None  # by the user
    if watched or decided or utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


def reason(address: Address, error: Exception) -> WeightsError:
    """Return our error for one of huggingface_hub, with what to do.

    Args:
        address: of the repository.
        error: the original error.

    Returns:
        The error to raise.
    """
    from huggingface_hub import errors, get_token

    known = "the token was sent, but gives no access to it" if get_token() else "no token was sent"
    how = "Set HF_TOKEN, or run `hf auth login`"
    if isinstance(error, errors.GatedRepoError):
        return WeightsError(
            f"{address} requires consent on its page first; {known}. {how} after that."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return WeightsError(
            f"the hub shows no repository {address.repo!r}: there is none, or it is private and "
            f"{known}. {how} for a private one."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return WeightsError(f"{address.repo} has no branch, tag or commit {address.revision!r}.")
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, FileNotFoundError):
        return WeightsError(
            f"{address} is not a model of the zoo: it lacks {CONFIG} or {WEIGHTS}. Other formats "
            "are refused: pickles (.bin, .pt, .pkl) and code could do anything."
        )
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return WeightsError(
            f"the hub refuses {address}; {known}. {how} with that permission. ({error})"
        )
    causes = "; ".join(str(e) for e in (error, error.__cause__) if e)
    return Unreachable(f"the hub could not be used for {address}: {causes}.")
