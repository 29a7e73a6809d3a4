"""How a network is trained, in numbers: what a paper says, and what we chose where it is silent.

A model file may hold a literal `TRAINING` with the fields of `Recipe`; `zoo.train` reads it there.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from zoo.errors import ConfigError
from zoo.registry import lookup

Positive = Annotated[float, msgspec.Meta(gt=0)]
Natural = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Whole = Annotated[int, msgspec.Meta(ge=0)]

Optimizer = Literal["adadelta", "adagrad", "adam", "adamw", "nadam", "rmsprop", "sgd"]


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `zoo.train` does with a network.

    Attributes:
        optimizer: the name in lower case of one of Keras's.
        learning_rate: at the start.
        momentum: of "sgd" and "rmsprop".
        nesterov: of "sgd".
        weight_decay: what a variable loses a step, times the learning rate: decoupled, as in all of
            Keras's optimisers. A paper's L2 penalty is not the same.
        batch_size: segments a step.
        epochs: at most.
        schedule: what becomes of the learning rate. None: it stays. {10: 0.2, 20: 0.04}: after 10
            epochs it is `learning_rate` times 0.2, after 20 times 0.04. "plateau": times
            `plateau_factor` whenever the validation loss has not improved for `plateau_patience`
            epochs.
        plateau_factor: see `schedule`.
        plateau_patience: see `schedule`.
        patience: epochs without a better one (see `monitor` of `zoo.train`) after which training
            ends; 0 for never.
        chosen: names of the fields that we chose, since the paper is silent or we are not sure.
    """

    optimizer: Optimizer = "adam"
    learning_rate: Positive = 1e-3
    momentum: Natural = 0.0
    nesterov: bool = False
    weight_decay: Natural = 0.0
    batch_size: Count = 16
    epochs: Whole = 200
    schedule: dict[int, float] | Literal["plateau"] | None = "plateau"
    plateau_factor: Positive = 0.5
    plateau_patience: Count = 10
    patience: Whole = 25
    chosen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise ValueError(f"{self.optimizer} has no momentum to set")
        if self.nesterov and self.optimizer != "sgd":
            raise ValueError(f"nesterov is for sgd, not for {self.optimizer}")
        unknown = set(self.chosen) - set(self.__struct_fields__)
        if unknown:
            raise ValueError(f"chosen names {', '.join(sorted(unknown))}, which are no fields")

    def rate(self, losses: Sequence[float]) -> float:
        """Return the learning rate of the next epoch.

        Args:
            losses: of the validation, after each epoch so far.
        """
        if self.schedule is None:
            return self.learning_rate
        if self.schedule != "plateau":
            passed = [epoch for epoch in self.schedule if epoch <= len(losses)]
            return self.learning_rate * (self.schedule[max(passed)] if passed else 1)
        rate, lowest, wait = self.learning_rate, float("inf"), 0
        for loss in losses:
            lowest, wait = (loss, 0) if loss < lowest else (lowest, wait + 1)
            if wait == self.plateau_patience:
                rate, wait = rate * self.plateau_factor, 0
        return rate

    def ends(self, ranks: Sequence[Any]) -> bool:
        """Say whether training ends after these epochs.

        Args:
            ranks: of each, such as its validation loss or `history.rank`: lower is better.
        """
        if len(ranks) >= self.epochs:
            return True
        waited = len(ranks) - ranks.index(min(ranks)) - 1 if ranks else 0
        return 0 < self.patience <= waited

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return msgspec.to_builtins(self, str_keys=True)

    def with_(self, **changes: Any) -> "Recipe":
        """Return a copy with other values for some fields; None changes nothing.

        Raises:
            ConfigError: a value that a field cannot have.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        return read({**msgspec.structs.asdict(self), **given}, "the recipe")


def read(fields: dict[str, Any], where: str) -> Recipe:
    """Make a recipe of a dictionary.

    Raises:
        ConfigError: naming the field that does not fit, and why.
    """
    try:
        return msgspec.convert(fields, Recipe)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}.") from error


def of(architecture: str) -> Recipe:
    """Return the recipe in a model file, or the default one where there is none.

    Raises:
        UnknownName: no such architecture.
        ConfigError: its recipe is not valid.
    """
    if architecture not in lookup.architectures():
        raise lookup.unknown(architecture)
    path = lookup.MODELS / f"{architecture}.py"
    fields = lookup.literal(path, "TRAINING")
    return Recipe() if fields is None else read(fields, f"TRAINING of {path.name}")
