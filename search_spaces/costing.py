"""What a whole matrix of candidates costs: ModelSpec.cost for N candidates at once, to the last weight.

A layer is built once for every different way to answer its questions and its cost remembered; the rest is arithmetic
on columns. Shapes: N candidates, D decisions, L places of a stack, R figures of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks import INTERACTION_BLOCKS, Mlp
from search_spaces.blocks.base import FLOAT_BYTES, Dense, Fields
from search_spaces.decisions import Bools, Choice, Decision, Integer, Real
from search_spaces.model import InputShape, Layer, ModelSpec, layer_cost
from search_spaces.space import SearchSpace
from search_spaces.terms import Rows

Floats = NDArray[np.float64]
Part = TypeVar("Part", Layer, Mlp)

BLOCKS = tuple(sorted(INTERACTION_BLOCKS))

# Figures of an interaction layer: present, weights, FLOPs, bytes, width beside X, blocks, then one count a kind.
PRESENT, PARAMS, FLOPS, BYTES, BESIDE, BLOCK_COUNT, KINDS = range(7)
# Figures of a layer of the deep tower: the first four, then weights, FLOPs and bytes for each unit of width that comes
# in (the cost of an Mlp is a line over it), then its width.
BY_WIDTH, WIDTH = 4, 7


class Costs(NamedTuple):
    """A Cost of N candidates."""

    params: Floats
    flops: Floats
    bytes: Floats

    def plus(self, params: Floats, flops: Floats, bytes_: Floats) -> Costs:
        return Costs(self.params + params, self.flops + flops, self.bytes + bytes_)

    def plus_linear(self, width_in: Floats, width_out: Floats) -> Costs:
        """With linear_cost(width_in, width_out) added."""
        product = width_in * width_out
        return self.plus(product + width_out, 2.0 * product, FLOAT_BYTES * width_out)


class Knobs:
    """Knobs that stand once in a model, by path: a column of answers, or what the space fixes."""

    def __init__(self, decisions: Sequence[Decision], fixed: ModelSpec) -> None:
        self._at = {decision.path: (d, decision) for d, decision in enumerate(decisions)}
        self._fixed = fixed

    def number(self, answers_ND: Floats, path: str) -> Floats:
        """(N,): the numbers that the models get."""
        if path not in self._at:
            return np.full(len(answers_ND), float(_knob(self._fixed, path)))
        column, decision = self._at[path]
        answers = answers_ND[:, column]
        known = ~np.isnan(answers)
        options = option_numbers(decision)
        values = answers if options is None else options[np.where(known, answers, 0.0).astype(np.intp)]
        return np.where(known, values, float(_knob(UNASKED, path)))

    def word(self, answers_ND: Floats, path: str, word: str) -> NDArray[np.bool_]:
        """(N,): whether the models get this word."""
        if path not in self._at:
            return np.full(len(answers_ND), _knob(self._fixed, path) == word)
        column, decision = self._at[path]
        answers = answers_ND[:, column]
        assert isinstance(decision.domain, Choice), "words are chosen"
        hits = [index for index, option in enumerate(decision.domain.options) if option == word]
        return np.where(np.isnan(answers), _knob(UNASKED, path) == word, np.isin(answers, hits))


UNASKED = ModelSpec()  # a knob whose question is not asked takes its documented default


def _knob(model: ModelSpec, path: str) -> float | str:
    part, _, name = path.partition(".")
    value: float | str = getattr(getattr(model, part), name) if name else getattr(model, part)
    return value


class Costing:
    """Costs of one space. It remembers the layers it has seen: asking it again is cheap."""

    def __init__(self, space: SearchSpace) -> None:
        if space.inputs is None:
            raise ValueError("a space must know its inputs before its candidates cost anything (with_inputs)")
        self.inputs: InputShape = space.inputs
        self._where = space.plan.where
        self.knobs = Knobs(space.decisions, space.default().model)
        self._table_rows: dict[float, float] = {}
        self._interaction = _Stack(space, "interaction", lambda model, place: model.interaction[place])
        self._deep = _Stack(space, "deep", lambda model, place: model.deep[place])

    def layers(self, answers_ND: Floats) -> Floats:
        """(N, L, R): figures of the interaction layers; zeros where there is none."""
        return self._interaction.figures(answers_ND, self.knobs.number(answers_ND, "embedding.dim"), self._layer)

    def towers(self, answers_ND: Floats) -> Floats:
        """(N, L, R): figures of the layers of the deep tower."""
        return self._deep.figures(answers_ND, np.zeros(len(answers_ND)), _mlp)

    def embedding_params(self, answers_ND: Floats) -> Floats:
        """(N,): weights of the fused table."""
        cuts, inverse = np.unique(self.knobs.number(answers_ND, "embedding.min_count"), return_inverse=True)
        for cut in cuts:
            if cut not in self._table_rows:
                self._table_rows[cut] = float(sum(self.inputs.table_rows(int(cut))))
        table_rows = np.array([self._table_rows[cut] for cut in cuts])
        return np.asarray(table_rows[inverse] * self.knobs.number(answers_ND, "embedding.dim"), dtype=np.float64)

    def total(self, answers_ND: Floats, layers: Floats | None = None, towers: Floats | None = None) -> Costs:
        """ModelSpec.cost, term by term."""
        layers = self.layers(answers_ND) if layers is None else layers
        towers = self.towers(answers_ND) if towers is None else towers
        dim = self.knobs.number(answers_ND, "embedding.dim")
        one = np.ones(len(dim))
        width = dim * self._fields
        total = Costs(self.embedding_params(answers_ND), 0.0 * one, FLOAT_BYTES * width)
        if self.inputs.dense:
            total = total.plus_linear(self.inputs.dense * one, dim)
        total = total.plus(*layers[:, :, PARAMS : BYTES + 1].sum(axis=1).T)
        crossed = width + layers[:, :, BESIDE].sum(axis=1)
        parallel = self.knobs.word(answers_ND, "wiring", "parallel")
        deep_in = np.where(parallel, width, crossed)
        for tower in np.moveaxis(towers, 1, 0):
            total = total.plus(*(tower[:, PARAMS : BYTES + 1] + tower[:, BY_WIDTH:WIDTH] * deep_in[:, None]).T)
            deep_in = np.where(tower[:, PRESENT] > 0, tower[:, WIDTH], deep_in)
        return total.plus_linear(np.where(parallel, deep_in + crossed, deep_in), one)

    def allowed(self, answers_ND: Floats) -> Bools:
        """SearchSpace.allowed, without building models for what they cost."""
        good = np.ones(len(answers_ND), dtype=np.bool_)
        if self._where:
            total = self.total(answers_ND)
            named = {"params": total.params, "flops": total.flops, "activation_bytes": total.bytes}
            rows = Rows(answers_ND, named.__getitem__)
            for expression in self._where:
                good &= ~expression.breaks(rows)
        return good

    @property
    def _fields(self) -> int:
        return self.inputs.fields + (1 if self.inputs.dense else 0)

    def _layer(self, layer: Layer, dim: float) -> Sequence[float]:
        fields = Fields(self._fields, int(dim))
        cost = layer_cost(layer, fields)
        out = layer.blocks[0].out_shape(fields) if layer.fuse is None else fields
        beside = out.width if isinstance(out, Dense) else 0
        kinds = [float(any(block.name == name for block in layer.blocks)) for name in BLOCKS]
        return (1.0, cost.params, cost.flops, cost.bytes, beside, float(len(layer.blocks)), *kinds)


def _mlp(mlp: Mlp, _: float) -> Sequence[float]:
    at_0, at_1 = mlp.cost(Dense(0)), mlp.cost(Dense(1))
    slope = (at_1.params - at_0.params, at_1.flops - at_0.flops, at_1.bytes - at_0.bytes)
    return (1.0, at_0.params, at_0.flops, at_0.bytes, *slope, mlp.width)


def option_numbers(decision: Decision) -> Floats | None:
    """The options of a choice among numbers; None for any other domain."""
    if not isinstance(decision.domain, Choice):
        return None
    options = decision.domain.options
    if any(isinstance(option, str) for option in options):
        return None
    return np.array([float(option) for option in options])


class _Stack(Generic[Part]):
    """The layers of one stack, place by place."""

    def __init__(self, space: SearchSpace, name: str, pick: Callable[[ModelSpec, int], Part]) -> None:
        self._space = space
        self._pick: Callable[[ModelSpec, int], Part] = pick
        self._width = KINDS + len(BLOCKS)
        self._repeat = next((d for d, q in enumerate(space.decisions) if q.path == f"{name}.repeat"), None)
        fixed = space.default().model
        self._places = len(fixed.interaction if name == "interaction" else fixed.deep)
        if self._repeat is not None:
            self._places = _most(space.decisions[self._repeat])
        self._columns = [_columns(space.decisions, name, place) for place in range(self._places)]
        self._seen: list[dict[bytes, int]] = [{} for _ in self._columns]
        self._figures = np.zeros((64, self._width))
        self._kept = 0

    def figures(self, answers_ND: Floats, dim_N: Floats, measure: Callable[[Part, float], Sequence[float]]) -> Floats:
        """(N, L, R): `measure` of every layer, asked once for every different one."""
        found = np.zeros((len(answers_ND), self._places, self._width))
        count_N = self._count(answers_ND)
        for place, columns in enumerate(self._columns):
            there = np.flatnonzero(count_N > place)
            if not len(there):
                continue
            told = np.ascontiguousarray(np.column_stack([answers_ND[np.ix_(there, columns)], dim_N[there]]))
            keys = told.view(f"V{told.shape[1] * told.itemsize}").ravel().tolist()
            seen = self._seen[place]
            for row, key in zip(there, keys, strict=True):
                if key not in seen:
                    layer = self._pick(self._space.candidate(answers_ND[row]).model, place)
                    seen[key] = self._keep(measure(layer, float(dim_N[row])))
            found[there, place] = self._figures[list(map(seen.__getitem__, keys))]
        return found

    def _keep(self, figures: Sequence[float]) -> int:
        """Remember a layer's figures; returns their row."""
        if self._kept == len(self._figures):
            self._figures = np.vstack([self._figures, np.zeros_like(self._figures)])
        self._figures[self._kept, : len(figures)] = figures
        self._kept += 1
        return self._kept - 1

    def _count(self, answers_ND: Floats) -> Floats:
        if self._repeat is None:
            return np.full(len(answers_ND), float(self._places))
        options = option_numbers(self._space.decisions[self._repeat])
        asked = ~np.isnan(answers_ND[:, self._repeat])
        answers = np.where(asked, answers_ND[:, self._repeat], 0.0)
        return np.where(asked, answers if options is None else options[answers.astype(np.intp)], 0.0)


def _most(repeat: Decision) -> int:
    options = option_numbers(repeat)
    if options is not None:
        return int(options.max())
    assert isinstance(repeat.domain, Integer), "a repeat is an integer"
    return repeat.domain.high


def _columns(decisions: Sequence[Decision], name: str, place: int) -> NDArray[np.intp]:
    """The questions of a layer, and those shared by all layers; real numbers (a dropout) cost nothing."""
    heads = (f"{name}[{place}].", f"{name}.")
    costly = [d for d, q in enumerate(decisions) if q.path.startswith(heads) and not isinstance(q.domain, Real)]
    return np.array([d for d in costly if decisions[d].path != f"{name}.repeat"], dtype=np.intp)
