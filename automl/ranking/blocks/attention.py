"""Self-attention over fields (AutoInt, arXiv 1810.11921): relu(concat of heads + W_res X)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

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
        batch, count, _ = x_BNE.shape
        packed = self.query_key_value(x_BNE).view(batch, count, 3, self.heads, self.head_dim)
        query_BHNK, key_BHNK, value_BHNK = packed.permute(2, 0, 3, 1, 4)
        heads_BHNK = functional.scaled_dot_product_attention(query_BHNK, key_BHNK, value_BHNK)
        joined = heads_BHNK.transpose(1, 2).reshape(batch, count, self.heads * self.head_dim)
        return torch.relu(self.back(joined) + self.residual(x_BNE))
