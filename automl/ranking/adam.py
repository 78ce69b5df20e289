"""Adam with decoupled weight decay (arXiv 1711.05101) over all dense weights as one flat vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from automl.ranking.flat import EPS, FlatOptimizer

BETAS = (0.9, 0.999)


class FlatAdam(FlatOptimizer):
    """Seven passes a step. Equal to torch.optim.AdamW; on small models a tenth of its time."""

    KEPT = ("means", "squares")

    def _move(self, weights: Tensor, grads: Tensor, kept: Sequence[Tensor], lr: float) -> None:
        (means, squares), (beta1, beta2) = kept, BETAS
        scale = math.sqrt(1.0 - beta2**self._steps)
        rate = lr * scale / (1.0 - beta1**self._steps)
        means.lerp_(grads, 1.0 - beta1)
        squares.mul_(beta2).addcmul_(grads, grads, value=1.0 - beta2)
        weights.addcdiv_(means, squares.sqrt().add_(EPS * scale), value=-rate)
