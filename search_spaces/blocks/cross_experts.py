"""Mixture of low-rank cross experts (DCN-V2, arXiv 2008.13535):
x' = sum_i g_i(x) x0 * (U_i tanh(C_i tanh(V_i x)) + b) + x, g a softmax over the experts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossExperts(BlockSpec):
    """x is the flattened fields."""

    name: ClassVar[str] = "cross_experts"
    module: ClassVar[str] = "automl.ranking.blocks.cross_experts:CrossExpertsBlock"
    experts: int = knob(4, ge=2, le=32, doc="experts of the mixture")
    rank: int = knob(16, ge=1, le=1024, doc="rank of each expert", widens=True)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        width, inner = fields.width, self.experts * self.rank
        middle = Cost(params=inner * self.rank, flops=2 * inner * self.rank, bytes=FLOAT_BYTES * 3 * inner)
        gate = linear_cost(width, self.experts) + elementwise_cost(self.experts)
        ends = linear_cost(width, inner, bias=False) + linear_cost(inner, width)
        return ends + middle + gate + elementwise_cost(width)
