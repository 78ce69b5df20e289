"""Field weights of SENET (FiBiNET, arXiv 1905.09433): v_i' = a_i v_i, a = sigmoid(W2 relu(W1 mean(v)))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Senet(BlockSpec):
    """A small network reads the means of all fields and says how much each of them counts."""

    name: ClassVar[str] = "senet"
    module: ClassVar[str] = "automl.ranking.blocks.senet:SenetBlock"
    hidden: int = knob(
        8, ge=1, le=512, doc="width of the small network; the paper's is a third of the fields", widens=True
    )

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        network = linear_cost(fields.count, self.hidden) + linear_cost(self.hidden, fields.count)
        return elementwise_cost(2 * fields.count) + network + elementwise_cost(fields.width)
