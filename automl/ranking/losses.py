"""What a model learns by: losses whose gradients are closed forms, from the logits down to what the head reads.

A step of a small model is a few hundred microseconds; a graph for the head alone takes a part of it that shows. Every
loss is a mean over the batch. B batch, W width of the top, H outputs of a head, T tasks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from automl.ranking.batches import Batch, Chunk, Targets
from automl.ranking.place import PROCESSOR, Device, put
from automl.ranking.tasks import TaskHead

_LEAST = 1e-30  # a probability that is divided by


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
    """The weighted sum over T labels of their cross entropies.

    A label that is NaN is not defined (or has not arrived) and teaches nothing; the mean is over all rows nevertheless.

    `given`, for each label the place of the one that it is given, or None: such a label is learned as ESMM does (Ma et
    al. 2018), by p(both) = p(the other) p(it, given the other) over all rows in which the other is defined. `weight` is
    that of every label but the first. With `uncertain` the weights are learned instead (Kendall et al. 2018): with
    s = log variance, exp(-s) times a label's loss, + s / 2 for each row in which it is defined.
    """

    def __init__(
        self,
        tasks: int = 1,
        *,
        given: Sequence[int | None] = (),
        weight: float = 1.0,
        uncertain: bool = False,
        there: Device = PROCESSOR,
    ) -> None:
        self._given = tuple(given)
        self._weights_T = None if weight == 1.0 else put(np.array([1.0, *[weight] * (tasks - 1)], np.float32), there)
        self._log_variance_T = nn.Parameter(put(np.zeros(tasks, np.float32), there)) if uncertain else None

    def parameters(self) -> list[nn.Parameter]:
        return [] if self._log_variance_T is None else [self._log_variance_T]

    def backward(self, head: nn.Linear, x_BW: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        seen_BT = head(x_BW)
        if any(place is not None for place in self._given) or self._log_variance_T is not None:
            grad_BT = self._together(seen_BT, batch)
        else:
            grad_BT = seen_BT.sigmoid().sub_(batch.labels).div_(len(batch)).nan_to_num_(0.0)
            if batch.weights_B is not None:
                grad_BT.mul_(batch.weights_B.unsqueeze(1))
            if self._weights_T is not None:
                grad_BT.mul_(self._weights_T)
        return seen_BT, head_backward(head, x_BW, grad_BT)

    def _together(self, seen_BT: Tensor, batch: Batch) -> Tensor:
        """The gradient by logit; that of the weights is written to where it is kept."""
        known_BT = torch.isfinite(batch.labels).float()
        if batch.weights_B is not None:
            known_BT.mul_(batch.weights_B.unsqueeze(1))
        labels_BT = batch.labels.nan_to_num(0.0)
        own_BT = seen_BT.sigmoid().sub_(labels_BT).mul_(known_BT)
        entropy_BT = nn.functional.softplus(seen_BT).sub_(seen_BT * labels_BT).mul_(known_BT)
        above: list[tuple[int, int, Tensor]] = []
        for place, given in enumerate(self._given):
            if given is not None:
                counts_B = torch.where(labels_BT[:, given] == 1, known_BT[:, place], known_BT[:, given])
                both = _both(seen_BT[:, given], seen_BT[:, place], labels_BT[:, place])
                own_BT[:, place] = both.by_it_B * counts_B
                entropy_BT[:, place] = both.entropy_B * counts_B
                known_BT[:, place] = counts_B
                above.append((given, place, both.by_given_B * counts_B))
        if self._log_variance_T is not None:
            weights_T = torch.exp(-self._log_variance_T)
            assert self._log_variance_T.grad is not None
            of_loss_T = entropy_BT.sum(0).mul_(weights_T)
            self._log_variance_T.grad.copy_(known_BT.sum(0).mul_(0.5).sub_(of_loss_T).div_(len(batch)))
        else:
            weights_T = torch.ones_like(seen_BT[0]) if self._weights_T is None else self._weights_T
        grad_BT = own_BT.mul_(weights_T)
        for given, place, by_given_B in above:
            grad_BT[:, given].add_(by_given_B.mul_(weights_T[place]))
        return grad_BT.div_(len(batch))


class _Both(NamedTuple):
    """Cross entropy of p(both) by row, and its gradients by the logits of the other label and of the one given it."""

    entropy_B: Tensor
    by_given_B: Tensor
    by_it_B: Tensor


def _both(given_B: Tensor, it_B: Tensor, label_B: Tensor) -> _Both:
    """1 - p(both) is kept as a sum of what is positive, so that nothing cancels."""
    not_given_B, not_it_B = torch.sigmoid(-given_B), torch.sigmoid(-it_B)
    neither_B = (not_given_B + torch.sigmoid(given_B) * not_it_B).clamp_min_(_LEAST)
    by_log_B = (1.0 - label_B) / neither_B - 1.0
    sure_B = nn.functional.logsigmoid(given_B) + nn.functional.logsigmoid(it_B)
    entropy_B = -torch.where(label_B == 1, sure_B, neither_B.log())
    return _Both(entropy_B, by_log_B * not_given_B, by_log_B * not_it_B)


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


def head_backward(head: nn.Linear, x_BW: Tensor, grad_BH: Tensor) -> Tensor:
    """`linear_backward` of any head."""
    return head.backward_to(x_BW, grad_BH) if isinstance(head, TaskHead) else linear_backward(head, x_BW, grad_BH)
