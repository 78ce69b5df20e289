"""Self-attention over fields (AutoInt, arXiv 1810.11921): relu(concat of heads + W_res X)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, BlockSpec, Cost, Fields, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention(BlockSpec):
    """Each head attends in `head_dim` dimensions; the heads are mixed back to E."""

    name: ClassVar[str] = "attention"
    module: ClassVar[str] = "automl.ranking.blocks.attention:AttentionBlock"
    heads: int = knob(2, ge=1, le=32, doc="number of heads")
    head_dim: int = knob(8, ge=1, le=256, doc="dimension of a head", widens=True)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        inner, n = self.heads * self.head_dim, fields.count
        query_key_value = linear_cost(fields.dim, 3 * inner, bias=False, rows=n)
        attend = Cost(flops=4 * n * n * inner, bytes=FLOAT_BYTES * (n * n * self.heads + n * inner))
        back = linear_cost(inner, fields.dim, bias=False, rows=n)
        residual = linear_cost(fields.dim, fields.dim, bias=False, rows=n)
        return query_key_value + attend + back + residual
