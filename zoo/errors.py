"""What can go wrong, by name. Every message says what was given, what was expected, what to do."""


class ZooError(Exception):
    """Base of all errors that the zoo raises on purpose."""


class AudioError(ZooError, ValueError):
    """A sound that cannot be used: unreadable, empty, or without a sample rate."""


class AudioWarning(UserWarning):
    """A sound that was used, though its result may mean less than it seems."""


class ShortWarning(AudioWarning):
    """A clip that fills less than half of what a network takes at once."""


class BandWarning(AudioWarning):
    """A sound whose sample rate is well below a network's, so that its upper band is empty."""


class ConfigError(ZooError, ValueError):
    """An argument that does not fit: an option, a label list, a shape, a format."""


class UnknownName(ZooError, LookupError):
    """A model, checkpoint, stage or label that does not exist."""


class TrainingError(ZooError, RuntimeError):
    """A training that cannot go on: its loss is no longer a number."""


class WeightsError(ZooError, RuntimeError):
    """Weights that could not be had, or are not what they should be."""
