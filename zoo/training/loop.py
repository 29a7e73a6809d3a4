"""The loop of `zoo.train` and `zoo.finetune`: epochs, validation, the best epoch, resuming.

Keras's `fit` is called once per epoch. The data of an epoch depend only on its number and the seed.
The learning rate and the end of training depend only on the history so far. So an interrupted run
resumes from its variables and its history, with the same result.
"""

import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo.errors import AudioError, TrainingError
from zoo.inference.variables import assign_values, values_of
from zoo.training.history import Row, best_of, rank
from zoo.training.recipe import Recipe
from zoo.training.run_folder import Run
from zoo.utils.progress import bars

logger = logging.getLogger(__name__)


@dataclass
class Phase:
    """A network, its batches, and its validation.

    Attributes:
        name: in the history.
        network: compiled; (batch, samples) or (batch, units) -> probabilities.
        feed: number of an epoch, from 0 -> arguments of `network.fit`.
        validate: returns "val_loss" and a score, with the current weights.
        recipe: number of epochs and learning rate.
        steps: per epoch, about; for the progress bar.
    """

    name: str
    network: keras.Model
    feed: Callable[[int], dict[str, Any]]
    validate: Callable[[], dict[str, float]]
    recipe: Recipe
    steps: int


def fit(
    phase: Phase, run: Run, rows: list[Row], monitor: str, *, progress: bool = True
) -> list[Row]:
    """Train a network until its recipe ends; then give it its best weights.

    Args:
        phase: what to train. If the run's state is of this phase, training resumes from it.
        run: saves the state.
        rows: the history of earlier phases. If no epoch of this phase is better than they are, the
            network keeps its present weights.
        monitor: what the best epoch is chosen by; see `zoo.training.history.rank`.
        progress: show a progress bar if standard error is a terminal.

    Returns:
        `rows` and a row for each epoch of this phase.

    Raises:
        TrainingError: the loss is NaN or infinite.
        ConfigError: the saved state is of another network.
        AudioError: no clip could be decoded.
    """
    network, recipe = phase.network, phase.recipe
    network.optimizer.build(network.trainable_variables)
    rows, best = list(rows), values_of(network.variables)
    state = run.state()
    if phase_of(state) == phase.name:
        rows, best = json.loads(str(state["rows"])), _restore(network, state)
    with _bar(phase, progress) as bar:
        while True:
            done = [row for row in rows if row["phase"] == phase.name]
            if recipe.ends([rank(row, monitor) for row in done]):
                break
            rate = recipe.rate([row["val_loss"] for row in done])
            network.optimizer.learning_rate = rate
            bar.begin(len(done))
            arguments = {"verbose": 0, "shuffle": False, **phase.feed(len(done))}
            loss = network.fit(**arguments, callbacks=[bar]).history.get("loss", [None])[0]
            row = {"phase": phase.name, "epoch": len(done) + 1, "learning_rate": rate}
            row |= {"loss": _checked(loss, row), **phase.validate()}
            rows.append(row)
            if best_of(rows, monitor) is row:
                best = values_of(network.variables)
            run.keep(_state(phase.name, network, best, rows), rows)
            bar.end(row)
    assign_values(network.variables, best)
    return rows


def phase_of(state: dict[str, np.ndarray]) -> str | None:
    """Return the phase of a saved state.

    Args:
        state: from `Run.state`.

    Returns:
        The name of the phase; None for an empty state.
    """
    return str(state["phase"]) if state else None


# --- loss and optimiser ---


def compile_network(
    network: keras.Model, activation: str, recipe: Recipe, jit_compile: bool | None
) -> None:
    """Compile a network in place, with the loss for its activation.

    Args:
        network: to compile.
        activation: "sigmoid" for binary cross-entropy, the mean over the labels; "softmax" for
            categorical cross-entropy.
        recipe: gives the optimiser, which scales the loss if a layer computes in float16.
        jit_compile: whether to compile with XLA; None lets Keras decide.
    """
    loss = {
        "sigmoid": keras.losses.BinaryCrossentropy,
        "softmax": keras.losses.CategoricalCrossentropy,
    }
    optimizer = make_optimizer(recipe)
    if any(layer.compute_dtype == "float16" for layer in network.layers):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    network.compile(
        optimizer, loss[activation](), jit_compile="auto" if jit_compile is None else jit_compile
    )


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Return the optimiser of a recipe.

    Args:
        recipe: name, learning rate, momentum and weight decay are used.

    Returns:
        A new optimiser.
    """
    config: dict[str, Any] = {"learning_rate": recipe.learning_rate}
    if recipe.momentum:
        config["momentum"] = recipe.momentum
    if recipe.nesterov:
        config["nesterov"] = True
    if recipe.weight_decay or recipe.optimizer == "adamw":  # whose default is not 0
        config["weight_decay"] = recipe.weight_decay
    return keras.optimizers.get({"class_name": recipe.optimizer, "config": config})


# --- the state of a run ---


def _state(phase: str, network: keras.Model, best: list[np.ndarray], rows: list[Row]) -> dict:
    arrays: dict[str, Any] = {"phase": phase, "rows": json.dumps(rows)}
    for kind, values in (
        ("variable", values_of(network.variables)),
        ("optimizer", values_of(network.optimizer.variables)),
        ("best", best),
    ):
        arrays |= {f"{kind}{i}": value for i, value in enumerate(values)}
    return arrays


def _restore(network: keras.Model, state: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Load a saved state into a network and its optimiser; return the best weights so far."""
    size = len(network.variables)
    assign_values(network.variables, [state.get(f"variable{i}") for i in range(size)])
    optimizer = network.optimizer.variables
    assign_values(optimizer, [state.get(f"optimizer{i}") for i in range(len(optimizer))])
    return [state[f"best{i}"] for i in range(size)]


# --- progress ---


def _checked(loss: float | None, row: Row) -> float:
    if loss is None:
        raise AudioError("no training clip could be decoded; the log lists the reasons.")
    if not math.isfinite(loss):
        raise TrainingError(
            f"training diverged: the loss is {loss} in epoch {row['epoch']}, at a learning rate of "
            f"{row['learning_rate']:g}. Start again with a lower one."
        )
    return float(loss)


class _Bar(keras.callbacks.Callback):
    """Advances a progress bar with each step, and logs every epoch."""

    def __init__(self, bars: Any, phase: Phase):
        super().__init__()
        self.bars, self.phase, self.done = bars, phase, 0
        self.task = bars.add_task(phase.name, total=phase.recipe.epochs, now="")

    def begin(self, done: int) -> None:
        """Show how many epochs are done."""
        self.done = done
        self.bars.update(self.task, completed=done)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the step; see Keras for the arguments."""
        part = min((batch + 1) / max(self.phase.steps, 1), 0.99)
        self.bars.update(self.task, completed=self.done + part)

    def end(self, row: Row) -> None:
        """Show and log the values of an epoch."""
        now = "  ".join(f"{name} {row[name]:.4f}" for name in [*row][3:])
        self.bars.update(self.task, completed=row["epoch"], now=now)
        logger.info("%s, epoch %d: %s", row["phase"], row["epoch"], now)


@contextmanager
def _bar(phase: Phase, shown: bool) -> Iterator[_Bar]:
    from rich.progress import BarColumn, TextColumn

    columns = ("{task.description}", BarColumn(), "epoch {task.completed:.1f}/{task.total}")
    with bars(
        *columns, TextColumn("{task.fields[now]}"), shown=None if shown else False
    ) as shown_bars:
        yield _Bar(shown_bars, phase)
