"""Public names that are imported when they are first used."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


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
        if name in modules:
            value = importlib.import_module(modules[name])
        elif name in home:
            value = getattr(importlib.import_module(home[name]), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return fetch, lambda: sorted({*vars(sys.modules[package]), *public}), public
