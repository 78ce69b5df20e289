"""A space file after reading: typed, checked, positions kept only where a later step may still object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from search_spaces.decisions import Choice, Domain, Integer, Real
from search_spaces.errors import Position
from search_spaces.knobs import Checked, Value

NOWHERE = Position("")


@dataclass(frozen=True, slots=True)
class Words:
    """An expression as it was written, and where; `exact`: every character stands where the text says."""

    text: str
    place: Position = field(default=NOWHERE, compare=False)
    exact: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Question:
    """A knob that is left open."""

    domain: Domain
    default: Value
    when: Words | None = None


Setting = bool | int | float | str | Question


@dataclass(frozen=True, slots=True)
class FeatureTree:
    """A feature, or a group of them by a name of its own, and whether models read it."""

    name: str
    of: tuple[str, ...]
    read: Setting

    @property
    def is_group(self) -> bool:
        return self.of != (self.name,)


@dataclass(frozen=True, slots=True)
class BlockTree:
    """The knobs of one block (or of a section like embedding) that the file gives; the others take their defaults."""

    name: str
    spec: type[Checked]
    settings: Mapping[str, Setting] = field(default_factory=dict)


class LayerKind(StrEnum):
    """How the blocks of a layer are chosen: one of them, any non-empty subset, or all as written."""

    ONE_OF = "one_of"
    ANY_OF = "any_of"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class LayerTree:
    """A layer: its blocks, the names that are on by default, and the fuse of blocks side by side."""

    kind: LayerKind
    blocks: tuple[BlockTree, ...]
    default: tuple[str, ...] = ()
    fuse: Setting | None = None


@dataclass(frozen=True, slots=True)
class StackTree:
    """Layers one after another: a list, or one form that is repeated (`repeat` set). Of that all is `shared`, or what
    is named in `common`: `block`, `fuse`, BLOCK.KNOB."""

    layers: tuple[LayerTree, ...] = ()
    repeat: Setting | None = None
    shared: bool = False
    common: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpaceTree:
    """A whole space file, `extends` resolved."""

    file: str = field(compare=False)
    embedding: BlockTree
    interaction: StackTree
    wiring: Setting
    deep: StackTree
    members: Setting
    train: BlockTree
    where: tuple[Words, ...] = ()
    distill: BlockTree | None = None
    history: LayerTree | None = None
    tasks: BlockTree | None = None
    dense: LayerTree | None = None
    features: tuple[FeatureTree, ...] = ()

    def plain(self) -> dict[str, object]:
        """The file's own form: reading it gives this tree again."""
        tree: dict[str, object] = {}
        if self.features:
            tree["features"] = {one.name: _feature(one) for one in self.features}
        for block in (self.embedding, self.train):
            if block.settings:
                tree[block.name] = _knobs(block)
        if self.dense is not None:
            tree["dense"] = _layer(self.dense)
        if self.history is not None:
            tree["history"] = _layer(self.history)
        tree["interaction"] = _stack(self.interaction)
        tree["wiring"] = _setting(self.wiring)
        tree["deep"] = _stack(self.deep)
        if self.members != 1:
            tree["members"] = _setting(self.members)
        if self.tasks is not None:
            tree["tasks"] = _knobs(self.tasks)
        if self.distill is not None:  # written without knobs too: it says that there is a teacher
            tree["distill"] = _knobs(self.distill)
        if self.where:
            tree["where"] = [words.text for words in self.where]
        return tree


def _feature(one: FeatureTree) -> object:
    return {"of": list(one.of), "read": _setting(one.read)} if one.is_group else _setting(one.read)


def _setting(setting: Setting) -> object:
    if not isinstance(setting, Question):
        return setting
    rest: dict[str, object] = {"default": setting.default}
    if setting.when is not None:
        rest["when"] = setting.when.text
    return {**_domain(setting.domain), **rest}


def _domain(domain: Domain) -> dict[str, object]:
    if isinstance(domain, Integer) and not domain.log:
        step = {} if domain.step == 1 else {"step": domain.step}
        return {"int": [domain.low, domain.high], **step}
    if isinstance(domain, Integer | Real):
        return {"log" if domain.log else "float": [domain.low, domain.high]}
    assert isinstance(domain, Choice), "flags have no form of their own in a file"
    return {"choice": list(domain.options)}


def _knobs(block: BlockTree) -> dict[str, object]:
    return {name: _setting(setting) for name, setting in block.settings.items()}


def _layer(layer: LayerTree) -> dict[str, object]:
    blocks: dict[str, object] = {block.name: _knobs(block) for block in layer.blocks}
    tree = blocks
    if layer.kind is LayerKind.ONE_OF:
        tree = {"one_of": blocks, "default": layer.default[0]}
    elif layer.kind is LayerKind.ANY_OF:
        tree = {"any_of": blocks, "default": list(layer.default)}
    return tree if layer.fuse is None else {**tree, "fuse": _setting(layer.fuse)}


def _stack(stack: StackTree) -> object:
    if stack.repeat is None:
        return [_layer(layer) for layer in stack.layers]
    shared: dict[str, object] = {"shared": True if stack.shared else list(stack.common)}
    if not (stack.shared or stack.common):
        shared = {}
    return {"repeat": _setting(stack.repeat), **shared, **_layer(stack.layers[0])}
