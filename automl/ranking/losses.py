"""What a model learns by: losses whose gradients are closed forms, from the logits down to what the head reads.

A step of a small model is a few hundred microseconds; a graph for the head alone takes a part of it that shows. Every
loss is a mean over the batch. B batch, W width of the top, H outputs of a head, T tasks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from automl.ranking.batches import Batch, Chunk, Targets


class Loss(ABC):
    """One loss of one model in training."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """Weights of its own, which are trained beside the model's and never served."""
        return ()

    def targets(self, chunk: Chunk, bounds: Sequence[int]) -> Targets | None:
        """What it aims at in a chunk beside the labels; to be asked once, before the batches between these bounds."""
        return None

    @abstractmethod
    def backward(self, head: nn.Linear, x_BW: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The logits, (B,) of one label or (B, T) of several, and the gradient of x.

        Those of the head and of its own parameters are written to where they are kept. Called without autograd.
        """

    def state(self) -> Mapping[str, Tensor]:
        """What its next step depends on beside its parameters; copies."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        assert not state


class LabelLoss(Loss):
    """Weighted cross entropy of one label."""

    def backward(self, head: nn.Linear, x_BW: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        seen_B = nn.functional.linear(x_BW, head.weight, head.bias).squeeze(1)
        return seen_B, linear_backward(head, x_BW, label_gradient(seen_B, batch).unsqueeze(1))


class TasksLoss(Loss):
    """The sum over several labels of their cross entropies.

    A label that is NaN is not defined (or has not arrived) and teaches nothing; the mean is over all rows nevertheless.
    """

    def backward(self, head: nn.Linear, x_BW: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        seen_BT = nn.functional.linear(x_BW, head.weight, head.bias)
        grad_BT = seen_BT.sigmoid().sub_(batch.labels).div_(len(batch)).nan_to_num_(0.0)
        if batch.weights_B is not None:
            grad_BT.mul_(batch.weights_B.unsqueeze(1))
        return seen_BT, linear_backward(head, x_BW, grad_BT)


def label_gradient(seen_B: Tensor, batch: Batch) -> Tensor:
    """Of the label's loss by logit."""
    grad_B = seen_B.sigmoid().sub_(batch.labels).div_(len(batch))
    return grad_B if batch.weights_B is None else grad_B.mul_(batch.weights_B)


def linear_backward(layer: nn.Linear, x_BW: Tensor, grad_BH: Tensor) -> Tensor:
    """Write the gradients of a layer to where they are kept; returns that of x. Bit for bit as autograd does it."""
    weight_HW = layer.weight
    grad_HW, grad_H = weight_HW.grad, layer.bias.grad
    assert grad_HW is not None
    assert grad_H is not None
    torch.mm(grad_BH.t(), x_BW, out=grad_HW)
    torch.sum(grad_BH, 0, out=grad_H)
    return torch.mm(grad_BH, weight_HW)
