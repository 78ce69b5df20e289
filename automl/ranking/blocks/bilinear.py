"""Bilinear products of pairs of fields (FiBiNET, arXiv 1905.09433): (v_i W) * v_j for i < j, flattened."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.many_linear import ManyLinear
from automl.ranking.blocks.pairs import pairs_of
from search_spaces.blocks import Bilinear, Fields


class BilinearBlock(Block):
    """The last field is never a first one, and needs no W."""

    first: Tensor
    second: Tensor

    def __init__(self, spec: Bilinear, fields: Fields) -> None:
        super().__init__()
        self.lefts = fields.count - 1
        each = spec.weights == "each" and self.lefts > 0
        one = nn.Linear(fields.dim, fields.dim, bias=False)
        self.map = ManyLinear(self.lefts, fields.dim, fields.dim, bias=False) if each else one
        first, second = pairs_of(fields.count)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        left_BNE = self.map(x_BNE[:, : self.lefts])
        products_BPE: Tensor = left_BNE.index_select(1, self.first) * x_BNE.index_select(1, self.second)
        return products_BPE.flatten(1)
