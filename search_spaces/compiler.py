"""Space tree to plan: layers unrolled, conditions compiled, questions put in an order in which each looks back only."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from search_spaces.decisions import Choice, Condition, Decision, Domain, Flag
from search_spaces.distill import READ_BY
from search_spaces.errors import InputError, Mistake
from search_spaces.expressions import Names, Symbol, compile_where, compile_words
from search_spaces.grammar import ExpressionError
from search_spaces.guards import Guard
from search_spaces.knobs import Knob, Value, knobs_of
from search_spaces.plan import BlockPlan, FeaturePlan, Group, LayerPlan, Plan, Slot, StackPlan
from search_spaces.schema import FEATURE, FUSE, MEMBERS, REPEAT, WIRING
from search_spaces.tasks import GATES
from search_spaces.tasks import READ_BY as TASKS_READ_BY
from search_spaces.terms import Expression
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

Guards = tuple[Guard, ...]
_KINDS = {str: "word", bool: "truth"}


def compile_tree(tree: SpaceTree) -> Plan:
    """The plan of a space.

    Raises:
        InputError: where an expression is outside the language, a name does not exist, or conditions go in a circle.
    """
    first = _Compiler(tree, None)
    order = first.order()
    return (first if order == list(range(len(order))) else _Compiler(tree, order)).plan()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A question before its `when` is compiled; `scope` is where that stands."""

    path: str
    domain: Domain
    default: Value
    guards: Guards
    when: Words | None
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Common:
    """What the layers of a stack share where they do not share all: the column of `block`, and slots by name."""

    stack: str
    column: int | None
    slots: Mapping[str, Slot]


