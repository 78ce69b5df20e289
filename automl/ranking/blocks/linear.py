"""Linear mixing of the fields, X' = W X (the linear module of DHEN, arXiv 2203.11014)."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Linear


class FieldMix(nn.Module):
    """(B, N, E) to (B, M, E): every output field is a weighted sum of the input fields."""

    def __init__(self, count_in: int, count_out: int) -> None:
        super().__init__()
        self.map = nn.Linear(count_in, count_out, bias=False)

    def forward(self, x_BNE: Tensor) -> Tensor:
        return self.map(x_BNE.transpose(1, 2)).transpose(1, 2)


class LinearBlock(Block):
    """As many fields out as in."""

    def __init__(self, spec: Linear, fields: Fields) -> None:
        super().__init__()
        self.mix = FieldMix(fields.count, fields.count)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        mixed: Tensor = self.mix(x_BNE)
        return mixed
