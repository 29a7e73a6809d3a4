"""The errors of the zoo. Each message says what was given, what was expected and what to do."""


class ZooError(Exception):
    """Base of all errors that the zoo raises on purpose."""


class AudioError(ZooError, ValueError):
    """A sound cannot be used: it is unreadable or empty, or has no sample rate."""


class AudioWarning(UserWarning):
    """A sound was used, but its result may be less reliable than it seems."""


class ShortWarning(AudioWarning):
    """A clip that fills less than half of what a network takes at once."""


class BandWarning(AudioWarning):
    """A sound whose sample rate is well below a network's, so that its upper band is empty."""


class ConfigError(ZooError, ValueError):
    """An argument is not valid: an option, a label list, a shape or a format."""


class UnknownName(ZooError, LookupError):
    """A model, checkpoint, stage or label does not exist."""


class TrainingError(ZooError, RuntimeError):
    """A training that cannot go on: its loss is no longer a number."""


class WeightsError(ZooError, RuntimeError):
    """Weights could not be loaded, or are not the expected ones."""


class Unfinished(ZooError, RuntimeError):
    """A run that had to stop, for example because a disk is full; given again, it goes on."""
