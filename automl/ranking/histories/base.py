"""What all that reads histories has in common: events as vectors, and sums over the events of a row.

B rows, L events of a batch, E dimension, F id fields, n fields of a sequence feature. A row without events is read as 0
or, where it has a token of its own, by that alone: no weight is ever given to a place that holds no event.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.ranking.lists import Events
from automl.ranking.place import numbered
from search_spaces.history import GAPS, EventsSpec
from search_spaces.inputs import HistoryShape


class Reader(nn.Module, ABC):
    """The fields of a sequence feature, with weights of its own. Adds to an event what is known of it beside its id."""

    def __init__(self, spec: EventsSpec, shape: HistoryShape, dim: int, ids: int) -> None:
        super().__init__()
        gaps = GAPS if spec.gaps and shape.timed else 0
        self.gap = nn.Parameter(torch.zeros(gaps, dim)) if gaps else None
        self.action = nn.Parameter(torch.zeros(1 << shape.actions, dim)) if shape.actions else None

    def forward(self, events: Events, ids_LE: Tensor, target_BE: Tensor, ids_BFE: Tensor) -> Tensor:
        """(B, n, E) of the embeddings of the events' ids, of what is ranked, and of all ids of the rows."""
        told_LE = ids_LE
        for table, kinds_L in ((self.gap, events.gaps_L), (self.action, events.actions_L)):
            if table is not None and kinds_L is not None:
                told_LE = told_LE + functional.embedding(kinds_L, table)
        return self.fields(events, told_LE, target_BE, ids_BFE)

    @abstractmethod
    def fields(self, events: Events, told_LE: Tensor, target_BE: Tensor, ids_BFE: Tensor) -> Tensor:
        """(B, n, E) of events as vectors, of what is ranked, and of all ids of the rows."""


class OneField(Reader):
    """What makes one field, of the events and what is ranked alone."""

    def fields(self, events: Events, told_LE: Tensor, target_BE: Tensor, ids_BFE: Tensor) -> Tensor:
        return self.pooled(events, told_LE, target_BE).unsqueeze(1)

    @abstractmethod
    def pooled(self, events: Events, told_LE: Tensor, target_BE: Tensor) -> Tensor:
        """(B, E) of events as vectors and of what is ranked."""


def sum_over(events: Events, x_LE: Tensor) -> Tensor:
    """(B, E): the sum over the events of each row."""
    return _Sum.apply(x_LE, events.row_L, events.starts_B1)  # type: ignore[no-any-return, no-untyped-call]


def spread(events: Events, x_BE: Tensor) -> Tensor:
    """(L, E): to each event what its row has."""
    return _Spread.apply(x_BE, events.row_L, events.starts_B1)  # type: ignore[no-any-return, no-untyped-call]


def softmax_over(events: Events, scores_LH: Tensor) -> Tensor:
    """(L, H): weights of the events of a row, which sum to 1 over them."""
    padded_BKH = in_cells(events, scores_LH, -torch.inf)
    largest_BH = padded_BKH.amax(1).nan_to_num(neginf=0.0)
    grown_LH = (scores_LH - spread(events, largest_BH.detach())).exp()
    return grown_LH / spread(events, sum_over(events, grown_LH)).clamp(min=torch.finfo(grown_LH.dtype).tiny)


def in_cells(events: Events, x_LH: Tensor, empty: float = 0.0) -> Tensor:
    """(B, K, H): events row by row in a matrix; `empty` where there is none."""
    rows, longest = events.there_BK.shape
    cells = x_LH.new_full((rows * longest + 1, x_LH.shape[1]), empty)  # the last is for what is of no list
    return cells.index_copy(0, events.place_L, x_LH)[:-1].view(rows, longest, -1)


def _sums(x_LE: Tensor, starts_B1: Tensor) -> Tensor:
    every_L = numbered(x_LE.shape[0], starts_B1)
    return functional.embedding_bag(every_L, x_LE, starts_B1, mode="sum", include_last_offset=True)


class _Sum(torch.autograd.Function):
    """The sum over the events of a row; autograd's own backward of it makes a matrix of counts."""

    @staticmethod
    def forward(ctx: Any, x_LE: Tensor, row_L: Tensor, starts_B1: Tensor) -> Tensor:
        ctx.save_for_backward(row_L)
        return _sums(x_LE, starts_B1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (row_L,) = ctx.saved_tensors
        return grads[0].index_select(0, row_L), None, None


class _Spread(torch.autograd.Function):
    """A row for each of its events; the backward is a sum over neighbours and no scatter."""

    @staticmethod
    def forward(ctx: Any, x_BE: Tensor, row_L: Tensor, starts_B1: Tensor) -> Tensor:
        ctx.save_for_backward(starts_B1)
        return x_BE.index_select(0, row_L)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (starts_B1,) = ctx.saved_tensors
        return _sums(grads[0].contiguous(), starts_B1), None, None
