"""Wukong layer (arXiv 2403.02545): X' = LN([FMB(X); LCB(X)] + X).

LCB(X) = W X mixes fields; FMB(X) = reshape(MLP(LN(flat(X (X^T Y))))), Y of low rank, learns from their products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Wukong(BlockSpec):
    """As many fields out as in, so that the residual needs no map. Stack it by `repeat`."""

    name: ClassVar[str] = "wukong"
    module: ClassVar[str] = "automl.ranking.blocks.wukong:WukongBlock"
    rank: int = knob(8, ge=1, le=256, doc="rank k of Y: each field is multiplied with k mixtures", widens=True)
    share: float = knob(0.5, ge=0.0, le=1.0, doc="share of the output's fields from products (FMB), at least one")
    width: int = knob(64, ge=1, le=8192, doc="hidden width of the FMB's MLP", widens=True)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def made(self, fields: Fields) -> int:
        """Fields of the output that come from products; the others are mixtures."""
        return max(1, round(self.share * fields.count))

    def cost(self, fields: Fields) -> Cost:
        n, dim, made = fields.count, fields.dim, self.made(fields)
        flat = n * self.rank
        mixed = linear_cost(n, self.rank, bias=False, rows=dim)
        products = Cost(flops=2 * flat * dim, bytes=FLOAT_BYTES * flat) + elementwise_cost(flat, params=2 * flat)
        mlp = linear_cost(flat, self.width) + linear_cost(self.width, made * dim)
        kept = linear_cost(n, n - made, bias=False, rows=dim)
        return mixed + products + mlp + kept + elementwise_cost(2 * fields.width, params=2 * dim)
