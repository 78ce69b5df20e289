"""Pairwise dot products of DLRM (arXiv 1906.00091), after a compression of the fields (DHEN, arXiv 2203.11014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import (
    FLOAT_BYTES,
    BlockSpec,
    Cost,
    Dense,
    Fields,
    elementwise_cost,
    linear_cost,
)
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot(BlockSpec):
    """Fields are mixed to `compress` vectors; the products above the diagonal are the output."""

    name: ClassVar[str] = "dot"
    module: ClassVar[str] = "automl.ranking.blocks.dot:DotBlock"
    compress: int = knob(16, ge=2, le=512, doc="number of vectors whose pairs are multiplied")

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(self.compress * (self.compress - 1) // 2)

    def cost(self, fields: Fields) -> Cost:
        mix = linear_cost(fields.count, self.compress, bias=False, rows=fields.dim)
        gram = Cost(
            flops=2 * self.compress * self.compress * fields.dim,
            bytes=FLOAT_BYTES * self.compress * self.compress,
        )
        return mix + gram + elementwise_cost(self.out_shape(fields).width)
