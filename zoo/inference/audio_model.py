"""The model object: a true `keras.Model` that also knows its labels, its sample rate and its card.

`zoo.weights.loading` makes it. Its main methods are `tag`, `taggram`, `embed` and `onsets`.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
from keras import layers

from zoo.audio import Segmentation
from zoo.errors import ConfigError
from zoo.inference.assembly import (
    call,
    changes,
    channels_last,
    check_options,
    check_saved,
    check_segment,
    checked_labels,
    dtype_policy,
    import_architecture,
    layer_configs,
    nothing_shared,
    rebuilt,
    xla_is_slow,
)
from zoo.inference.predictor import Predictor
from zoo.layers import backends
from zoo.registry.cards import Card
from zoo.utils import text
from zoo.utils.files import scratch

HEAD = ("logits",)  # the layers that belong to the labels


@keras.saving.register_keras_serializable("zoo")
class AudioModel(Predictor, keras.Model):
    """A network that takes a waveform and returns label probabilities.

    Made by `zoo.load` and `zoo.build`. It is a `keras.Model`: (batch, samples) float32 in [-1, 1]
    at `sample_rate` goes in, (batch, labels) comes out, and `predict`, `fit`, `summary` and `save`
    do what they do in Keras. What is saved can be read by `zoo.load`, and by
    `keras.saving.load_model` in a process that has imported this class (`from zoo import
    AudioModel`, or `import zoo` after `import keras`). Saved with it, and copied by
    `copy.deepcopy`, are frozen layers, layers quantized by `quantize`, and other settings of layers
    that were changed, such as the rate of a dropout.

    Args:
        architecture: a name of `zoo.list_models(trained=False)`.
        labels: output names, in order.
        segment: seconds of audio that the network takes at once; None for the architecture's own.
        activation: "sigmoid" (labels independent of each other) or "softmax" (one label a clip).
        backend: a name of `zoo.layers.backends` in place of the architecture's own back-end;
            None for its own.
        options: of the architecture, see the model file, and of the back-end.
        card: where the weights come from, as `Card.to_dict` gives it.
        dtype: a Keras dtype policy, such as "mixed_bfloat16". The spectrogram and the
            probabilities are float32 in any case.
        name: of the model: a checkpoint's is that of its untouched weights alone.
        trainable: False for a frozen model.
        layer_settings: settings that differ from the architecture's, by layer, as the layers'
            `get_config` returns them.
    """

    trained_on: frozenset[str] = frozenset()  # samples of the files, see `zoo.data.copies`
    name: str

    def __init__(
        self,
        architecture: str,
        labels: Iterable[str],
        segment: float | None = None,
        activation: str = "sigmoid",
        backend: str | None = None,
        options: dict[str, Any] | None = None,
        card: dict | None = None,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
        layer_settings: dict[str, dict[str, Any]] | None = None,
    ):
        labels = checked_labels(labels)
        if activation not in ("sigmoid", "softmax"):
            raise ConfigError(f"activation is {activation!r}; it is 'sigmoid' or 'softmax'.")
        module = import_architecture(architecture)
        # Lists, as in a saved file: a model and its copy have the same configuration.
        options = {k: list(v) if isinstance(v, tuple) else v for k, v in (options or {}).items()}
        summarise = module.backend if backend is None else backends.named(backend)
        check_options(architecture, (module.segmentation, module.frontend, summarise), options)
        geometry = dict(call(module.segmentation, options))
        sample_rate, fixed = geometry.pop("sample_rate"), geometry.pop("fixed", False)
        cut = Segmentation(**geometry)
        if segment is not None:
            cut = cut.of_length(round(segment * sample_rate))
        if backend is not None:
            fixed = backend in backends.FIXED_LENGTH
        waveform = keras.Input((cut.segment if fixed else None,), dtype="float32", name="waveform")
        with channels_last(), dtype_policy(dtype) as policy:
            stages = call(module.frontend, options, waveform)
            stages |= call(summarise, options, stages if backend is None else stages["frontend"])
            last = list(stages.values())[-1]
            stages["logits"] = layers.Dense(len(labels), name="logits")(last)
            stages["probabilities"] = layers.Activation(
                activation, dtype="float32", name="probabilities"
            )(stages["logits"])
            given = layer_configs(keras.Model(waveform, stages["probabilities"]))
            if layer_settings:
                waveform, stages = rebuilt(waveform, stages, layer_settings)
        super().__init__(waveform, stages["probabilities"], name=name or architecture)
        self.supports_jit = not xla_is_slow()
        if not trainable:
            self._freeze()
        config = {
            "architecture": architecture,
            "labels": list(labels),
            "segment": segment,
            "activation": activation,
            "backend": backend,
            "options": options,
            "card": card,
            "dtype": policy,
        }
        self._keep = _Untracked(stages, config, given, labels, sample_rate, cut)
        if segment is not None:
            check_segment(self, segment)

    # --- what it is ---

    def __repr__(self) -> str:
        seconds = self.segmentation.segment / self.sample_rate
        return (
            f"AudioModel({self.name!r}: {self.architecture}, "
            f"{text.plural(len(self.labels), 'label')}, segments of {seconds:.2f} s at "
            f"{self.sample_rate} Hz, {self.count_params():,} parameters)"
        )

    @property
    def _arguments(self) -> dict[str, Any]:
        return self._keep.config

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return self._keep.labels

    @property
    def sample_rate(self) -> int:
        """Sample rate of the input, in Hz."""
        return self._keep.sample_rate

    @property
    def segmentation(self) -> Segmentation:
        """How a clip is cut, in samples."""
        return self._keep.segmentation

    def record(self, note: str) -> None:
        """Write a training note into the card: how the weights were trained after they were made.

        The card keeps the original checkpoint with its authors and licence. It drops the scores of
        the checkpoint, and the model gets another name: neither holds for the new weights.

        Args:
            note: such as "fine-tuned from pons2017.mtt on ...".
        """
        card = msgspec.structs.replace(self._stored_card(), trained=note)
        self._keep.config["card"] = card.to_dict()
        if self.name in card.checkpoints:
            self.name = f"{self.name}-fine-tuned"

    def _stored_card(self) -> Card:
        """Return the stored card: it has the checkpoint's whole record, but no scores."""
        content = self._keep.config["card"]
        card = Card.from_dict(content) if content else self.card
        checkpoints = {
            name: msgspec.structs.replace(checkpoint, metrics=())
            for name, checkpoint in card.checkpoints.items()
        }
        return msgspec.structs.replace(card, checkpoints=checkpoints)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, from the waveform to the output."""
        return tuple(self._keep.stages)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor that give such a model, untrained.

        Raises:
            ConfigError: a layer was changed in a manner that a file cannot hold.
        """
        config = {**self._keep.config, "name": self.name}
        if not self.trainable:
            config["trainable"] = False
        settings = changes(self._keep.given, layer_configs(self))
        return config | ({"layer_settings": settings} if settings else {})

    def save(self, filepath, overwrite: bool = True, *args: Any, **kwargs: Any) -> None:
        """Save the model as `keras.Model.save` does.

        The file is written aside and renamed: an interrupted save leaves the old one.

        Args:
            filepath: ends in .keras; or in .h5, Keras's older format.
            overwrite: replace a file that exists without asking.
            *args: see `keras.Model.save`.
            **kwargs: see `keras.Model.save`.

        Raises:
            ConfigError: the model has layers, or settings of layers, that a file cannot hold: it
                names them.
            OSError: the file cannot be written.
        """
        check_saved(self, self._flatten_layers(include_self=False, recursive=False))
        path = Path(filepath)
        asks = path.exists() and not overwrite
        known = path.suffix in (".keras", ".h5", ".hdf5") and "://" not in str(filepath)
        if args or kwargs or asks or not known:
            super().save(filepath, overwrite, *args, **kwargs)
            return
        if not path.parent.is_dir():
            raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}.")
        with scratch(path, ".save-") as folder:
            super().save(folder / path.name)
            os.replace(folder / path.name, path)

    def _freeze(self) -> None:
        """Set `trainable` to False for the model alone: Keras would do it for each layer too."""
        parts = list(self._flatten_layers(include_self=False))
        before = [part.trainable for part in parts]
        self.trainable = False
        for part, trainable in zip(parts, before, strict=True):
            part.trainable = trainable

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "AudioModel":
        """Make an untrained model from what `get_config` returned."""
        with nothing_shared():
            return cls(**config)

    def stage(self, name: str) -> keras.Model:
        """Return the part of the network from the waveform to a stage; it shares the weights.

        Args:
            name: one of `stages`.

        Returns:
            A model from (batch, samples) float32 to the stage, such as (batch, units) or
            (batch, frames, channels). Its `output` can take layers of your own.

        Raises:
            UnknownName: with the names that there are.
        """
        self.check_stage(name)
        models = self._keep.stage_models
        if name not in models:
            models[name] = keras.Model(self.input, self._keep.stages[name], name=name)
            models[name].supports_jit = not xla_is_slow()
        return models[name]

    def with_labels(self, labels: Iterable[str], activation: str | None = None) -> "AudioModel":
        """Return a copy with a fresh head for other labels; everything below keeps its weights.

        Args:
            labels: the new output names.
            activation: as in the constructor; None keeps this model's.

        Returns:
            A model named "pons2017.mtt-with-3-labels". Its card has the checkpoint's authors and
            licence, but neither its scores nor its status.

        Raises:
            ConfigError: labels or activation do not fit.
        """
        labels = checked_labels(labels)
        config = {**self.get_config(), "labels": labels, "trainable": True}
        base = self.name.removesuffix(headed(self.labels))
        config["name"] = base + headed(labels)
        if config["card"]:
            config["card"] = self._stored_card().to_dict()
        settings = config.pop("layer_settings", {})
        config["layer_settings"] = {k: v for k, v in settings.items() if k not in HEAD}
        if activation is not None:
            config["activation"] = activation
        copy = type(self)(**config)
        for ours, theirs in zip(copy.layers, self.layers, strict=True):
            if ours.name not in HEAD:
                ours.set_weights(theirs.get_weights())
        return copy

    # --- as Keras has it, with checks of the input ---

    def __call__(self, inputs, *args: Any, **kwargs: Any):
        """Run the network: (batch, samples) float32 in [-1, 1] to (batch, labels).

        Raises:
            ConfigError: another number of axes.
        """
        self._check_batch(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def predict(self, x, *args: Any, **kwargs: Any):
        """Run the network batch by batch, as `keras.Model.predict` does.

        Args:
            x: (clips, samples) float32 in [-1, 1] at `sample_rate`, or batches of these.
            *args: see `keras.Model.predict`.
            **kwargs: see `keras.Model.predict`.

        Returns:
            (clips, labels) float32, or (clips, frames, labels).

        Raises:
            ConfigError: another number of axes, or a file, which `tag` takes.
        """
        self._check_batch(x)
        return super().predict(x, *args, **kwargs)

    def evaluate(self, x=None, *args: Any, **kwargs: Any):
        """Compute the loss, as `keras.Model.evaluate` does; `zoo.evaluate` scores a corpus.

        Args:
            x: as in `predict`.
            *args: see `keras.Model.evaluate`.
            **kwargs: see `keras.Model.evaluate`.

        Raises:
            ConfigError: as in `predict`.
        """
        self._check_batch(x)
        return super().evaluate(x, *args, **kwargs)

    def fit(self, x=None, *args: Any, **kwargs: Any):
        """Train the model, as `keras.Model.fit` does, and note it in the card.

        Args:
            x: as in `predict`.
            *args: see `keras.Model.fit`.
            **kwargs: see `keras.Model.fit`.

        Returns:
            Keras's history.

        Raises:
            ConfigError: as in `predict`.
        """
        self._check_batch(x)
        if not self.card.trained:
            origin = next(iter(self.card.checkpoints), self.card.origin)
            self.record(f"fine-tuned from {origin} by fit" if origin else "trained by fit")
        return super().fit(x, *args, **kwargs)

    def _check_batch(self, x: Any) -> None:
        if isinstance(x, str | os.PathLike):
            raise ConfigError(f"{x} is a file; {self.name} takes arrays here. Call tag for a file.")
        try:
            shape = tuple(x.shape)
        except (AttributeError, TypeError, ValueError):
            return  # batches, or a tensor whose shape is not known yet
        if len(shape) == 2:
            return
        samples = self.input_shape[1] or "samples"
        single = " For a single clip give x[None]." if len(shape) == 1 else ""
        raise ConfigError(
            f"the input has the shape {shape}; {self.name} takes (batch, {samples}), mono, "
            f"at {self.sample_rate} Hz.{single}"
        )

    # --- what `Predictor` needs ---

    @property
    def frame_wise(self) -> bool:
        """Whether the output is one row a frame, (batch, frames, labels), and not one a clip."""
        return len(self.output_shape) == 3

    @property
    def frames(self) -> dict[str, int] | None:
        """Frames of the output for `onsets`: "hop_length" in samples, "context" in frames."""
        return getattr(import_architecture(self.architecture), "FRAMES", None)

    def forward_pass(self, stage: str) -> Callable[[np.ndarray], np.ndarray]:
        """Return the forward pass to a stage, (batch, samples) -> (batch, ...), NumPy arrays.

        Args:
            stage: one of `stages`.

        Raises:
            UnknownName: with the names that there are.
            ConfigError: the model was loaded before this process was forked from its parent.
        """
        if self._keep.process != os.getpid() and keras.config.backend() != "torch":
            raise ConfigError(
                f"{self.name} was loaded before this process was forked, and Keras on "
                f"{keras.config.backend()} would hang in it. Load the model in each process, "
                "use the start method 'spawn', or load it with runtime='onnx'."
            )
        return predict_function(self if stage == "probabilities" else self.stage(stage))


@dataclass
class _Untracked:
    """Attributes that Keras must not track as layers or weights of the model."""

    stages: dict[str, Any]
    config: dict[str, Any]
    given: dict[str, dict[str, Any]]  # each layer's settings as built
    labels: tuple[str, ...]
    sample_rate: int
    segmentation: Segmentation
    process: int = field(default_factory=os.getpid)  # that the model was made in
    stage_models: dict[str, keras.Model] = field(default_factory=dict)


def headed(labels: Sequence[str]) -> str:
    """Return the ending of the name of a model with a fresh head; TensorFlow allows no spaces."""
    return f"-with-{text.plural(len(labels), 'label')}".replace(" ", "-")


def predict_function(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Return the compiled forward pass, (batch, samples) -> NumPy; made once per network.

    If the network was made for several devices, TensorFlow runs it on each and joins the outputs.
    """
    return lambda batch: np.asarray(network.predict_on_batch(batch))[: len(batch)]
