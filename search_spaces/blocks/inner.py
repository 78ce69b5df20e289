"""Inner products of all pairs of fields (PNN, arXiv 1611.00144)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, BlockSpec, Cost, Dense, Fields, elementwise_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner(BlockSpec):
    """As `dot`, of the fields themselves; no weights. It grows with the square of their number."""

    name: ClassVar[str] = "inner"
    module: ClassVar[str] = "automl.ranking.blocks.inner:InnerBlock"

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(fields.count * (fields.count - 1) // 2)

    def cost(self, fields: Fields) -> Cost:
        square = fields.count * fields.count
        gram = Cost(flops=2 * square * fields.dim, bytes=FLOAT_BYTES * square)
        return gram + elementwise_cost(self.out_shape(fields).width)
