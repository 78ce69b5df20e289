"""Inner products of all pairs of fields (PNN, arXiv 1611.00144)."""

from __future__ import annotations

from torch import Tensor

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.pairs import pairs_of, products
from search_spaces.blocks import Fields, Inner


class InnerBlock(Block):
    """The products above the diagonal of X X^T; no weights."""

    above: Tensor

    def __init__(self, spec: Inner, fields: Fields) -> None:
        super().__init__()
        first, second = pairs_of(fields.count)
        self.register_buffer("above", first * fields.count + second, persistent=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return products(x_BNE, self.above)
