"""Gates of LHUC and EPNet (PEPNet, arXiv 2302.01115): x' = 2 sigmoid(W2 relu(W1 [x0; stopgrad(x)])) * x."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Lhuc


class LhucBlock(Block):
    """W = N * E numbers, each scaled between 0 and 2."""

    def __init__(self, spec: Lhuc, fields: Fields) -> None:
        super().__init__()
        width = fields.width
        self.gate = nn.Sequential(nn.Linear(2 * width, spec.hidden), nn.ReLU(), nn.Linear(spec.hidden, width))

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BW = x_BNE.flatten(1)
        gate_BW = self.gate(torch.cat([x0_BNE.flatten(1), x_BW.detach()], 1)).sigmoid()
        gated_BNE: Tensor = (2 * gate_BW * x_BW).view_as(x_BNE)
        return gated_BNE
