"""YAML events to a tree in which every node knows its place: the core schema of YAML 1.2, nothing else.

The parser's events are read one by one and the tree is built here, so that an absurd file ends at a limit, not in a
deep recursion; no tag is ever looked up, and an alias counts with all that stands behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from search_spaces.errors import InputError, Mistake, Position

MAX_NODES = 50_000
MAX_DEPTH = 40

Scalar = str | int | float | bool | None
Step = str | int


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of the file: its value and place. Mappings hold `items`, and `keys` says where each key stands.

    `style` is the quote of a text, `|` or `>` of a block, else empty.
    """

    position: Position
    value: Scalar = None
    items: Mapping[Step, Node] | None = None
    keys: Mapping[Step, Position] | None = None
    is_list: bool = False
    style: str = ""

    def plain(self) -> object:
        """Dicts, lists and scalars."""
        if self.items is None:
            return self.value
        if self.is_list:
            return [item.plain() for item in self.items.values()]
        return {key: item.plain() for key, item in self.items.items()}


def parse(text: str, file: str) -> Node:
    """The tree of a YAML text.

    Raises:
        InputError: where the text is not one plain YAML document within the limits of this module.
    """
    builder = _Builder(file)
    try:
        for event in _events(text):
            builder.take(event)
    except ReaderError as error:
        found = f"the character U+{ord(text[error.position]):04X}"
        _refuse(position_of(text, error.position, file), "must hold printable characters only", found)
    except MarkedYAMLError as error:
        _refuse_syntax(error, text, file)
    if builder.root is None:
        raise InputError.of(file, "must hold a mapping", "an empty file")
    if builder.mistakes:
        raise InputError(builder.mistakes)
    return builder.root


def brief(text: str) -> str:
    """Short enough for a message."""
    return text if len(text) <= 80 else text[:77] + "..."


def _events(text: str) -> Iterator[Event]:
    yield from YAML(typ="safe", pure=True).parse(text)


def position_of(text: str, index: int, file: str) -> Position:
    before = text[:index]
    return Position(file, before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _refuse(position: Position, must: str, found: str = "", hint: str = "") -> NoReturn:
    raise InputError([Mistake(position, must, found, hint)]) from None


def _refuse_syntax(error: MarkedYAMLError, text: str, file: str) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    position = Position(file) if mark is None else Position(file, mark.line + 1, mark.column + 1)
    problem = str(error.problem or error.context or "not YAML")
    if "'\\t'" in problem or _tab_before(text, position):
        _refuse(position, "must be indented with spaces", "a tab", "YAML allows no tabs in indentation")
    context = f" ({error.context})" if error.context and error.problem else ""
    _refuse(position, f"must be YAML: {problem}{context}")


def _tab_before(text: str, position: Position) -> bool:
    lines = text.splitlines()
    line = lines[position.line - 1] if 0 < position.line <= len(lines) else ""
    return "\t" in line[: len(line) - len(line.lstrip())]


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read."""

    position: Position
    anchor: str | None
    is_list: bool
    items: dict[Step, Node]
    keys: dict[Step, Position]
    key: Node | None = None
    first: int = 0


class _Builder:
    """Takes events, makes the tree."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.mistakes: list[Mistake] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node | None, int]] = {}
        self._nodes = 0
        self._documents = 0

    def take(self, event: Event) -> None:
        if isinstance(event, ScalarEvent):
            self._count(event, 1)
            node = Node(self._at(event), self._scalar(event), style=event.style or "")
            if event.anchor:
                self._anchors[event.anchor] = (node, 1)
            self._add(node)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._start(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._alias(event)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                _refuse(self._at(event), "must hold one document", "a second one after `---`")

    def _at(self, event: Event) -> Position:
        mark = event.start_mark
        return Position(self.file, mark.line + 1, mark.column + 1)

    def _count(self, event: Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            _refuse(self._at(event), f"must hold at most {MAX_NODES:,} values, aliases counted in full", "more")

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            _refuse(self._at(event), f"must be nested at most {MAX_DEPTH} deep", "more")
        self._count(event, 1)
        self._refuse_tag(event)
        if event.anchor:
            self._anchors[event.anchor] = (None, 0)
        is_list = isinstance(event, SequenceStartEvent)
        self._stack.append(_Open(self._at(event), event.anchor, is_list, {}, {}, None, self._nodes))

    def _end(self) -> None:
        done = self._stack.pop()
        node = Node(done.position, None, done.items, done.keys, done.is_list)
        if done.anchor:
            self._anchors[done.anchor] = (node, self._nodes - done.first + 1)
        self._add(node)

    def _alias(self, event: AliasEvent) -> None:
        if event.anchor not in self._anchors:
            _refuse(self._at(event), "must name an anchor that stands above", brief(f"*{event.anchor}"))
        node, size = self._anchors[event.anchor]
        if node is None:
            _refuse(self._at(event), "must not contain itself", brief(f"*{event.anchor}"))
        self._count(event, size)
        if len(self._stack) + _depth(node) > MAX_DEPTH:
            _refuse(self._at(event), f"must be nested at most {MAX_DEPTH} deep", "more")
        self._add(replace(node, position=self._at(event), style="*"))

    def _add(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if parent.is_list:
            parent.items[len(parent.items)] = node
        elif parent.key is None:
            parent.key = node
        else:
            self._put(parent, parent.key, node)
            parent.key = None

    def _put(self, parent: _Open, key: Node, node: Node) -> None:
        name = key.value
        if not isinstance(name, str):
            empty = "an empty key" if name is None else brief(repr(name))
            found = empty if key.items is None else "a list or mapping"
            self.mistakes.append(Mistake(key.position, "a key must be a word", found))
            return
        if name in parent.items:
            hint = f"it stands on line {parent.keys[name].line} already"
            self.mistakes.append(Mistake(key.position, "keys must differ", f"`{brief(name)}` again", hint))
            return
        parent.items[name] = node
        parent.keys[name] = key.position

    def _refuse_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        if event.tag is not None and event.tag != "!":
            found = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            _refuse(self._at(event), "must be plain YAML without tags", brief(f"the tag {found}"))

    def _scalar(self, event: ScalarEvent) -> Scalar:
        self._refuse_tag(event)
        return plain_scalar(event.value) if event.implicit[0] else str(event.value)


def _depth(node: Node) -> int:
    return 1 + max((_depth(item) for item in node.items.values()), default=0) if node.items else 1


_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_DIGITS = 400


def plain_scalar(text: str) -> Scalar:
    """An unquoted scalar by the core schema of YAML 1.2: null, bool, int, float, else text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _SPECIAL.fullmatch(text)
    if special:
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return text
