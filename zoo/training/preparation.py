"""Before training: checks of model and corpora, the split, and the settings."""

import dataclasses
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zoo.data import devices
from zoo.data.copies import copies
from zoo.data.corpus import Corpus
from zoo.data.opening import as_corpus
from zoo.errors import ConfigError, UnknownName
from zoo.inference import variables
from zoo.inference.audio_model import HEAD, AudioModel
from zoo.training.batches import Batches
from zoo.training.run_folder import describe
from zoo.utils.files import PathLike
from zoo.utils.text import few

logger = logging.getLogger(__name__)

VALIDATION = 0.2  # share of the clips for validation, if no validation corpus is given


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's random generator, from which Keras initialises weights; restore it at the end.

    Args:
        seed: of the generator.

    Yields:
        Nothing.
    """
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def opened(
    train: Corpus | PathLike, validation: Corpus | PathLike | None, seed: int
) -> tuple[Corpus, Corpus]:
    """Return training clips and validation clips, as `split` does, of corpora or their names.

    Args:
        train: as in `split`; or the name of a folder or table.
        validation: as in `split`; or the name of a folder or table.
        seed: as in `split`.

    Returns:
        Training corpus and validation corpus.
    """
    own = None if validation is None else as_corpus(validation)
    return split(as_corpus(train), own, seed)


def split(train: Corpus, validation: Corpus | None, seed: int) -> tuple[Corpus, Corpus]:
    """Return training clips and validation clips.

    Args:
        train: its split "train" is used; without that split, all clips that are in no other split.
        validation: its split "validation" is used, or else all of it. None: the split "validation"
            of `train`, or else a part of its groups.
        seed: of the random division into groups.

    Returns:
        Training corpus and validation corpus.

    Raises:
        ConfigError: all clips are of one class, or there are too few groups to divide.
    """
    check_classes(_training_part(train))
    if validation is not None:
        if "validation" in validation.splits:
            validation = validation.split("validation")
        return _training_part(train), validation
    if "validation" in train.splits:
        return _training_part(train), train.split("validation")
    rest = _training_part(train)
    try:
        divided = rest.divide({"train": 1 - VALIDATION, "validation": VALIDATION}, seed)
    except ConfigError as error:
        raise ConfigError(
            f"no validation was given, and {train.name} cannot be divided: {error} Give a corpus "
            "as validation, or more clips."
        ) from error
    train, validation = divided.split("train"), divided.split("validation")
    logger.info(
        "no validation was given: %d of %d clips are used for it.", len(validation), len(rest)
    )
    return train, validation


def check_classes(corpus: Corpus) -> None:
    """Check that clips with one class each have at least two different classes.

    Args:
        corpus: the clips.

    Raises:
        ConfigError: all clips are of one class, so there is nothing to train.
    """
    classes = {tag for clip in corpus.clips for tag in clip.tags}
    frames = all(clip.onsets is not None for clip in corpus.clips)
    if not corpus.single_label or len(classes) != 1 or frames:
        return
    (only,) = classes
    raise ConfigError(
        f"{corpus.name}: all {len(corpus):,} clips are of one class, {only!r}, where two or more "
        f"are expected.{_below(corpus, only)}"
    )


def _below(corpus: Corpus, only: str) -> str:
    """Return a hint if the only class's folder has subfolders, which may be the real classes."""
    for parent in corpus.clips[0].path.parents:
        inside = [c.path.relative_to(parent) for c in corpus.clips if c.path.is_relative_to(parent)]
        folders = sorted({path.parts[0] for path in inside if len(path.parts) > 1})
        if parent.name == only and len(inside) == len(corpus) and folders:
            named = few(folders, len(folders))
            return f" If the folders in {parent} ({named}) are the classes, give that folder."
    return ""


def _training_part(corpus: Corpus) -> Corpus:
    if "train" in corpus.splits:
        return corpus.split("train")
    taken = {i for indices in corpus.splits.values() for i in indices}
    return corpus.take(i for i in range(len(corpus)) if i not in taken) if taken else corpus


