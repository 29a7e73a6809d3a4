"""zoo: the deep networks that made music audio classification, behind one call.

    import zoo

    model = zoo.load("pons2017")
    model.tag("song.mp3")

Importing this package loads no framework: each name is fetched when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo import data
    from zoo.augmentation import augment
    from zoo.comparison import Comparison, compare
    from zoo.errors import (
        AudioError,
        AudioWarning,
        ConfigError,
        UnknownName,
        WeightsError,
        ZooError,
    )
    from zoo.evaluation import Evaluation, evaluate
    from zoo.finetuning import finetune
    from zoo.hub import push
    from zoo.loading import build, load
    from zoo.model import AudioModel
    from zoo.registry import info, list_models
    from zoo.results import Embedding, Onsets, Taggram, Tags
    from zoo.training import train

__version__ = "0.1.0"

_HOME = {
    "load": "zoo.loading",
    "build": "zoo.loading",
    "push": "zoo.hub",
    "finetune": "zoo.finetuning",
    "train": "zoo.training",
    "augment": "zoo.augmentation",
    "evaluate": "zoo.evaluation",
    "Evaluation": "zoo.evaluation",
    "compare": "zoo.comparison",
    "Comparison": "zoo.comparison",
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
    "Comparison",
    "ConfigError",
    "Embedding",
    "Evaluation",
    "Onsets",
    "Taggram",
    "Tags",
    "UnknownName",
    "WeightsError",
    "ZooError",
    "augment",
    "build",
    "compare",
    "data",
    "evaluate",
    "finetune",
    "info",
    "list_models",
    "load",
    "push",
    "train",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from its module on first use, and keep it."""
    if name == "data":
        return importlib.import_module("zoo.data")
    if name not in _HOME:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
