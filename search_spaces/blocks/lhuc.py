"""Gates of LHUC and EPNet (PEPNet, arXiv 2302.01115): x' = 2 sigmoid(W2 relu(W1 [x0; stopgrad(x)])) * x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Lhuc(BlockSpec):
    """Every number of the flattened fields is scaled between 0 and 2; the gate learns nothing through what it gates."""

    name: ClassVar[str] = "lhuc"
    module: ClassVar[str] = "automl.ranking.blocks.lhuc:LhucBlock"
    hidden: int = knob(32, ge=1, le=4096, doc="hidden width of the gate", widens=True)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        width = fields.width
        return linear_cost(2 * width, self.hidden) + linear_cost(self.hidden, width) + elementwise_cost(2 * width)
