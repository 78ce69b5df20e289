"""Factorisation machine (Rendle 2010) as a vector: the products of all pairs of fields, summed for each dimension."""

from __future__ import annotations

from torch import Tensor

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Fm


class FmBlock(Block):
    """.5 * ((sum_i v_i)^2 - sum_i v_i^2); no weights."""

    def __init__(self, spec: Fm, fields: Fields) -> None:
        super().__init__()

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return 0.5 * (x_BNE.sum(1).square() - x_BNE.square().sum(1))
