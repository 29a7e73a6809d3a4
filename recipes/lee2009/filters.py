"""Train the filters of lee2009 on the music of many games, without labels, and plot them.

    python recipes/corpus/build.py FOLDER --only games
    python recipes/lee2009/filters.py FOLDER STATE

uses the games of the train split of `recipes/corpus/games.csv`, which has neither tracks nor
artists of the public genre test set: up to 12 excerpts of 3 s of each track (`excerpts.py`). It
fits the whitening, trains layer 1 for 150 epochs and layer 2 for 60, each of 100 updates on one
segment, and writes

    STATE/filters.npz               whitening, both layers and the history; training resumes from it
    results/lee2009_filters.png     filters of layer 1, taken back through the whitening
    results/lee2009_cd1.csv         reconstruction error and mean activation, a line for each epoch
    results/lee2009_cd1.png         the same, plotted

One number is not the demo's: sigma is .4 and not .2. Of the 80 whitened components the last 60 are
mostly noise: the random variation of the bins of a short window. Their standard deviation
is .2 to .3 on such music, and with a smaller sigma the model tries to explain this noise:
far more filters look like noise then (``--sigma 0.2``). `zoo/training/cdbn.py` says what else
differs from the demo, and why.
"""

import argparse
from pathlib import Path

import excerpts
import keras
import numpy as np
import pictures

import zoo
from zoo.registry import manifest
from zoo.training import cdbn

EPOCHS = (150, 60)
SIGMA = 0.4
SEED = 0
OPTIONS = {"sigma": SIGMA, "summary": "all"}  # the head's input is both layers
RESULTS = Path(__file__).resolve().parents[2] / "results"


def build(sigma: float = SIGMA) -> zoo.AudioModel:
    """Return the untrained network, whose labels are the tags of MagnaTagATune."""
    keras.utils.set_random_seed(SEED)
    labels = manifest.load().checkpoint("pons2017.mtt").labels
    return zoo.build("lee2009", labels, **{**OPTIONS, "sigma": sigma})


def trained(state: Path) -> zoo.AudioModel:
    """Return the network with the filters in STATE; its head is untrained."""
    model, file = build(), state / "filters.npz"
    if not file.is_file():
        raise SystemExit(f"{file} is not there: run recipes/lee2009/filters.py first")
    cdbn.pretrain(model, np.zeros((1, 48000)), epochs=0, checkpoint=file, progress=False)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="The folder that recipes/corpus/build.py filled.")
    parser.add_argument("state", type=Path, help="The folder for excerpts and weights, 0.5 GB.")
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="The folder to write results to. Default: results/ of the checkout.",
    )
    parser.add_argument(
        "--sigma", type=float, default=SIGMA, help=f"Sigma of layer 1. Default: {SIGMA}."
    )
    parser.add_argument(
        "--epochs",
        type=int,
        nargs=2,
        default=EPOCHS,
        help="Epochs of layer 1 and of layer 2. Default: 150 60.",
    )
    given = parser.parse_args()
    model = build(given.sigma)
    found = excerpts.of_games(given.folder, "train", given.state)
    print(f"{found}; epochs of 100 updates: {tuple(given.epochs)}; seed {SEED}")
    sounds = np.concatenate(found.sounds)[:, : model.segmentation.segment]
    file = given.state / ("filters.npz" if given.sigma == SIGMA else f"sigma{given.sigma}.npz")
    history = cdbn.pretrain(model, sounds, epochs=given.epochs, seed=SEED, checkpoint=file)
    for name in ("crbm1", "crbm2"):
        first, last = (
            " ".join(f"{key} {values[i]:.4f}" for key, values in history[name].items())
            for i in (0, -1)
        )
        print(f"{name}: {first} -> {last}")
    given.results.mkdir(exist_ok=True)
    pictures.draw_filters(model, given.results / "lee2009_filters.png")
    title = f"Contrastive divergence on {found.hours:.1f} h of game music"
    pictures.draw_curves(history, title, given.results / "lee2009_cd1.png")
    pictures.write_table(history, given.results / "lee2009_cd1.csv")


if __name__ == "__main__":
    main()
