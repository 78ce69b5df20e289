"""The house in numbers: rooms and the arrows between them, loose modules, sizes, `Any`, tests that mirror the tree.

    python -m experiments.structure [--against CHECKOUT] [--quick]

A room is what stands directly under a package of ours: a folder, or a module that stands loose. An arrow is a pair of
rooms of which one imports the other, however often. With another checkout of the project both are measured.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from experiments.record import write_result

PACKAGES = ("automl", "predictors", "search_spaces")
LONG = 250
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure this checkout, and another one beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, e.g. of an earlier commit")
    parser.add_argument("--quick", action="store_true", help="the same: it takes a second")
    arguments = parser.parse_args()
    found = {"here": measure(ROOT)}
    if arguments.against is not None:
        found["against"] = measure(arguments.against)
    for name in found["here"]:
        print(f"{name:<28}", *(f"{figures[name]:>10}" for figures in reversed(found.values())))
    write_result("structure", settings={"long": LONG}, figures=found, headline=found["here"])


def measure(root: Path) -> dict[str, float]:
    """The figures of one checkout."""
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    lines = {file: file.read_text(encoding="utf-8").splitlines() for file in files}
    total = sum(map(len, lines.values()))
    anys = sum(len(re.findall(r"\bAny\b", line)) for text in lines.values() for line in text if "import" not in line)
    arrows = {(a, b) for file in files for a, b in arrows_of(root, file)}
    inside = {(a, b) for file in files for a, b in arrows_of(root, file, package="automl/data")}
    rooms = {room_of(root, file) for file in files}
    tests = [path for package in PACKAGES for path in (root / "tests" / package).rglob("test_*.py")]
    mirror = [path for path in tests if mirrored(root, path).exists()]
    return {
        "rooms": len(rooms),
        "arrows": len(arrows),
        "loose modules in automl": sum(file.parent == root / "automl" for file in files),
        "rooms in automl/data": len(rooms_in(root / "automl/data")),
        "arrows in automl/data": len(inside),
        "lines": total,
        "files over 250 lines": sum(len(text) > LONG for text in lines.values()),
        "longest file": max(map(len, lines.values())),
        "Any per 1,000 lines": round(1000 * anys / total, 1),
        "test files that mirror, %": round(100 * len(mirror) / len(tests)),
        **{f"files {name}": sum(marked(file, lines[file]) for file in files) for name, marked in TOUCHED.items()},
    }


def _of_models(file: Path) -> bool:
    """Where tensors are at home: models, teacher and students, but not the augmentation system."""
    parts = file.parts
    return "automl" in parts and ("ranking" in parts or "exfm" in parts) and "das" not in parts


# What to look through to add one more kind of feature, another device, another strategy.
TOUCHED: dict[str, Callable[[Path, list[str]], bool]] = {
    "with ids and dense side by side": lambda file, text: all(
        re.search(rf"\b{name}", "\n".join(text)) for name in ("ids_[NBC]F", "dense_[NBC]D")
    ),
    "with a device's own calls": lambda file, text: (
        _of_models(file) and any(re.search(r"\.numpy\(|from_numpy\(|\"cpu\"|device=", line) for line in text)
    ),
    "that name a strategy": lambda file, text: any('"nsga2"' in line for line in text),
}


def rooms_in(folder: Path) -> set[str]:
    """Folders with Python in them, and modules that stand loose."""
    there = {path.name for path in folder.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    return there | {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}


def room_of(root: Path, file: Path, package: str = "automl") -> str:
    """The room of a file: under `package` its next part, elsewhere the top package."""
    parts = file.relative_to(root).with_suffix("").parts
    above = tuple(package.split("/"))
    inside = parts[: len(above)] == above and len(parts) > len(above)
    return "/".join(parts[: len(above) + 1]) if inside else parts[0]


def arrows_of(root: Path, file: Path, package: str = "automl") -> Iterator[tuple[str, str]]:
    """Pairs of rooms (importing, imported) that a file's imports make."""
    mine = room_of(root, file, package)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [
        name
        for node in ast.walk(tree)
        for name in (
            [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom) and node.module
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    above = package.split("/")[0]
    for name in names:
        target = module_file(root, name)
        if target is None or (package != above and not name.startswith(package.replace("/", "."))):
            continue
        theirs = room_of(root, target, package)
        if theirs != mine and (package == above or mine.startswith(package)):
            yield mine, theirs


def module_file(root: Path, name: str) -> Path | None:
    """The file of `a.b.c` or, where c is a name in it, of `a.b`; None where it is not ours."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return None
    for known in (parts, parts[:-1]):
        path = root.joinpath(*known)
        if path.with_suffix(".py").exists():
            return path.with_suffix(".py")
        if (path / "__init__.py").exists():
            return path / "__init__.py"
    return None


def mirrored(root: Path, test: Path) -> Path:
    """The file that a test is named after."""
    inner = test.relative_to(root / "tests")
    return root / inner.with_name(inner.name.removeprefix("test_"))


if __name__ == "__main__":
    main()
