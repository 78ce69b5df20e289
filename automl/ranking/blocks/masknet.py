"""MaskNet block (arXiv 2102.07619): relu(LN(W (mask * LN(x)))), mask = W2 relu(W1 x), x the flattened fields."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Masknet


class MasknetBlock(Block):
    """The inner norm is over each field's E numbers, the outer one over the block's width."""

    def __init__(self, spec: Masknet, fields: Fields) -> None:
        super().__init__()
        width = fields.width
        self.mask = nn.Sequential(nn.Linear(width, spec.hidden), nn.ReLU(), nn.Linear(spec.hidden, width))
        self.norm = nn.LayerNorm(fields.dim, eps=spec.eps)
        self.out = nn.Linear(width, spec.width, bias=False)
        self.out_norm = nn.LayerNorm(spec.width)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        mask_BW = self.mask(x_BNE.flatten(1))
        return torch.relu(self.out_norm(self.out(mask_BW * self.norm(x_BNE).flatten(1))))
