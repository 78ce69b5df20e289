"""FinalMLP (arXiv 2304.00902): two gated streams o, q of the fields; [o; q; o_h^T W_h q_h for each head h]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalmlp(BlockSpec):
    """Each stream is relu(W2 relu(W1 (gate * x))), gate = 2 sigmoid(G2 relu(G1 x0)). The streams' weights in the
    logit are those of whatever reads the output."""

    name: ClassVar[str] = "finalmlp"
    module: ClassVar[str] = "automl.ranking.blocks.finalmlp:FinalmlpBlock"
    gate: int = knob(32, ge=1, le=4096, doc="hidden width of each gate", widens=True)
    width: int = knob(128, ge=1, le=4096, doc="hidden width of each stream", widens=True)
    heads: int = knob(4, ge=1, le=256, doc="heads of the bilinear product of both streams")
    head_dim: int = knob(16, ge=1, le=256, doc="dimension of a head; a stream ends in heads x head_dim", widens=True)

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(2 * self.heads * self.head_dim + self.heads)

    def cost(self, fields: Fields) -> Cost:
        width, ends = fields.width, self.heads * self.head_dim
        gate = linear_cost(width, self.gate) + linear_cost(self.gate, width) + elementwise_cost(width)
        stream = linear_cost(width, self.width) + linear_cost(self.width, ends)
        square = Cost(params=ends * self.head_dim, flops=2 * ends * self.head_dim) + elementwise_cost(ends + self.heads)
        return (gate + stream) * 2 + square
