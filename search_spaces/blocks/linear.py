"""Linear mixing of the fields, X' = W X (the linear module of DHEN, arXiv 2203.11014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, linear_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Linear(BlockSpec):
    """Every output field is a weighted sum of the input fields."""

    name: ClassVar[str] = "linear"
    module: ClassVar[str] = "automl.ranking.blocks.linear:LinearBlock"

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        return linear_cost(fields.count, fields.count, bias=False, rows=fields.dim)
