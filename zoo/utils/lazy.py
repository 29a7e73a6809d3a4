"""Public names that are imported when they are first used."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zoo.errors import ConfigError

FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")


@contextmanager
def framework_errors() -> Iterator[None]:
    """Say in one line that a framework is missing, where an import in the block finds none.

    Raises:
        ConfigError: Keras, or the framework that it runs on, is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in FRAMEWORKS:
            raise
        raise ConfigError(
            f"this needs Keras and its framework, but {missing} is not installed: pip install "
            "tensorflow (or set KERAS_BACKEND to jax or torch, if that is installed). Without a "
            "framework zoo.load(name, runtime='onnx') predicts, and so does the command line."
        ) from error


def attach(
    package: str, names: Mapping[str, str], modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make the `__getattr__`, `__dir__` and `__all__` of a package.

    Args:
        package: its `__name__`.
        names: module -> names in it, separated by spaces, that the package offers.
        modules: name -> module that the package offers under that name.

    Returns:
        `__getattr__`, `__dir__` and `__all__`, in this order.
    """
    home = {name: module for module, listed in names.items() for name in listed.split()}
    public = sorted([*home, *modules])

    def fetch(name: str) -> Any:
        if name not in home and name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with framework_errors():
            if name in modules:
                value = importlib.import_module(modules[name])
            else:
                value = getattr(importlib.import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return fetch, lambda: sorted({*vars(sys.modules[package]), *public}), public
