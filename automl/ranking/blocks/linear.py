"""Linear mixing of the fields, X' = W X (the linear module of DHEN, arXiv 2203.11014)."""

from __future__ import annotations

from torch import Tensor

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.field_mix import FieldMix
from search_spaces.blocks import Fields, Linear


class LinearBlock(Block):
    """As many fields out as in."""

    def __init__(self, spec: Linear, fields: Fields) -> None:
        super().__init__()
        self.mix = FieldMix(fields.count, fields.count)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        mixed: Tensor = self.mix(x_BNE)
        return mixed
