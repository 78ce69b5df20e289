"""Files to plain data with file:line:column for every node, and typed models of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from search_spaces.errors import InputError, Mistake, Position
from search_spaces.nodes import Node, Step, brief, parse, position_of

MAX_BYTES = 1 << 18

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: its text, its tree, and the tree as plain data."""

    file: str
    text: str
    root: Node
    data: object

    def at(self, *path: Step) -> Position:
        """Where the value at this path stands; where there is none, its nearest ancestor."""
        return self._nearest(path)[0].position

    def at_text(self, *path: Step) -> tuple[Position, bool]:
        """Where the first character of a text stands, and whether the others follow it on the same line as they are."""
        node = self._nearest(path)[0]
        place, inset = node.position, 1 if node.style in ("'", '"') else 0
        plain = node.style in ("", "'", '"') and isinstance(node.value, str)
        return replace(place, column=place.column + inset), plain

    def at_key(self, *path: Step) -> Position:
        """Where the key that ends this path stands; for an item of a list, the item."""
        node, left = self._nearest(path[:-1])
        if left or not path or node.items is None or path[-1] not in node.items:
            return node.position
        return (node.keys or {}).get(path[-1], node.items[path[-1]].position)

    def value(self, *path: Step) -> object:
        """The plain data at this path; the path must exist."""
        data = self.data
        for step in path:
            data = _item(data, step)
        return data

    def _nearest(self, path: tuple[Step, ...]) -> tuple[Node, int]:
        node = self.root
        for done, step in enumerate(path):
            if node.items is None or step not in node.items:
                return node, len(path) - done
            node = node.items[step]
        return node, 0


def _item(data: object, step: Step) -> object:
    if isinstance(data, list) and isinstance(step, int):
        return data[step]
    assert isinstance(data, dict), "the path must exist"
    return data[step]


def read(path: Path | str) -> Document:
    """Read a YAML file.

    Raises:
        InputError: where it cannot be read, is not UTF-8, is too large, or is not one plain YAML document.
    """
    file = str(path)
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError.of(file, "must be a file", "nothing there") from None
    except IsADirectoryError:
        raise InputError.of(file, "must be a file", "a directory") from None
    except OSError as error:
        raise InputError.of(file, "must be a file that can be read", error.strerror or str(error)) from None
    if len(raw) > MAX_BYTES:
        raise InputError.of(file, f"must be at most {MAX_BYTES >> 10} KiB", "a larger file")
    return read_text(_decoded(raw, file), file)


def read_text(text: str, file: str) -> Document:
    """Read YAML text; `file` is the name that errors carry.

    Raises:
        InputError: as `read`.
    """
    if len(text) > MAX_BYTES:
        raise InputError.of(file, f"must be at most {MAX_BYTES >> 10} KiB", f"{len(text):,} characters")
    root = parse(text, file)
    return Document(file, text, root, root.plain())


def _decoded(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", errors="replace")
        place = position_of(before, len(before), file)
        found = f"the byte 0x{error.object[error.start]:02x}"
        raise InputError([Mistake(place, "must be UTF-8", found, "save the file as UTF-8")]) from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a word that is not known: the nearest one, else all of them."""
    words = sorted(set(known))
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known here: {', '.join(words)}" if 0 < len(words) <= 30 else ""


def validate(model: type[M], document: Document, *at: Step) -> M:
    """The part of a document at a path, as a typed model.

    Raises:
        InputError: every fault that pydantic finds, each at its place in the file.
    """
    try:
        return model.model_validate(document.value(*at))
    except ValidationError as error:
        details = error.errors(include_url=False)
    raise InputError(_mistake(model, document, at, detail) for detail in details)


def _mistake(model: type[BaseModel], document: Document, at: tuple[Step, ...], detail: ErrorDetails) -> Mistake:
    loc, kind, value = detail["loc"], detail["type"], detail["input"]
    path = (*at, *loc)
    if kind == "extra_forbidden":
        name = brief(str(loc[-1]))
        must = f"unknown key `{name}`"
        return Mistake(document.at_key(*path), must, hint=did_you_mean(name, _keys(model, loc[:-1])))
    if kind == "missing":
        return Mistake(document.at(*path), f"must hold the key `{loc[-1]}`")
    if kind in ("value_error", "assertion_error"):
        text = str(detail.get("ctx", {}).get("error", detail["msg"]))
        told = "but found" in text or isinstance(value, Mapping)
        return Mistake(document.at(*path), text, "" if told else shown(value))
    place, key = document.at(*path), document.at_key(*path)
    if value is None and key.line < place.line:  # an empty value stands where the next thing begins
        place = key
    return Mistake(place, _words(detail), shown(value))


_WORDS = {
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "finite_number": "must be finite",
    "date_type": "must be a day like 2022-04-25",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _words(detail: ErrorDetails) -> str:
    kind, ctx = detail["type"], detail.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in _BOUNDS:
        word, name = _BOUNDS[kind]
        return f"must be {word} {ctx[name]:g}"
    if kind == "literal_error":
        return f"must be {ctx['expected']}".replace("'", "")
    if kind in ("too_short", "too_long"):
        most = kind == "too_long"
        count = ctx["max_length" if most else "min_length"]
        return f"must hold at {'most' if most else 'least'} {count} item{'' if count == 1 else 's'}"
    return str(detail["msg"]).replace("Input should be", "must be").replace("String should", "must")


def shown(value: object) -> str:
    """A value as a message shows it."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if len(value) > 4 else f"the list {list(value)!r}"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return brief(repr(value) if isinstance(value, str) else str(value))


def _keys(model: type[BaseModel], path: tuple[Step, ...]) -> list[str]:
    """The keys that a model knows at a path. A step that no model names is an item of a list or a free key."""
    found = [model]
    for step in path:
        fields = [(name, info) for part in found for name, info in part.model_fields.items()]
        inner = [m for name, info in fields if step in (name, info.alias) for m in _models(info.annotation)]
        found = inner or found
    return [info.alias or name for part in found for name, info in part.model_fields.items()]


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
