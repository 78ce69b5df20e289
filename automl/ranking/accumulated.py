"""Gradients of several batches that make one step: the mean over their rows.

E dimension, P rows of the table that a batch asks for.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Accumulated:
    """Takes the gradients of one batch after the other; `grads` is where those of the dense weights are written to."""

    def __init__(self, grads: Tensor) -> None:
        self._grads, self._sum = grads, torch.zeros_like(grads)
        self._rows: list[Tensor] = []
        self._of_rows: list[Tensor] = []

    def __bool__(self) -> bool:
        """Whether there are gradients that no step was made with."""
        return bool(self._rows)

    def add(self, rows_P: Tensor, grad_PE: Tensor, share: float) -> None:
        """A batch that has such a share of the step's rows; what is in `grads` is its own."""
        self._sum.add_(self._grads, alpha=share)
        self._rows.append(rows_P)
        self._of_rows.append(grad_PE.mul_(share))

    def take(self) -> tuple[Tensor, Tensor]:
        """Rows of the table and their gradients, of all batches; those of the dense weights are in `grads`."""
        self._grads.copy_(self._sum)
        self._sum.zero_()
        taken = torch.cat(self._rows), torch.cat(self._of_rows)
        self._rows.clear()
        self._of_rows.clear()
        return taken
