"""A compiled space: the ordered list of questions, and how answers become a model and a model answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from search_spaces.blocks import Mlp
from search_spaces.blocks.base import BlockSpec
from search_spaces.decisions import Decision
from search_spaces.dense_forms import DenseForm, LinearForm
from search_spaces.distill import Distill
from search_spaces.expressions import Names
from search_spaces.history import HistorySpec, NoHistory
from search_spaces.knobs import Checked, Value
from search_spaces.model import Embedding, Layer, ModelSpec, Train
from search_spaces.tasks import Tasks
from search_spaces.terms import Expression
from search_spaces.tree import LayerKind

Answers = Sequence[Value | None]
"""One answer for each decision, None where it is not asked."""
REMEMBERED = 512  # specs of a block: where knobs are choices all fit, and of a real number none comes twice
Pairs = Iterator[tuple[int, Value]]
"""Columns and the values that a model has there."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A knob of the plan: the answer in its column, else its fixed or default value."""

    name: str
    column: int | None
    instead: Value

    def of(self, answers: Answers) -> Value:
        answer = None if self.column is None else answers[self.column]
        return self.instead if answer is None else answer

    def pairs(self, value: Value) -> Pairs:
        if self.column is not None:
            yield self.column, value


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """Features that are read together or not at all; `slot` says whether they are."""

    names: tuple[str, ...]
    slot: Slot

    def pairs(self, without: Collection[str]) -> Pairs:
        yield from self.slot.pairs(not set(self.names) <= set(without))


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block (or embedding, tasks, train, distill) with a slot for every knob.

    `made` remembers specs, which are checked when made.
    """

    name: str
    spec: type[Checked]
    slots: tuple[Slot, ...]
    made: dict[tuple[Value, ...], Checked] = field(default_factory=dict, compare=False, repr=False)

    def build(self, answers: Answers) -> Checked:
        values = tuple(slot.of(answers) for slot in self.slots)
        found = self.made.get(values)
        if found is None:
            knobs = {slot.name: value for slot, value in zip(self.slots, values, strict=True)}
            found = self.spec(**cast(dict[str, Any], knobs))
            if len(self.made) < REMEMBERED:
                self.made[values] = found
        return found

    def pairs(self, spec: Checked) -> Pairs:
        for slot in self.slots:
            yield from slot.pairs(getattr(spec, slot.name))


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer: for one_of the column of the choice, for any_of the column of each block's flag (None: always on)."""

    kind: LayerKind
    blocks: tuple[BlockPlan, ...]
    columns: tuple[int | None, ...]
    fuse: Slot | None

    def questions(self) -> Iterator[int]:
        """Columns of the answers that the layer is made of."""
        own = (*self.columns, *(slot.column for slot in self.slots()))
        yield from dict.fromkeys(column for column in own if column is not None)

    def slots(self) -> Iterator[Slot]:
        """All its knobs."""
        if self.fuse is not None:
            yield self.fuse
        for block in self.blocks:
            yield from block.slots

    def build(self, answers: Answers) -> Layer:
        """As a layer of the interaction."""
        return Layer(self._blocks(answers), None if self.fuse is None else cast(str, self.fuse.of(answers)))

    def build_mlp(self, answers: Answers) -> Mlp:
        """As a layer of the deep tower."""
        return cast(Mlp, self.blocks[0].build(answers))

    def build_history(self, answers: Answers) -> HistorySpec:
        """As the way to read histories."""
        return cast(HistorySpec, self._chosen(answers)[0].build(answers))

    def build_dense(self, answers: Answers) -> DenseForm:
        """As the form of the plain numbers."""
        return cast(DenseForm, self._chosen(answers)[0].build(answers))

    def _blocks(self, answers: Answers) -> tuple[BlockSpec, ...]:
        return tuple(cast(BlockSpec, block.build(answers)) for block in self._chosen(answers))

    def _chosen(self, answers: Answers) -> list[BlockPlan]:
        if self.kind is LayerKind.ONE_OF:
            column = self.columns[0]
            chosen = self.blocks[0].name if column is None else answers[column]
            return [block for block in self.blocks if block.name == chosen]
        return [b for b, column in zip(self.blocks, self.columns, strict=True) if column is None or answers[column]]

    def pairs(self, blocks: Sequence[Checked], fuse: str | None) -> Pairs:
        """Of a layer of a model: as far as this layer can hold it."""
        by_name = {str(getattr(block, "name")): block for block in blocks}  # noqa: B009 (a ClassVar of each block)
        if self.kind is LayerKind.ONE_OF and self.columns[0] is not None:
            fits = [block.name for block in self.blocks if block.name in by_name]
            if fits:
                yield self.columns[0], fits[0]
        if self.kind is LayerKind.ANY_OF:
            for block, column in zip(self.blocks, self.columns, strict=True):
                if column is not None:
                    yield column, block.name in by_name
        if self.fuse is not None and fuse is not None:
            yield from self.fuse.pairs(fuse)
        for block in self.blocks:
            if block.name in by_name:
                yield from block.pairs(by_name[block.name])


