"""Weighted sums of fields, (B, N, E) to (B, M, E): the same weights for every example and every dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

BATCHED_FROM = 16  # from this dimension on a matrix product for each example is faster than one over a transposed copy


class FieldMix(nn.Module):
    """N fields in, given as one tensor or as several to be set one below the other; M fields out, no bias."""

    def __init__(self, count_in: int, count_out: int) -> None:
        super().__init__()
        self.map = nn.Linear(count_in, count_out, bias=False)  # for its initial weights

    def forward(self, *parts: Tensor) -> Tensor:
        weights = torch.split(self.map.weight, [part.shape[1] for part in parts], dim=1)
        return _sum([mix(weight, part) for weight, part in zip(weights, parts, strict=True)])


def mix(weight_MN: Tensor, x_BNE: Tensor) -> Tensor:
    """W X for each example, contiguous."""
    mixed: Tensor = _Mix.apply(weight_MN, x_BNE)  # type: ignore[no-untyped-call]
    return mixed


class _Mix(torch.autograd.Function):
    """Autograd's own way (a linear map between two transposes) takes twice the time: it copies X and the result."""

    @staticmethod
    def forward(ctx: Any, weight_MN: Tensor, x_BNE: Tensor) -> Tensor:
        ctx.save_for_backward(weight_MN, x_BNE)
        return _product(weight_MN, x_BNE)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        weight_MN, x_BNE = ctx.saved_tensors
        (grad_BME,) = grads
        weight = _fields_first(grad_BME) @ _fields_first(x_BNE).T if ctx.needs_input_grad[0] else None
        return weight, _product(weight_MN.T, grad_BME) if ctx.needs_input_grad[1] else None


def _product(weight_MN: Tensor, x_BNE: Tensor) -> Tensor:
    batch, _, dim = x_BNE.shape
    if dim >= BATCHED_FROM:
        return torch.bmm(weight_MN.expand(batch, -1, -1), x_BNE)
    mixed_MBE = (weight_MN @ _fields_first(x_BNE)).view(-1, batch, dim)
    return mixed_MBE.transpose(0, 1).contiguous()


def _fields_first(x_BNE: Tensor) -> Tensor:
    """(N, B * E), a copy."""
    return x_BNE.transpose(0, 1).reshape(x_BNE.shape[1], -1)


def _sum(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
