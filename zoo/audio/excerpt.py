"""The frames that an excerpt needs to equal a cut of the whole sound."""

import math
from typing import NamedTuple

from zoo.errors import AudioError, ConfigError

# soxr's HQ filter reaches 128 samples of the lower rate to either side (measured: more context
# changes nothing beyond 1e-6 of full scale).
CONTEXT = 160
SLACK = 0.1  # s: tables state 30 s for clips of 29.98 s


class Excerpt(NamedTuple):
    """A sound from `start` to `end`, in seconds, resampled to `sample_rate`, in Hz."""

    name: str
    sample_rate: float
    start: float = 0.0
    end: float | None = None  # None for the end of the sound

    @property
    def whole(self) -> bool:
        """Whether it is the whole sound."""
        return self.start == 0 and self.end is None

    @property
    def first(self) -> int:
        """The excerpt's first sample, counted in the whole sound at `sample_rate`."""
        return round(self.start * self.sample_rate)

    @property
    def samples(self) -> int | None:
        """Samples in the excerpt at `sample_rate`; None if it goes to the end."""
        return None if self.end is None else round(self.end * self.sample_rate) - self.first

    def check(self) -> None:
        """Check start and end.

        Raises:
            ConfigError: one is negative or not finite, or the excerpt is empty.
        """
        given = (self.start,) if self.end is None else (self.start, self.end)
        sound = all(math.isfinite(t) and t >= 0 for t in given)
        if not sound or (self.samples is not None and self.samples <= 0):
            raise ConfigError(
                f"{self.name}: an excerpt from {self.start} to {self.end} s; expected seconds from "
                "the beginning of the sound, 0 or more, and the end after the start."
            )

    def frames(self, rate: float, seconds: float | None = None) -> tuple[int, int | None]:
        """Return the frames to decode.

        The first falls on a sample at `sample_rate`. Therefore resampling from it gives the same
        samples as resampling from the beginning.

        Args:
            rate: of the sound, in Hz.
            seconds: its length, if known.

        Returns:
            The first frame to decode, and the one after the last; None for the end.

        Raises:
            AudioError: the excerpt starts or ends after the end of the sound.
        """
        if seconds is not None and not self.whole:
            self.check_within(seconds)
        wanted = self.sample_rate
        last = None if self.samples is None else self.first + self.samples
        if rate == wanted:
            return self.first, last
        context = math.ceil(CONTEXT * max(rate / wanted, 1))
        stop = None if last is None else math.ceil(last * rate / wanted) + context
        if not (float(rate).is_integer() and float(wanted).is_integer()):
            return 0, stop
        step = int(rate) // math.gcd(int(rate), int(wanted))
        begin = max(math.floor(self.first * rate / wanted) - context, 0)
        return begin // step * step, stop

    def ahead(self, rate: float) -> int:
        """Return how many samples `frames` begins before the excerpt.

        Args:
            rate: of the sound, in Hz.

        Returns:
            Samples at `sample_rate`.
        """
        begin, _ = self.frames(rate)
        return self.first - round(begin * self.sample_rate / rate)

    def check_within(self, seconds: float) -> None:
        """Check that a sound contains the excerpt.

        Args:
            seconds: length of the sound.

        Raises:
            AudioError: the excerpt starts or ends after the end of the sound.
        """
        if self.start >= seconds or (self.end or 0.0) > seconds + SLACK:
            end = "its end" if self.end is None else f"{self.end:g} s"
            raise AudioError(
                f"{self.name}: an excerpt from {self.start:g} s to {end} was requested, but the "
                f"sound has {seconds:.2f} s. Is this the right file?"
            )
