"""x + a * b, the step of every cross layer: torch.addcmul with a backward pass of two products.

That of torch multiplies both factors by its scale as well, which is 1: a third of what the layer takes beside its maps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def plus_product(x_BW: Tensor, a_BW: Tensor, b_BW: Tensor) -> Tensor:
    """All of one shape; the same bits as torch.addcmul and its backward pass."""
    if not torch.is_grad_enabled():
        return torch.addcmul(x_BW, a_BW, b_BW)
    out_BW: Tensor = _PlusProduct.apply(x_BW, a_BW, b_BW)  # type: ignore[no-untyped-call]
    return out_BW


class _PlusProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BW: Tensor, a_BW: Tensor, b_BW: Tensor) -> Tensor:
        ctx.save_for_backward(a_BW, b_BW)
        return torch.addcmul(x_BW, a_BW, b_BW)

    @staticmethod
    def backward(ctx: Any, *grads_BW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (grad_BW,) = grads_BW
        a_BW, b_BW = ctx.saved_tensors
        return grad_BW, grad_BW * b_BW, grad_BW * a_BW
