"""Parallel MaskNet (arXiv 2102.07619): several masks over the same normed embeddings, their outputs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost, linear_cost
from search_spaces.blocks.masknet import eps_knob
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class MasknetParallel(BlockSpec):
    """`masks` times relu(LN(W (mask * LN(x)))), mask = W2 relu(W1 x); the inner norm (per field) is one for all."""

    name: ClassVar[str] = "masknet_parallel"
    module: ClassVar[str] = "automl.ranking.blocks.masknet_parallel:MasknetParallelBlock"
    masks: int = knob(3, ge=1, le=16, doc="number of masks")
    width: int = knob(64, ge=1, le=4096, doc="width of each output", widens=True)
    hidden: int = knob(64, ge=1, le=4096, doc="hidden width of each mask", widens=True)
    eps: float = eps_knob()

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(self.masks * self.width)

    def cost(self, fields: Fields) -> Cost:
        width = fields.width
        mask = linear_cost(width, self.hidden) + linear_cost(self.hidden, width) + elementwise_cost(width)
        out = linear_cost(width, self.width, bias=False) + elementwise_cost(2 * self.width, params=2 * self.width)
        return (mask + out) * self.masks + elementwise_cost(width, params=2 * fields.dim)
