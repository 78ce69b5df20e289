"""Plug-in files: Python outside the package that adds to its tables. A file that names one has its code run.

A study, space or model file says `plugins: [my_blocks.py]`, paths relative to itself. Each file is imported once in a
process, as the module of its own name, and its one function `plug(tables)` says what it adds. Blocks are added here;
names of strategies and trainings are kept for the rooms whose tables they belong to (automl/study/plugins.py).
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from search_spaces.blocks import INTERACTION_BLOCKS, BlockSpec
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.source import Document, shown

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_OF_THE_LANGUAGE = ("any_of", "default", "fuse", "mlp", "one_of", "repeat", "shared")


@dataclass(frozen=True, slots=True)
class Plugins:
    """What a plug-in file adds; given to its `plug`. A name that is taken is refused when `plug` has ended."""

    blocks: list[type[BlockSpec]] = field(default_factory=list)
    strategies: dict[str, str] = field(default_factory=dict)
    trainings: dict[str, str] = field(default_factory=dict)

    def block(self, spec: type[BlockSpec]) -> None:
        """A block that an interaction layer may hold, by its `name`."""
        self.blocks.append(spec)

    def strategy(self, name: str, function: str) -> None:
        """A strategy that `search: {strategy: NAME}` may name; the function as "module:function"."""
        self.strategies[name] = function

    def training(self, name: str, function: str) -> None:
        """A training that `trial: {training: NAME}` may name; the function as "module:function"."""
        self.trainings[name] = function


@dataclass(frozen=True, slots=True)
class Plugged:
    """A plug-in file that was loaded: its content when it was, where it was first named, and what it adds."""

    file: Path
    digest: str
    position: Position
    adds: Plugins


_LOADED: dict[Path, Plugged] = {}  # of this process


def loaded() -> tuple[Plugged, ...]:
    """The plug-ins of this process, in the order in which they came."""
    return tuple(_LOADED.values())


def load_plugins(document: Document) -> None:
    """Load what a file names under `plugins`.

    Raises:
        InputError: at the place that names it, for a file that does not load or adds a name that is taken.
    """
    node = (document.root.items or {}).get("plugins")
    if node is None or (node.value is None and node.items is None):
        return
    if not node.is_list or any(not isinstance(item.value, str) for item in (node.items or {}).values()):
        raise InputError([Mistake(node.position, "plugins must be a list of Python files", shown(node.plain()))])
    named = [(Path(item.position.file).parent / str(item.value), item.position) for item in (node.items or {}).values()]
    _load_all(named)


def load_files(files: Iterable[str]) -> None:
    """Load plug-ins that a record or a job names.

    Raises:
        InputError: as load_plugins; the place is the file itself.
    """
    _load_all((Path(file), Position(file)) for file in files)


def digest_of(file: Path) -> str:
    """16 hex digits of a file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def unload(plugged: Plugged) -> None:
    """Take a plug-in out again, so that its file may be mended and named anew."""
    del _LOADED[plugged.file]
    sys.modules.pop(plugged.file.stem, None)
    for spec in plugged.adds.blocks:
        INTERACTION_BLOCKS.pop(spec.name, None)


def _load_all(named: Iterable[tuple[Path, Position]]) -> None:
    mistakes: list[Mistake] = []
    for path, at in named:
        file = path.resolve()
        if file in _LOADED:
            continue
        try:
            _LOADED[file] = _load(file, path.name, at)
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)


def _load(file: Path, shown_as: str, at: Position) -> Plugged:
    """One plug-in, its blocks in the table; where something is wrong with it, nothing of it stays."""

    def refuse(must: str, found: str = "", hint: str = "") -> InputError:
        return InputError([Mistake(at, f"plug-in {shown_as} {must}", found, hint)])

    if not file.is_file():
        raise refuse("must be a file", "nothing there")
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise refuse("must be named like a Python module", hint="for example my_blocks.py")
    if _is_of_another(file):
        raise refuse("must have a name of its own", f"a module {file.stem} of another file", "rename the file")
    before, digest = file.stem in sys.modules, digest_of(file)
    try:
        adds = _asked(file, refuse)
        faults = [*_block_faults(adds.blocks), *_function_faults({**adds.strategies, **adds.trainings})]
        if faults:
            raise InputError(Mistake(at, f"plug-in {shown_as}: {must}", found) for must, found in faults)
    except InputError:
        if not before:
            sys.modules.pop(file.stem, None)
        raise
    INTERACTION_BLOCKS.update({spec.name: spec for spec in adds.blocks})
    return Plugged(file, digest, at, adds)


def _asked(file: Path, refuse: Callable[[str, str], InputError]) -> Plugins:
    """What the file's `plug` adds."""
    try:
        module = _imported(file)
    except (Exception, SystemExit) as error:
        raise refuse("must load", _told(error, file)) from None
    plug = getattr(module, "plug", None)
    if not callable(plug):
        raise refuse("must have a function plug(tables)", "none")
    adds = Plugins()
    try:
        plug(adds)
    except (Exception, SystemExit) as error:
        raise refuse("must run its plug(tables)", _told(error, file)) from None
    return adds


def _is_of_another(file: Path) -> bool:
    """Whether the file's name is that of another module, loaded or installed."""
    known = sys.modules.get(file.stem)
    if known is not None:
        return Path(getattr(known, "__file__", None) or "").resolve() != file
    found = importlib.util.find_spec(file.stem)
    return found is not None and Path(found.origin or "").resolve() != file


def _imported(file: Path) -> ModuleType:
    """The module of a file, by the name that all who look it up by know it by."""
    if file.stem in sys.modules:
        return sys.modules[file.stem]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None, "a file that ends in .py has a loader"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _block_faults(blocks: Iterable[Any]) -> Iterable[tuple[str, str]]:
    """What must hold of each block, and what was found."""
    seen: set[str] = set()
    for spec in blocks:
        if not (isinstance(spec, type) and issubclass(spec, BlockSpec) and is_dataclass(spec)):
            yield "a block must be a dataclass derived from BlockSpec", shown(getattr(spec, "__name__", spec))
            continue
        if inspect.isabstract(spec):
            yield f"the block {spec.__name__} must have out_shape and cost", "one that has not"
            continue
        name = getattr(spec, "name", None)
        if not isinstance(name, str) or not _WORD.fullmatch(name):
            yield f"the block {spec.__name__} must have a name of small letters", shown(name)
            continue
        if name in INTERACTION_BLOCKS or name in _OF_THE_LANGUAGE or name in seen:
            yield f"the block `{name}` must have a name of its own", "one that is taken"
        seen.add(name)
        yield from _named_faults(f"the block `{name}`", "a module", getattr(spec, "module", None))


def _function_faults(functions: dict[str, str]) -> Iterable[tuple[str, str]]:
    for name, function in functions.items():
        yield from _named_faults(f"`{name}`", "a function", function)


def _named_faults(what: str, kind: str, name: object) -> Iterable[tuple[str, str]]:
    """A text that must say where something callable stands."""
    must = f"{what} must name {kind} as MODULE:NAME"
    if not isinstance(name, str):
        yield must, shown(name)
        return
    try:
        there = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        yield must, f"{name} ({error})"
        return
    if not callable(there):
        yield must, f"{name}, which cannot be called"


def _told(error: BaseException, file: Path) -> str:
    """What was raised, in one line, and the last line of the file that led to it."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{words} ({file.name}:{lines[-1]})" if lines else words
