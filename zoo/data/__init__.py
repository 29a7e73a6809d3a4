"""Labelled clips, and the tf.data pipelines that feed them to a network.

Importing this package loads no framework: each name is imported when it is first used.
"""

from typing import TYPE_CHECKING

from zoo.utils import lazy

if TYPE_CHECKING:
    from zoo.data import devices
    from zoo.data.corpus import Clip, Corpus, Skipped
    from zoo.data.opening import from_folder, from_onsets, from_table, load, open_corpus
    from zoo.data.pipeline.dataset import dataset, failures, segments

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    names={
        "zoo.data.corpus": "Clip Corpus Skipped",
        "zoo.data.opening": "from_folder from_onsets from_table load open_corpus",
        "zoo.data.pipeline.dataset": "dataset failures segments",
    },
    modules={"devices": "zoo.data.devices"},
)
