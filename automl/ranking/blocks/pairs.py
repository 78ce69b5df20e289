"""All pairs of fields i < j, in one order everywhere."""

from __future__ import annotations

import torch
from torch import Tensor


def pairs_of(count: int) -> tuple[Tensor, Tensor]:
    """The first and the second field of each of count (count - 1) / 2 pairs."""
    first, second = torch.triu_indices(count, count, 1)
    return first, second


def products(x_BNE: Tensor, place: Tensor) -> Tensor:
    """Dot products of vectors at those places of the flattened (N, N)."""
    products_BNN = torch.bmm(x_BNE, x_BNE.transpose(1, 2))
    return products_BNN.flatten(1).index_select(1, place)
