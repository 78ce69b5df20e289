"""A student that also learns from a teacher's predictions, through heads that are never served.

External distillation, auxiliary head and student adapter: arXiv 2502.17494. All gradients of the heads are in closed
form, so that a step costs little more than one without a teacher:

    L_label     = BCE(serve(x), y)
    L_auxiliary = BCE(head(scale(x)), min(alpha * p, 1))        one head for each task of the teacher
    L_adapter   = BCE(head(scale(x)), sigmoid(a)),  a = adapter(logit p), trained on L = BCE(sigmoid(a), y) alone
    plain       = BCE(serve(x), p) on the serving head itself; calibrated: sigmoid(a) in place of p

scale() is the identity, and beta on the way back. Every loss of the teacher has a weight by row, 0 where it is silent;
`averaged` divides a row's losses by 1 + beta * the sum of its weights. B batch, C rows of a chunk, W width of the top,
T tasks of the teacher, H losses of the teacher.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from automl.ranking.adapter import Adapter, basis_of
from automl.ranking.batches import Batch, Chunk, Targets
from automl.ranking.losses import Loss, label_gradient, linear_backward
from automl.ranking.place import generator, module_to, put, where
from search_spaces.model import Distill

SURE = 40.0  # a logit beyond this is as good as 0 or 1, and its square must not be infinite
_ADAPTER = "adapter."


class TeacherLoss(Loss):
    """What a student of one label learns by from a teacher of `tasks` labels, of which `own` is its own.

    Only for a `distill` with heads: without, it is LabelLoss. A chunk without a lesson teaches by its labels alone.
    """

    def __init__(self, distill: Distill, head: nn.Linear, *, tasks: int, own: int, seed: int) -> None:
        self._distill, self._own = distill, own
        self.adapter = Adapter(distill.adapter_width, distill.adapter_lr, seed) if _has_adapter(distill) else None
        self._fed = put(np.array(_fed_tasks(distill, tasks, own), np.int64))
        heads = len(self._fed) + (self.adapter is not None) if distill.heads in ("auxiliary", "both", "adapter") else 0
        self.heads = nn.Linear(head.in_features, heads) if heads else None
        if self.heads is not None:
            with torch.no_grad():  # as the serving head starts, so that no draw of the model's own is moved
                nn.init.normal_(self.heads.weight, 0.0, heads_std(head), generator=generator(seed))
                nn.init.zeros_(self.heads.bias)
            module_to(self.heads, where(head.weight))

    def parameters(self) -> list[nn.Parameter]:
        return [] if self.heads is None else list(self.heads.parameters())

    def targets(self, chunk: Chunk, bounds: Sequence[int]) -> Targets | None:
        """None where there is no lesson. The adapter, which no student moves, goes through the batches here."""
        if chunk.lesson is None:
            return None
        distill, lesson = self._distill, chunk.lesson
        own_C = lesson.logits_CT[:, self._own]
        fed_CH = lesson.logits_CT.index_select(1, self._fed)
        asked_CH = fed_CH if self.adapter is None else torch.cat([fed_CH, own_C.unsqueeze(1)], 1)
        weights_CH = torch.isfinite(asked_CH).float().mul_(distill.weight)
        if distill.half_life_hours > 0:
            fresh_C = torch.exp2(-lesson.age_hours_C / distill.half_life_hours).nan_to_num_(0.0)
            weights_CH.mul_(fresh_C.unsqueeze(1))
        share_C = None
        if distill.averaged:
            share_C = weights_CH.sum(1).mul_(distill.beta).add_(1.0).reciprocal_()
            weights_CH.mul_(share_C.unsqueeze(1))
        targets_CH = fed_CH.nan_to_num(0.0, 0.0, 0.0).sigmoid_()
        if distill.alpha != 1.0:
            targets_CH.mul_(distill.alpha).clamp_(max=1.0)
        if self.adapter is not None:
            adapted_C = _adapted(self.adapter, own_C, chunk, bounds)
            targets_CH = torch.cat([targets_CH, adapted_C.unsqueeze(1)], 1)
        return Targets(targets_CH, weights_CH, share_C)

    def backward(self, head: nn.Linear, x_BW: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        seen_B = nn.functional.linear(x_BW, head.weight, head.bias).squeeze(1)
        grad_B = label_gradient(seen_B, batch)
        below_BW = None if batch.targets is None else self._teach(x_BW, seen_B, batch, batch.targets, grad_B)
        grad_BW = linear_backward(head, x_BW, grad_B.unsqueeze(1))
        return seen_B, grad_BW if below_BW is None else grad_BW.add_(below_BW)

    def _teach(self, x_BW: Tensor, seen_B: Tensor, batch: Batch, targets: Targets, grad_B: Tensor) -> Tensor | None:
        """Add the teacher's part of the gradient: to the serving head's (plain), or to the heads', returned for x."""
        if targets.share_B is not None:
            grad_B.mul_(targets.share_B)
        heads = self.heads
        z_BH = seen_B.unsqueeze(1) if heads is None else nn.functional.linear(x_BW, heads.weight, heads.bias)
        grad_BH = z_BH.sigmoid().sub_(targets.targets_BH).mul_(targets.weights_BH).div_(len(batch))
        if batch.weights_B is not None:
            grad_BH.mul_(batch.weights_B.unsqueeze(1))
        if heads is None:
            grad_B.add_(grad_BH.squeeze(1))
            return None
        below_BW = linear_backward(heads, x_BW, grad_BH)
        return below_BW if self._distill.beta == 1.0 else below_BW.mul_(self._distill.beta)

    def state(self) -> dict[str, Tensor]:
        return {} if self.adapter is None else {_ADAPTER + name: part for name, part in self.adapter.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        if self.adapter is not None:
            self.adapter.restore({name.removeprefix(_ADAPTER): part for name, part in state.items()})


def _adapted(adapter: Adapter, own_C: Tensor, chunk: Chunk, bounds: Sequence[int]) -> Tensor:
    """What the adapter makes of each batch once it has learnt it; 0 for a logit where the teacher is silent."""
    basis_2C = basis_of(own_C.nan_to_num(0.0, 0.0, 0.0).clamp_(-SURE, SURE))
    known_C = torch.isfinite(own_C).float()
    if chunk.weights_C is not None:
        known_C.mul_(chunk.weights_C)
    parts = [adapter.step(basis_2C[:, a:b], chunk.labels[a:b], known_C[a:b]) for a, b in pairwise(bounds)]
    return torch.cat(parts).sigmoid_()


def heads_std(head: nn.Linear) -> float:
    """Standard deviation of a fresh linear layer's weights (nn.Linear: uniform within 1 / sqrt(W))."""
    return 1.0 / math.sqrt(3 * head.in_features)


def _has_adapter(distill: Distill) -> bool:
    return distill.heads in ("calibrated", "adapter", "both")


def _fed_tasks(distill: Distill, tasks: int, own: int) -> list[int]:
    """Tasks whose predictions are targets as they are."""
    if distill.heads not in ("plain", "auxiliary", "both"):
        return []
    return list(range(tasks)) if distill.tasks == "all" else [own]
