"""Field-weighted factorisation machine (arXiv 1806.03514), kept as a vector: sum over pairs i < j of r_ij v_i * v_j."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost, linear_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Fwfm(BlockSpec):
    """One weight for each pair of fields; with all of them 1 it is `fm`, and that is where it starts."""

    name: ClassVar[str] = "fwfm"
    module: ClassVar[str] = "automl.ranking.blocks.fwfm:FwfmBlock"

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(fields.dim)

    def cost(self, fields: Fields) -> Cost:
        mixed = linear_cost(fields.count, fields.count, bias=False, rows=fields.dim)
        pairs = fields.count * (fields.count - 1) // 2
        return Cost(pairs, mixed.flops, mixed.bytes) + elementwise_cost(fields.width + fields.dim)
