"""Training of `lee2009` without labels: PCA whitening, then contrastive divergence layer by layer.

    model = zoo.build("lee2009", labels=["jazz", "rock"], sigma=0.4)
    history = zoo.cdbn.pretrain(model, audio.find(["music/"]))

Contrastive divergence with one step (CD-1) compares the hidden units for the data with those for a
reconstruction, which is made from a sample of the hidden units. The gradients are those of the demo
of Lee et al. 2009 (fobj_tirbm_CD_LB_sparse_audio.m; `zoo.models.lee2009` describes it):

    filters       <v0 * p0> - <v1 * p1> - .01 W      correlations, a mean over hidden positions
    hidden bias   <p0> - <p1> - 5 (<p0> - .05)       the last term makes the units sparse
    visible bias  <v0> - <v1>

where v0 is the data, p0 = P(hidden | v0), v1 the reconstruction from a sample of p0, and
p1 = P(hidden | v1). They are written as the gradients of a loss in which the probabilities are
constants, so that the same code runs, compiled, on every backend.

Differences from the demo, which trains one layer of filters of 6 frames on speech:

- Learning rate. The demo uses .01 / (1 + .01 t), with a momentum of .5 before epoch 5 and .9 after.
  For a constant gradient that is a step of .02 and then of .1. With filters of 10 frames on music
  the latter diverged within 1200 updates; with sigma .4 single filters diverged. Our rate falls as
  momentum rises, which keeps the step at .02.
- Second layer (not in the demo). Its inputs are probabilities, whose mean is .15 and not near 0.
  The demo's reconstruction has no visible bias, so the filters must produce that mean, and the
  units oscillate. From the second layer on we add the bias, as in the model's energy, and the rate
  is .002.
- An epoch is 100 updates of one segment each. The length of the demo's epoch is unknown.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo import audio
from zoo.errors import ConfigError, TrainingError
from zoo.inference.audio_model import AudioModel
from zoo.models.lee2009 import ConvolutionalRBM
from zoo.utils.files import replacing
from zoo.utils.progress import bars

LOG = logging.getLogger(__name__)

MEASURES = ("reconstruction_error", "mean_activation")
MOMENTUM = (0.5, 0.9)  # before epoch 5, and from epoch 5 on (demo)
FITTED_ON = 1000  # most segments to fit the whitening on (demo)

History = dict[str, dict[str, list[float]]]
Tensor = Any  # of the backend


@keras.saving.register_keras_serializable("zoo")
class ContrastiveDivergence(keras.Model):
    """CD-1 for one layer, as a Keras model whose loss has the gradients given above.

    `fit` takes the layer's input, (segments, frames, channels), and trains the layer in place.

    Args:
        rbm: the layer, built.
        target: wanted mean activation of the hidden units (demo).
        sparsity: weight of the sparsity term (demo).
        decay: weight of the filters' L2 penalty (demo).
        with_bias: whether the reconstruction has the visible bias.
        seed: of the sampling.
    """

    def __init__(
        self,
        rbm: ConvolutionalRBM,
        target: float = 0.05,
        sparsity: float = 5.0,
        decay: float = 0.01,
        with_bias: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.rbm, self.target, self.sparsity, self.decay = rbm, target, sparsity, decay
        self.with_bias = with_bias
        # The layer's own visible bias gets no gradients, so a copy is trained.
        self.visible_bias = self.add_weight(name="visible_bias", shape=rbm.visible_bias.shape)
        copy(rbm.visible_bias, self.visible_bias)
        self.random = keras.random.SeedGenerator(seed)
        self.means = [keras.metrics.Mean(name=name) for name in MEASURES]
        self.built = True

    def sample(self, probabilities: Tensor) -> Tensor:
        """Sample one state of each block of hidden units.

        Args:
            probabilities: (batch, hidden, filters).

        Returns:
            (batch, hidden, filters) of 0 and 1.
        """
        pool = self.rbm.pool
        shape = (-1, ops.shape(probabilities)[1] // pool, pool, probabilities.shape[-1])
        p = ops.reshape(probabilities, shape)
        uniform = keras.random.uniform(ops.shape(p[:, :, :1]), seed=self.random)
        total = ops.cumsum(p, axis=2)
        on = ops.logical_and(uniform >= total - p, uniform < total)
        return ops.reshape(ops.cast(on, p.dtype), ops.shape(probabilities))

    def call(self, visible: Tensor) -> dict[str, Tensor]:
        """Return the loss whose gradients are those of CD-1, and `MEASURES`.

        Args:
            visible: (batch, frames, channels).

        Returns:
            "loss", "reconstruction_error" and "mean_activation", scalars.
        """
        rbm, constant = self.rbm, ops.stop_gradient
        response0 = rbm.response(visible)
        p0 = constant(rbm.probabilities(response0))
        v0 = visible[:, : ops.shape(p0)[1] + rbm.length - 1]  # the input of whole blocks
        v1 = rbm.reconstruct(self.sample(p0))
        v1 = constant(v1 + self.visible_bias if self.with_bias else v1)
        response1 = rbm.response(v1)
        p1 = constant(rbm.probabilities(response1))
        shift = ops.mean(v1, axis=(0, 1)) - ops.mean(v0, axis=(0, 1))
        excess = ops.mean(p0, axis=(0, 1)) - self.target
        loss = (
            ops.mean(ops.sum(response1 * p1 - response0 * p0, axis=-1))
            + ops.sum(self.visible_bias * shift)
            + self.sparsity * ops.sum(rbm.hidden_bias * excess)
            + self.decay / 2 * ops.sum(ops.square(rbm.kernel))
        )
        return {
            "loss": loss,
            "reconstruction_error": ops.mean(ops.square(v0 - v1)),
            "mean_activation": ops.mean(p0),
        }

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Return the loss that `call` computed, a scalar; see Keras for the arguments."""
        return y_pred["loss"]

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Tensor]:
        """Return the means of `MEASURES` over the steps so far; see Keras for the arguments."""
        for mean in self.means:
            mean.update_state(y_pred[mean.name])
        return {mean.name: mean.result() for mean in self.means}

    def epoch(self, data: np.ndarray, rate: float, momentum: float, seed: int) -> dict[str, Any]:
        """Train for an epoch: one update for each segment, in order.

        Args:
            data: (segments, frames, channels), the layer's input.
            rate: learning rate.
            momentum: of the gradients.
            seed: of the sampling.

        Returns:
            The means of `MEASURES`.
        """
        if not self.compiled or self.optimizer.momentum != momentum:
            self.compile(keras.optimizers.SGD(rate, momentum=momentum))
        self.optimizer.learning_rate = rate
        copy(keras.random.SeedGenerator(seed).state, self.random.state)
        logs = self.fit(data, batch_size=1, shuffle=False, verbose=0).history
        copy(self.visible_bias, self.rbm.visible_bias)
        return {name: float(logs[name][0]) for name in MEASURES}


