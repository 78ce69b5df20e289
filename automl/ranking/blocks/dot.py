"""Pairwise dot products of DLRM (arXiv 1906.00091), after a compression of the fields (DHEN, arXiv 2203.11014)."""

from __future__ import annotations

import torch
from torch import Tensor

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.field_mix import FieldMix
from search_spaces.blocks import Dot, Fields


class DotBlock(Block):
    """M compressed vectors, whose M (M - 1) / 2 products above the diagonal are the output."""

    above: Tensor

    def __init__(self, spec: Dot, fields: Fields) -> None:
        super().__init__()
        self.mix = FieldMix(fields.count, spec.compress)
        row, column = torch.triu_indices(spec.compress, spec.compress, 1)
        self.register_buffer("above", row * spec.compress + column, persistent=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BME = self.mix(x_BNE)
        products_BMM = torch.bmm(x_BME, x_BME.transpose(1, 2))
        return products_BMM.flatten(1).index_select(1, self.above)
