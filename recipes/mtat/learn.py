"""Shared by the recipes for MagnaTagATune: train on its clips, score both of its test sets.

schluter2014 has no recipe here: it finds onsets, and MagnaTagATune has none.
"""

import argparse
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zoo
from zoo.data import Corpus
from zoo.utils.options import option

FULL, CLEANED = "", "_cleaned"

Prepare = Callable[[Corpus, dict[str, Any], argparse.Namespace], zoo.AudioModel]


def learn(
    architecture: str,
    about: str,
    kind: str,
    *,
    segments: int = 1,
    prepare: Prepare | None = None,
    arguments: list[str] | None = None,
) -> None:
    """Train as TRAINING in the model file says, and score the test sets.

    Args:
        architecture: the architecture to train.
        about: the recipe's docstring.
        kind: FULL or CLEANED, the clips on which the paper's network was trained.
        segments: number of random segments of each clip in an epoch.
        prepare: makes the initial model from the clips, options and arguments; None for an
            untrained one.
        arguments: arguments of the command line; None for those of this process.
    """
    given = parse(about, arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("zoo").setLevel(logging.INFO)
    # All clips are. A network for a higher rate is trained on them all the same.
    warnings.filterwarnings("ignore", ".*recorded at 16000 Hz", zoo.AudioWarning)
    clips = zoo.data.load("mtat", given.root)
    options = dict(map(option, given.option))
    training = clips.split(f"train{kind}")
    start: dict[str, Any] = {"model": architecture, "options": options, "dtype": given.dtype}
    if prepare is not None:
        start = {"model": prepare(training, options, given)}
    trained = zoo.train(
        **start,
        train=training,
        validation=clips.split(f"validation{kind}"),
        folder=given.output,
        epochs=given.epochs,
        segments=segments,
        monitor="loss",
        seed=given.seed,
        cache=given.cache,
    )
    print(trained)
    for split in ("test", "test_cleaned"):
        result = zoo.evaluate(trained.model, clips.split(split), cache=given.cache)
        result.to_csv(given.output / f"{split}.csv")
        print(f"\n{split}: {result}")


def parse(about: str, arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line that all recipes have."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "root", type=Path, help="The folder of MagnaTagATune: annotations_final.csv and clips."
    )
    parser.add_argument("output", type=Path, help="The folder of the run. A stopped run resumes.")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="Option of the architecture; may be repeated. Default: none.",
    )
    parser.add_argument("--epochs", type=int, help="Epochs at most. Default: as in TRAINING.")
    parser.add_argument("--seed", type=int, default=0, help="Random seed. Default: 0.")
    parser.add_argument(
        "--dtype", help="Dtype of the computation, for example mixed_bfloat16. Default: float32."
    )
    parser.add_argument("--cache", type=Path, help="The folder for decoded sounds. Default: none.")
    return parser.parse_args(arguments)
