"""Mixture of low-rank cross experts (DCN-V2, arXiv 2008.13535)."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.many_linear import ManyLinear
from automl.ranking.blocks.plus_product import plus_product
from search_spaces.blocks import CrossExperts, Fields


class CrossExpertsBlock(Block):
    """W = N * E, K experts of rank R. The gates of an example add up to 1, so that one bias serves all experts, and
    what they give is mapped back in one product."""

    def __init__(self, spec: CrossExperts, fields: Fields) -> None:
        super().__init__()
        self.experts, self.rank = spec.experts, spec.rank
        self.down = nn.Linear(fields.width, spec.experts * spec.rank, bias=False)
        self.middle = ManyLinear(spec.experts, spec.rank, spec.rank, bias=False)
        self.up = nn.Linear(spec.experts * spec.rank, fields.width)
        self.gate = nn.Linear(fields.width, spec.experts)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BW = x_BNE.flatten(1)
        down_BKR = self.down(x_BW).tanh().view(-1, self.experts, self.rank)
        gate_BK = self.gate(x_BW).softmax(1)
        heard_BKR = self.middle(down_BKR).tanh() * gate_BK.unsqueeze(2)
        return plus_product(x_BW, x0_BNE.flatten(1), self.up(heard_BKR.flatten(1))).view_as(x_BNE)
