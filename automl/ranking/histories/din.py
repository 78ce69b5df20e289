"""Target attention (DIN): events are weighed by what is ranked. B rows, L events, E dimension, U units, k nearest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.histories.base import OneField, in_cells, softmax_over, spread, sum_over
from automl.ranking.lists import Events
from search_spaces.history import DinHistory
from search_spaces.inputs import HistoryShape


class DinReader(OneField):
    """The first map of [t, h, t * h] is split: what it makes of the target is made once a row."""

    def __init__(self, spec: DinHistory, shape: HistoryShape, dim: int, ids: int) -> None:
        super().__init__(spec, shape, dim, ids)
        self.softmax, self.nearest = spec.softmax, min(spec.nearest, spec.length, shape.most)
        self.of_target = nn.Linear(dim, spec.units, bias=False)
        self.of_event = nn.Linear(2 * dim, spec.units)
        self.second = nn.Linear(spec.units, spec.units // 2)
        self.weight = nn.Linear(spec.units // 2, 1)

    def pooled(self, events: Events, told_LE: Tensor, target_BE: Tensor) -> Tensor:
        if self.nearest:
            return self._of_nearest(events, told_LE, target_BE)
        scores_L1 = self._scores(told_LE, spread(events, target_BE), spread(events, self.of_target(target_BE)))
        weights_L1 = softmax_over(events, scores_L1) if self.softmax else scores_L1
        return sum_over(events, weights_L1 * told_LE)

    def _scores(self, told: Tensor, target: Tensor, of_target: Tensor) -> Tensor:
        """(.., 1) of events (.., E), each with the target beside it and what is made of that."""
        hidden = nn.functional.silu(self.of_event(torch.cat([told, told * target], -1)) + of_target)
        scores: Tensor = self.weight(nn.functional.silu(self.second(hidden)))
        return scores

    def _of_nearest(self, events: Events, told_LE: Tensor, target_BE: Tensor) -> Tensor:
        """Of the events whose product with the target is largest; ties go to the latest."""
        if told_LE.shape[0] == 0:
            return torch.zeros_like(target_BE)
        with torch.no_grad():
            likeness_L1 = (told_LE * target_BE.index_select(0, events.row_L)).sum(1, keepdim=True)
            cells_BK = in_cells(events, likeness_L1, -torch.inf).squeeze(2)
            none_Bk = cells_BK.new_full((cells_BK.shape[0], self.nearest), -torch.inf)
            found_Bk = torch.cat([cells_BK, none_Bk], 1).topk(
                self.nearest, 1
            )  # of any batch, as an exported graph asks
            there_Bk1 = found_Bk.values.isfinite().unsqueeze(2)
            from_Bk = (events.starts_B1[:-1].unsqueeze(1) + found_Bk.indices).clamp(max=told_LE.shape[0] - 1)
        told_BkE = told_LE.index_select(0, from_Bk.flatten()).view(*from_Bk.shape, -1)
        target_B1E, of_target_B1U = target_BE.unsqueeze(1), self.of_target(target_BE).unsqueeze(1)
        scores_Bk1 = self._scores(told_BkE, target_B1E.expand_as(told_BkE), of_target_B1U)
        if self.softmax:
            scores_Bk1 = scores_Bk1.masked_fill(~there_Bk1, -torch.inf).softmax(1)
        return (scores_Bk1.masked_fill(~there_Bk1, 0.0) * told_BkE).sum(1)
