"""Tracks on a Ray cluster: each actor has a pool of one process, with the same limits.

Plain actors, not Ray Data: the list, the parts and the resuming are those of one machine, so a lost
node costs the tracks that its actors were working on, which others get.
"""

from collections.abc import Callable, Iterator
from typing import Any

from zoo.batching.pool import Limits, Outcome, Pool
from zoo.batching.sources import Track
from zoo.batching.work import About, Computer
from zoo.errors import ConfigError
from zoo.utils.lazy import required

LOSSES = 100  # actors in a row that are lost without an answer


class _Actor:
    """A pool of one process, on any machine of the cluster."""

    def __init__(self, opener: Callable[[], Computer], limits: Limits):
        self.pool = Pool(opener, 1, limits)

    def about(self) -> About:
        return self.pool.about

    def work(self, track: Track) -> Outcome:
        return next(o for o in self.pool.outcomes(iter([track])) if o is not None)


class RayPool:
    """Actors on a Ray cluster; see `zoo.batching.pool.Pool`.

    Args:
        opener: as in `Pool`.
        workers: number of actors; None for one per CPU of the cluster.
        limits: as in `Pool`.
        address: of the cluster; None for the one that Ray finds, or a new one here.

    Raises:
        ConfigError: Ray is not installed, there is no cluster, or the model does not load.
    """

    def __init__(
        self,
        opener: Callable[[], Computer],
        workers: int | None,
        limits: Limits,
        address: str | None,
    ):
        ray = required("ray", "Ray cannot be imported ({error}): pip install 'music-zoo[ray]'.")
        self.ray = ray
        self.own = not ray.is_initialized()
        try:
            if self.own:
                ray.init(address=address, log_to_driver=False, logging_level="warning")
        except ConnectionError as error:
            raise ConfigError(f"there is no Ray cluster at {address}: {error}") from error
        actor = ray.remote(num_cpus=1, max_restarts=0)(_Actor)
        self.new: Callable[[], Any] = lambda: actor.remote(opener, limits)
        self.actors = [self.new()]
        try:
            self.about: About = ray.get(self.actors[0].about.remote())
        except ray.exceptions.RayError as error:
            self.stop()
            cause = getattr(error, "cause", None)
            raise ConfigError(str(cause or error)) from error
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.actors += [self.new() for _ in range(count - 1)]

    def outcomes(self, tracks: Iterator[Track]) -> Iterator[Outcome | None]:
        """Work on tracks, in any order; see `Pool.outcomes`.

        Args:
            tracks: to work on; taken one by one.

        Yields:
            What has become of each, and None now and then.

        Raises:
            ConfigError: actors are lost without end.
        """
        # An actor gets tracks when it answers: a cluster that has lost a machine may have no place
        # for it.
        starting = {actor.about.remote(): actor for actor in self.actors}
        busy: dict[Any, tuple[Any, Track]] = {}
        idle: list[Any] = []
        again: list[Track] = []
        lost = 0
        while True:
            while idle and (track := again.pop() if again else next(tracks, None)) is not None:
                actor = idle.pop()
                busy[actor.work.remote(track)] = actor, track
            if idle and not busy:
                return
            ended, _ = self.ray.wait([*busy, *starting], timeout=0.5)
            for one in ended:
                held = busy.pop(one, None)
                actor = held[0] if held else starting.pop(one)
                try:
                    outcome = self.ray.get(one)
                except self.ray.exceptions.RayError as error:  # the actor or its machine is gone
                    lost += 1
                    if lost >= LOSSES:
                        raise ConfigError(
                            f"{lost} Ray actors in a row were lost: {error}"
                        ) from error
                    again += [held[1]] if held else []
                    self.actors.remove(actor)
                    self.ray.kill(actor)
                    self.actors.append(new := self.new())
                    starting[new.about.remote()] = new
                    continue
                idle.append(actor)
                if held:
                    lost = 0
                    yield outcome
            yield None

    def stop(self) -> None:
        """End all actors, and the connection if it was made here."""
        for actor in self.actors:
            self.ray.kill(actor)
        if self.own:
            self.ray.shutdown()
