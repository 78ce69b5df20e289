"""Cross layer of DCN-V2 (arXiv 2008.13535): x' = x0 * (W x + b) + x, W full or W = U V of low rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Cross(BlockSpec):
    """x is the flattened fields; rank 0 means the full matrix."""

    name: ClassVar[str] = "cross"
    module: ClassVar[str] = "automl.ranking.blocks.cross:CrossBlock"
    rank: int = knob(32, ge=0, le=4096, doc="rank of W = U V; 0 is the full matrix", widens=True)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        width = fields.width
        if self.rank == 0:
            return linear_cost(width, width) + elementwise_cost(width)
        down = linear_cost(width, self.rank, bias=False)
        return down + linear_cost(self.rank, width) + elementwise_cost(width)
