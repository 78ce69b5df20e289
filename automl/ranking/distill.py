"""A student that also learns from a teacher's predictions, through heads that are never served.

External distillation, auxiliary head and student adapter: arXiv 2502.17494. All gradients of the heads are in closed
form, so that a step costs little more than one without a teacher:

    L_label     = BCE(serve(x), y)
    L_auxiliary = BCE(head(scale(x)), min(alpha * p, 1))        one head for each task of the teacher
    L_adapter   = BCE(head(scale(x)), sigmoid(a)),  a = adapter(logit p), trained on L = BCE(sigmoid(a), y) alone
    plain       = BCE(serve(x), p) on the serving head itself; calibrated: sigmoid(a) in place of p

scale() is the identity, and beta on the way back. Every loss of the teacher has a weight by row, 0 where it is silent;
`averaged` divides a row's losses by 1 + beta * the sum of its weights. B batch, N rows, F id fields, D dense features,
W width of the top, T tasks of the teacher, H losses of the teacher.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from automl.ranking.adam import FlatAdam
from automl.ranking.adapter import Adapter, basis_of
from automl.ranking.embedding import RowwiseAdagrad
from automl.ranking.model import RankingModel
from search_spaces.model import Distill, ModelSpec

SURE = 40.0  # a logit beyond this is as good as 0 or 1, and its square must not be infinite


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a teacher says of rows: logits (NaN: nothing), and its age in hours when it said so."""

    logits_BT: Tensor
    age_hours_B: Tensor


@dataclass(frozen=True, slots=True)
class Targets:
    """A lesson as a student takes it, so that a batch of it is a few slices."""

    targets_NH: Tensor  # probabilities that the losses aim at; the adapter's last
    weights_NH: Tensor  # of the losses, over the divisor of `averaged`
    share_N: Tensor | None  # of the label's loss: one over that divisor

    def part(self, first: int, last: int) -> Targets:
        share_N = None if self.share_N is None else self.share_N[first:last]
        return Targets(self.targets_NH[first:last], self.weights_NH[first:last], share_N)


