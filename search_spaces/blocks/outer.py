"""Outer product of the summed fields (PNN, arXiv 1611.00144): W flat(p p^T), p = sum_i v_i."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Outer(BlockSpec):
    """All products of two dimensions, weighed."""

    name: ClassVar[str] = "outer"
    module: ClassVar[str] = "automl.ranking.blocks.outer:OuterBlock"
    width: int = knob(32, ge=1, le=1024, doc="width of the output", widens=True)

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(self.width)

    def cost(self, fields: Fields) -> Cost:
        square = fields.dim * fields.dim
        return elementwise_cost(fields.dim + square) + linear_cost(square, self.width, bias=False)
