"""Cross layer of DCNv3 (arXiv 2407.13349): x' = base * ([H; H * relu(LN(H))] + b) + x, H = W x of half the width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.plus_product import plus_product
from search_spaces.blocks import CrossV3, Fields
from search_spaces.blocks.cross_v3 import half_width


class CrossV3Block(Block):
    """W = N * E; of an odd width the masked half is one shorter."""

    def __init__(self, spec: CrossV3, fields: Fields) -> None:
        super().__init__()
        half = half_width(fields)
        self.first, self.masked = spec.base == "first", fields.width - half
        self.map = nn.Linear(fields.width, half, bias=False)
        self.norm = nn.LayerNorm(half)
        self.bias = nn.Parameter(torch.zeros(fields.width))

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BW = x_BNE.flatten(1)
        half_BH = self.map(x_BW)
        masked_BH = half_BH * self.norm(half_BH).relu()
        both_BW = torch.cat([half_BH, masked_BH[:, : self.masked]], 1) + self.bias
        return plus_product(x_BW, x0_BNE.flatten(1) if self.first else x_BW, both_BW).view_as(x_BNE)