class StudentStepper:
    """Both optimizers of a model and what it takes to learn from a teacher; `own` is the label's task."""

    def __init__(self, model: RankingModel, spec: ModelSpec, *, tasks: int, own: int, seed: int) -> None:
        distill = spec.distill or Distill(heads="none")
        self._model, self._spec, self._distill, self._own = model, spec, distill, own
        self._adagrad = RowwiseAdagrad(model.table, spec.embedding.weight_decay)
        self.adapter = Adapter(distill.adapter_width, distill.adapter_lr, seed) if _has_adapter(distill) else None
        self._fed = torch.tensor(_fed_tasks(distill, tasks, own), dtype=torch.int64)
        heads = len(self._fed) + (self.adapter is not None) if distill.heads in ("auxiliary", "both", "adapter") else 0
        self.heads = nn.Linear(model.head.in_features, heads) if heads else None
        if self.heads is not None:
            with torch.no_grad():  # as the serving head starts, so that no draw of the model's own is moved
                nn.init.normal_(self.heads.weight, 0.0, heads_std(model), generator=torch.Generator().manual_seed(seed))
                nn.init.zeros_(self.heads.bias)
        extra = [] if self.heads is None else list(self.heads.parameters())
        self._adam = FlatAdam([*model.parameters(), *extra], spec.train.weight_decay)

    def targets(
        self, lesson: Lesson, labels_N: Tensor, weights_N: Tensor | None, bounds: Sequence[int]
    ) -> Targets | None:
        """Make a lesson ready for the batches between these bounds; None where this student does not listen.

        To be called once, before they are learnt: the adapter, which no student moves, goes through them here.
        """
        distill = self._distill
        if distill.heads == "none":
            return None
        own_N = lesson.logits_BT[:, self._own]
        fed_NH = lesson.logits_BT.index_select(1, self._fed)
        asked_NH = fed_NH if self.adapter is None else torch.cat([fed_NH, own_N.unsqueeze(1)], 1)
        weights_NH = torch.isfinite(asked_NH).float().mul_(distill.weight)
        if distill.half_life_hours > 0:
            fresh_N = torch.exp2(-lesson.age_hours_B / distill.half_life_hours).nan_to_num_(0.0)
            weights_NH.mul_(fresh_N.unsqueeze(1))
        share_N = None
        if distill.averaged:
            share_N = weights_NH.sum(1).mul_(distill.beta).add_(1.0).reciprocal_()
            weights_NH.mul_(share_N.unsqueeze(1))
        targets_NH = fed_NH.nan_to_num(0.0, 0.0, 0.0).sigmoid_()
        if distill.alpha != 1.0:
            targets_NH.mul_(distill.alpha).clamp_(max=1.0)
        if self.adapter is not None:
            adapted_N = _adapted(self.adapter, own_N, labels_N, weights_N, bounds)
            targets_NH = torch.cat([targets_NH, adapted_N.unsqueeze(1)], 1)
        return Targets(targets_NH, weights_NH, share_N)

    def step(
        self,
        rows_BF: Tensor,
        dense_BD: Tensor,
        labels_B: Tensor,
        weights_B: Tensor | None,
        factor: float,
        targets: Targets | None = None,
    ) -> Tensor:
        """Learn from a batch at `factor` of both learning rates; the logits (B,) are from before."""
        head = self._model.head
        embedded_BFE = self._model.table.gather(rows_BF).requires_grad_()
        x_BW = self._model.top(embedded_BFE, dense_BD)
        self._adam.zero_grad()
        with torch.no_grad():
            seen_B: Tensor = nn.functional.linear(x_BW, head.weight, head.bias).squeeze(1)
            grad_B = seen_B.sigmoid().sub_(labels_B).div_(len(labels_B))
            if weights_B is not None:
                grad_B.mul_(weights_B)
            below_BW = None
            if targets is not None:
                below_BW = self._learn(x_BW, seen_B, weights_B, grad_B, targets)
            grad_BW = _linear_backward(head, x_BW, grad_B.unsqueeze(1))
            if below_BW is not None:
                grad_BW.add_(below_BW)
        torch.autograd.backward(x_BW, grad_BW)
        self._adam.step(self._spec.train.dense_lr * factor)
        assert embedded_BFE.grad is not None
        self._adagrad.step(rows_BF, embedded_BFE.grad, self._spec.embedding.lr * factor)
        return seen_B

    def _learn(
        self,
        x_BW: Tensor,
        seen_B: Tensor,
        weights_B: Tensor | None,
        grad_B: Tensor,
        targets: Targets,
    ) -> Tensor | None:
        """Add the teacher's part of the gradient: to the serving head (plain), or to the heads, returned for x."""
        if targets.share_N is not None:
            grad_B.mul_(targets.share_N)
        heads = self.heads
        z_BH = seen_B.unsqueeze(1) if heads is None else nn.functional.linear(x_BW, heads.weight, heads.bias)
        grad_BH = z_BH.sigmoid().sub_(targets.targets_NH).mul_(targets.weights_NH).div_(len(seen_B))
        if weights_B is not None:
            grad_BH.mul_(weights_B.unsqueeze(1))
        if heads is None:
            grad_B.add_(grad_BH.squeeze(1))
            return None
        below_BW = _linear_backward(heads, x_BW, grad_BH)
        return below_BW if self._distill.beta == 1.0 else below_BW.mul_(self._distill.beta)


def _linear_backward(layer: nn.Linear, x_BW: Tensor, grad_BH: Tensor) -> Tensor:
    """Write the gradients of a layer to where they are kept; returns that of x. Bit for bit as autograd does it."""
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    torch.mm(grad_BH.t(), x_BW, out=layer.weight.grad)
    torch.sum(grad_BH, 0, out=layer.bias.grad)
    return torch.mm(grad_BH, layer.weight)


def _adapted(
    adapter: Adapter, own_N: Tensor, labels_N: Tensor, weights_N: Tensor | None, bounds: Sequence[int]
) -> Tensor:
    """What the adapter makes of each batch once it has learnt it; 0 for a logit where the teacher is silent."""
    basis_2N = basis_of(own_N.nan_to_num(0.0, 0.0, 0.0).clamp_(-SURE, SURE))
    known_N = torch.isfinite(own_N).float()
    if weights_N is not None:
        known_N.mul_(weights_N)
    parts = [adapter.step(basis_2N[:, a:b], labels_N[a:b], known_N[a:b]) for a, b in pairwise(bounds)]
    return torch.cat(parts).sigmoid_()


def heads_std(model: RankingModel) -> float:
    """Standard deviation of a fresh linear layer's weights (nn.Linear: uniform within 1 / sqrt(W))."""
    return 1.0 / math.sqrt(3 * model.head.in_features)


def _has_adapter(distill: Distill) -> bool:
    return distill.heads in ("calibrated", "adapter", "both")


def _fed_tasks(distill: Distill, tasks: int, own: int) -> list[int]:
    """Tasks whose predictions are targets as they are."""
    if distill.heads not in ("plain", "auxiliary", "both"):
        return []
    return list(range(tasks)) if distill.tasks == "all" else [own]
