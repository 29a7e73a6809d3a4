"""How good a model is on a corpus: `zoo.evaluate`.

corpus = zoo.data.load("mtat", "/data/magnatagatune", split="test")
result = zoo.evaluate("pons2017", corpus)
result                                      # a table, with 95 % confidence intervals
result.metrics["ROC-AUC"].value             # the mean over tags
result.to_csv("tags.csv"); result.plot("tags.png"); result.scores.save("scores.npz")
"""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from zoo.data.corpus import Corpus
from zoo.data.opening import as_corpus
from zoo.errors import ConfigError
from zoo.evaluation import onsets
from zoo.evaluation import scores as scoring
from zoo.evaluation.reports import Evaluation
from zoo.evaluation.tags import of_tags
from zoo.utils.files import PathLike

if TYPE_CHECKING:
    from zoo.inference.audio_model import AudioModel


def evaluate(
    model: "AudioModel | PathLike",
    corpus: Corpus | PathLike,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    batch_size: int = 16,
    cache: PathLike | None = None,
    progress: bool = False,
    shared: bool = False,
) -> Evaluation:
    """Measure how good a model is on a corpus.

    A clip's score is the mean over its segments, each weighted by the audio it adds. ROC-AUC and
    PR-AUC (average precision) are scikit-learn's, for each tag, and their mean over tags. A tag
    that no clip has, or every clip, has neither; it is skipped and named. In a single-label
    corpus the tag with the highest score is the prediction. Labels that differ but mean the same,
    see `zoo.synonyms`, are matched.

    An onset detector is measured by the onsets that it finds: precision, recall and F of
    mir_eval, where an onset is right within 25 ms (Schlüter and Böck 2014).

    Args:
        model: what `zoo.load` returns, or a name or file that it takes.
        corpus: what `zoo.data.load` returns, such as one split of it; or the name of a folder or
            table.
        bootstrap: rounds; 0 for no confidence intervals, see `zoo.evaluation.intervals`. The clips
            of a group vary together.
        seed: of the bootstrap.
        batch_size: segments that go through the network at once.
        cache: folder for decoded sound, see `zoo.data.segments`.
        progress: show a bar on stderr.
        shared: score only the tags that both model and corpus know, instead of raising.

    Returns:
        The evaluation: scores of each tag and their means, or of each clip with onsets.

    Raises:
        UnknownName: the corpus has labels that the model does not know; with both lists.
        ConfigError: an argument that does not fit; no tag can be scored; no clip has onsets.
        ZooError: no clip could be decoded.
    """
    begin = time.perf_counter()
    corpus = check(corpus, bootstrap, batch_size)
    model = scoring.load_model(model)
    scoring.question(model, corpus)
    if model.frame_wise:
        found = onsets.detect(model, corpus, progress)
        result = onsets.of_onsets(model, corpus, found, bootstrap, seed)
    else:
        tags = scoring.matched(model.name, model.labels, corpus, shared)
        predictions = scoring.predict(model, corpus, batch_size, cache, progress)
        result = of_tags(model, corpus, tags, predictions, bootstrap, seed)
    command = f"zoo.evaluate({model.name!r}, {corpus.name!r}, bootstrap={bootstrap}, seed={seed})"
    return replace(result, seconds=time.perf_counter() - begin, command=command)


def check(corpus: Corpus | PathLike, bootstrap: int, batch_size: int) -> Corpus:
    """Return the corpus, opened if it is a name; raise ConfigError if an argument does not fit."""
    corpus = as_corpus(corpus)
    if not len(corpus):
        raise ConfigError(f"{corpus.name} has no clips.")
    if bootstrap < 0 or batch_size < 1:
        raise ConfigError(
            f"bootstrap is {bootstrap} and batch_size {batch_size}; at least 0 and at least 1."
        )
    return corpus
