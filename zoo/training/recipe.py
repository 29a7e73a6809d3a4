"""The settings of a training: those of a paper, and our choices where a paper gives none.

A model file may have a literal `TRAINING` with the fields of `Recipe`, which `zoo.train` reads.
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
    """The settings of a training.

    Attributes:
        optimizer: name of a Keras optimiser, in lower case.
        learning_rate: at the start.
        momentum: for "sgd" and "rmsprop".
        nesterov: for "sgd".
        weight_decay: times the learning rate, the share that each step subtracts from a weight:
            decoupled, as in all Keras optimisers. A paper's L2 penalty is not the same.
        batch_size: segments per step.
        epochs: most epochs.
        schedule: of the learning rate. None: it is constant. {10: 0.2, 20: 0.04}: after 10 epochs
            it is `learning_rate` times 0.2, after 20 times 0.04. "plateau": it is multiplied by
            `plateau_factor` whenever the validation loss has not improved for `plateau_patience`
            epochs.
        plateau_factor: see `schedule`.
        plateau_patience: see `schedule`.
        patience: epochs without a better one (see `monitor` of `zoo.train`) after which training
            ends; 0 never ends it early.
        chosen: names of the fields that we chose because the paper does not state them clearly.
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
            raise ValueError(f"momentum is for sgd and rmsprop, not for {self.optimizer}")
        if self.nesterov and self.optimizer != "sgd":
            raise ValueError(f"nesterov is for sgd, not for {self.optimizer}")
        unknown = set(self.chosen) - set(self.__struct_fields__)
        if unknown:
            raise ValueError(f"chosen names {', '.join(sorted(unknown))}, which are no fields")

    def rate(self, losses: Sequence[float]) -> float:
        """Return the learning rate of the next epoch.

        Args:
            losses: validation loss after each epoch so far.

        Returns:
            The learning rate.
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
        """Return whether training ends after these epochs.

        Args:
            ranks: of each epoch, such as `history.rank`: lower is better.

        Returns:
            True if it ends.
        """
        if len(ranks) >= self.epochs:
            return True
        waited = len(ranks) - ranks.index(min(ranks)) - 1 if ranks else 0
        return 0 < self.patience <= waited

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in types that JSON can store.

        Returns:
            Name -> value.
        """
        return msgspec.to_builtins(self, str_keys=True)

    def with_(self, **changes: Any) -> "Recipe":
        """Return a copy with other values for some fields.

        Args:
            **changes: field=value; None leaves the field unchanged.

        Returns:
            A new recipe.

        Raises:
            ConfigError: a value is not valid.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        return read({**msgspec.structs.asdict(self), **given}, "the recipe")


def read(fields: dict[str, Any], where: str) -> Recipe:
    """Make a recipe from a dictionary.

    Args:
        fields: name -> value.
        where: the source of the fields, for messages.

    Returns:
        The recipe.

    Raises:
        ConfigError: a field is not valid; the message names it.
    """
    try:
        return msgspec.convert(fields, Recipe)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}.") from error


def of(architecture: str) -> Recipe:
    """Return the recipe in a model file, or the default one if there is none.

    Args:
        architecture: such as "pons2017".

    Returns:
        The recipe.

    Raises:
        UnknownName: there is no such architecture.
        ConfigError: its recipe is not valid.
    """
    if architecture not in lookup.architectures():
        raise lookup.unknown(architecture)
    path = lookup.MODELS / f"{architecture}.py"
    fields = lookup.literal(path, "TRAINING")
    return Recipe() if fields is None else read(fields, f"TRAINING of {path.name}")
