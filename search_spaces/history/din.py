"""Target attention of the deep interest network (DIN, arXiv 1706.06978), long lists cut by target first (SIM, ETA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, Cost, elementwise_cost, linear_cost
from search_spaces.history.base import EventsSpec, Lengths, mapped_cost, times
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class DinHistory(EventsSpec):
    """sum_j a_j h_j with a_j = MLP([t, h_j, t - h_j, t * h_j]) and t the embedding of what is ranked; of an empty list
    0. The difference adds nothing to what a linear map has of its two terms: it is not made.

    Two hidden layers of SiLU, `units` and half of them. No softmax, as in the paper, unless `softmax`.
    """

    name: ClassVar[str] = "din"
    module: ClassVar[str] = "automl.ranking.histories.din:DinReader"
    units: int = knob(32, ge=2, le=1024, doc="hidden units of the attention, and half as many behind them", widens=True)
    softmax: bool = knob(False, doc="whether the weights of a list sum to 1")
    nearest: int = knob(0, ge=0, le=4096, doc="events that are weighed, those most like the target; 0: all")

    def reading_cost(self, lengths: Lengths, dim: int, ids: int) -> Cost:
        searched, mean = Cost(), lengths.mean
        if self.nearest:  # one product with the target each, then as many as the longest list has, at most
            searched = Cost(flops=times(2 * mean, dim), bytes=FLOAT_BYTES * times(mean, dim))
            mean = float(min(self.nearest, lengths.most))
        half = self.units // 2
        of_target = linear_cost(dim, self.units, bias=False)
        of_event = mapped_cost(mean, 2 * dim, self.units) + mapped_cost(mean, self.units, half)
        weight = mapped_cost(mean, half, 1)
        beside = elementwise_cost(times(mean, 3 * dim + 2 * self.units + half) + dim)
        return searched + of_target + of_event + weight + beside
