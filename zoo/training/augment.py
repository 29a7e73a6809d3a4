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
    """Return a network that augments its input in training and shares the model's weights.

    Fitting it trains the model. In inference its outputs equal the model's. It has none of the
    model's methods: to tag and to save, use the model.

    Args:
        model: from `zoo.load` or `zoo.build`.
        waveform: layers right after the input, such as `Gain` and `Noise`.
        features: layers right after the stage "features", such as `TimeMask` and `FrequencyMask`.

    Returns:
        A network with input (batch, samples) and the model's output; compile it to train it.

    Raises:
        ConfigError: `features` for a network without that stage; a `Mixup`; not a Keras layer.

    Examples:
        >>> import zoo
        >>> from zoo.layers.augmentation import Gain, TimeMask
        >>> model = zoo.build("pons2017", ["jazz", "rock"])
        >>> zoo.augment(model, [Gain()], [TimeMask()]).output_shape
        (None, 2)
    """
    for layer in (*waveform, *features):
        if isinstance(layer, Mixup):
            raise ConfigError(
                "Mixup also mixes targets, which a network does not get: call "
                "dataset.map(Mixup()) on a data set of (waveform, targets) batches."
            )
        if not isinstance(layer, keras.layers.Layer):
            raise ConfigError(f"{layer!r} is no layer; zoo.augment takes lists of Keras layers.")
    if features and FEATURES not in model.stages:
        raise ConfigError(
            f'{model.name} has no stage "{FEATURES}" to mask: its input is the waveform. Its '
            f"stages are {', '.join(model.stages)}. Augment its waveform."
        )
    x = audio = keras.Input(model.input_shape[1:], dtype="float32", name="waveform")
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
    network = keras.Model(audio, x, name=f"{model.name}_augmented")
    network.supports_jit = not xla_is_slow()
    return network


Layers = Sequence[keras.layers.Layer]


def augmented(model: AudioModel, layers: Layers) -> keras.Model:
    """Return a network that augments its input in training and shares the model's weights.

    Args:
        model: its weights are shared.
        layers: of `zoo.augmentation`. Masks work on the features, the others on the waveform.
            `Mixup` is ignored here, since it works on the data.

    Returns:
        The network, not compiled.

    Raises:
        ConfigError: as `augment`.
    """
    layers = [layer for layer in layers if not is_mixup(layer)]
    if not layers:
        return keras.Model(model.input, model.output, name=model.name)
    masks = [layer for layer in layers if isinstance(layer, Mask)]
    others = [layer for layer in layers if layer not in masks]
    return augment(model, waveform=others, features=masks)


def is_mixup(layer: keras.layers.Layer) -> bool:
    """Return whether a layer works on batches of a data set, with their targets.

    Args:
        layer: of `zoo.augmentation`.

    Returns:
        True for `Mixup`.
    """
    return isinstance(layer, keras.layers.MixUp)
