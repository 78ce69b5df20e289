"""Pairwise dot products of DLRM (arXiv 1906.00091), after a compression of the fields (DHEN, arXiv 2203.11014)."""

from __future__ import annotations

from torch import Tensor

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.field_mix import FieldMix
from automl.ranking.blocks.pairs import pairs_of, products
from search_spaces.blocks import Dot, Fields


class DotBlock(Block):
    """M compressed vectors, whose M (M - 1) / 2 products above the diagonal are the output."""

    above: Tensor

    def __init__(self, spec: Dot, fields: Fields) -> None:
        super().__init__()
        self.mix = FieldMix(fields.count, spec.compress)
        first, second = pairs_of(spec.compress)
        self.register_buffer("above", first * spec.compress + second, persistent=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return products(self.mix(x_BNE), self.above)
