"""Cross layer of DCN (arXiv 1708.05123): x' = x0 (w . x) + b + x, a vector where DCN-V2 has a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, elementwise_cost, linear_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossV1(BlockSpec):
    """x is the flattened fields; one number an example says how much of x0 is added."""

    name: ClassVar[str] = "cross_v1"
    module: ClassVar[str] = "automl.ranking.blocks.cross_v1:CrossV1Block"

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        return linear_cost(fields.width, 1, bias=False) + elementwise_cost(fields.width, params=fields.width)
