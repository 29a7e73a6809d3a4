"""Files of public repositories, each from the commit that a table names."""

import subprocess
from pathlib import Path


def git(*arguments: str | Path) -> bytes:
    """Run git; return what it prints."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True).stdout


def content(source: str, name: str, clones: Path) -> bytes:
    """Return a file of a repository, or the list of a folder; only that file is downloaded.

    Args:
        source: OWNER/NAME@COMMIT.
        name: path in the repository.
        clones: the folder of the clones, OWNER/NAME; what is not there is cloned, without files.

    Raises:
        subprocess.CalledProcessError: git cannot get it.
    """
    repository, commit = source.split("@")
    folder = clones / repository
    if not folder.exists():
        address = f"https://github.com/{repository}"
        git("clone", "--quiet", "--bare", "--filter=blob:none", address, folder)
    return git("-C", folder, "show", f"{commit}:{name}")
