"""What comes of a training: the result, the card, the folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from zoo.data import copies
from zoo.inference.audio_model import AudioModel
from zoo.training.batches import Batches
from zoo.training.history import Row, best_of, monitored
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
        best: the row whose weights the model has.
        folder: where it was written; None for nowhere.
        monitor: what it was chosen by: "score", or "loss" for the lowest "val_loss".
    """

    model: AudioModel
    history: list[Row]
    best: Row
    folder: Path | None
    monitor: str

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


def finished(
    kind: type[Kind], model: AudioModel, start: str, batches: Batches, rows: list[Row], run: Run
) -> Kind:
    """Write the result of a training into the model's card and the run's folder.

    Args:
        kind: of the result.
        model: trained.
        start: of the training note for its card: "trained from scratch", "fine-tuned from ...".
        batches: what it was trained and validated on.
        rows: the history.
        run: its folder.
    """
    from zoo.weights import origin

    # The weights have changed, so they need not be compared with the checkpoint's, which would
    # have to be loaded for that.
    licence = origin.licence_text(origin.origin(model, trained=True))
    monitor = batches.options.monitor
    best = best_of(rows, monitor)
    train, validation = batches.train.corpus, batches.validation.corpus
    model.record(
        f"{start} on {train.name}: {len(train):,} clips, {len(train.labels)} labels; of "
        f"{len(rows):,} epochs, the best by {monitored(best, monitor)} on {len(validation):,} "
        "other clips was kept"
    )
    model.trained_on |= copies.samples_of(clip.path for clip in train.clips)
    run.finish(model, rows, best, licence)
    return kind(model, rows, best, run.folder, monitor)
