"""A model made larger as an engineer does it by hand: every width multiplied by one factor, all else as it is.

Widths are the knobs that say so (`widens`): hidden layers, ranks, dimensions of heads. A width of 0 stays: it stands
for a full matrix, or for none. The embeddings keep their dimension, since a wider table is memory and not FLOPs, unless
the rest of the model cannot reach what is asked for without it. A low rank ends at half of the width of the fields:
beyond that it costs more than the full matrix and says no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

from search_spaces.blocks import Cross, GatedCross
from search_spaces.blocks.base import BlockSpec
from search_spaces.inputs import InputShape
from search_spaces.knobs import Checked, Knob, knobs_of
from search_spaces.model import Layer, ModelSpec

S = TypeVar("S", bound=Checked)

NEAR = 0.1  # of the FLOPs that are asked for
_MOST = 4096.0  # times as wide
_HALVINGS = 50
_ROUND_FROM, _STEP = 64, 8  # wide ones are multiples of 8, as products of matrices like them


def widened(model: ModelSpec, inputs: InputShape, flops: float) -> ModelSpec:
    """The model with its widths multiplied by the one factor, 1 or more, that comes nearest to so many FLOPs a row.

    More FLOPs asked for are never fewer reached; where nothing is wide enough it falls short, which the caller judges.
    """
    without = _nearest(lambda factor: _times(model, inputs, factor), inputs, flops)
    if is_near(without.cost(inputs).flops, flops):
        return without
    return _nearest(lambda factor: _times(_with_dim(model, factor), inputs, factor), inputs, flops)


def is_near(flops: float, wanted: float) -> bool:
    """Whether FLOPs are those that were asked for, within NEAR of them."""
    return abs(flops - wanted) <= NEAR * wanted


def _nearest(made: Callable[[float], ModelSpec], inputs: InputShape, flops: float) -> ModelSpec:
    """Of the models of all factors, whose FLOPs grow with it, by bisection."""
    low, high = 1.0, _MOST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if made(middle).cost(inputs).flops < flops else (low, middle)
    return min((made(low), made(high)), key=lambda model: abs(model.cost(inputs).flops - flops))


def _times(model: ModelSpec, inputs: InputShape, factor: float) -> ModelSpec:
    fields = model.fields_shape(inputs).width

    def wide(layer: Layer) -> Layer:
        return Layer(tuple(_within(_wide(block, factor), block, fields) for block in layer.blocks), layer.fuse)

    return replace(
        model,
        interaction=tuple(map(wide, model.interaction)),
        deep=tuple(_wide(mlp, factor) for mlp in model.deep),
        history=None if model.history is None else _wide(model.history, factor),
        tasks=None if model.tasks is None else _wide(model.tasks, factor),
    )


def _with_dim(model: ModelSpec, factor: float) -> ModelSpec:
    knob = knobs_of(type(model.embedding))["dim"]
    return replace(model, embedding=replace(model.embedding, dim=_width(model.embedding.dim, factor, knob)))


def _wide(spec: S, factor: float) -> S:
    """A block with its widths multiplied."""
    widths = {name: knob for name, knob in knobs_of(type(spec)).items() if knob.widens}
    made = {name: _width(getattr(spec, name), factor, knob) for name, knob in widths.items()}
    return cast(S, replace(cast(Any, spec), **made)) if made else spec


def _within(made: BlockSpec, block: BlockSpec, fields: int) -> BlockSpec:
    """A low rank of a cross layer, no more of it than is worth having."""
    if isinstance(made, Cross | GatedCross) and isinstance(block, Cross | GatedCross):
        return replace(made, rank=max(block.rank, min(made.rank, fields // 2)))
    return made


def _width(width: int, factor: float, knob: Knob) -> int:
    """Rounded down to what the block allows; never below what it was."""
    times = int(width * factor)
    rounded = times if times < _ROUND_FROM else times - times % _STEP
    most = rounded if knob.le is None else min(rounded, int(knob.le))
    return max(width, most)
