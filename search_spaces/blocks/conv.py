"""Convolution along the fields (a module of DHEN, arXiv 2203.11014): relu(conv(X)), each dimension a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Conv(BlockSpec):
    """Neighbours are as the study file lists them; zeros stand beyond both ends."""

    name: ClassVar[str] = "conv"
    module: ClassVar[str] = "automl.ranking.blocks.conv:ConvBlock"
    kernel: int = knob(3, ge=1, le=31, doc="fields that are read at once")

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        read = self.kernel * fields.dim
        return linear_cost(read, fields.dim, rows=fields.count) + elementwise_cost(fields.width)