def pretrain(
    model: AudioModel,
    sounds: np.ndarray | audio.Source | list[audio.Source],
    *,
    epochs: int | Sequence[int] = 100,
    updates: int = 100,
    learning_rate: float | Sequence[float] = (0.01, 0.002),
    target: float = 0.05,
    sparsity: float = 5.0,
    decay: float = 0.01,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> History:
    """Train a `lee2009` model without labels, in place. Its head does not change.

    Args:
        model: new from `zoo.build("lee2009", ...)`, in float32.
        sounds: segments (n, samples) at the model's rate, float in [-1, 1] or int16, which may be
            a memory map; or a file or an (array, sample_rate) pair, or a list of these, which are
            cut into segments and kept in memory.
        epochs: one number for each layer, or one for all.
        updates: segments an epoch, sampled without repetition. Each update takes one segment.
        learning_rate: at the start, for each layer. The last number is also used for later layers.
        target: wanted mean activation of the hidden units.
        sparsity: weight of the sparsity term.
        decay: weight of the filters' L2 penalty.
        seed: of the sampling. The first filters depend on `keras.utils.set_random_seed` instead,
            called before the model is built.
        checkpoint: .npz file for the state after every epoch. If it exists, training resumes from
            it; only the momentum is lost.
        progress: show a progress bar on standard error.

    Returns:
        For "whitened" the "eigenvalues"; for each layer ("crbm1", ...) lists with one value per
        epoch: "reconstruction_error" (mean square) and "mean_activation" (of the hidden units).

    Raises:
        ConfigError: the model is not of this architecture or not in float32; `sounds` has a wrong
            shape; the checkpoint is of another model.
        TrainingError: training diverged.
        AudioError, FileNotFoundError: as in `zoo.audio.segments`.
    """
    rbms = _rbms(model)
    segments = _segments(model, sounds)
    state = _State(model, rbms, checkpoint)
    if "whitened" not in state.history:
        chosen = np.random.default_rng(seed).permutation(len(segments))[:FITTED_ON]
        frames = (_predict(model, "normalised", segments[part]) for part in _parts(chosen))
        eigenvalues = model.get_layer("whitened").fit(frames)
        state.add("whitened", {"eigenvalues": eigenvalues.tolist()})
    with bars(*_columns(), shown=progress) as bar:
        for i, rbm in enumerate(rbms):
            cd = ContrastiveDivergence(rbm, target, sparsity, decay, with_bias=i > 0)
            total, done = _nth(epochs, i), state.epochs(rbm.name)
            task = bar.add_task(rbm.name, total=total, completed=done, **state.last(rbm.name))
            below = "whitened" if i == 0 else f"pool{i}"
            for t in range(done + 1, total + 1):
                rng = np.random.default_rng((seed, i, t))
                data = _sampled(model, below, segments, updates, rng)
                momentum = MOMENTUM[t >= 5]
                rate = _nth(learning_rate, i) / (1 + 0.01 * t) * (1 - momentum) / (1 - MOMENTUM[0])
                measured = cd.epoch(data, rate, momentum, seed=int(rng.integers(2**31)))
                if not np.isfinite(measured["reconstruction_error"]):
                    raise TrainingError(
                        f"{rbm.name} diverged in epoch {t} with a learning rate of "
                        f"{_nth(learning_rate, i)}: start again with a lower one."
                    )
                state.add(rbm.name, measured)
                LOG.info("%s, epoch %d: %s", rbm.name, t, measured)
                bar.update(task, advance=1, **measured)
    return state.history


# --- parts of `pretrain` ---


def copy(source: keras.Variable, target: keras.Variable) -> None:
    """Copy a variable's value into another variable.

    Args:
        source: the value; copied, since two variables must not share a buffer under JAX.
        target: of the same shape.
    """
    target.assign(ops.convert_to_numpy(source))


def _rbms(model: AudioModel) -> list[ConvolutionalRBM]:
    rbms = [layer for layer in model.layers if isinstance(layer, ConvolutionalRBM)]
    if not rbms:
        raise ConfigError(f"{model.name} has no convolutional RBM; pretrain is for lee2009.")
    if rbms[0].compute_dtype != "float32":
        raise ConfigError(
            f"{model.name} computes in {rbms[0].compute_dtype}; contrastive divergence needs "
            "float32. Save the trained model and load it with the other dtype."
        )
    return rbms


def _segments(model: AudioModel, sounds: Any) -> np.ndarray:
    if not isinstance(sounds, np.ndarray):
        sources = sounds if isinstance(sounds, list) else [sounds]
        rate, cut = model.sample_rate, model.segmentation
        sounds = np.array([s.samples for x in sources for s in audio.segments(x, rate, cut)])
    if sounds.ndim != 2 or not len(sounds):
        raise ConfigError(
            f"sounds has the shape {sounds.shape}; give (segments, samples) at "
            f"{model.sample_rate} Hz, or a list of files."
        )
    return sounds


def _sampled(
    model: AudioModel, stage: str, segments: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a stage's output for random segments: (count, frames, channels)."""
    chosen = np.sort(rng.choice(len(segments), min(count, len(segments)), replace=False))
    outputs = [_predict(model, stage, segments[part]) for part in _parts(chosen)]
    return rng.permutation(np.concatenate(outputs))


def _parts(indices: np.ndarray, size: int = 20) -> Iterator[np.ndarray]:
    return (indices[i : i + size] for i in range(0, len(indices), size))


def _predict(model: AudioModel, stage: str, segments: np.ndarray) -> np.ndarray:
    if segments.dtype == np.int16:
        segments = segments / 32768
    return np.asarray(model.stage(stage).predict_on_batch(np.asarray(segments, "float32")))


def _nth(values: Any, i: int) -> Any:
    return values[min(i, len(values) - 1)] if isinstance(values, Sequence) else values


class _State:
    """The history and the weights so far, written to a file after every epoch."""

    def __init__(
        self,
        model: AudioModel,
        rbms: Iterable[ConvolutionalRBM],
        path: str | os.PathLike[str] | None,
    ):
        layers = [model.get_layer("whitened"), *rbms]
        self.variables = {v.path: v for layer in layers for v in layer.variables}
        self.path = None if path is None else Path(path)
        self.history: History = {}
        if self.path is not None and self.path.is_file():
            self._load(self.path)

    def _load(self, path: Path) -> None:
        with np.load(path) as saved:
            arrays = dict(saved)
        self.history = json.loads(str(arrays.pop("history")))
        ours = {name: tuple(v.shape) for name, v in self.variables.items()}
        theirs = {name: array.shape for name, array in arrays.items()}
        if ours != theirs:
            raise ConfigError(f"{path} is of another model: {theirs}; this one has {ours}.")
        for name, variable in self.variables.items():
            variable.assign(arrays[name])

    def epochs(self, name: str) -> int:
        """Return how many epochs a layer was trained."""
        return len(self.history.get(name, {}).get(MEASURES[0], []))

    def last(self, name: str) -> dict[str, Any]:
        """Return `MEASURES` after the last epoch of a layer; NaN before the first."""
        lists = self.history.get(name, {})
        return {key: lists.get(key, [np.nan])[-1] for key in MEASURES}

    def add(self, name: str, measured: dict) -> None:
        """Add the values of one epoch, or a whole list, to the history; write the file."""
        lists = self.history.setdefault(name, {})
        for key, value in measured.items():
            lists.setdefault(key, []).extend(value if isinstance(value, list) else [value])
        if self.path is not None:
            arrays = {path: ops.convert_to_numpy(v) for path, v in self.variables.items()}
            with replacing(self.path) as file:
                np.savez(file, history=json.dumps(self.history), **arrays)


def _columns() -> tuple[Any, ...]:
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    return (
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        "error {task.fields[reconstruction_error]:.4f}",
        "mean activation {task.fields[mean_activation]:.4f}",
        TimeRemainingColumn(),
    )
