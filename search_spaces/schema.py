"""The grammar of space and model files. Reading checks all of a file and tells every mistake together.

    space    plugins: [FILE], extends, features: {FEATURE: KNOB, GROUP: {of: [FEATURE], read: KNOB}}, embedding: KNOBS,
             dense: ONE, history: ONE, interaction: STACK, wiring: KNOB,
             deep: STACK, members: KNOB, tasks: KNOBS, train: KNOBS, distill: KNOBS, where: [EXPRESSION]
    ONE      {one_of: {WAY: KNOBS, ...}, default: WAY} | {WAY: KNOBS}
    STACK    a list of LAYERs, each with its own questions, or {repeat: KNOB, shared: BOOL, LAYER}
    LAYER    {one_of: {BLOCK: KNOBS, ...}, default: BLOCK} | {any_of: {BLOCK: KNOBS, ...}, fuse: KNOB, default: [BLOCK]}
             | {BLOCK: KNOBS} | {BLOCK: KNOBS, BLOCK: KNOBS, fuse: KNOB};   in deep only {mlp: KNOBS}
    KNOB     a value | {choice: [..]} | {int: [a, b], step: s} | {float: [a, b]} | {log: [a, b]}; all with default, when
A model file is the same tree with every knob a value and every stack a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum

from search_spaces.blocks import INTERACTION_BLOCKS, Mlp
from search_spaces.decisions import Choice, Integer
from search_spaces.dense_forms import DENSE_FORMS
from search_spaces.distill import HEADS, Distill
from search_spaces.distill import READ_BY as HEARD_BY
from search_spaces.domains import fixed_knob, open_knob
from search_spaces.errors import Mistake
from search_spaces.history import HISTORIES
from search_spaces.knobs import Checked, Knob, Value, knobs_of
from search_spaces.model import FUSES, MOST_MEMBERS, WIRINGS, Embedding, Train
from search_spaces.nodes import Step, brief
from search_spaces.source import Document, did_you_mean, shown
from search_spaces.tasks import GATES, READ_BY, Tasks, gate_order
from search_spaces.tree import (
    BlockTree,
    FeatureTree,
    LayerKind,
    LayerTree,
    Question,
    Setting,
    SpaceTree,
    StackTree,
    Words,
)

MAX_LAYERS = 32
REPEAT = Knob(int, 1, ge=0, le=MAX_LAYERS, doc="how many layers")
WIRING = Knob(str, "stacked", choices=WIRINGS, doc="how interaction and deep tower meet")
MEMBERS = Knob(int, 1, ge=1, le=MOST_MEMBERS, doc="models side by side, whose mean logit serves")
FEATURE = Knob(bool, True, doc="whether models read it")
FUSE = Knob(str, "sum", choices=FUSES, doc="how blocks side by side become one")
Blocks = Mapping[str, type[Checked]]
_DEEP: Blocks = {"mlp": Mlp}
_READ: Blocks = dict(HISTORIES)
_FORMED: Blocks = dict(DENSE_FORMS)
_SECTIONS = (
    "features", "embedding", "dense", "history", "interaction", "wiring", "deep", "members", "tasks", "train", "distill"
)  # fmt: skip
Path = tuple[Step, ...]


class FileKind(Enum):
    """A model file answers every knob, a space file leaves some open."""

    SPACE = "space"
    MODEL = "model"


def read_tree(document: Document, kind: FileKind) -> tuple[SpaceTree, list[Mistake]]:
    """The typed tree of a space or model file (`extends` resolved before), and the mistakes that were found.

    Where there are some, what is wrong has its default in the tree, so that the rest can be checked further.
    """
    reader = _Reader(document, kind)
    return reader.space(), reader.mistakes


class _Reader:
    """Walks the plain data, collects mistakes."""

    def __init__(self, document: Document, kind: FileKind) -> None:
        self.document = document
        self.is_model = kind is FileKind.MODEL
        self.mistakes: list[Mistake] = []

    def space(self) -> SpaceTree:
        data = self.document.data
        if not isinstance(data, dict):
            self._refuse((), "must be a mapping", shown(data))
            data = {}
        self._known((), data, ("plugins", *_SECTIONS) if self.is_model else ("plugins", *_SECTIONS, "where"))
        return SpaceTree(
            file=self.document.file,
            embedding=self._block(("embedding",), data.get("embedding"), Embedding),
            interaction=self._stack(("interaction",), data.get("interaction"), dict(INTERACTION_BLOCKS)),
            wiring=self._knob(("wiring",), data["wiring"], WIRING, "stacked") if "wiring" in data else "stacked",
            deep=self._stack(("deep",), data.get("deep"), _DEEP),
            members=self._knob(("members",), data["members"], MEMBERS, 1) if "members" in data else 1,
            train=self._block(("train",), data.get("train"), Train),
            where=self._where(data.get("where")),
            distill=self._distill(data["distill"]) if "distill" in data else None,
            history=self._layer(("history",), data["history"], _READ) if "history" in data else None,
            tasks=self._tasks(data["tasks"]) if "tasks" in data else None,
            dense=self._layer(("dense",), data["dense"], _FORMED) if "dense" in data else None,
            features=self._features(self._mapping(("features",), data.get("features"))),
        )

    def _refuse(self, path: Path, must: str, found: str = "", hint: str = "") -> None:
        self.mistakes.append(Mistake(self.document.at(*path), must, found, hint))

    def _known(self, path: Path, data: Mapping[str, object], known: Iterable[str]) -> None:
        for key in data:
            if key not in known:
                place, inside = self.document.at_key(*path, key), _dotted(path) or "the file"
                must = f"unknown key `{brief(key)}` in {inside}"
                self.mistakes.append(Mistake(place, must, hint=did_you_mean(brief(key), known)))

    def _mapping(self, path: Path, data: object) -> Mapping[str, object]:
        """Nothing counts as an empty mapping: `linear:` stands for `linear: {}`."""
        if data is None:
            return {}
        if not isinstance(data, dict):
            self._refuse(path, f"{path[-1]} must be a mapping", shown(data))
            return {}
        return data

    def _knob(self, path: Path, data: object, knob: Knob, instead: Setting) -> Setting:
        if self.is_model and isinstance(data, dict):
            self._refuse(path, f"{path[-1]} must be answered in a model file", "a mapping")
            return instead
        read = (fixed_knob if self.is_model else open_knob)(self.document, path, data, knob)
        self.mistakes += read.mistakes
        return instead if read.setting is None else read.setting

    def _block(self, path: Path, data: object, spec: type[Checked]) -> BlockTree:
        knobs, given = knobs_of(spec), self._mapping(path, data)
        self._known(path, given, knobs)
        settings = {
            name: self._knob((*path, name), value, knobs[name], knobs[name].default)
            for name, value in given.items()
            if name in knobs
        }
        return BlockTree(str(path[-1]), spec, settings)

    def _features(self, data: Mapping[str, object]) -> tuple[FeatureTree, ...]:
        """Whether each is read; several by a name that is none of theirs."""
        made: list[FeatureTree] = []
        told = set[str]()
        for name, value in data.items():
            path: Path = ("features", name)
            of: tuple[str, ...] = (str(name),)
            if isinstance(value, dict) and "of" in value:
                self._known(path, value, ("of", "read"))
                of = self._group(path, value["of"])
                if "read" not in value:
                    hint = "read: {choice: [true, false]}"
                    self._refuse(path, "a group must say whether it is read", "of alone", hint)
                path, value = (*path, "read"), value.get("read", True)
            for feature in of:
                if feature in told:
                    self._refuse(path, "a feature must be named once", feature)
                told.add(feature)
            made.append(FeatureTree(str(name), of, self._knob(path, value, FEATURE, True)))
        return tuple(made)

    def _group(self, path: Path, of: object) -> tuple[str, ...]:
        if not isinstance(of, list) or not of or not all(isinstance(feature, str) for feature in of):
            self._refuse((*path, "of"), "of must be a list of features, by their names", shown(of))
            return ()
        return tuple(of)

    def _distill(self, data: object) -> BlockTree:
        """With the heads in the order of HEADS. A question that none of them reads would never be asked."""
        block = self._block(("distill",), data, Distill)
        settings = dict(block.settings)
        heads = settings.get("heads", knobs_of(Distill)["heads"].default)
        possible: tuple[Value, ...] = () if isinstance(heads, Question) else (heads,)
        if isinstance(heads, Question):
            assert isinstance(heads.domain, Choice), "words have a choice"
            possible = tuple(sorted(heads.domain.options, key=lambda word: HEADS.index(str(word))))
            settings["heads"] = replace(heads, domain=Choice(possible))
        for name, setting in settings.items():
            readers = HEARD_BY.get(name, HEADS)
            if isinstance(setting, Question) and not set(possible) & set(readers):
                must = f"a question must be reachable: heads must take one of {', '.join(readers)} for {name}"
                self._refuse(("distill", name), must, ", ".join(map(str, possible)))
        return replace(block, settings=settings)

    def _tasks(self, data: object) -> BlockTree:
        """With the answers of a gate in its order. A question that none of them reads would never be asked."""
        block = self._block(("tasks",), data, Tasks)
        settings = dict(block.settings)
        for name in GATES:
            gate = settings.get(name)
            if isinstance(gate, Question) and isinstance(gate.domain, Choice):
                settings[name] = replace(gate, domain=Choice(tuple(sorted(gate.domain.options, key=gate_order(name)))))
        for name, setting in settings.items():
            if isinstance(setting, Question) and name in READ_BY:
                gate, answers = READ_BY[name]
                given = settings.get(gate, knobs_of(Tasks)[gate].default)
                domain = given.domain if isinstance(given, Question) else None
                if not any(given == answer if domain is None else domain.has(answer) for answer in answers):
                    words = ", ".join(map(str, answers))
                    must = f"a question must be reachable: {gate} must take one of {words} for {name}"
                    self._refuse(("tasks", name), must)
        return replace(block, settings=settings)

    def _stack(self, path: Path, data: object, blocks: Blocks) -> StackTree:
        if data is None:
            return StackTree()
        if isinstance(data, list):
            if len(data) > MAX_LAYERS:
                self._refuse(path, f"{path[-1]} must hold at most {MAX_LAYERS} layers", str(len(data)))
                return StackTree()
            layers = [self._layer((*path, i), item, blocks) for i, item in enumerate(data)]
            return StackTree(tuple(layer for layer in layers if layer is not None))
        if self.is_model or not isinstance(data, dict):
            form = "a list of layers" if self.is_model else "a mapping or a list of layers"
            self._refuse(path, f"{path[-1]} must be {form}", shown(data))
            return StackTree()
        repeat = self._repeat(path, data)
        shared = data.get("shared", False)
        names = shared if isinstance(shared, list) else []
        if isinstance(shared, list):
            shared = False
        if not isinstance(shared, bool):
            self._refuse((*path, "shared"), "shared must be true or false", shown(shared))
            shared = False
        layer = self._layer(path, _without(data, "repeat", "shared"), blocks, ("repeat", "shared"))
        if layer is None:
            return StackTree()
        return StackTree((layer,), repeat, shared, self._common((*path, "shared"), names, layer))

    def _common(self, path: Path, names: Sequence[object], layer: LayerTree) -> tuple[str, ...]:
        """What layers share, by name: only what all of them have."""
        of_blocks = [f"{block.name}.{knob}" for block in layer.blocks for knob in knobs_of(block.spec)]
        has_choice = layer.kind is LayerKind.ONE_OF and len(layer.blocks) > 1
        known = [*(["block"] if has_choice else []), *(["fuse"] if layer.fuse is not None else []), *of_blocks]
        differ = layer.kind is LayerKind.ANY_OF or (has_choice and "block" not in names)
        for index, name in enumerate(names):
            here = (*path, index)
            if name not in known:
                must = "a name must be one of the layer's questions"
                self._refuse(here, must, shown(name), did_you_mean(str(name), known))
            elif differ and name in of_blocks:
                must, hint = "a shared knob must be of a block that all layers have", "share `block` too"
                self._refuse(here, must, shown(name), hint if has_choice else "")
        return tuple(name for name in known if name in names)

    def _repeat(self, path: Path, data: Mapping[str, object]) -> Setting:
        """Without a default of its own a repeat starts in the middle, rounded down."""
        if "repeat" not in data:
            return 1
        inner = (*path, "repeat")
        setting = self._knob(inner, data["repeat"], REPEAT, MAX_LAYERS)  # so that no name of a layer is missing
        if setting == 0 and not isinstance(setting, bool):
            self._refuse(inner, "a branch must be reachable, and layers repeated 0 times are never built", "repeat 0")
        if not isinstance(setting, Question):
            return setting
        domain, default = setting.domain, setting.default
        if isinstance(domain, Choice):
            domain = Choice(tuple(sorted(domain.options, key=int)))
            middle = domain.options[(len(domain.options) - 1) // 2]
            if domain.options == (0,):
                self._refuse(inner, "a branch must be reachable, and layers repeated 0 times are never built", "[0]")
        else:
            assert isinstance(domain, Integer)
            middle = domain.low + ((domain.count or 1) - 1) // 2 * domain.step
        given = data["repeat"]
        has_default = isinstance(given, dict) and "default" in given
        return Question(domain, default if has_default else middle, setting.when)

    def _layer(self, path: Path, data: object, blocks: Blocks, more: tuple[str, ...] = ()) -> LayerTree | None:
        if not isinstance(data, dict):
            self._refuse(path, "a layer must be a mapping", shown(data))
            return None
        stack = str(path[0])
        one_way = blocks is _READ or blocks is _FORMED
        fused = blocks is not _DEEP and not one_way
        forms = [] if self.is_model or blocks is _DEEP else ["one_of", "any_of"] if fused else ["one_of"]
        extra = [*(["fuse"] if fused else []), *(["default"] if forms else [])]
        self._known(path, data, (*forms, *extra, *blocks, *more))
        used = [form for form in forms if form in data]
        plain = [name for name in data if name in blocks]
        known = {*forms, *extra, *blocks, *more}
        if not used and not plain and not known.issuperset(data):
            return None  # said already: an unknown key
        if len(used) + bool(plain) != 1:
            choice = ", ".join([*forms, "a block"]) if len(blocks) > 1 else next(iter(blocks))
            found = " and ".join([*used, *plain]) or "none"
            self._refuse(path, f"{stack} must hold {choice}" + (", one way only" if used else ""), found)
            return None
        if one_way and len(plain) > 1:
            must = "history must be read in one way" if blocks is _READ else "dense must have one form"
            self._refuse(path, must, " and ".join(plain), "one_of chooses between them")
            return None
        if not used:
            return self._fixed_layer(path, data, plain, blocks)
        return self._choosing_layer(path, data, LayerKind(used[0]), blocks)

    def _fixed_layer(self, path: Path, data: Mapping[str, object], names: list[str], blocks: Blocks) -> LayerTree:
        made = tuple(self._block((*path, name), data[name], blocks[name]) for name in names)
        if "default" in data:
            self._refuse((*path, "default"), "default must stand beside one_of or any_of", shown(data["default"]))
        has_fuse = "fuse" in data and blocks is not _DEEP
        fuse = self._knob((*path, "fuse"), data["fuse"], FUSE, "sum") if has_fuse else None
        if len(made) > 1 and fuse is None:
            self._refuse(path, "a layer of several blocks must have a fuse (sum or concat)", " and ".join(names))
        return LayerTree(LayerKind.FIXED, made, (), fuse)

    def _choosing_layer(
        self, path: Path, data: Mapping[str, object], kind: LayerKind, blocks: Blocks
    ) -> LayerTree | None:
        inner = (*path, kind.value)
        options = self._mapping(inner, data[kind.value])
        self._known(inner, options, blocks)
        if not options:
            self._refuse(inner, f"{kind.value} must hold at least one block", shown(data[kind.value]))
        made = tuple(self._block((*inner, n), knobs, blocks[n]) for n, knobs in options.items() if n in blocks)
        if kind is LayerKind.ONE_OF and "fuse" in data:
            must = "fuse must stand beside any_of: one_of has nothing to fuse"
            self._refuse((*path, "fuse"), must, shown(data["fuse"]))
        fuse: Setting | None = None
        if kind is LayerKind.ANY_OF:
            fuse = self._knob((*path, "fuse"), data["fuse"], FUSE, "sum") if "fuse" in data else "sum"
        default = self._default_blocks(path, data, kind, tuple(block.name for block in made))
        return LayerTree(kind, made, default, fuse) if made else None

    def _default_blocks(
        self, path: Path, data: Mapping[str, object], kind: LayerKind, names: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Without a default the first block as written."""
        if "default" not in data or not names:
            return names[:1]
        given = data["default"]
        chosen = given if kind is LayerKind.ANY_OF else [given]
        if not isinstance(chosen, list) or not _some_of(chosen, names):
            form = "one of" if kind is LayerKind.ONE_OF else "a list of some of"
            self._refuse((*path, "default"), f"default must be {form} {', '.join(names)}", shown(given))
            return names[:1]
        return tuple(name for name in names if name in chosen)

    def _where(self, data: object) -> tuple[Words, ...]:
        if data is None:
            return ()
        if not isinstance(data, list):
            self._refuse(("where",), "where must be a list of expressions", shown(data))
            return ()
        for index, item in enumerate(data):
            if not isinstance(item, str):
                self._refuse(("where", index), "an expression must be text", shown(item))
        return tuple(Words(t, *self.document.at_text("where", i)) for i, t in enumerate(data) if isinstance(t, str))


def _some_of(chosen: list[object], names: tuple[str, ...]) -> bool:
    """Whether a list holds some of the names, none of them twice."""
    known = [name for name in chosen if isinstance(name, str) and name in names]
    return 0 < len(chosen) == len(set(known))


def _without(data: Mapping[str, object], *keys: str) -> dict[str, object]:
    return {key: value for key, value in data.items() if key not in keys}


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
