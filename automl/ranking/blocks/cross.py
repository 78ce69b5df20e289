"""Cross layer of DCN-V2 (arXiv 2008.13535): x' = x0 * (U V x + b) + x, or with a full matrix."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.plus_product import plus_product
from search_spaces.blocks import Cross, Fields


class CrossBlock(Block):
    """W = N * E is the width of the flattened fields, R the rank."""

    def __init__(self, spec: Cross, fields: Fields) -> None:
        super().__init__()
        width = fields.width
        self.down = nn.Linear(width, spec.rank, bias=False) if spec.rank else nn.Identity()
        self.up = nn.Linear(spec.rank or width, width)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x_BW = x_BNE.flatten(1)
        return plus_product(x_BW, x0_BNE.flatten(1), self.up(self.down(x_BW))).view_as(x_BNE)
