"""Transformer layer over fields (arXiv 1706.03762): X = LN(MHA(X) + X); X = LN(W2 gelu(W1 X) + X)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformer(BlockSpec):
    """Each head attends in `head_dim` dimensions; fields have no places, their tables tell them apart."""

    name: ClassVar[str] = "transformer"
    module: ClassVar[str] = "automl.ranking.blocks.transformer:TransformerBlock"
    heads: int = knob(2, ge=1, le=32, doc="number of heads")
    head_dim: int = knob(8, ge=1, le=256, doc="dimension of a head", widens=True)
    expand: int = knob(2, ge=1, le=8, doc="hidden width of the network of a field, in E")

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        inner, n, dim = self.heads * self.head_dim, fields.count, fields.dim
        query_key_value = linear_cost(dim, 3 * inner, bias=False, rows=n)
        attend = Cost(flops=4 * n * n * inner, bytes=FLOAT_BYTES * (n * n * self.heads + n * inner))
        back = linear_cost(inner, dim, rows=n)
        network = linear_cost(dim, self.expand * dim, rows=n) + linear_cost(self.expand * dim, dim, rows=n)
        norms = elementwise_cost(2 * fields.width, params=2 * dim) * 2
        return query_key_value + attend + back + network + norms
