"""Histories as one vector, whatever is ranked: nothing, the mean, or a mean by weights that are learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import Cost, elementwise_cost, linear_cost
from search_spaces.history.base import EventsSpec, HistorySpec, Lengths, mapped_cost, times
from search_spaces.inputs import HistoryShape
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class NoHistory(HistorySpec):
    """The history is not read."""

    name: ClassVar[str] = "none"
    fields: ClassVar[int] = 0

    def cost(self, shape: HistoryShape, dim: int, ids: int) -> Cost:
        return Cost()


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanHistory(EventsSpec):
    """The mean of the events; of an empty list 0."""

    name: ClassVar[str] = "mean"
    module: ClassVar[str] = "automl.ranking.histories.pooled:MeanReader"

    def reading_cost(self, lengths: Lengths, dim: int, ids: int) -> Cost:
        return elementwise_cost(2 * dim)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionHistory(EventsSpec):
    """Attention pooling: a softmax over the events for each head, by a query that is learned; heads are mapped to E."""

    name: ClassVar[str] = "attention"
    module: ClassVar[str] = "automl.ranking.histories.pooled:AttentionReader"
    heads: int = knob(2, ge=1, le=64, doc="queries, each of which weighs the events anew")

    def reading_cost(self, lengths: Lengths, dim: int, ids: int) -> Cost:
        weighed = elementwise_cost(times(lengths.mean, self.heads * (2 + dim)) + self.heads * dim)
        asked = mapped_cost(lengths.mean, dim, self.heads, bias=False)
        return asked + weighed + linear_cost(self.heads * dim, dim)
