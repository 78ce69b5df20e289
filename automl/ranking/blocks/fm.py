"""Factorisation machine (Rendle 2010) as a vector: the products of all pairs of fields, summed for each dimension."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Fm


class FmBlock(Block):
    """.5 * ((sum_i v_i)^2 - sum_i v_i^2); no weights."""

    def __init__(self, spec: Fm, fields: Fields) -> None:
        super().__init__()

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return _pairs(x_BNE, x_BNE.sum(1))
        out_BE: Tensor = _Pairs.apply(x_BNE)  # type: ignore[no-untyped-call]
        return out_BE


def _pairs(x_BNE: Tensor, sum_BE: Tensor) -> Tensor:
    return 0.5 * (sum_BE.square() - x_BNE.square().sum(1))


class _Pairs(torch.autograd.Function):
    """The gradient by v_i is the sum of all others: one pass over the fields, where autograd's own takes six."""

    @staticmethod
    def forward(ctx: Any, x_BNE: Tensor) -> Tensor:
        sum_BE = x_BNE.sum(1)
        ctx.save_for_backward(x_BNE, sum_BE)
        return _pairs(x_BNE, sum_BE)

    @staticmethod
    def backward(ctx: Any, *grads_BE: Tensor) -> Tensor:
        x_BNE, sum_BE = ctx.saved_tensors
        grad_B1E = grads_BE[0].unsqueeze(1)
        return torch.addcmul(grad_B1E * sum_BE.unsqueeze(1), grad_B1E, x_BNE, value=-1)
