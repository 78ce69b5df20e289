"""Gated cross layer of GDCN (CIKM 2023): x' = x0 * (W x + b) * sigmoid(G x) + x."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.plus_product import plus_product
from search_spaces.blocks import Fields, GatedCross


class GatedCrossBlock(Block):
    """W = N * E. Low-rank maps of both kinds read x in one product."""

    def __init__(self, spec: GatedCross, fields: Fields) -> None:
        super().__init__()
        width = fields.width
        self.rank = spec.rank
        self.down = nn.Linear(width, 2 * spec.rank, bias=False) if spec.rank else nn.Identity()
        self.value = nn.Linear(spec.rank or width, width)
        self.gate = nn.Linear(spec.rank or width, width, bias=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BW = x_BNE.flatten(1)
        value, gate = self.down(x_BW).split(self.rank, 1) if self.rank else (x_BW, x_BW)
        crossed_BW = x0_BNE.flatten(1) * self.value(value)
        return plus_product(x_BW, crossed_BW, self.gate(gate).sigmoid()).view_as(x_BNE)
