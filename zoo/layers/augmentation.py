"""Augmentation: layers that change the sounds of a training, so that no two epochs are alike.

    model = zoo.load("pons2017", labels=["jazz", "rock"])
    network = zoo.augment(model, waveform=[Gain(), Noise()], features=[TimeMask(), FrequencyMask()])
    network.compile("adam", "binary_crossentropy")
    network.fit(dataset.map(Mixup()))  # trains `model`

`Gain` and `Noise` take waveforms, `TimeMask` and `FrequencyMask` take what the stage "features" of
a network gives. They draw other numbers for every sound, do nothing in inference, run on every
backend, on the device and under `jit_compile`, and compute in float32 whatever the dtype policy.

`Mixup` mixes the targets as well, which a layer inside a network never sees. So it works on the
batches of a data set, and `zoo.augment` refuses it.

With a `seed` a layer draws the same numbers again, on the same backend and with or without XLA as
before. In `zoo.train` and `zoo.finetune` layers without one draw by the seed of the training.
"""

import math
from numbers import Real

import keras
from keras import ops

from zoo.errors import ConfigError

FEATURES = "features"  # the stage whose output the feature layers change


@keras.saving.register_keras_serializable("zoo")
class Augmentation(keras.layers.Layer):
    """Base of the layers that change their input in training and pass it on in inference.

    Args:
        seed: an integer, so that the layer draws the same numbers again; None for others each time.
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.seed = seed

    def build(self, input_shape):
        # Not before: a model for several devices is put together where they are known.
        self.generator = keras.random.SeedGenerator(self.seed)

    def call(self, x, training=False):
        return ops.cast(self.change(ops.cast(x, "float32")), x.dtype) if training else x

    def change(self, x):
        """Return the float32 batch as training hears it."""
        raise NotImplementedError

    def uniform(self, shape, low: float = 0.0, high: float = 1.0):
        """Draw numbers from [low, high)."""
        return keras.random.uniform(shape, low, high, dtype="float32", seed=self.generator)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


# --- waveforms ---


@keras.saving.register_keras_serializable("zoo")
class Gain(Augmentation):
    """Change how loud each sound is, by decibels drawn uniformly: (batch, samples) to the same.

    The default range is ours. Samples may pass 1; nothing is clipped.

    Args:
        min_db: least change, in dB.
        max_db: greatest change, in dB.
        seed: see `Augmentation`.

    Raises:
        ConfigError: the range is not one.
    """

    def __init__(self, min_db: float = -6.0, max_db: float = 6.0, **kwargs):
        super().__init__(**kwargs)
        check_range("min_db", min_db, "max_db", max_db)
        self.min_db, self.max_db = min_db, max_db

    def change(self, x):
        decibels = self.uniform((ops.shape(x)[0], 1), self.min_db, self.max_db)
        return x * 10 ** (decibels / 20)

    def get_config(self):
        return {**super().get_config(), "min_db": self.min_db, "max_db": self.max_db}


@keras.saving.register_keras_serializable("zoo")
class Noise(Augmentation):
    """Add white Gaussian noise to each sound: (batch, samples) to the same.

    The ratio of the sound's power to the noise's, over the segment, is drawn uniformly in decibels.
    So silence stays silent. The default range is ours: from plainly heard to hardly.

    Args:
        min_snr: least signal-to-noise ratio, in dB.
        max_snr: greatest signal-to-noise ratio, in dB.
        seed: see `Augmentation`.

    Raises:
        ConfigError: the range is not one.
    """

    def __init__(self, min_snr: float = 15.0, max_snr: float = 40.0, **kwargs):
        super().__init__(**kwargs)
        check_range("min_snr", min_snr, "max_snr", max_snr)
        self.min_snr, self.max_snr = min_snr, max_snr

    def change(self, x):
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

    A mask covers 0 to `width` neighbours along one axis, each number equally likely, and lies
    anywhere, each place equally likely. Masks may overlap. What is masked gets the mean of the
    sound's features: the paper writes 0 into spectrograms whose mean is 0.

    The defaults are the paper's policy "SM" (Switchboard mild) without its time warping: 2 masks of
    at most 15 bands, 2 of at most 70 frames and a fifth of the sound. Its other policies have 27
    bands ("SS"); 27 bands, 100 frames and any share of the sound ("LD"); and these with 1 mask each
    ("LB"). All as others quote its Table 1. They were made for speech, and for frames and bands of
    other sizes than ours; which suit music, it does not say.

    Args:
        masks: how many a sound gets.
        width: see above.
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
                f"channels; its input is {tuple(input_shape)}. Give it to zoo.augment as one of "
                "features, not of waveform."
            )
        super().build(input_shape)

    def widest(self, length):
        """Return the width of the widest mask on an axis of this length."""
        return self.width

    def change(self, x):
        length = ops.shape(x)[self.axis]
        shape = (ops.shape(x)[0], self.masks, 1)
        widest = ops.cast(self.widest(length), "float32")
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
        masks: how many a sound gets; the paper's policies have 1 or 2.
        width: of the widest, in frames; the paper's policies have 70 or 100.
        fraction: of the sound's frames that the widest mask covers at most, above 0 and at most 1;
            the paper's policies have .2 or 1.
        seed: see `Augmentation`.

    Raises:
        ConfigError: arguments or an input that it does not have.
    """

    axis = 1

    def __init__(self, masks: int = 2, width: int = 70, fraction: float = 0.2, **kwargs):
        super().__init__(masks, width, **kwargs)
        if not is_number(fraction) or not 0 < fraction <= 1:
            raise ConfigError(f"fraction is {fraction!r}; it must be above 0 and at most 1.")
        self.fraction = fraction

    def widest(self, length):
        share = ops.floor(self.fraction * ops.cast(length, "float32"))
        return ops.minimum(ops.cast(self.width, "float32"), share)

    def get_config(self):
        return {**super().get_config(), "fraction": self.fraction}


