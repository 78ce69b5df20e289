"""Histories as one vector, whatever is ranked. B rows, L events, E dimension, H heads."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from automl.ranking.histories.base import OneField, softmax_over, sum_over
from automl.ranking.lists import Events
from search_spaces.history import AttentionHistory, MeanHistory
from search_spaces.inputs import HistoryShape


class MeanReader(OneField):
    """The mean of the events."""

    def __init__(self, spec: MeanHistory, shape: HistoryShape, dim: int, ids: int) -> None:
        super().__init__(spec, shape, dim, ids)

    def pooled(self, events: Events, told_LE: Tensor, target_BE: Tensor) -> Tensor:
        return sum_over(events, told_LE) / events.count_B.clamp(min=1).unsqueeze(1)


class AttentionReader(OneField):
    """Heads weigh the events, each by a query of its own; what they hear is mapped back to E."""

    def __init__(self, spec: AttentionHistory, shape: HistoryShape, dim: int, ids: int) -> None:
        super().__init__(spec, shape, dim, ids)
        self.query = nn.Parameter(torch.randn(spec.heads, dim) / math.sqrt(dim))
        self.back = nn.Linear(spec.heads * dim, dim)

    def pooled(self, events: Events, told_LE: Tensor, target_BE: Tensor) -> Tensor:
        weights_LH = softmax_over(events, nn.functional.linear(told_LE, self.query))
        weighed_LHE = weights_LH.unsqueeze(2) * told_LE.unsqueeze(1)
        out_BE: Tensor = self.back(sum_over(events, weighed_LHE.flatten(1)))
        return out_BE
