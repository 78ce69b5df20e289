"""Optimizers of all dense weights as one flat vector: a step is a few passes, however many weights there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from automl.ranking.place import at_once

EPS = 1e-8
MOMENTUM = 0.9
_AT_ONCE = 1 << 16  # numbers whose passes are made together: a step of a large model reads memory once


class FlatOptimizer(ABC):
    """The weights become views of one vector, and so do their gradients. Weight decay is decoupled from them."""

    KEPT: ClassVar[tuple[str, ...]]
    """Names of the vectors that it keeps beside weights and gradients."""

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        parts = list(parameters)
        self._weight_decay, self._steps = weight_decay, 0
        self._weights = torch.cat([part.detach().reshape(-1) for part in parts])
        self._grads = torch.zeros_like(self._weights)
        self._kept = {name: torch.zeros_like(self._weights) for name in self.KEPT}
        vectors = (self._weights, self._grads, *self._kept.values())
        size = at_once(self._weights, _AT_ONCE)
        self._blocks = list(zip(*(torch.split(vector, size) for vector in vectors), strict=True))
        start = 0
        for part in parts:
            stop = start + part.numel()
            part.data = self._weights[start:stop].view_as(part)
            part.grad = self._grads[start:stop].view_as(part)
            start = stop

    @property
    def weights(self) -> Tensor:
        """The vector that all weights are views of."""
        return self._weights

    @property
    def grads(self) -> Tensor:
        """The vector that all gradients are views of."""
        return self._grads

    def zero_grad(self) -> None:
        """Gradients are added up from here on, into the same memory."""
        self._grads.zero_()

    def step(self, lr: float) -> None:
        """One step along the gradients that were added up."""
        self._steps += 1
        for weights, grads, *kept in self._blocks:
            if self._weight_decay:
                weights.mul_(1.0 - lr * self._weight_decay)
            self._move(weights, grads, kept, lr)

    @abstractmethod
    def _move(self, weights: Tensor, grads: Tensor, kept: Sequence[Tensor], lr: float) -> None:
        """A part of the weights, with the same part of the vectors that are kept, in the order of KEPT."""

    def live(self) -> dict[str, Tensor]:
        """All that the next step depends on; no copies."""
        return {"weights": self._weights, **self._kept, "steps": torch.tensor(self._steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state: the weights that are views of ours follow."""
        for name, part in {"weights": self._weights, **self._kept}.items():
            part.copy_(state[name])
        self._steps = int(state["steps"])


class FlatAdagrad(FlatOptimizer):
    """Adagrad (Duchi et al. 2011): one accumulator a weight. Equal to torch.optim.Adagrad."""

    KEPT = ("squares",)

    def _move(self, weights: Tensor, grads: Tensor, kept: Sequence[Tensor], lr: float) -> None:
        (squares,) = kept
        squares.addcmul_(grads, grads)
        weights.addcdiv_(grads, squares.sqrt().add_(EPS), value=-lr)


class FlatSgd(FlatOptimizer):
    """Gradient descent with momentum (MOMENTUM). Equal to torch.optim.SGD."""

    KEPT = ("momenta",)

    def _move(self, weights: Tensor, grads: Tensor, kept: Sequence[Tensor], lr: float) -> None:
        (momenta,) = kept
        momenta.mul_(MOMENTUM).add_(grads)
        weights.add_(momenta, alpha=-lr)