@dataclass(frozen=True, slots=True)
class StackPlan:
    """Layers one after another; `repeat` says how many of them are built."""

    name: str
    layers: tuple[LayerPlan, ...]
    repeat: Slot | None
    shared: bool = False

    def depth(self, answers: Answers) -> int:
        if self.repeat is None:
            return len(self.layers)
        if self.repeat.column is not None and answers[self.repeat.column] is None:
            return 0
        return cast(int, self.repeat.of(answers))

    def pairs(self, layers: Sequence[tuple[Sequence[Checked], str | None]]) -> Pairs:
        if self.repeat is not None:
            yield from self.repeat.pairs(min(len(layers), len(self.layers)))
        told = set[int]()  # what layers share is the first one's
        for plan, (blocks, fuse) in zip(self.layers, layers, strict=False):
            for column, value in plan.pairs(blocks, fuse):
                if column not in told:
                    yield column, value
                told.add(column)
            if self.shared:
                return


@dataclass(frozen=True, slots=True)
class Group:
    """The flags of one any_of layer, and the flag that is set where all are answered no."""

    columns: tuple[int, ...]
    rescue: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled space. `groups` by the column of their last flag; `knobs` counts questions as written; `names` are
    those that more constraints may use."""

    decisions: tuple[Decision, ...]
    embedding: BlockPlan
    interaction: StackPlan
    wiring: Slot
    deep: StackPlan
    members: Slot
    train: BlockPlan
    groups: dict[int, Group]
    where: tuple[Expression, ...]
    names: Names
    knobs: int
    distill: BlockPlan | None = None
    history: LayerPlan | None = None
    tasks: BlockPlan | None = None
    dense: LayerPlan | None = None
    features: tuple[FeaturePlan, ...] = ()

    def build(self, answers: Answers) -> ModelSpec:
        """The model that answers stand for."""
        interaction, deep = self.interaction, self.deep
        return ModelSpec(
            embedding=cast(Embedding, self.embedding.build(answers)),
            interaction=tuple(layer.build(answers) for layer in interaction.layers[: interaction.depth(answers)]),
            wiring=cast(str, self.wiring.of(answers)),
            deep=tuple(layer.build_mlp(answers) for layer in deep.layers[: deep.depth(answers)]),
            members=cast(int, self.members.of(answers)),
            train=cast(Train, self.train.build(answers)),
            distill=None if self.distill is None else cast(Distill, self.distill.build(answers)),
            history=None if self.history is None else self.history.build_history(answers),
            tasks=None if self.tasks is None else cast(Tasks, self.tasks.build(answers)),
            dense=None if self.dense is None else self.dense.build_dense(answers),
            without=tuple(name for one in self.features if not one.slot.of(answers) for name in one.names),
        )

    def values_of(self, model: ModelSpec) -> dict[str, Value]:
        """By path, what a model would answer, as far as the space has a place for it; not checked against domains."""
        pairs = [
            *(pair for one in self.features for pair in one.pairs(model.without)),
            *self.embedding.pairs(model.embedding),
            *self.interaction.pairs([(layer.blocks, layer.fuse) for layer in model.interaction]),
            *self.wiring.pairs(model.wiring),
            *self.deep.pairs([((mlp,), None) for mlp in model.deep]),
            *self.members.pairs(model.members),
            *(self.tasks.pairs(model.tasks or Tasks()) if self.tasks is not None else ()),
            *self.train.pairs(model.train),
            *(self.distill.pairs(model.distill or Distill(heads="none")) if self.distill is not None else ()),
            *(self.dense.pairs([model.dense or LinearForm()], None) if self.dense is not None else ()),
            *(self.history.pairs([model.history or NoHistory()], None) if self.history is not None else ()),
        ]
        return {self.decisions[column].path: value for column, value in pairs}
