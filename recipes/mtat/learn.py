"""What the recipes for MagnaTagATune share: train on its clips, score both of its test sets.

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
        architecture: to train.
        about: the recipe's docstring.
        kind: FULL or CLEANED, the clips that the paper learned from.
        segments: random ones of each clip an epoch.
        prepare: makes the model to start from, of the clips, options and arguments; None for an
            untrained one.
        arguments: of the command line; None for those of this process.
    """
    given = parse(about, arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("zoo").setLevel(logging.INFO)
    # All clips are, and a network that wants more is trained on them here.
    warnings.filterwarnings("ignore", ".*recorded at 16000 Hz", zoo.AudioWarning)
    clips = zoo.data.load("mtat", given.root)
    options = dict(map(option, given.option))
    learned = clips.split(f"train{kind}")
    start: dict[str, Any] = {"model": architecture, "options": options, "dtype": given.dtype}
    if prepare is not None:
        start = {"model": prepare(learned, options, given)}
    trained = zoo.train(
        **start,
        train=learned,
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
    parser.add_argument("root", type=Path, help="MagnaTagATune: annotations_final.csv and clips")
    parser.add_argument("output", type=Path, help="a new folder; stopped, the same one goes on")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--epochs", type=int, help="at most; by default as TRAINING says")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", help="such as mixed_bfloat16")
    parser.add_argument("--cache", type=Path, help="folder for decoded sounds")
    return parser.parse_args(arguments)
