"""Transformer layer over fields (arXiv 1706.03762): X = LN(MHA(X) + X); X = LN(W2 gelu(W1 X) + X)."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.attend import attend
from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Transformer


class TransformerBlock(Block):
    """Both norms are over a field's E numbers."""

    def __init__(self, spec: Transformer, fields: Fields) -> None:
        super().__init__()
        dim, hidden = fields.dim, spec.expand * fields.dim
        self.heads, self.head_dim = spec.heads, spec.head_dim
        inner = spec.heads * spec.head_dim
        self.query_key_value = nn.Linear(dim, 3 * inner, bias=False)
        self.back = nn.Linear(inner, dim)
        self.network = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.heads_norm, self.norm = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        heads = attend(self.query_key_value(x_BNE), self.heads, self.head_dim)
        heard_BNE = self.heads_norm(self.back(heads) + x_BNE)
        out: Tensor = self.norm(self.network(heard_BNE) + heard_BNE)
        return out
