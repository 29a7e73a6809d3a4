"""The variables of a model as named arrays: read, compare, assign."""

import hashlib
from collections.abc import Collection, Iterable

import keras
import numpy as np
from keras import ops

from zoo.errors import ConfigError, WeightsError
from zoo.inference.weight_values import check

LAYER = "_layer"  # ending of layer names that Keras could give too; see `variables`


def variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return what a weight file holds, by path; without the state of random generators.

    Layers that Keras could give the same name, such as "dense", end in `LAYER`, so that a user can
    put layers of their own on a stage. Weight files omit this ending.
    """
    return {
        v.path.replace(f"{LAYER}/", "/", 1): v
        for v in model.variables
        if not v.path.startswith("seed_generator")
    }


def checksum(model: keras.Model, without: Collection[str] = ()) -> str:
    """Return the SHA-256 of a model's weights: of each variable's path, shape and float32 bytes.

    Unlike a file's, it is the same for a checkpoint, its copy in a `.keras` file, and the model in
    memory.

    Args:
        model: of the zoo.
        without: names of layers that do not count.
    """
    digest = hashlib.sha256()
    for path, variable in sorted(variables(model).items()):
        if path.partition("/")[0] in without:
            continue
        values = np.ascontiguousarray(np.asarray(variable), "<f4")
        digest.update(f"{path} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def assign(model: keras.Model, tensors: dict[str, np.ndarray], name: str) -> None:
    """Put named tensors into a model's variables, all of them and nothing else.

    Raises:
        WeightsError: tensors or variables without a counterpart, or of another shape.
    """
    ours = variables(model)
    check(ours, tensors, name)
    assign_values(
        ours.values(), [tensors[path] for path in ours], f"the file of {name}", WeightsError
    )


def assign_values(
    variables: Iterable[keras.Variable],
    values: Iterable[np.ndarray | None],
    source: str = "the saved state",
    error: type[Exception] = ConfigError,
) -> None:
    """Put values into variables.

    Args:
        variables: to be changed.
        values: one for each, of the same shape.
        source: where the values come from, for the message.
        error: the kind of error to raise.

    Raises:
        ConfigError: a value is missing or has another shape; or another kind, see `error`.
    """
    for variable, value in zip(variables, values, strict=True):
        if value is None or tuple(variable.shape) != value.shape:
            raise error(
                f"{source} does not fit the network: {variable.path} is {tuple(variable.shape)} in "
                f"the network and {None if value is None else value.shape} there."
            )
        variable.assign(value)


def values_of(variables: Iterable[keras.Variable]) -> list[np.ndarray]:
    """Return copies of variables as NumPy arrays; bfloat16, which NumPy lacks, as float32."""
    values = [np.array(ops.convert_to_numpy(v), order="C") for v in variables]
    return [v if v.dtype.isbuiltin == 1 else v.astype("float32") for v in values]
