"""zoo: the deep networks that made music audio classification, behind one call.

    import zoo

    model = zoo.load("pons2017")
    model.tag("song.mp3")

Importing this package loads no framework: each name is fetched when it is first used.
"""

import sys
from typing import TYPE_CHECKING

from zoo.utils import lazy
from zoo.utils.version import __version__ as __version__

if TYPE_CHECKING:
    from zoo import audio, data
    from zoo.batching.run import batch
    from zoo.errors import (
        AudioError,
        AudioWarning,
        ConfigError,
        TrainingError,
        Unfinished,
        UnknownName,
        WeightsError,
        ZooError,
    )
    from zoo.evaluation import synonyms
    from zoo.evaluation.compare import compare
    from zoo.evaluation.evaluate import evaluate
    from zoo.evaluation.reports import Comparison, Evaluation
    from zoo.inference.audio_model import AudioModel
    from zoo.inference.drawing import draw
    from zoo.inference.features import Features
    from zoo.inference.filters import Filters, filters
    from zoo.inference.results import Embedding, Onsets, Taggram, Tags
    from zoo.inference.runtime_model import RuntimeModel
    from zoo.layers import augmentation
    from zoo.registry.leaderboard import leaderboard
    from zoo.registry.lookup import info, list_models
    from zoo.training import cdbn
    from zoo.training.augment import augment
    from zoo.training.finetune import finetune
    from zoo.training.train import train
    from zoo.weights.export import export
    from zoo.weights.hub import push
    from zoo.weights.keras_models import build
    from zoo.weights.loading import load

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    names={
        "zoo.errors": "AudioError AudioWarning ConfigError TrainingError Unfinished UnknownName "
        "WeightsError ZooError",
        "zoo.batching.run": "batch",
        "zoo.evaluation.compare": "compare",
        "zoo.evaluation.evaluate": "evaluate",
        "zoo.evaluation.reports": "Comparison Evaluation",
        "zoo.inference.audio_model": "AudioModel",
        "zoo.inference.drawing": "draw",
        "zoo.inference.features": "Features",
        "zoo.inference.filters": "Filters filters",
        "zoo.inference.results": "Embedding Onsets Taggram Tags",
        "zoo.inference.runtime_model": "RuntimeModel",
        "zoo.registry.leaderboard": "leaderboard",
        "zoo.registry.lookup": "info list_models",
        "zoo.training.augment": "augment",
        "zoo.training.finetune": "finetune",
        "zoo.training.train": "train",
        "zoo.weights.export": "export",
        "zoo.weights.hub": "push",
        "zoo.weights.keras_models": "build",
        "zoo.weights.loading": "load",
    },
    modules={
        "audio": "zoo.audio",
        "augmentation": "zoo.layers.augmentation",
        "cdbn": "zoo.training.cdbn",
        "data": "zoo.data",
        "synonyms": "zoo.evaluation.synonyms",
    },
)

if "keras" in sys.modules:  # nothing heavy is loaded then, and keras.saving.load_model knows ours
    __getattr__("AudioModel")
