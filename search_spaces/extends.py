"""Space files and the library; `extends: NAME-or-file` takes another space and replaces the keys given.

Mappings are merged key by key, down to single knobs. A knob, a list, and the blocks of a one_of or any_of are replaced
as a whole, and a new form of layer drops the old one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

from search_spaces.blocks import INTERACTION_BLOCKS
from search_spaces.dense_forms import DENSE_FORMS
from search_spaces.domains import KINDS
from search_spaces.errors import InputError, Mistake
from search_spaces.history import HISTORIES
from search_spaces.nodes import Node, Step
from search_spaces.plugins import load_plugins
from search_spaces.source import Document, did_you_mean, read, read_text, shown


def library() -> dict[str, str]:
    """The texts of the ready spaces by name."""
    folder = resources.files("search_spaces") / "library"
    files = sorted(folder.iterdir(), key=lambda item: item.name)
    return {file.name.removesuffix(".yaml"): file.read_text("utf-8") for file in files if file.name.endswith(".yaml")}


def read_space(source: Path | str) -> Document:
    """The document of a file or of a name in the library, `extends` resolved.

    Raises:
        InputError: where a file cannot be read, a name is unknown, or extends goes in a circle.
    """
    return resolve(_open(source), ())


def is_name(source: Path | str) -> bool:
    """Whether a text names a space of the library: no folder, no suffix."""
    return isinstance(source, str) and "/" not in source and not source.endswith((".yaml", ".yml"))


def _open(source: Path | str) -> Document:
    if not is_name(source) or Path(source).is_file():
        return read(source)
    texts = library()
    if str(source) not in texts:
        must = f"must be a file, or a space of the library ({', '.join(texts)})"
        raise InputError.of(str(source), must, "neither", did_you_mean(str(source), texts))
    return read_text(texts[str(source)], f"library/{source}.yaml")


def resolve(document: Document, seen: tuple[str, ...] = ()) -> Document:
    """The document with `extends` at its top replaced by what it takes; places keep the file that they stand in."""
    load_plugins(document)  # before anything is merged: a block of one's own is a form of layer
    items = document.root.items or {}
    node = items.get("extends")
    if node is None or document.root.is_list:
        return document
    if not isinstance(node.value, str):
        must = "extends must name a file or a space of the library"
        raise InputError([Mistake(node.position, must, shown(node.plain()))])
    target = _target(node.value, document.file)
    chain = (*seen, _identity(document.file))
    if _identity(str(target)) in chain or (is_name(node.value) and f"library/{node.value}.yaml" in chain):
        raise InputError([Mistake(node.position, "extends must not go in a circle", node.value)])
    try:
        base = resolve(_open(target), chain)
    except InputError as error:
        raise InputError(_told_here(error, node, str(target))) from None
    own = replace(document.root, items={key: item for key, item in items.items() if key != "extends"})
    root = merge(base.root, own)
    return Document(document.file, document.text, root, root.plain())


def _target(name: str, file: str) -> str:
    """Paths are relative to the file that names them."""
    beside = Path(file).parent / name
    return name if is_name(name) and not beside.is_file() else str(beside)


def _identity(file: str) -> str:
    return file if file.startswith("library/") else str(Path(file).resolve())


def _told_here(error: InputError, node: Node, target: str) -> Iterator[Mistake]:
    """A base that is not there is a mistake of the line that names it."""
    for mistake in error.mistakes:
        whole = mistake.position.line == 0 and mistake.position.file == target
        yield replace(mistake, position=node.position, must=f"extends {mistake.must}") if whole else mistake


def merge(base: Node, over: Node) -> Node:
    """`over` on top of `base`."""
    if base.items is None or over.items is None or not _is_open(base) or not _is_open(over):
        return over
    items: dict[Step, Node] = dict(base.items)
    keys = dict(base.keys or {})
    forms = {"one_of", "any_of", "mlp", *INTERACTION_BLOCKS, *HISTORIES, *DENSE_FORMS}
    given = set(map(str, over.items))
    if forms & given:
        for form in forms - given:
            items.pop(form, None)
        if {"one_of", "any_of"} & given:
            items.pop("default", None)
            items.pop("fuse", None)
    for key, node in over.items.items():
        whole = key in ("one_of", "any_of") or key not in items
        items[key] = node if whole else merge(items[key], node)
        if over.keys and key in over.keys:
            keys[key] = over.keys[key]
    return Node(over.position, None, items, keys)


def _is_open(node: Node) -> bool:
    """A mapping that is not a domain."""
    return node.items is not None and not node.is_list and not any(kind in node.items for kind in KINDS)
