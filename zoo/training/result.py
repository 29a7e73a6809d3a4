"""The result of a training: the record, the model's card, the folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zoo.data import copies
from zoo.inference.audio_model import AudioModel
from zoo.registry import saved
from zoo.training.batches import Batches
from zoo.training.history import Row, best_of, monitored
from zoo.training.run_folder import Run
from zoo.utils.files import PathLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of a training.

    Attributes:
        model: with the best weights.
        history: a row for each epoch: "phase", "epoch" (from 1), "learning_rate", "loss" (on the
            training clips, with dropout and class weights), "val_loss" (on whole validation clips:
            of the mean over their segments), and "val_accuracy" or "val_roc_auc" (macro).
        best: the row whose weights the model has.
        folder: with the results; None if nothing was written.
        monitor: what the best epoch was chosen by: "score" or "loss".
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

    def plot(self, path: PathLike | None = None) -> "Figure":
        """Plot loss and score after each epoch.

        Args:
            path: .png, .pdf or .svg file to write; None writes nothing.

        Returns:
            A matplotlib figure.

        Raises:
            ConfigError: the path has another suffix.
        """
        from zoo.training import curves

        return curves.history(self.history, self.best, self.model.name, path)


Result = TypeVar("Result", bound=Trained)


def finished(
    kind: type[Result], model: AudioModel, start: str, batches: Batches, rows: list[Row], run: Run
) -> Result:
    """Write the result of a training to the model's card and the run's folder.

    Args:
        kind: class of the result.
        model: trained.
        start: of its training note: "trained from scratch", "fine-tuned from ...".
        batches: training and validation clips.
        rows: the history.
        run: the folder.

    Returns:
        The result.
    """
    from zoo.weights import origin

    # trained=True: the weights have changed, so the checkpoint need not be loaded to compare them.
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
    if run.folder is not None:  # after the files, so that a call that was killed can be repeated
        model.name = saved.as_name(run.folder.resolve().name)  # as zoo.load will call it
    return kind(model, rows, best, run.folder, monitor)
