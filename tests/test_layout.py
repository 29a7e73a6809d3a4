"""The layout of the package: imports run one way, and no files import each other in a circle.

Imports inside functions and those for type checkers count too. To see the numbers:
`python tests/test_layout.py`.
"""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "zoo"

# Each folder imports from folders of the lines above it, and from itself; "" is zoo/__init__.py.
ORDER = (
    ("errors",),
    ("utils",),
    ("audio", "layers"),
    ("models", "registry"),
    ("inference",),
    ("weights", "data"),
    ("batching",),
    ("evaluation",),
    ("training",),
    ("",),
    ("cli",),
    ("__main__",),
)
RANK = {folder: rank for rank, folders in enumerate(ORDER) for folder in folders}


def module_files():
    """Return the dotted name of each file of the package, "" for zoo/__init__.py -> its path."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(path, files):
    """Return the files of the package that a file imports -> the line where it does."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            both = [(node.module, f"{node.module}.{alias.name}") for alias in node.names]
            names = [full if full.removeprefix("zoo.") in files else base for base, full in both]
        else:
            assert not isinstance(node, ast.ImportFrom), f"{path}: relative import"
            continue
        for name in names:
            if name == "zoo" or name.startswith("zoo."):
                found.setdefault(name.removeprefix("zoo").removeprefix("."), node.lineno)
    return found


def arrows():
    files = module_files()
    return {name: imports(path, files) for name, path in files.items()}


def arrows_up():
    files = module_files()
    return [
        f"{files[name].relative_to(PACKAGE.parent)}:{line} imports {other or 'zoo'}"
        for name, found in arrows().items()
        for other, line in found.items()
        if (here := name.partition(".")[0]) != (there := other.partition(".")[0])
        and RANK[there] >= RANK[here]
    ]


def circles():
    """Return the files that reach themselves by imports."""
    graph = {name: set(found) for name, found in arrows().items()}

    def reached(name):
        found, left = set(), [name]
        while left:
            new = graph.get(left.pop(), set()) - found
            found |= new
            left += new
        return found

    return [name for name in graph if name in reached(name)]


def entries():
    """Return what lies directly in the package, beside __init__, __main__ and py.typed."""
    names = {path.name for path in PACKAGE.iterdir()}
    return sorted(names - {"__init__.py", "__main__.py", "__pycache__", "py.typed"})


def test_imports_run_one_way():
    assert arrows_up() == []


def test_no_files_import_each_other_in_a_circle():
    assert circles() == []


def test_every_folder_has_its_place_in_the_order():
    assert {Path(name).stem for name in entries()} == RANK.keys() - {"", "__main__"}
    assert len(entries()) <= 13


def test_an_arrow_up_would_be_found(tmp_path):
    file = tmp_path / "file.py"
    file.write_text("def f():\n    from zoo.training import train\n    import zoo.cli.common\n")
    assert imports(file, module_files()) == {"training.train": 2, "cli.common": 3}


if __name__ == "__main__":
    up, inside = arrows_up(), circles()
    print(f"entries {len(entries())}, arrows up {len(up)}, files in circles {len(inside)}")
    print("\n".join([*up, *inside]))


def test_every_slow_test_exists():
    tests = Path(__file__).parent
    for name in (tests / "slow.txt").read_text(encoding="utf-8").split():
        file, _, function = name.partition("::")
        assert f"def {function}(" in (tests / file).read_text(encoding="utf-8"), name
