"""A linear map of its own for each of K parts, (B, K, I) to (B, K, O), in one batched product."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ManyLinear(nn.Module):
    """Each map starts as nn.Linear does: uniform within 1 / sqrt(I), weights and biases."""

    def __init__(self, parts: int, width_in: int, width_out: int, *, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(width_in)
        self.weight = nn.Parameter(torch.empty(parts, width_in, width_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(parts, 1, width_out).uniform_(-bound, bound)) if bias else None

    def forward(self, x_BKI: Tensor) -> Tensor:
        x_KBI = x_BKI.transpose(0, 1)
        if self.bias is None:
            return torch.bmm(x_KBI, self.weight).transpose(0, 1)
        return torch.baddbmm(self.bias, x_KBI, self.weight).transpose(0, 1)
