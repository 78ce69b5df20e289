"""Multi-head attention of fields to each other (arXiv 1706.03762), between its two linear maps.

B batch, N fields, H heads of dimension K.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def attend(packed: Tensor, heads: int, head_dim: int) -> Tensor:
    """(B, N, 3 * H * K), queries, keys and values, to (B, N, H * K); the scores are scaled by 1 / sqrt(K)."""
    batch, count, _ = packed.shape
    query_BHNK, key_BHNK, value_BHNK = packed.view(batch, count, 3, heads, head_dim).permute(2, 0, 3, 1, 4)
    heads_BHNK = functional.scaled_dot_product_attention(query_BHNK, key_BHNK, value_BHNK)
    return heads_BHNK.transpose(1, 2).reshape(batch, count, heads * head_dim)
