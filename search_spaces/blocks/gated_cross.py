"""Gated cross layer of GDCN (CIKM 2023): x' = x0 * (W x + b) * sigmoid(G x) + x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class GatedCross(BlockSpec):
    """x is the flattened fields; W and G are full, or each of low rank."""

    name: ClassVar[str] = "gated_cross"
    module: ClassVar[str] = "automl.ranking.blocks.gated_cross:GatedCrossBlock"
    rank: int = knob(32, ge=0, le=4096, doc="rank of W and of G; 0 are full matrices", widens=True)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        width = fields.width
        down = linear_cost(width, self.rank, bias=False) * 2 if self.rank else Cost()
        up = linear_cost(self.rank or width, width) + linear_cost(self.rank or width, width, bias=False)
        return down + up + elementwise_cost(2 * width)