@dataclass
class _Compiler:
    """Unrolls the tree. `order` lists the drafts in their final order, where that is not as written."""

    tree: SpaceTree
    order_given: Sequence[int] | None
    drafts: list[_Draft] = field(default_factory=list)
    symbols: dict[str, Symbol] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    codes: dict[str, float] = field(default_factory=dict)
    knobs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        tree = self.tree
        given = self.order_given
        self.place = {draft: column for column, draft in enumerate(given)} if given is not None else {}
        self.features = tuple(self.feature(one) for one in tree.features)
        self.embedding = self.block("embedding", "embedding", tree.embedding, ())
        self.dense = None if tree.dense is None else self.layer("dense", "dense", tree.dense, ())
        self.history = None if tree.history is None else self.layer("history", "history", tree.history, ())
        self.interaction = self.stack("interaction", tree.interaction)
        self.wiring = self.slot("wiring", "wiring", tree.wiring, WIRING, (), ())
        self.deep = self.stack("deep", tree.deep)
        self.members = self.slot("members", "members", tree.members, MEMBERS, (), ())
        self.tasks = None if tree.tasks is None else self.several_labels(tree.tasks)
        self.train = self.block("train", "train", tree.train, ())
        self.distill = None if tree.distill is None else self.distillation(tree.distill)
        self.stacks = {"interaction": len(self.interaction.layers), "deep": len(self.deep.layers)}
        self.compile_words()

    def ask(self, draft: _Draft, written: str) -> int:
        """A new question; `written` is its path in the file. Returns its column."""
        self.drafts.append(draft)
        self.knobs.add(written)
        return self.place.get(len(self.drafts) - 1, len(self.drafts) - 1)

    def code(self, word: str) -> float:
        return self.codes.setdefault(word, float(len(self.codes)))

    # ------------------------------------------------------------------ parts of the tree

    def slot(
        self, path: str, written: str, setting: Setting, knob: Knob, guards: Guards, scope: tuple[str, ...]
    ) -> Slot:
        """A knob: its question if it is open, and the symbol by which expressions know it."""
        name = path.rsplit(".", 1)[-1]
        is_open = isinstance(setting, Question)
        column = None
        instead: Value = knob.default
        table: tuple[float, ...] | None = None
        if isinstance(setting, Question):
            draft = _Draft(path, setting.domain, setting.default, guards, setting.when, scope)
            column = self.ask(draft, written)
            if isinstance(setting.domain, Choice):
                table = tuple(self.number(option) for option in setting.domain.options)
        else:
            instead = setting
        words = knob.choices if knob.kind is str else ()
        for word in words:
            self.code(word)
        kind = _KINDS.get(knob.kind, "number")
        absent = math.nan if knob is REPEAT and is_open else self.number(instead)
        self.symbols[path] = Symbol(kind, guards, column, absent, table, words)
        return Slot(name, column, instead)

    def number(self, value: Value) -> float:
        return self.code(value) if isinstance(value, str) else float(value)

    def block(
        self, path: str, written: str, tree: BlockTree, guards: Guards, common: _Common | None = None
    ) -> BlockPlan:
        scope = tuple(path.split("."))
        slots = []
        settings = dict(tree.settings)
        knobs = knobs_of(tree.spec)
        for name in [*settings, *(name for name in knobs if name not in settings)]:
            if common is not None and f"{tree.name}.{name}" in common.slots:
                slots.append(self._alias(f"{path}.{name}", common, f"{tree.name}.{name}", guards))
                continue
            setting = settings.get(name, knobs[name].default)
            slots.append(self.slot(f"{path}.{name}", f"{written}.{name}", setting, knobs[name], guards, scope))
        return BlockPlan(tree.name, tree.spec, tuple(slots))

    def feature(self, tree: FeatureTree) -> FeaturePlan:
        path = f"features.{tree.name}"
        return FeaturePlan(tree.of, self.slot(path, path, tree.read, FEATURE, (), ("features",)))

    def distillation(self, tree: BlockTree) -> BlockPlan:
        """The heads come first: every other question is asked only where the heads that are answered read it."""
        knobs, settings, scope = knobs_of(tree.spec), dict(tree.settings), ("distill",)
        heads = settings.pop("heads", knobs["heads"].default)
        untaught = replace(knobs["heads"], default="none")  # heads whose own `when` is not true
        slots = [self.slot("distill.heads", "distill.heads", heads, untaught, (), scope)]
        for name in [*settings, *(name for name in READ_BY if name not in settings)]:
            path, setting = f"distill.{name}", settings.get(name, knobs[name].default)
            guards = _answered(heads, slots[0].column, READ_BY[name])
            slots.append(self.slot(path, path, setting, knobs[name], guards, scope))
            if not isinstance(heads, Question) and heads not in READ_BY[name]:
                self.symbols[path] = replace(self.symbols[path], instead=math.nan)
        return BlockPlan(tree.name, tree.spec, tuple(slots))

    def several_labels(self, tree: BlockTree) -> BlockPlan:
        """The gates come first: every other question is asked only where the answers to its gate read it."""
        knobs, settings, scope = knobs_of(tree.spec), dict(tree.settings), ("tasks",)
        slots: dict[str, Slot] = {}
        for name in [*GATES, *(name for name in [*settings, *knobs] if name not in GATES)]:
            if name in slots:
                continue
            path, setting = f"tasks.{name}", settings.get(name, knobs[name].default)
            guards: Guards = ()
            gate, answers = TASKS_READ_BY.get(name, (None, ()))
            if gate is not None:
                guards = _answered(settings.get(gate, knobs[gate].default), slots[gate].column, answers)
            slots[name] = self.slot(path, path, setting, knobs[name], guards, scope)
            if gate is not None and slots[gate].column is None and slots[gate].instead not in answers:
                self.symbols[path] = replace(self.symbols[path], instead=math.nan)
        return BlockPlan(tree.name, tree.spec, tuple(slots.values()))

    def stack(self, name: str, tree: StackTree) -> StackPlan:
        if tree.repeat is None:
            layers = []
            for index, layer in enumerate(tree.layers):
                here = f"{name}[{index}]"
                layers.append(self.layer(here, here, layer, ()))
                self.symbols[here] = Symbol("flag", ())
            self.symbols[f"{name}.repeat"] = Symbol("number", instead=float(len(layers)))
            return StackPlan(name, tuple(layers), None)
        repeat = self.slot(f"{name}.repeat", f"{name}.repeat", tree.repeat, REPEAT, (), (name,))
        depth = _depth(tree.repeat)
        form = tree.layers[0]
        if tree.shared:
            plan = self.layer(name, name, form, _at_least(tree.repeat, repeat.column, 1))
            self._alias_shared(name, depth, tree.repeat, repeat.column)
            return StackPlan(name, (plan,) * depth, repeat, shared=True)
        common = self._common(name, tree, _at_least(tree.repeat, repeat.column, 1)) if tree.common else None
        made = []
        for index in range(depth):
            guards = _at_least(tree.repeat, repeat.column, index + 1)
            self.symbols[f"{name}[{index}]"] = Symbol("flag", guards)
            made.append(self.layer(f"{name}[{index}]", name, form, guards, common))
        return StackPlan(name, tuple(made), repeat)

    def _common(self, name: str, tree: StackTree, guards: Guards) -> _Common:
        """The questions that all layers of a stack have together."""
        form, column, slots = tree.layers[0], None, dict[str, Slot]()
        inner: list[Guards] = [guards] * len(form.blocks)
        if "block" in tree.common:
            names = tuple(block.name for block in form.blocks)
            column = self._ask_block(name, name, names, form.default[0], guards)
            inner = [(Guard(column, k, k),) for k in range(len(names))]
        if "fuse" in tree.common and form.fuse is not None:
            slots["fuse"] = self.slot(f"{name}.fuse", f"{name}.fuse", form.fuse, FUSE, guards, (name,))
        for block, of_block in zip(form.blocks, inner, strict=True):
            for knob, known in knobs_of(block.spec).items():
                if f"{block.name}.{knob}" in tree.common:
                    path, setting = f"{name}.{block.name}.{knob}", block.settings.get(knob, known.default)
                    scope = (name, block.name)
                    slots[f"{block.name}.{knob}"] = self.slot(path, path, setting, known, of_block, scope)
        return _Common(name, column, slots)

    def _alias(self, path: str, common: _Common, name: str, guards: Guards) -> Slot:
        """A layer's own name of what it shares."""
        self.symbols[path] = self.symbols[f"{common.stack}.{name}"].under(guards)
        return common.slots[name]

    def _alias_shared(self, name: str, depth: int, repeat: Setting, column: int | None) -> None:
        """`deep[1].mlp.width` of a shared layer is `deep.mlp.width`, where there is a second layer."""
        own = {path: symbol for path, symbol in self.symbols.items() if path.startswith(f"{name}.")}
        for index in range(depth):
            guards = _at_least(repeat, column, index + 1)
            self.symbols[f"{name}[{index}]"] = Symbol("flag", guards)
            for path, symbol in own.items():
                if path != f"{name}.repeat":
                    self.symbols[f"{name}[{index}]{path[len(name) :]}"] = symbol.under(guards)

    def layer(
        self, path: str, written: str, tree: LayerTree, guards: Guards, common: _Common | None = None
    ) -> LayerPlan:
        names = tuple(block.name for block in tree.blocks)
        inner: list[Guards] = [guards] * len(names)
        columns: list[int | None] = [None] * len(names)
        if tree.kind is LayerKind.ONE_OF:
            columns = [None]
            if common is not None and common.column is not None:
                self.symbols[f"{path}.block"] = self.symbols[f"{common.stack}.block"].under(guards)
                columns, inner = [common.column], [(Guard(common.column, k, k), *guards) for k in range(len(names))]
            elif len(names) > 1:
                column = self._ask_block(path, written, names, tree.default[0], guards)
                columns, inner = [column], [(Guard(column, k, k),) for k in range(len(names))]
        elif tree.kind is LayerKind.ANY_OF and len(names) > 1:
            drafts = [_Draft(f"{path}.{name}", Flag(), name in tree.default, guards, None, ()) for name in names]
            flags = [self.ask(draft, f"{written}.{name}") for draft, name in zip(drafts, names, strict=True)]
            self.groups.append(Group(tuple(flags), flags[names.index(tree.default[0])]))
            columns, inner = list(flags), [(Guard(flag, 1, 1),) for flag in flags]
        fuse = None
        if common is not None and "fuse" in common.slots:
            fuse = self._alias(f"{path}.fuse", common, "fuse", guards)
        elif tree.fuse is not None:
            fuse = self.slot(f"{path}.fuse", f"{written}.fuse", tree.fuse, FUSE, guards, (path,))
        blocks = []
        for block, block_guards in zip(tree.blocks, inner, strict=True):
            here = f"{path}.{block.name}", f"{written}.{block.name}"
            blocks.append(self.block(*here, block, block_guards, common))
            self.symbols[f"{path}.{block.name}"] = Symbol("flag", block_guards)
        return LayerPlan(tree.kind, tuple(blocks), tuple(columns), fuse)

    def _ask_block(self, path: str, written: str, names: tuple[str, ...], default: str, guards: Guards) -> int:
        draft = _Draft(f"{path}.block", Choice(names), default, guards, None, ())
        column = self.ask(draft, f"{written}.block")
        table = tuple(self.code(name) for name in names)
        self.symbols[draft.path] = Symbol("word", guards, column, math.nan, table, names)
        return column

    # ------------------------------------------------------------------ conditions and order

    def compile_words(self) -> None:
        """All `when`s and `where`s; raises their faults together."""
        mistakes: list[Mistake] = []
        self.conditions = []
        for draft in self.drafts:
            when = None if draft.when is None else self.when(draft.when, draft.scope, mistakes)
            self.conditions.append(Condition(draft.guards, when))
        self.names = Names(self.symbols, self.stacks, self.codes)
        try:
            self.where = compile_where(self.tree.where, self.names)
        except InputError as error:
            mistakes += error.mistakes
        if mistakes:
            raise InputError(mistakes)

    def when(self, words: Words, scope: tuple[str, ...], mistakes: list[Mistake]) -> Expression | None:
        """Compiled."""
        try:
            return compile_words(words, Names(self.symbols, self.stacks, self.codes, scope, costs=False))
        except ExpressionError as error:
            mistakes.append(error.mistake(words.place, words.exact))
            return None

    def order(self) -> list[int]:
        """The drafts, each after all that it looks at, else as written."""
        together = {column: group.columns for group in self.groups for column in group.columns}
        needs: list[set[int]] = []
        for column, condition in enumerate(self.conditions):
            looks = {flag for look in condition.columns() for flag in together.get(look, (look,))}
            needs.append(looks - set(together.get(column, ())))
        followers: dict[int, list[int]] = {}
        for column, before in enumerate(needs):
            for look in before:
                followers.setdefault(look, []).append(column)
        missing = [len(before) for before in needs]
        ready = [column for column, count in enumerate(missing) if count == 0]
        done: list[int] = []
        while ready:
            column = heapq.heappop(ready)
            done.append(column)
            for follower in followers.get(column, ()):
                missing[follower] -= 1
                if missing[follower] == 0:
                    heapq.heappush(ready, follower)
        if len(done) < len(needs):
            raise InputError(self._circle([column for column, count in enumerate(missing) if count > 0]))
        return done

    def _circle(self, columns: Sequence[int]) -> list[Mistake]:
        drafts = [self.drafts[column] for column in columns]
        must = "conditions must not go in a circle: a question may look only at answers that do not depend on it"
        return [Mistake(d.when.place, must, f"`{d.when.text}`") for d in drafts if d.when is not None]

    def plan(self) -> Plan:
        made = [
            Decision(draft.path, draft.domain, draft.default, condition)
            for draft, condition in zip(self.drafts, self.conditions, strict=True)
        ]
        given = self.order_given
        return Plan(
            decisions=tuple(made if given is None else [made[draft] for draft in given]),
            embedding=self.embedding,
            interaction=self.interaction,
            wiring=self.wiring,
            deep=self.deep,
            members=self.members,
            train=self.train,
            groups={max(group.columns): group for group in self.groups},
            where=self.where,
            names=self.names,
            knobs=len(self.knobs),
            distill=self.distill,
            history=self.history,
            tasks=self.tasks,
            dense=self.dense,
            features=self.features,
        )


