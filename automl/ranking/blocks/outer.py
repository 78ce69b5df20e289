"""Outer product of the summed fields (PNN, arXiv 1611.00144): W flat(p p^T), p = sum_i v_i."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Outer


class OuterBlock(Block):
    """E x E products of an example, mapped to the width; no bias."""

    def __init__(self, spec: Outer, fields: Fields) -> None:
        super().__init__()
        self.map = nn.Linear(fields.dim * fields.dim, spec.width, bias=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        sum_BE = x_BNE.sum(1)
        out: Tensor = self.map((sum_BE.unsqueeze(2) * sum_BE.unsqueeze(1)).flatten(1))
        return out
