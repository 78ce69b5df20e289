"""Bilinear products of pairs of fields (FiBiNET, arXiv 1905.09433): (v_i W) * v_j for i < j, flattened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob

WEIGHTS = ("all", "each")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bilinear(BlockSpec):
    """A vector for each pair: wide, it grows with the square of the number of fields."""

    name: ClassVar[str] = "bilinear"
    module: ClassVar[str] = "automl.ranking.blocks.bilinear:BilinearBlock"
    weights: str = knob("all", choices=WEIGHTS, doc="one W for all fields, or one for each")

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(fields.dim * fields.count * (fields.count - 1) // 2)

    def cost(self, fields: Fields) -> Cost:
        lefts = fields.count - 1
        one = linear_cost(fields.dim, fields.dim, bias=False, rows=lefts)
        matrices = one.params * (lefts if self.weights == "each" else 1)
        return Cost(matrices, one.flops, one.bytes) + elementwise_cost(3 * self.out_shape(fields).width)