@keras.saving.register_keras_serializable("zoo")
class FrequencyMask(Mask):
    """Mask spans of bands: (batch, frames, bands[, channels]) to the same. See `Mask`.

    Args:
        masks: how many a sound gets; the paper's policies have 1 or 2.
        width: of the widest, in bands; the paper's policies have 15 or 27.
        seed: see `Augmentation`.

    Raises:
        ConfigError: arguments or an input that it does not have.
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
    """Mix each sound of a batch, and its targets, with another's: `dataset.map(Mixup())`.

    After Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018 (arXiv 1710.09412):
    both become share x its own + (1 - share) x the other's, the share drawn from
    Beta(alpha, alpha). The authors' code draws one share a batch; `keras.layers.MixUp`, which does
    the work here, one a sound. It runs inside of tf.data under every backend.

    Args:
        alpha: above 0. The default is Keras's. Small values leave most sounds nearly alone, 1 makes
            all shares equally likely.
        seed: an integer, so that it draws the same numbers again; None for others each time.

    Raises:
        ConfigError: alpha is not above 0.
    """

    def __init__(self, alpha: float = 0.2, seed: int | None = None, **kwargs):
        if not is_number(alpha) or not 0 < alpha < math.inf:
            raise ConfigError(f"alpha is {alpha!r}; it must be a number above 0.")
        given = {"dtype": "float32", "data_format": "channels_last"}
        super().__init__(alpha=alpha, seed=seed, **{**given, **kwargs})

    def __call__(self, waveform, targets):
        """Mix a batch: waveform (batch, samples) and targets (batch, labels), to the same."""
        pictures = {"images": waveform[:, :, None, None], "labels": targets}
        mixed = super().__call__(pictures, training=True)
        return mixed["images"][:, :, 0, 0], mixed["labels"]


# --- arguments ---


def is_number(value) -> bool:
    """Say whether a value is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def check_range(low_name: str, low: float, high_name: str, high: float) -> None:
    """Raise ConfigError unless both are finite numbers, the first at most the second."""
    if not (is_number(low) and is_number(high)) or not -math.inf < low <= high < math.inf:
        raise ConfigError(
            f"{low_name} is {low!r} and {high_name} is {high!r}; they must be numbers in dB, the "
            "first at most the second."
        )


def check_count(name: str, value: int) -> None:
    """Raise ConfigError unless a value is a whole number, at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number, at least 1.")
