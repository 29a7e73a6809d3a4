"""Augmentation: layers that change the sounds at random, so that epochs differ.

    model = zoo.load("pons2017", labels=["jazz", "rock"])
    network = zoo.augment(model, waveform=[Gain(), Noise()], features=[TimeMask(), FrequencyMask()])
    network.compile("adam", "binary_crossentropy")
    network.fit(dataset.map(Mixup()))  # trains `model`

`Gain` and `Noise` take waveforms; `TimeMask` and `FrequencyMask` take the output of a network's
stage "features". They use different random numbers for every sound and do nothing in inference.
They run on every backend, on the device and under `jit_compile`, and always compute in float32.

`Mixup` also mixes the targets, which a layer inside a network does not receive. So it works on the
batches of a data set, and `zoo.augment` refuses it.

With a `seed` a layer repeats its random numbers, on the same backend and with the same use of XLA.
In `zoo.train` and `zoo.finetune` layers without one use the seed of the training.
"""

import math
from numbers import Real

import keras
from keras import ops

from zoo.errors import ConfigError

FEATURES = "features"  # the stage whose output the feature layers change


@keras.saving.register_keras_serializable("zoo")
class Augmentation(keras.layers.Layer):
    """Base of the layers that change their input in training and keep it in inference.

    Args:
        seed: an integer to repeat the random numbers; None for new ones each time.
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.seed = seed

    def build(self, input_shape):
        # Not in __init__: for several devices it must be created under their distribution.
        self.generator = keras.random.SeedGenerator(self.seed)

    def call(self, x, training=False):
        return ops.cast(self._change(ops.cast(x, "float32")), x.dtype) if training else x

    def _change(self, x):
        """Return the changed batch, for training.

        Args:
            x: float32, waveforms (batch, samples) or features (batch, frames, bands[, channels]).

        Returns:
            The same shape, float32.

        Raises:
            NotImplementedError: a subclass must implement it.
        """
        raise NotImplementedError

    def uniform(self, shape, low: float = 0.0, high: float = 1.0):
        """Return random numbers.

        Args:
            shape: of the result.
            low: least value.
            high: upper limit, exclusive.

        Returns:
            float32, uniform in [low, high).
        """
        return keras.random.uniform(shape, low, high, dtype="float32", seed=self.generator)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


# --- waveforms ---


@keras.saving.register_keras_serializable("zoo")
class Gain(Augmentation):
    """Change the gain of each sound at random: (batch, samples) to the same.

    The gain is uniform in decibels. The default range is ours. Samples may exceed 1; they are not
    clipped.

    Args:
        min_db: least change, in dB.
        max_db: greatest change, in dB.
        seed: see `Augmentation`.

    Raises:
        ConfigError: the range is not valid.
    """

    def __init__(self, min_db: float = -6.0, max_db: float = 6.0, **kwargs):
        super().__init__(**kwargs)
        check_range("min_db", min_db, "max_db", max_db)
        self.min_db, self.max_db = min_db, max_db

    def _change(self, x):
        decibels = self.uniform((ops.shape(x)[0], 1), self.min_db, self.max_db)
        return x * 10 ** (decibels / 20)

    def get_config(self):
        return {**super().get_config(), "min_db": self.min_db, "max_db": self.max_db}


@keras.saving.register_keras_serializable("zoo")
class Noise(Augmentation):
    """Add white Gaussian noise to each sound: (batch, samples) to the same.

    The signal-to-noise ratio over the segment is uniform in decibels. So silence stays silent. The
    default range is ours: from clearly audible noise to barely audible noise.

    Args:
        min_snr: least signal-to-noise ratio, in dB.
        max_snr: greatest signal-to-noise ratio, in dB.
        seed: see `Augmentation`.

    Raises:
        ConfigError: the range is not valid.
    """

    def __init__(self, min_snr: float = 15.0, max_snr: float = 40.0, **kwargs):
        super().__init__(**kwargs)
        check_range("min_snr", min_snr, "max_snr", max_snr)
        self.min_snr, self.max_snr = min_snr, max_snr

    def _change(self, x):
        ratio = self.uniform((ops.shape(x)[0], 1), self.min_snr, self.max_snr)
        level = ops.sqrt(ops.mean(ops.square(x), axis=1, keepdims=True))  # (batch, 1)
        noise = keras.random.normal(ops.shape(x), dtype="float32", seed=self.generator)
        return x + noise * level * 10 ** (-ratio / 20)

    def get_config(self):
        return {**super().get_config(), "min_snr": self.min_snr, "max_snr": self.max_snr}


# --- features ---


@keras.saving.register_keras_serializable("zoo")
class Mask(Augmentation):
    """Base of the masks of SpecAugment (Park et al., Interspeech 2019, arXiv 1904.08779).

    A mask covers 0 to `width` neighbours along one axis; all numbers and all positions are equally
    likely. Masks may overlap. Masked values become the mean of the sound's features; the paper sets
    them to 0 in spectrograms whose mean is 0.

    The defaults are the paper's policy "SM" (Switchboard mild) without its time warping: 2 masks of
    at most 15 bands, 2 of at most 70 frames and a fifth of the sound. Its other policies have 27
    bands ("SS"); 27 bands, 100 frames and any share of the sound ("LD"); and these with 1 mask each
    ("LB"). The numbers are from quotations of its Table 1. They were made for speech, and for
    frames and bands of other sizes than ours; the paper has no policy for music.

    Args:
        masks: number of masks per sound.
        width: largest width of a mask, in frames or bands.
        seed: see `Augmentation`.
    """

    axis = 0

    def __init__(self, masks: int, width: int, **kwargs):
        super().__init__(**kwargs)
        check_count("masks", masks)
        check_count("width", width)
        self.masks, self.width = masks, width

    def build(self, input_shape):
        if len(input_shape) not in (3, 4):
            raise ConfigError(
                f"{type(self).__name__} takes features (batch, frames, bands), perhaps with "
                f"channels; its input is {tuple(input_shape)}. Give it to zoo.augment as "
                "features=[...], not as waveform=[...]."
            )
        super().build(input_shape)

    def _widest(self, length):
        """Return the largest width of a mask.

        Args:
            length: of the axis.

        Returns:
            The width, in elements of the axis.
        """
        return self.width

    def _change(self, x):
        length = ops.shape(x)[self.axis]
        shape = (ops.shape(x)[0], self.masks, 1)
        widest = ops.cast(self._widest(length), "float32")
        width = ops.floor(self.uniform(shape) * (widest + 1))
        room = ops.cast(length, "float32") - width
        start = ops.floor(self.uniform(shape) * (room + 1))
        place = ops.cast(ops.arange(length), "float32")
        masked = ops.any((place >= start) & (place < start + width), axis=1)  # (batch, length)
        others = [axis for axis in range(1, len(x.shape)) if axis != self.axis]
        mean = ops.mean(x, axis=tuple(range(1, len(x.shape))), keepdims=True)
        return ops.where(ops.expand_dims(masked, others), mean, x)

    def get_config(self):
        return {**super().get_config(), "masks": self.masks, "width": self.width}


@keras.saving.register_keras_serializable("zoo")
class TimeMask(Mask):
    """Mask spans of frames: (batch, frames, bands[, channels]) to the same. See `Mask`.

    Args:
        masks: number of masks per sound; the paper's policies have 1 or 2.
        width: largest width, in frames; the paper's policies have 70 or 100.
        fraction: largest part of the sound's frames in one mask, above 0 and at most 1; the paper's
            policies have .2 or 1.
        seed: see `Augmentation`.

    Raises:
        ConfigError: an argument or the shape of the input is not valid.
    """

    axis = 1

    def __init__(self, masks: int = 2, width: int = 70, fraction: float = 0.2, **kwargs):
        super().__init__(masks, width, **kwargs)
        if not is_number(fraction) or not 0 < fraction <= 1:
            raise ConfigError(f"fraction is {fraction!r}; it must be above 0 and at most 1.")
        self.fraction = fraction

    def _widest(self, length):
        share = ops.floor(self.fraction * ops.cast(length, "float32"))
        return ops.minimum(ops.cast(self.width, "float32"), share)

    def get_config(self):
        return {**super().get_config(), "fraction": self.fraction}


@keras.saving.register_keras_serializable("zoo")
class FrequencyMask(Mask):
    """Mask spans of bands: (batch, frames, bands[, channels]) to the same. See `Mask`.

    Args:
        masks: number of masks per sound; the paper's policies have 1 or 2.
        width: largest width, in bands; the paper's policies have 15 or 27.
        seed: see `Augmentation`.

    Raises:
        ConfigError: an argument or the shape of the input is not valid.
    """

    axis = 2

    def __init__(self, masks: int = 2, width: int = 15, **kwargs):
        super().__init__(masks, width, **kwargs)

    def build(self, input_shape):
        super().build(input_shape)
        if input_shape[2] is not None and self.width > input_shape[2]:
            raise ConfigError(
                f"width is {self.width}, more than the {input_shape[2]} bands of the features."
            )


# --- waveforms and targets ---


@keras.saving.register_keras_serializable("zoo")
class Mixup(keras.layers.MixUp):
    """Mix each sound of a batch and its targets with another one: `dataset.map(Mixup())`.

    After Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018 (arXiv 1710.09412):
    both become share x its own + (1 - share) x the other's, with a random share from
    Beta(alpha, alpha). The authors' code has one share per batch; `keras.layers.MixUp`, which this
    uses, has one per sound. It runs inside tf.data under every backend.

    Args:
        alpha: above 0. The default is Keras's. Small values hardly change most sounds; with 1 all
            shares are equally likely.
        seed: an integer to repeat the random numbers; None for new ones each time.

    Raises:
        ConfigError: alpha is not above 0.
    """

    def __init__(self, alpha: float = 0.2, seed: int | None = None, **kwargs):
        if not is_number(alpha) or not 0 < alpha < math.inf:
            raise ConfigError(f"alpha is {alpha!r}; it must be a number above 0.")
        given = {"dtype": "float32", "data_format": "channels_last"}
        super().__init__(alpha=alpha, seed=seed, **{**given, **kwargs})

    def __call__(self, waveform, targets):
        """Mix a batch.

        Args:
            waveform: (batch, samples).
            targets: (batch, labels).

        Returns:
            Mixed waveform and targets of the same shapes, float32.
        """
        pictures = {"images": waveform[:, :, None, None], "labels": targets}
        mixed = super().__call__(pictures, training=True)
        return mixed["images"][:, :, 0, 0], mixed["labels"]


# --- arguments ---


def is_number(value) -> bool:
    """Return whether a value is a real number; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def check_range(low_name: str, low: float, high_name: str, high: float) -> None:
    """Raise ConfigError unless both are finite numbers, the first at most the second."""
    if not (is_number(low) and is_number(high)) or not -math.inf < low <= high < math.inf:
        raise ConfigError(
            f"{low_name} is {low!r} and {high_name} is {high!r}; they must be numbers in dB, the "
            "first at most the second."
        )


def check_count(name: str, value: int) -> None:
    """Raise ConfigError unless a value is an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} is {value!r}; it must be an integer, at least 1.")
