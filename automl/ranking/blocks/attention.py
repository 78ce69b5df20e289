"""Self-attention over fields (AutoInt, arXiv 1810.11921): relu(concat of heads + W_res X)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.attend import attend
from automl.ranking.blocks.base import Block
from search_spaces.blocks import Attention, Fields


class AttentionBlock(Block):
    """H heads of dimension K, mixed back to E; the scores are scaled by 1 / sqrt(K)."""

    def __init__(self, spec: Attention, fields: Fields) -> None:
        super().__init__()
        self.heads, self.head_dim = spec.heads, spec.head_dim
        inner = spec.heads * spec.head_dim
        self.query_key_value = nn.Linear(fields.dim, 3 * inner, bias=False)
        self.back = nn.Linear(inner, fields.dim, bias=False)
        self.residual = nn.Linear(fields.dim, fields.dim, bias=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        heads = attend(self.query_key_value(x_BNE), self.heads, self.head_dim)
        return torch.relu(self.back(heads) + self.residual(x_BNE))
