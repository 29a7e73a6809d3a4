"""Modules of a recipe, for its tests: imported as its own scripts import them, and gone after."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

RECIPES = Path(__file__).parents[2] / "recipes"


def is_ours(module: ModuleType) -> bool:
    """Whether a module is one of the recipes."""
    file = getattr(module, "__file__", None)
    return bool(file) and Path(file).is_relative_to(RECIPES)


@contextmanager
def of(name: str) -> Iterator[Callable[[str], ModuleType]]:
    """Put a recipe's folder on the path, until the end; yield what imports a module of it.

    Modules of others that have the name of one of the recipes, such as `material`, which MkDocs's
    theme is called, are out of the way until then.
    """
    folder = RECIPES / name
    names = {file.stem for file in RECIPES.rglob("*.py")} & set(sys.modules)
    others = {name: sys.modules.pop(name) for name in names if not is_ours(sys.modules[name])}
    modules, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(folder))

    def module(name: str) -> ModuleType:
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    yield module
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if is_ours(sys.modules[name]):
            del sys.modules[name]
    sys.modules.update(others)
