"""What comes of a training: the result, the card, the folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from zoo.data.corpus import Corpus
from zoo.inference.audio_model import AudioModel
from zoo.training.history import Row, best_of
from zoo.training.run_folder import Run
from zoo.utils.files import PathLike


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a training.

    Attributes:
        model: with the best weights.
        history: a row for each epoch: "phase", "epoch" (from 1 on), "learning_rate", "loss" (of
            the training, with dropout and class weights), "val_loss" (of whole clips: the mean over
            their segments), and "val_accuracy" or "val_roc_auc" (macro).
        best: the row whose weights the model has, the one with the lowest "val_loss".
        folder: where it was written; None for nowhere.
    """

    model: AudioModel
    history: list[Row]
    best: Row
    folder: Path | None

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {self.best[name]:.4f}" for name in [*self.best][4:])
        return (
            f"{type(self).__name__}({self.model.name}, {len(self.history)} epochs; best: "
            f"{self.best['phase']} {self.best['epoch']}, {scores})"
        )

    def plot(self, path: PathLike | None = None):
        """Draw loss and score after each epoch.

        Args:
            path: .png, .pdf or .svg file to write; None for none.

        Returns:
            A matplotlib figure.
        """
        from zoo.training import curves

        return curves.history(self.history, self.best, self.model.name, path)


Kind = TypeVar("Kind", bound=Trained)


def finished(kind: type[Kind], model: AudioModel, lesson: str, rows: list[Row], run: Run) -> Kind:
    """Write down what a model has learned, in its card and in the run's folder.

    Args:
        kind: of the result.
        model: trained.
        lesson: what it has learned, for its card.
        rows: the history.
        run: its folder.
    """
    from zoo.weights import origin

    licence = origin.licence_text(origin.origin(model))
    best = best_of(rows)
    model.record(lesson)
    run.finish(model, rows, best, licence)
    return kind(model, rows, best, run.folder)


def sizes(train: Corpus, validation: Corpus) -> str:
    """Return what was learned from, in words."""
    learned = f"{train.name}: {len(train):,} clips, {len(train.labels)} labels"
    return f"{learned}; the best epoch was chosen on {len(validation):,} others"
