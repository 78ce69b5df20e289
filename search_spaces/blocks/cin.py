"""Compressed interaction network of xDeepFM (arXiv 1803.05170).

X^k_h = sum_ij W^k_h,ij X^(k-1)_i * X_j, each summed over E.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Cin(BlockSpec):
    """Vectors of order k + 1 after k layers, each summed up to a number. It costs n x maps x maps x E a layer."""

    name: ClassVar[str] = "cin"
    module: ClassVar[str] = "automl.ranking.blocks.cin:CinBlock"
    maps: int = knob(16, ge=1, le=512, doc="vectors of each layer", widens=True)
    layers: int = knob(2, ge=1, le=8, doc="number of layers")

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(self.maps * self.layers)

    def cost(self, fields: Fields) -> Cost:
        total, before = Cost(), fields.count
        for _ in range(self.layers):
            products = before * fields.count
            total += elementwise_cost(products * fields.dim + self.maps)
            total += linear_cost(products, self.maps, bias=False, rows=fields.dim)
            before = self.maps
        return total
