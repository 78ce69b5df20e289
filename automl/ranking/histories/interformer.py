"""Events that are conditioned on a summary of the row's ids, and read by it and by what is ranked (InterFormer).

The map of the events, h' = h (1 + W(S)), is linear: q . h' is (1 + W(S)) q . h, and the mean of h' by any weights is
the mean of h, mapped. So it is made of a row's few queries and of what they read, never of its events.
B rows, L events, K the longest list, E dimension, F id fields, M summaries, Q = 1 + M queries, H heads.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from automl.ranking.blocks.field_mix import FieldMix
from automl.ranking.histories.base import Reader, in_cells
from automl.ranking.lists import Events
from search_spaces.history import InterformerHistory
from search_spaces.inputs import HistoryShape


class InterformerReader(Reader):
    """Two fields: what the target read, and what the summaries read."""

    def __init__(self, spec: InterformerHistory, shape: HistoryShape, dim: int, ids: int) -> None:
        super().__init__(spec, shape, dim, ids)
        self.heads, self.dim = spec.heads, dim
        self.sum_up, self.sum_gate = FieldMix(ids, spec.summaries), nn.Linear(dim, dim)
        self.matrix = nn.Sequential(
            nn.Linear(spec.summaries * dim, spec.hidden), nn.ReLU(), nn.Linear(spec.hidden, dim * dim)
        )
        self.ask = nn.Linear(dim, spec.heads * dim, bias=False)
        self.back = nn.Linear(spec.heads * dim, dim, bias=False)
        # The mean of the heads at first: a random map of two learns nothing for thousands of rows.
        with torch.no_grad():
            self.back.weight.copy_(torch.eye(dim).repeat(1, spec.heads) / spec.heads)
        self.as_one = nn.Linear(spec.summaries * dim, dim, bias=False)
        self.gate = nn.Linear(dim, dim)

    def fields(self, events: Events, told_LE: Tensor, target_BE: Tensor, ids_BFE: Tensor) -> Tensor:
        summary_BME = _gated(self.sum_gate, self.sum_up(ids_BFE))
        matrix_BEE = self.matrix(summary_BME.flatten(1)).view(-1, self.dim, self.dim)
        query_BQE = torch.cat([target_BE.unsqueeze(1), summary_BME], 1)
        read_BQE = self._read(events, told_LE, query_BQE, matrix_BEE)
        by_target_BE, by_summary_BE = read_BQE[:, 0], self.as_one(read_BQE[:, 1:].flatten(1))
        return _gated(self.gate, torch.stack([by_target_BE, by_summary_BE], 1))

    def _read(self, events: Events, told_LE: Tensor, query_BQE: Tensor, matrix_BEE: Tensor) -> Tensor:
        """(B, Q, E): what each query hears of the conditioned events; 0 of none."""
        cells_BKE = in_cells(events, told_LE)
        asked_BAE = self.ask(query_BQE).view(-1, query_BQE.shape[1] * self.heads, self.dim)  # A = Q * H
        asked_BAE = asked_BAE + asked_BAE @ matrix_BEE.transpose(1, 2)
        scores_BAK = asked_BAE @ cells_BKE.transpose(1, 2) / math.sqrt(self.dim)
        heard_BAE = _weights(scores_BAK, events.there_BK.unsqueeze(1)) @ cells_BKE
        heard_BAE = heard_BAE + heard_BAE @ matrix_BEE
        read_BQE: Tensor = self.back(heard_BAE.view(-1, query_BQE.shape[1], self.heads * self.dim))
        return read_BQE


def _gated(gate: nn.Linear, x: Tensor) -> Tensor:
    gated: Tensor = gate(x).sigmoid() * x
    return gated


def _weights(scores: Tensor, there: Tensor) -> Tensor:
    """A softmax over the places that hold an event; 0 everywhere where none does."""
    return scores.masked_fill(~there, torch.finfo(scores.dtype).min).softmax(2) * there
