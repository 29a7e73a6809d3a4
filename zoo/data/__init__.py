"""Labelled sounds, and the tf.data pipelines that feed them to a network.

Importing this package loads no framework: each name is fetched when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.data.corpus import Clip, Corpus, Skipped
    from zoo.data.loading import from_folder, from_onsets, from_table, load, open_corpus
    from zoo.data.pipeline import dataset, failures, segments

_HOME = {
    "Clip": "zoo.data.corpus",
    "Corpus": "zoo.data.corpus",
    "Skipped": "zoo.data.corpus",
    "load": "zoo.data.loading",
    "from_folder": "zoo.data.loading",
    "from_onsets": "zoo.data.loading",
    "from_table": "zoo.data.loading",
    "open_corpus": "zoo.data.loading",
    "dataset": "zoo.data.pipeline",
    "failures": "zoo.data.pipeline",
    "segments": "zoo.data.pipeline",
}

__all__ = [
    "Clip",
    "Corpus",
    "Skipped",
    "dataset",
    "failures",
    "from_folder",
    "from_onsets",
    "from_table",
    "load",
    "open_corpus",
    "segments",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from its module on first use, and keep it."""
    if name not in _HOME:
        raise AttributeError(f"module 'zoo.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
