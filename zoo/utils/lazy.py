"""Public names that are imported when they are first used."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from zoo.errors import ConfigError

FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")


@contextmanager
def framework_errors() -> Iterator[None]:
    """Say in one line that a framework is missing, where an import in the block finds none.

    Raises:
        ConfigError: Keras, or the framework that it runs on, is not installed.
    """
    notebook = "ipykernel" in sys.modules and "keras" not in sys.modules
    try:
        with quiet() if notebook else nullcontext():
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


def required(package: str, advice: str) -> Any:
    """Import a package that only some installations have.

    Args:
        package: its name.
        advice: the message if it cannot be imported; "{error}" in it stands for the reason.

    Returns:
        The module.

    Raises:
        ConfigError: it cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(advice.replace("{error}", str(error))) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what TensorFlow writes to the process's error stream while it is imported.

    It does so before its settings take effect, so the stream itself is redirected. Errors are
    raised as ever.

    Yields:
        Nothing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.stderr is not None:
        sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


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
