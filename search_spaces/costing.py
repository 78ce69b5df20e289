"""What a whole matrix of candidates costs: ModelSpec.cost for N candidates at once, to the last weight.

A layer is built once for every different way to answer its questions and its cost remembered; the rest is arithmetic
on columns. Shapes: N candidates, D decisions, L places of a stack, K kinds of blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.base import FLOAT_BYTES, Cost, Dense, Fields
from search_spaces.decisions import Choice, Decision, Real
from search_spaces.guards import Bools
from search_spaces.history import EventsSpec
from search_spaces.model import InputShape, histories_cost, layer_cost
from search_spaces.plan import Answers, BlockPlan, LayerPlan, Plan, Slot, StackPlan
from search_spaces.ranges import Floats
from search_spaces.readings import Read, Readings
from search_spaces.tasks import Tasks
from search_spaces.terms import COSTS, Rows
from search_spaces.tree import LayerKind

Measure = Callable[[LayerPlan, Answers, Sequence[float]], tuple[object, ...]]
Figures = NDArray[np.void]
"""(N, L): a record for each layer, zeros where there is none. Its fields are those of `layer_type` or TOWER."""
COST = ("params", "flops", "bytes")
BY_WIDTH = tuple(f"{figure}_by_width" for figure in COST)
TOWER = np.dtype([(name, np.float64) for name in ("present", *COST, *BY_WIDTH, "width")])
"""A layer of the deep tower. Its cost is a line over the width that comes in: COST at 0, BY_WIDTH more for each."""
LABELS = np.dtype([("tops", TOWER), ("gates", TOWER)])
"""What several labels have of their own: lines over the width of the top, and over that of all fields."""
READ = np.dtype([(name, np.float64) for name in ("fields", *COST, "events")])
"""How histories are read: the fields of all, 0 where none is; their cost, and the events of a row on average."""
FORM = np.dtype([(name, np.float64) for name in ("fields", *COST)])
"""The form of the plain numbers: the fields they become, and their cost."""
REMEMBERED = 1 << 16  # layers of a stack


def layer_type(kinds: int) -> np.dtype[np.void]:
    """A layer of the interaction: its cost, its width beside X, its blocks, and how many of each of K kinds."""
    return np.dtype([
        *((name, np.float64) for name in ("present", *COST, "beside", "blocks")), ("kinds", np.float64, (kinds,))
    ])  # fmt: skip


class Costs(NamedTuple):
    """A Cost of N candidates."""

    params: Floats
    flops: Floats
    bytes: Floats

    def plus(self, params: Floats, flops: Floats, bytes_: Floats) -> Costs:
        return Costs(self.params + params, self.flops + flops, self.bytes + bytes_)

    def times(self, members: Floats) -> Costs:
        return Costs(self.params * members, self.flops * members, self.bytes * members)

    def plus_linear(self, width_in: Floats, width_out: Floats) -> Costs:
        """With linear_cost(width_in, width_out) added."""
        product = width_in * width_out
        return self.plus(product + width_out, 2.0 * product, FLOAT_BYTES * width_out)

    def plus_tower(self, records: NDArray[np.void], width_in: Floats) -> Costs:
        """With records of TOWER (N,) added, of widths that come in."""
        by_width = zip(COST, BY_WIDTH, strict=True)
        return self.plus(*(records[at_0] + records[slope] * width_in for at_0, slope in by_width))


class Parts(NamedTuple):
    """Figures of N candidates, layer by layer: the form of the plain numbers (FORM) and how histories are read (READ),
    at one place at most, the layers of the interaction, those of the deep tower (TOWER); which features are read, the
    fields of X, and whether one of them is the sum of several; rows of the table, and id features that are looked up
    twice."""

    dense: Figures
    histories: Figures
    layers: Figures
    towers: Figures
    read: Read
    fields: Floats
    summed: Bools
    rows: Floats
    twice: Floats


class Knobs:
    """Knobs that stand once in a model, by path: a column of answers, or what the space fixes.

    A knob whose question is not asked takes its documented default.
    """

    def __init__(self, plan: Plan) -> None:
        self._decisions = plan.decisions
        self._slots: dict[str, Slot] = {"wiring": plan.wiring, "members": plan.members}
        for part in (plan.embedding, plan.train):
            self._slots |= {f"{part.name}.{slot.name}": slot for slot in part.slots}

    def number(self, answers_ND: Floats, path: str) -> Floats:
        """(N,): the numbers that the models get."""
        slot = self._slots[path]
        if slot.column is None:
            return np.full(len(answers_ND), float(slot.instead))
        answers = answers_ND[:, slot.column]
        known = ~np.isnan(answers)
        options = option_numbers(self._decisions[slot.column])
        values = answers if options is None else options[np.where(known, answers, 0.0).astype(np.intp)]
        return np.where(known, values, float(slot.instead))

    def word(self, answers_ND: Floats, path: str, word: str) -> Bools:
        """(N,): whether the models get this word."""
        slot = self._slots[path]
        if slot.column is None:
            return np.full(len(answers_ND), slot.instead == word)
        answers = answers_ND[:, slot.column]
        domain = self._decisions[slot.column].domain
        assert isinstance(domain, Choice), "words are chosen"
        hits = [index for index, option in enumerate(domain.options) if option == word]
        return np.where(np.isnan(answers), slot.instead == word, np.isin(answers, hits))


class Costing:
    """Costs of one space. It remembers the layers it has seen: asking it again is cheap.

    `kinds` are the blocks that the space may hold, in the order of their names: what else the table of blocks knows
    must not change what a predictor reads. For one thread at a time.
    """

    def __init__(self, plan: Plan, inputs: InputShape) -> None:
        self._readings = Readings(plan.features, plan.decisions, inputs)
        self.inputs = self._readings.inputs
        self.kinds = tuple(sorted({block.name for layer in plan.interaction.layers for block in layer.blocks}))
        self.knobs = Knobs(plan)
        self._linear = plan.dense is None
        self._interaction = _Stack(plan.decisions, plan.interaction, layer_type(len(self.kinds)), self._layer)
        self._deep = _Stack(plan.decisions, plan.deep, TOWER, _mlp)
        formed = () if plan.dense is None else (plan.dense,)
        self._dense = _Stack(plan.decisions, StackPlan("dense", formed, None), FORM, self._form)
        read = () if plan.history is None else (plan.history,)
        self._history = _Stack(plan.decisions, StackPlan("history", read, None), READ, self._read)
        self._of_tasks = (
            None if plan.tasks is None else _Stack(plan.decisions, _alone(plan.tasks), LABELS, self._labels)
        )

    def parts(self, answers_ND: Floats) -> Parts:
        """What the candidates are made of."""
        dim, read = self.knobs.number(answers_ND, "embedding.dim"), self._readings.of(answers_ND)
        given = np.column_stack([dim, read.answers_NG])
        dense = self._dense.figures(answers_ND, given)
        histories = self._history.figures(answers_ND, given)
        merge = self.knobs.number(answers_ND, "embedding.merge")
        fields, summed = self._readings.id_fields(read, merge)
        fields = fields + read.vectors_NV.sum(axis=1) + (read.plain_N > 0) * self._linear
        fields = fields + dense["fields"].sum(axis=1) + histories["fields"].sum(axis=1)
        layers = self._interaction.figures(answers_ND, np.column_stack([dim, fields]))
        towers = self._deep.figures(answers_ND, np.zeros((len(answers_ND), 1)))
        cut, split = (self.knobs.number(answers_ND, f"embedding.{name}") for name in ("min_count", "split"))
        rows, twice = self._readings.table_rows(read, cut, merge, split)
        return Parts(dense, histories, layers, towers, read, fields, summed, rows, twice)

    def gathered(self, parts: Parts) -> Floats:
        """(N,): rows of the table that a row of the log asks for, on average."""
        events_N: Floats = parts.histories["events"].sum(axis=1)
        ids_N: Floats = parts.read.ids_NF.sum(axis=1)
        return ids_N + parts.twice + events_N

    def embedding_params(self, answers_ND: Floats, parts: Parts) -> Floats:
        """(N,): weights of the fused table."""
        return parts.rows * self.knobs.number(answers_ND, "embedding.dim")

    def read_ids(self, answers_ND: Floats) -> Bools:
        """(N,): whether they read an id feature at all, without which there is no model."""
        some_N: Bools = np.any(self._readings.of(answers_ND).ids_NF, axis=1)
        return some_N

    def total(self, answers_ND: Floats, parts: Parts | None = None) -> Costs:
        """ModelSpec.cost, term by term. `parts` are those of the candidates, where they are known."""
        parts = self.parts(answers_ND) if parts is None else parts
        dense, histories, layers, towers, read, fields, summed, _, twice = parts
        dim = self.knobs.number(answers_ND, "embedding.dim")
        one = np.ones(len(dim))
        width = dim * fields
        beside = FLOAT_BYTES * (width + (summed + twice) * dim)
        total = Costs(self.embedding_params(answers_ND, parts), 0.0 * one, beside)
        if self._linear:
            total = total.plus_linear(read.plain_N, dim * (read.plain_N > 0))
        for width_in, there in zip(self.inputs.vectors, read.vectors_NV.T, strict=True):
            total = total.plus_linear(width_in * one, dim * there)
        for figures in (dense, histories, layers):
            total = total.plus(*(figures[figure].sum(axis=1) for figure in COST))
        crossed = width + layers["beside"].sum(axis=1)
        parallel = self.knobs.word(answers_ND, "wiring", "parallel")
        deep_in = np.where(parallel, width, crossed)
        for tower in towers.T:
            total = total.plus_tower(tower, deep_in)
            deep_in = np.where(tower["present"] > 0, tower["width"], deep_in)
        head_in = np.where(parallel, deep_in + crossed, deep_in)
        if self._of_tasks is None:
            of_one = total.plus_linear(head_in, self.inputs.tasks * one)
        else:
            of_tasks = self._of_tasks.figures(answers_ND, np.zeros((len(answers_ND), 1)))[:, 0]
            of_one = total.plus_tower(of_tasks["tops"], head_in).plus_tower(of_tasks["gates"], width)
        return of_one.times(self.knobs.number(answers_ND, "members"))

    def rows(self, answers_ND: Floats) -> Rows:
        """What constraints are judged on. Costs are worked out where one asks for them."""

        @cache
        def costs() -> dict[str, Floats]:
            return dict(zip(COSTS, self.total(answers_ND), strict=True))

        return Rows(answers_ND, lambda name: costs()[name])

    def _form(self, layer: LayerPlan, answers: Answers, given: Sequence[float]) -> tuple[object, ...]:
        form, inputs = layer.build_dense(answers), self._readings.shape(given[1:])
        if not inputs.plain:
            return (0, 0, 0, 0)
        cost = form.cost(inputs.numbers, int(given[0]))
        return (form.fields(inputs.plain), cost.params, cost.flops, cost.bytes)

    def _read(self, layer: LayerPlan, answers: Answers, given: Sequence[float]) -> tuple[object, ...]:
        history, inputs = layer.build_history(answers), self._readings.shape(given[1:])
        if not isinstance(history, EventsSpec):
            return (0, 0, 0, 0, 0)
        cost = histories_cost(history, inputs, int(given[0]))
        events = [shape.mean_length(history.length, history.action) for shape in inputs.histories]
        return (history.fields * len(events), cost.params, cost.flops, cost.bytes, sum(events))

    def _labels(self, layer: LayerPlan, answers: Answers, _: Sequence[float]) -> tuple[object, ...]:
        tasks = cast(Tasks, layer.blocks[0].build(answers))
        count = self.inputs.tasks
        tops = _line(tasks.cost(0, count), tasks.cost(1, count), 0)
        return tops, _line(tasks.gates_cost(0, count), tasks.gates_cost(1, count), 0)

    def _layer(self, layer: LayerPlan, answers: Answers, given: Sequence[float]) -> tuple[object, ...]:
        dim, count = map(int, given)
        built, fields = layer.build(answers), Fields(count, dim)
        cost = layer_cost(built, fields)
        out = built.blocks[0].out_shape(fields) if built.fuse is None else fields
        beside = out.width if isinstance(out, Dense) else 0
        names = [block.name for block in built.blocks]
        return (1, cost.params, cost.flops, cost.bytes, beside, len(names), tuple(map(names.count, self.kinds)))


def _alone(block: BlockPlan) -> StackPlan:
    """A section as a stack of one layer."""
    return StackPlan(block.name, (LayerPlan(LayerKind.FIXED, (block,), (None,), None),), None)


def _mlp(layer: LayerPlan, answers: Answers, _: Sequence[float]) -> tuple[object, ...]:
    mlp = layer.build_mlp(answers)
    return _line(mlp.cost(Dense(0)), mlp.cost(Dense(1)), mlp.width)


def _line(at_0: Cost, at_1: Cost, width: int) -> tuple[object, ...]:
    """A record of TOWER from the costs at two widths."""
    slope = (at_1.params - at_0.params, at_1.flops - at_0.flops, at_1.bytes - at_0.bytes)
    return (1, at_0.params, at_0.flops, at_0.bytes, *slope, width)


def option_numbers(decision: Decision) -> Floats | None:
    """The options of a choice among numbers; None for any other domain."""
    if not isinstance(decision.domain, Choice):
        return None
    options = decision.domain.options
    if any(isinstance(option, str) for option in options):
        return None
    return np.array([float(option) for option in options])


class _Stack:
    """The layers of one stack, place by place. `measure` gives the record of a layer of that `kind`, from its answers
    and from what else it goes by."""

    def __init__(
        self,
        decisions: Sequence[Decision],
        stack: StackPlan,
        kind: np.dtype[np.void],
        measure: Measure,
    ) -> None:
        self._decisions, self._layers = decisions, stack.layers
        self._measure: Measure = measure
        self._repeat = None if stack.repeat is None else stack.repeat.column
        self._questions = [_costly(decisions, layer) for layer in stack.layers]
        self._seen: list[dict[bytes, int]] = [{} for _ in stack.layers]
        self._figures = np.zeros(64, kind)
        self._kept = 0

    def figures(self, answers_ND: Floats, given_NG: Floats) -> Figures:
        """(N, L): `measure` of every layer, asked once for every different one; given G numbers too, 1 or more."""
        self._forget()
        found = np.zeros((len(answers_ND), len(self._layers)), self._figures.dtype)
        count_N = self._count(answers_ND)
        for place, columns in enumerate(self._questions):
            there = np.flatnonzero(count_N > place)
            if not len(there):
                continue
            told = np.ascontiguousarray(np.column_stack([answers_ND[np.ix_(there, columns)], given_NG[there]]))
            keys = told.view(f"V{told.shape[1] * told.itemsize}").ravel().tolist()
            seen = self._seen[place]
            for row, key in zip(there, keys, strict=True):
                if key not in seen:
                    answers = self._decoded(answers_ND[row], columns)
                    seen[key] = self._keep(self._measure(self._layers[place], answers, given_NG[row].tolist()))
            found[there, place] = self._figures[list(map(seen.__getitem__, keys))]
        return found

    def _decoded(self, answers_D: Floats, columns: NDArray[np.intp]) -> Answers:
        """The answers that make a layer; of no other question."""
        own = set(columns.tolist())
        return [
            decision.decode(number) if column in own and number == number else None
            for column, (decision, number) in enumerate(zip(self._decisions, answers_D.tolist(), strict=True))
        ]

    def _keep(self, figures: tuple[object, ...]) -> int:
        """Remember a layer's figures; returns their row."""
        if self._kept == len(self._figures):
            self._figures = np.concatenate([self._figures, np.zeros_like(self._figures)])
        self._figures[self._kept] = figures
        self._kept += 1
        return self._kept - 1

    def _forget(self) -> None:
        if self._kept > REMEMBERED:
            self._seen, self._kept = [{} for _ in self._seen], 0

    def _count(self, answers_ND: Floats) -> Floats:
        if self._repeat is None:
            return np.full(len(answers_ND), float(len(self._layers)))
        options = option_numbers(self._decisions[self._repeat])
        asked = ~np.isnan(answers_ND[:, self._repeat])
        answers = np.where(asked, answers_ND[:, self._repeat], 0.0)
        return np.where(asked, answers if options is None else options[answers.astype(np.intp)], 0.0)


def _costly(decisions: Sequence[Decision], layer: LayerPlan) -> NDArray[np.intp]:
    """The questions of a layer; real numbers (a dropout) cost nothing."""
    asked = sorted(layer.questions())
    return np.array([d for d in asked if not isinstance(decisions[d].domain, Real)], dtype=np.intp)
