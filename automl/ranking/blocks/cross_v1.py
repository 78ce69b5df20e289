"""Cross layer of DCN (arXiv 1708.05123): x' = x0 (w . x) + b + x."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import CrossV1, Fields


class CrossV1Block(Block):
    """W = N * E is the width of the flattened fields."""

    def __init__(self, spec: CrossV1, fields: Fields) -> None:
        super().__init__()
        self.weight = nn.Linear(fields.width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(fields.width))

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BW = x_BNE.flatten(1)
        return torch.addcmul(x_BW + self.bias, x0_BNE.flatten(1), self.weight(x_BW)).view_as(x_BNE)
