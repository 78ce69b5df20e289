"""One step of a model with several labels at once: a shared bottom, one row of the head a task.

B batch, F id fields, D dense features, T tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from automl.ranking.adam import FlatAdam
from automl.ranking.embedding import RowwiseAdagrad
from automl.ranking.model import RankingModel
from search_spaces.model import ModelSpec


class TaskStepper:
    """Both optimizers of a model of T tasks: Adam on the dense weights, row-wise Adagrad on the table.

    The loss is the sum over the tasks of their mean cross entropy over the batch. A label that is NaN is not defined
    (or has not arrived) and teaches nothing.
    """

    def __init__(self, model: RankingModel, spec: ModelSpec) -> None:
        self._model, self._spec = model, spec
        self._adagrad = RowwiseAdagrad(model.table, spec.embedding.weight_decay)
        self._adam = FlatAdam(model.parameters(), spec.train.weight_decay)

    def step(self, rows_BF: Tensor, dense_BD: Tensor, labels_BT: Tensor, factor: float = 1.0) -> Tensor:
        """Learn from a batch at `factor` of both learning rates; the logits (B, T) are from before."""
        embedded_BFE = self._model.table.gather(rows_BF).requires_grad_()
        logits_BT = self._model.head(self._model.top(embedded_BFE, dense_BD))
        seen_BT: Tensor = logits_BT.detach()
        grad_BT = seen_BT.sigmoid().sub_(labels_BT).div_(len(labels_BT)).nan_to_num_(0.0)
        self._adam.zero_grad()
        torch.autograd.backward(logits_BT, grad_BT)
        self._adam.step(self._spec.train.dense_lr * factor)
        assert embedded_BFE.grad is not None
        self._adagrad.step(rows_BF, embedded_BFE.grad, self._spec.embedding.lr * factor)
        return seen_BT

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on but dropout's noise; copies."""
        buffers = {f"buffer.{name}": value.clone() for name, value in self._model.named_buffers()}  # the table is one
        return {"sums": self._adagrad.sums_R1.clone(), **self._adam.state(), **buffers}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self._adagrad.sums_R1.copy_(state["sums"])
        self._adam.restore(state)
        for name, value in self._model.named_buffers():
            value.copy_(state[f"buffer.{name}"])