def _depth(repeat: Setting) -> int:
    """The largest number of layers."""
    if not isinstance(repeat, Question):
        return int(repeat)
    domain = repeat.domain
    return max(map(int, domain.options)) if isinstance(domain, Choice) else int(domain.high)  # type: ignore[union-attr]


def _at_least(repeat: Setting, column: int | None, layers: int) -> Guards:
    """The guard of a layer: so many layers, or more, are built."""
    if not isinstance(repeat, Question) or column is None:
        return ()
    domain = repeat.domain
    if isinstance(domain, Choice):
        low = next(index for index, option in enumerate(domain.options) if int(option) >= layers)
        return (Guard(column, float(low), math.inf),)
    return (Guard(column, float(layers), math.inf),)


def _answered(gate: Setting, column: int | None, answers: Sequence[Value]) -> Guards:
    """The guard of a knob that only these answers to its gate read; they stand together in its domain."""
    if not isinstance(gate, Question) or column is None:
        return ()
    if not isinstance(gate.domain, Choice):
        numbers = [float(answer) for answer in answers]
        return (Guard(column, min(numbers), max(numbers)),)
    read = [index for index, option in enumerate(gate.domain.options) if option in answers]
    return (Guard(column, read[0], read[-1]),) if read else (Guard(column, math.inf, math.inf),)
