"""zoo: the deep networks that made music audio classification, behind one call.

    import zoo

    model = zoo.load("pons2017")
    model.tag("song.mp3")

Importing this package loads no framework: each name is fetched when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.errors import (
        AudioError,
        AudioWarning,
        ConfigError,
        UnknownName,
        WeightsError,
        ZooError,
    )
    from zoo.hub import push
    from zoo.loading import build, load
    from zoo.model import AudioModel
    from zoo.registry import info, list_models
    from zoo.results import Embedding, Onsets, Taggram, Tags

__version__ = "0.1.0"

_HOME = {
    "load": "zoo.loading",
    "build": "zoo.loading",
    "push": "zoo.hub",
    "AudioModel": "zoo.model",
    "info": "zoo.registry",
    "list_models": "zoo.registry",
    "Tags": "zoo.results",
    "Taggram": "zoo.results",
    "Embedding": "zoo.results",
    "Onsets": "zoo.results",
    "ZooError": "zoo.errors",
    "AudioError": "zoo.errors",
    "AudioWarning": "zoo.errors",
    "ConfigError": "zoo.errors",
    "UnknownName": "zoo.errors",
    "WeightsError": "zoo.errors",
}

__all__ = [
    "AudioError",
    "AudioModel",
    "AudioWarning",
    "ConfigError",
    "Embedding",
    "Onsets",
    "Taggram",
    "Tags",
    "UnknownName",
    "WeightsError",
    "ZooError",
    "build",
    "info",
    "list_models",
    "load",
    "push",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from its module on first use, and keep it."""
    if name not in _HOME:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
