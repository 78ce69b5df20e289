"""Parallel MaskNet (arXiv 2102.07619): several masks over the same normed embeddings, their outputs side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, MasknetParallel


class MasknetParallelBlock(Block):
    """M masks. The inner norm, over each field's E numbers, is one for all of them."""

    def __init__(self, spec: MasknetParallel, fields: Fields) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(fields.dim, eps=spec.eps)
        self.parts = nn.ModuleList(_Masked(spec, fields.width) for _ in range(spec.masks))

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BW, normed_BW = x_BNE.flatten(1), self.norm(x_BNE).flatten(1)
        return torch.cat([part(x_BW, normed_BW) for part in self.parts], 1)


class _Masked(nn.Module):
    """relu(LN(W (mask(x) * normed)))."""

    def __init__(self, spec: MasknetParallel, width: int) -> None:
        super().__init__()
        self.mask = nn.Sequential(nn.Linear(width, spec.hidden), nn.ReLU(), nn.Linear(spec.hidden, width))
        self.out = nn.Linear(width, spec.width, bias=False)
        self.norm = nn.LayerNorm(spec.width)

    def forward(self, x_BW: Tensor, normed_BW: Tensor) -> Tensor:
        return torch.relu(self.norm(self.out(self.mask(x_BW) * normed_BW)))
