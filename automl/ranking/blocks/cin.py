"""Compressed interaction network of xDeepFM (arXiv 1803.05170)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.field_mix import FieldMix
from search_spaces.blocks import Cin, Fields


class CinBlock(Block):
    """Each layer weighs all products of its M vectors with the N fields. No activation, as the paper found best."""

    def __init__(self, spec: Cin, fields: Fields) -> None:
        super().__init__()
        counts = [fields.count, *[spec.maps] * (spec.layers - 1)]
        self.mixes = nn.ModuleList(FieldMix(count * fields.count, spec.maps) for count in counts)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        now_BME, sums = x_BNE, []
        for mixed in self.mixes:
            products_BMNE = now_BME.unsqueeze(2) * x_BNE.unsqueeze(1)
            now_BME = mixed(products_BMNE.flatten(1, 2))
            sums.append(now_BME.sum(2))
        return torch.cat(sums, 1)
