"""Wukong layer (arXiv 2403.02545): X' = LN([FMB(X); LCB(X)] + X)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.field_mix import FieldMix
from search_spaces.blocks import Fields, Wukong


class WukongBlock(Block):
    """K the rank of Y, M fields made of products. They have no activation of their own: it would keep half of the
    layer's output from ever being negative."""

    def __init__(self, spec: Wukong, fields: Fields) -> None:
        super().__init__()
        made, flat = spec.made(fields), fields.count * spec.rank
        self.made = made
        self.mixed = FieldMix(fields.count, spec.rank)
        self.flat_norm = nn.LayerNorm(flat)
        self.mlp = nn.Sequential(nn.Linear(flat, spec.width), nn.ReLU(), nn.Linear(spec.width, made * fields.dim))
        self.kept = FieldMix(fields.count, fields.count - made) if made < fields.count else None
        self.norm = nn.LayerNorm(fields.dim)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        products_BNK = torch.bmm(x_BNE, self.mixed(x_BNE).transpose(1, 2))
        made_BME = self.mlp(self.flat_norm(products_BNK.flatten(1))).view(-1, self.made, x_BNE.shape[2])
        both_BNE = made_BME if self.kept is None else torch.cat([made_BME, self.kept(x_BNE)], 1)
        out: Tensor = self.norm(both_BNE + x_BNE)
        return out