def checked(model: AudioModel, train: Corpus, validation: Corpus) -> tuple[Corpus, Corpus]:
    """Return the corpora with the model's labels, in its order.

    Args:
        model: to be trained.
        train: training clips.
        validation: validation clips.

    Returns:
        Training corpus and validation corpus.

    Raises:
        ConfigError: the clips do not suit the model's activation; the model predicts frames, and
            clips have no onsets; a corpus is empty.
        UnknownName: the labels of `train` are not the model's, or `validation` has other labels.
    """
    for corpus in (train, validation):
        if not len(corpus):
            raise ConfigError(f"{corpus.name} has no clips; training and validation need some.")
    if model.frame_wise:
        return framed(model, train), framed(model, validation)
    missing = [label for label in model.labels if label not in train.labels]
    if missing:
        raise UnknownName(
            f"{model.name} has labels that {train.name} lacks: {', '.join(missing)}. The corpus "
            f"has: {', '.join(train.labels)}. Give a model these with zoo.load(name, labels=[...])."
        )
    train, validation = train.with_labels(model.labels), validation.with_labels(model.labels)
    if model.activation == "softmax":
        for corpus in (train, validation):
            if not corpus.single_label and (corpus.targets.sum(axis=1) != 1).any():
                raise ConfigError(
                    f"{model.name} predicts one label per clip (softmax), but {corpus.name} has "
                    "clips with none or several: load or build it with activation='sigmoid'."
                )
    elif train.single_label:
        logger.warning(
            "%s: each clip has one label, but %s predicts the labels independently (sigmoid); "
            "activation='softmax' suits such clips.",
            train.name,
            model.name,
        )
    trained, validated = ({clip.path for clip in c.clips} for c in (train, validation))
    same = copies(sorted(trained) + sorted(validated - trained))
    shared = {path for path in validated if same.get(path, path) in trained}
    if shared:
        logger.warning(
            "%d files, such as %s, or copies of them are in both training and validation: scores "
            "will be too optimistic.",
            len(shared),
            min(shared),
        )
    return train, validation


def framed(model: AudioModel, corpus: Corpus) -> Corpus:
    """Return a corpus for a model that predicts frames.

    Args:
        model: gives the label.
        corpus: clips with onsets.

    Returns:
        The same clips with the model's label.

    Raises:
        ConfigError: clips have no onsets.
    """
    without = [clip.name for clip in corpus.clips if clip.onsets is None]
    if without:
        raise ConfigError(
            f"{model.name} predicts frames: it needs clips with onsets, but {len(without)} of "
            f"{corpus.name} have none, such as {without[0]}. zoo.data.from_onsets "
            "(--data onsets:FOLDER) reads them."
        )
    return dataclasses.replace(corpus, labels=model.labels, single_label=False)


def whole_batches(model: AudioModel, train: Corpus, batch_size: int, count: int) -> bool:
    """Return whether a smaller last batch must be dropped, since `count` devices share batches.

    Args:
        model: to be trained.
        train: training clips.
        batch_size: segments per step, over all devices.
        count: number of devices.

    Returns:
        The value for `drop_remainder`.

    Raises:
        ConfigError: the devices cannot share a batch; the model is not on all of them.
    """
    devices.check_made_inside(model, count)
    drop = devices.whole_batches(batch_size, count)
    if drop and len(train) < batch_size:
        raise ConfigError(
            f"{train.name} has {len(train)} clips, fewer than a batch of {batch_size}, which "
            f"{count} devices share: give a smaller batch_size."
        )
    return drop


def requested(batches: Batches, origin: bool) -> dict[str, Any]:
    """Return all that the result of a run depends on, for settings.json.

    Args:
        batches: model, clips and options.
        origin: whether to include a hash of the weights below the head, for fine-tuning.

    Returns:
        Values that JSON can store.
    """
    model, options = batches.model, batches.options
    network = {k: v for k, v in model.get_config().items() if k != "card"}
    return {
        "model": network | ({"sha256": variables.checksum(model, without=HEAD)} if origin else {}),
        "train": describe(batches.train.corpus),
        "validation": describe(batches.validation.corpus),
        "batch_size": options.batch_size,
        "segments": options.segments,
        "class_weight": options.class_weight,
        "monitor": options.monitor,
        "augment": [
            # without the name, which Keras numbers within a process
            {"class": type(layer).__name__, **layer.get_config(), "name": None}
            for layer in options.augment or ()
        ],
        "seed": options.seed,
    }
