"""From a model and corpora to what can be trained: checks, the split, and the settings."""

import dataclasses
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zoo.data import devices
from zoo.data.copies import copies
from zoo.data.corpus import Corpus
from zoo.errors import ConfigError, UnknownName
from zoo.inference import variables
from zoo.inference.audio_model import HEAD, AudioModel
from zoo.training.batches import Batches
from zoo.training.run_folder import describe
from zoo.utils.text import few

logger = logging.getLogger(__name__)

HELD_BACK = 0.2  # of the clips, for the validation, where none is given


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make what Keras draws first weights from repeatable; put Python's generator back after."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def split(train: Corpus, validation: Corpus | None, seed: int) -> tuple[Corpus, Corpus]:
    """Return the clips to train on and those to validate on.

    Args:
        train: of one with splits, "train" is taken; of one with none of that name, all clips that
            are not in another split.
        validation: likewise "validation". None: the split of `train`, or a part of its groups.
        seed: of that division.

    Raises:
        ConfigError: all clips are of one class; there are too few groups to divide; says what to
            do.
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
        divided = rest.divide({"train": 1 - HELD_BACK, "validation": HELD_BACK}, seed)
    except ConfigError as error:
        raise ConfigError(
            f"no validation was given, and {train.name} cannot be divided: {error} Give a corpus "
            "as validation, or more clips."
        ) from error
    train, validation = divided.split("train"), divided.split("validation")
    logger.info(
        "no validation was given: %d of %d clips are held back.", len(validation), len(rest)
    )
    return train, validation


def check_classes(corpus: Corpus) -> None:
    """Raise ConfigError if all clips are of one class: any network would be right on them all."""
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
    """Return a hint where the folder of the only class holds folders, which may be the classes."""
    for parent in corpus.clips[0].path.parents:
        inside = [c.path.relative_to(parent) for c in corpus.clips if c.path.is_relative_to(parent)]
        folders = sorted({path.parts[0] for path in inside if len(path.parts) > 1})
        if parent.name == only and len(inside) == len(corpus) and folders:
            named = few(folders, len(folders))
            return f" In {parent} there are the folders {named}: if these are the classes, give it."
    return ""


def _training_part(corpus: Corpus) -> Corpus:
    if "train" in corpus.splits:
        return corpus.split("train")
    taken = {i for indices in corpus.splits.values() for i in indices}
    return corpus.take(i for i in range(len(corpus)) if i not in taken) if taken else corpus


def checked(model: AudioModel, train: Corpus, validation: Corpus) -> tuple[Corpus, Corpus]:
    """Return the corpora in the model's order of labels.

    Raises:
        ConfigError: the model's activation is not for such clips; it predicts frames, and there
            are clips without onsets; a corpus is empty.
        UnknownName: the labels of `train` are not the model's, or `validation` has others.
    """
    for corpus in (train, validation):
        if not len(corpus):
            raise ConfigError(f"{corpus.name} has no clips to train or to validate on.")
    if model.frame_wise:
        return framed(model, train), framed(model, validation)
    missing = [label for label in model.labels if label not in train.labels]
    if missing:
        raise UnknownName(
            f"{model.name} has labels that {train.name} has not: {', '.join(missing)}. The corpus "
            f"has: {', '.join(train.labels)}. Give a model these with zoo.load(name, labels=[...])."
        )
    train, validation = train.with_labels(model.labels), validation.with_labels(model.labels)
    if model.activation == "softmax":
        for corpus in (train, validation):
            if not corpus.single_label and (corpus.targets.sum(axis=1) != 1).any():
                raise ConfigError(
                    f"{model.name} gives each clip one label (softmax), and {corpus.name} has "
                    "clips with none or several: load or build it with activation='sigmoid'."
                )
    elif train.single_label:
        logger.warning(
            "%s: each clip has one label, and %s takes each label by itself (sigmoid); "
            "activation='softmax' is for that.",
            train.name,
            model.name,
        )
    learned, validated = ({clip.path for clip in c.clips} for c in (train, validation))
    same = copies(sorted(learned) + sorted(validated - learned))
    shared = {path for path in validated if same.get(path, path) in learned}
    if shared:
        logger.warning(
            "%d files, such as %s, or copies of them are both trained and validated on: scores "
            "will be too optimistic.",
            len(shared),
            min(shared),
        )
    return train, validation


def framed(model: AudioModel, corpus: Corpus) -> Corpus:
    """Return a corpus for a model that predicts frames.

    Raises:
        ConfigError: there are clips whose onsets are not known.
    """
    silent = [clip.name for clip in corpus.clips if clip.onsets is None]
    if silent:
        raise ConfigError(
            f"{model.name} predicts frames: it learns from clips with onsets, and {len(silent)} of "
            f"{corpus.name} have none, such as {silent[0]}. zoo.data.from_onsets reads them."
        )
    return dataclasses.replace(corpus, labels=model.labels, single_label=False)


def whole_batches(model: AudioModel, train: Corpus, batch_size: int, count: int) -> bool:
    """Say whether the rest of an epoch must be dropped, so that `count` devices share all batches.

    Raises:
        ConfigError: the devices cannot share a batch; the model is not on them all.
    """
    devices.check_made_inside(model, count)
    drop = devices.whole_batches(batch_size, count)
    if drop and len(train) < batch_size:
        raise ConfigError(
            f"{train.name} has {len(train)} clips, fewer than the {batch_size} of a batch, which "
            f"{count} devices share: take a smaller batch_size."
        )
    return drop


def requested(batches: Batches, origin: bool) -> dict[str, Any]:
    """Return what the outcome of a run depends on, as JSON can hold it.

    Args:
        batches: model, clips and options.
        origin: whether the weights below the head matter: they do where training starts from them.
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
            # Keras counts names up within a process
            {"class": type(layer).__name__, **layer.get_config(), "name": None}
            for layer in options.augment or ()
        ],
        "seed": options.seed,
    }
