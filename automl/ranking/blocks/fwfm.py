"""Field-weighted factorisation machine (arXiv 1806.03514), kept as a vector: sum over pairs i < j of r_ij v_i * v_j."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.field_mix import mix
from automl.ranking.blocks.pairs import pairs_of
from search_spaces.blocks import Fields, Fwfm


class FwfmBlock(Block):
    """P = N (N - 1) / 2 pairs; their weights fill the upper triangle of a map from fields to fields."""

    place: Tensor

    def __init__(self, spec: Fwfm, fields: Fields) -> None:
        super().__init__()
        self.count = fields.count
        first, second = pairs_of(fields.count)
        self.weight = nn.Parameter(torch.ones(len(first)))
        self.register_buffer("place", first * fields.count + second, persistent=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        flat = self.weight.new_zeros(self.count * self.count).index_copy(0, self.place, self.weight)
        return (x_BNE * mix(flat.view(self.count, self.count), x_BNE)).sum(1)
