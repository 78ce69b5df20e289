"""Optimizers of the embedding table, without autograd: a step works on the rows that a batch touched, and no others.

B batch, E dimension, R rows of the whole table, P rows that a batch asks for, U distinct ones among them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from automl.ranking.adam import BETAS
from automl.ranking.averaging import TailMean
from automl.ranking.embedding import FusedEmbedding
from automl.ranking.flat import EPS
from automl.ranking.place import distinct_rows, write_rows, zeros_as_written


class RowOptimizer(ABC):
    """A row that occurs several times in a batch takes one step with the sum of its gradients, as a dense optimizer
    would. Weight decay is L2 on the rows that are touched.
    """

    def __init__(self, table: FusedEmbedding, weight_decay: float = 0.0) -> None:
        self._weight_RE, self._weight_decay = table.weight_RE, weight_decay
        self._distinct = distinct_rows(table.weight_RE)
        self._kept: dict[str, Tensor] = {}

    def step(self, rows_P: Tensor, grad_PE: Tensor, lr: float, tail: TailMean | None = None) -> None:
        """Change the rows that the batch touched; grad_PE is the gradient of what was gathered. `tail` is told."""
        rows_U, grad_UE = self._distinct.sum(rows_P, grad_PE)
        weight_UE = self._weight_RE.index_select(0, rows_U)
        if self._weight_decay:
            grad_UE.add_(weight_UE, alpha=self._weight_decay)
        before_UE = weight_UE if tail is None else weight_UE.clone()
        self._move(weight_UE, grad_UE, rows_U, lr)
        if tail is not None:
            tail.moved(rows_U, before_UE, weight_UE)
        write_rows(self._weight_RE, rows_U, weight_UE)

    @abstractmethod
    def _move(self, weight_UE: Tensor, grad_UE: Tensor, rows_U: Tensor, lr: float) -> None:
        """Change copies of the rows along their gradients, which are not needed any more."""

    def live(self) -> dict[str, Tensor]:
        """All that the next step depends on but the table; no copies."""
        return dict(self._kept)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state, which may hold more."""
        for name, part in self._kept.items():
            part.copy_(state[name])


class RowwiseAdagrad(RowOptimizer):
    """Adagrad with one accumulator a row: the sum of its gradients' mean squares, over the steps that touched it."""

    def __init__(self, table: FusedEmbedding, weight_decay: float = 0.0) -> None:
        super().__init__(table, weight_decay)
        self._sums_R1 = table.weight_RE.new_zeros(table.weight_RE.shape[0], 1)
        self._kept = {"sums": self._sums_R1}

    def _move(self, weight_UE: Tensor, grad_UE: Tensor, rows_U: Tensor, lr: float) -> None:
        sums_U1 = self._sums_R1.index_select(0, rows_U)
        sums_U1.add_(grad_UE.square().mean(1, keepdim=True))
        self._sums_R1.index_copy_(0, rows_U, sums_U1)
        weight_UE.addcdiv_(grad_UE, sums_U1.sqrt_().add_(EPS), value=-lr)


class RowAdagrad(RowOptimizer):
    """Adagrad with one accumulator a number. Equal to torch.optim.Adagrad on sparse gradients."""

    def __init__(self, table: FusedEmbedding, weight_decay: float = 0.0) -> None:
        super().__init__(table, weight_decay)
        self._sums_RE = zeros_as_written(table.weight_RE)
        self._kept = {"row_sums": self._sums_RE}

    def _move(self, weight_UE: Tensor, grad_UE: Tensor, rows_U: Tensor, lr: float) -> None:
        sums_UE = self._sums_RE.index_select(0, rows_U).addcmul_(grad_UE, grad_UE)
        write_rows(self._sums_RE, rows_U, sums_UE)
        weight_UE.addcdiv_(grad_UE, sums_UE.sqrt_().add_(EPS), value=-lr)


class LazyAdam(RowOptimizer):
    """Adam whose moments decay only where a step touches the row; its bias goes by all steps. Equal to
    torch.optim.SparseAdam.
    """

    def __init__(self, table: FusedEmbedding, weight_decay: float = 0.0) -> None:
        super().__init__(table, weight_decay)
        self._means_RE, self._squares_RE = zeros_as_written(table.weight_RE), zeros_as_written(table.weight_RE)
        self._kept = {"row_means": self._means_RE, "row_squares": self._squares_RE}
        self._steps = 0

    def _move(self, weight_UE: Tensor, grad_UE: Tensor, rows_U: Tensor, lr: float) -> None:
        self._steps += 1
        beta1, beta2 = BETAS
        rate = lr * math.sqrt(1.0 - beta2**self._steps) / (1.0 - beta1**self._steps)
        means_UE = self._means_RE.index_select(0, rows_U).lerp_(grad_UE, 1.0 - beta1)
        squares_UE = self._squares_RE.index_select(0, rows_U).lerp_(grad_UE.square_(), 1.0 - beta2)
        write_rows(self._means_RE, rows_U, means_UE)
        write_rows(self._squares_RE, rows_U, squares_UE)
        weight_UE.addcdiv_(means_UE, squares_UE.sqrt_().add_(EPS), value=-rate)

    def live(self) -> dict[str, Tensor]:
        return {**super().live(), "row_steps": torch.tensor(self._steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        super().restore(state)
        self._steps = int(state["row_steps"])


class RowSgd(RowOptimizer):
    """Plain gradient descent; nothing is kept. Equal to torch.optim.SGD on sparse gradients."""

    def _move(self, weight_UE: Tensor, grad_UE: Tensor, rows_U: Tensor, lr: float) -> None:
        weight_UE.add_(grad_UE, alpha=-lr)
