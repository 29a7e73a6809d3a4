"""Augmentation as a part of training: which layers go where."""

from collections.abc import Sequence

import keras

from zoo.errors import ConfigError
from zoo.inference.assembly import xla_is_slow
from zoo.inference.audio_model import AudioModel
from zoo.layers.augmentation import FEATURES, Mask, Mixup


def augment(
    model: AudioModel,
    waveform: Sequence[keras.layers.Layer] = (),
    features: Sequence[keras.layers.Layer] = (),
) -> keras.Model:
    """Return a network that changes what it hears in training, and shares the model's weights.

    Fitting it trains the model. In inference it says what the model says; it has none of the
    model's methods, so tag with the model, and save the model.

    Args:
        model: from `zoo.load` or `zoo.build`.
        waveform: layers that come right behind the input, such as `Gain` and `Noise`.
        features: layers that come right behind the stage "features", such as `TimeMask` and
            `FrequencyMask`.

    Returns:
        A model from (batch, samples) to what `model` gives; compile it to train it.

    Raises:
        ConfigError: `features` for a network without that stage; `Mixup`; what is no layer.

    >>> import zoo
    >>> from zoo.layers.augmentation import Gain, TimeMask
    >>> model = zoo.build("pons2017", ["jazz", "rock"])
    >>> zoo.augment(model, [Gain()], [TimeMask()]).output_shape
    (None, 2)
    """
    for layer in (*waveform, *features):
        if isinstance(layer, Mixup):
            raise ConfigError(
                "Mixup mixes targets too, which a network does not see: call "
                "dataset.map(Mixup()) on a data set of (waveform, targets) batches."
            )
        if not isinstance(layer, keras.layers.Layer):
            raise ConfigError(f"{layer!r} is no layer; zoo.augment takes lists of Keras layers.")
    if features and FEATURES not in model.stages:
        raise ConfigError(
            f'{model.name} has no stage "{FEATURES}" to mask: it hears the waveform itself. It '
            f"has {', '.join(model.stages)}. Augment its waveform."
        )
    x = sound = keras.Input(model.input_shape[1:], dtype="float32", name="waveform")
    for layer in waveform:
        x = layer(x)
    if not features:
        x = model(x)
    else:
        below = model.stage(FEATURES)
        x = below(x)
        for layer in features:
            x = layer(x)
        x = keras.Model(below.output, model.output, name=f"from_{FEATURES}")(x)
    network = keras.Model(sound, x, name=f"{model.name}_augmented")
    network.supports_jit = not xla_is_slow()
    return network


Layers = Sequence[keras.layers.Layer]


def augmented(model: AudioModel, chosen: Layers) -> keras.Model:
    """Return a network that shares the model's weights and changes its input in training.

    Without layers, or with none but mixup, which works on the data, it is the model's own.
    """
    layers = [layer for layer in chosen if not is_mixup(layer)]
    if not layers:
        return keras.Model(model.input, model.output, name=model.name)
    masks = [layer for layer in layers if isinstance(layer, Mask)]
    others = [layer for layer in layers if layer not in masks]
    return augment(model, waveform=others, features=masks)


def is_mixup(layer: keras.layers.Layer) -> bool:
    """Say whether a layer works on the batches of a data set, targets included."""
    return isinstance(layer, keras.layers.MixUp)
