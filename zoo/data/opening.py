"""Open a corpus: a folder, a table, or a public dataset by name.

For instance:

    from zoo import data

    songs = data.from_folder("songs")
    test = data.load("mtat", "/data/mtat", split="test")
"""

import difflib
import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo.audio.paths import ADDRESS, is_address, missing
from zoo.data import checks
from zoo.data.corpus import Corpus
from zoo.data.readers import folder, onsets, table
from zoo.errors import ConfigError, UnknownName

DATASETS = {
    "mtat": ("zoo.data.readers.mtat", "MagnaTagATune"),
    "mtg-jamendo": ("zoo.data.readers.jamendo", "MTG-Jamendo"),
    "gtzan": ("zoo.data.readers.gtzan", "GTZAN"),
    "msd": ("zoo.data.readers.msd", "Million Song Dataset with Last.fm tags"),
}
"""Name -> module with a function `read(root, **options)`, and title."""


def load(
    name: str,
    root: str | os.PathLike[str],
    split: str | None = None,
    *,
    check: bool = True,
    **options: Any,
) -> Corpus:
    """Load a public dataset, in the folders and files of its authors.

    Args:
        name: "mtat", "mtg-jamendo", "gtzan" or "msd".
        root: the dataset's folder.
        split: only this split, such as "train", "validation" or "test"; None for all clips, with
            `splits`.
        check: leave out files that are missing, unreadable or too short, with a warning.
        **options: of the dataset; see `read` in zoo/data/readers/.

    Returns:
        The corpus.

    Raises:
        UnknownName: there is no such dataset, or split.
        ConfigError: there is no such option, or the folder lacks a file of the dataset.
        FileNotFoundError: there is no such folder.
        AudioError: no file can be used.

    Warns:
        AudioWarning: once, with the number of files that are left out, and the first few.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(f"{key} ({title})" for key, (_, title) in DATASETS.items())
        raise UnknownName(
            f"no dataset is named {name!r}.{hint} There are: {known}. For your own clips use "
            "from_folder or from_table."
        )
    read = importlib.import_module(DATASETS[name][0]).read
    known_options = list(inspect.signature(read).parameters)[1:]
    for option in options:
        if option not in known_options:
            raise ConfigError(
                f"load({name!r}, ...) has no option {option!r}; it has "
                f"{', '.join(['split', 'check', *known_options])}."
            )
    if not Path(root).is_dir():
        raise missing(root)
    return _finished(read(Path(root), **options), split, check, published=True)


def from_folder(
    root: str | os.PathLike[str],
    split: str | None = None,
    *,
    group: str | Callable[[Path], str] = "subfolder",
    name: str | None = None,
    check: bool = True,
) -> Corpus:
    """Load a folder with a subfolder for each class; see `zoo.data.readers.folder.read`.

    Args:
        root: the folder. Its subfolders are classes, or `train`, `validation` and `test` with
            classes as their subfolders.
        split: only this split; None for all clips, with `splits`.
        group: "subfolder", "none", or a function from a path to the group's name.
        name: of the corpus; None for the folder's name.
        check: leave out files that are unreadable or too short, with a warning.

    Returns:
        A single-label corpus.

    Raises:
        FileNotFoundError: there is no such folder.
        AudioError: it has no audio file that can be used.
        UnknownName: there is no such split.
    """
    return _finished(folder.read(root, group, name), split, check)


def from_table(
    path: str | os.PathLike[str],
    split: str | None = None,
    *,
    root: str | os.PathLike[str] | None = None,
    labels: Sequence[str] | None = None,
    single_label: bool | None = None,
    name: str | None = None,
    check: bool = True,
) -> Corpus:
    """Load a CSV, TSV or JSONL file that lists clips; see `zoo.data.readers.table.read`.

    Args:
        path: the table.
        split: only this split; None for all clips, with `splits`.
        root: the folder for relative paths; None for the table's folder.
        labels: in the wanted order; None for all tags, sorted.
        single_label: whether each clip has exactly one tag; None finds out from the table.
        name: of the corpus; None for the table's name.
        check: leave out files that are missing, unreadable or too short, with a warning.

    Returns:
        The corpus.

    Raises:
        FileNotFoundError: there is no such table.
        ConfigError: it is not a table, or lacks a column.
        AudioError: no clip can be used.
        UnknownName: there is no such split.
    """
    return _finished(table.read(path, root, labels, single_label, name), split, check)


def from_onsets(
    root: str | os.PathLike[str], *, name: str | None = None, check: bool = True
) -> Corpus:
    """Load audio files and text files of the same name with the times of their onsets.

    See `zoo.data.readers.onsets.read`.

    Args:
        root: the folder.
        name: of the corpus; None for the folder's name.
        check: leave out files that are unreadable or too short, with a warning.

    Returns:
        A corpus of clips with onsets.

    Raises:
        FileNotFoundError: there is no such folder.
        AudioError: no audio file has onsets, or none can be used.
    """
    return _finished(onsets.read(root, name), None, check)


def open_corpus(text: str, *, check: bool = True) -> Corpus:
    """Load the corpus that a command line names.

    Args:
        text: a folder with classes, a table, or a dataset as "mtat:/its/folder" or
            "onsets:/folder"; "#split" may follow.
        check: leave out files that are missing, unreadable or too short, with a warning.

    Returns:
        The corpus.

    Raises:
        UnknownName: there is no such dataset, or split.
        FileNotFoundError: there is no such file or folder.
        ConfigError: the text is a URL.
    """
    rest, split = text, None
    if not Path(text).exists() and "#" in text:
        rest, _, split = text.rpartition("#")
    if is_address(rest):
        raise ConfigError(f"{rest}: {ADDRESS}")
    kind, colon, root = rest.partition(":")
    if colon and not Path(rest).exists() and len(kind) > 1:  # one letter is a drive
        if kind == "onsets":
            corpus = from_onsets(root, check=check)
            return corpus if split is None else corpus.split(split)
        return load(kind, root, split, check=check)
    path = Path(rest)
    if not path.exists():
        raise missing(path)
    if path.is_dir():
        return from_folder(path, split, check=check)
    return from_table(path, split, check=check)


def as_corpus(corpus: Corpus | str | os.PathLike[str]) -> Corpus:
    """Return a corpus as it is, or open the folder, table or dataset that a name means.

    Args:
        corpus: a corpus, or what `open_corpus` takes.

    Returns:
        The corpus.

    Raises:
        ConfigError: it is something else.
        UnknownName, FileNotFoundError: as in `open_corpus`.
    """
    if isinstance(corpus, str | os.PathLike):
        return open_corpus(os.path.expanduser(os.fspath(corpus)))
    if not isinstance(corpus, Corpus):
        raise ConfigError(
            f"corpus is a {type(corpus).__name__}; expected what zoo.data.load, from_folder or "
            "from_table returns, or the name of a folder or table."
        )
    return corpus


def _finished(corpus: Corpus, split: str | None, check: bool, published: bool = False) -> Corpus:
    """Take one split and check the files; warn once.

    Copies in a published dataset give no warning: they are known, and its scores include them.
    """
    if split is not None:
        corpus = corpus.split(split)
    if check:
        corpus = corpus.probed()
    found = tuple(checks.of_files(corpus.clips)) if check and not published else ()
    corpus.announce(corpus.skipped, stacklevel=4, problems=found)
    return corpus
