"""The torch-free half of what reads a history: its knobs, and what it costs. It makes fields of a list of events.

An event is the embedding of its id, from the table of the feature that it is an id of; what else is known of it (which
action it was, how long ago) is added to that as learned vectors. Costs are those of a row on average: lists are ragged,
and a mean over the rows of the training window is what a batch holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, Cost, elementwise_cost
from search_spaces.inputs import HistoryShape
from search_spaces.knobs import Checked, knob

GAPS = 64
"""Kinds of gaps between an event and the row: floor(2 log2(1 + seconds)), at most 63."""
MOST_EVENTS = 4096


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lists as a reader sees them: events a row on average, and the mean square; `most` is the longest."""

    mean: float
    square: float
    most: int

    @classmethod
    def of(cls, shape: HistoryShape, at_most: int, action: int) -> Lengths:
        """Of the last `at_most` events of one action, or of all (0)."""
        counts = shape.lengths[action]
        squares = sum(min(n, at_most) ** 2 * count for n, count in enumerate(counts))
        return cls(shape.mean_length(at_most, action), squares / max(sum(counts), 1), min(shape.most, at_most))


class HistorySpec(Checked, ABC):
    """One way to read a history, with its knobs. Frozen dataclasses derive from it; `name` is its word in a file."""

    __slots__ = ()
    name: ClassVar[str]
    fields: ClassVar[int] = 1
    """How many fields of X it makes of a sequence feature."""

    @abstractmethod
    def cost(self, shape: HistoryShape, dim: int, ids: int) -> Cost:
        """Weights, FLOPs and activation bytes of a row on average, which has that many id fields. Nothing of the table,
        which is the feature's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsSpec(HistorySpec):
    """What reads events: the latest ones, of one action or of all.

    `module` names the class of its torch half, "package.module:Class", which is made with (spec, shape, dim, ids).
    """

    module: ClassVar[str]
    length: int = knob(50, ge=1, le=MOST_EVENTS, doc="latest events that are read, at most")
    action: int = knob(0, ge=0, le=8, doc="0: all events; k: those of the k-th of the feature's actions")
    gaps: bool = knob(True, doc="whether how long ago an event was is added to it, where the log tells")

    def cost(self, shape: HistoryShape, dim: int, ids: int) -> Cost:
        lengths = Lengths.of(shape, self.length, self.action)
        return self.event_cost(shape, lengths, dim) + self.reading_cost(lengths, dim, ids)

    def event_cost(self, shape: HistoryShape, lengths: Lengths, dim: int) -> Cost:
        """Of the events as they are read: gathered, and what is added to them."""
        kinds = (1 << shape.actions if shape.actions else 0) + (GAPS if self.gaps and shape.timed else 0)
        added = 1 + bool(shape.actions) + (self.gaps and shape.timed)
        return elementwise_cost(times(lengths.mean, added * dim), params=kinds * dim)

    @abstractmethod
    def reading_cost(self, lengths: Lengths, dim: int, ids: int) -> Cost:
        """Of what makes fields of them."""


def times(mean: float, width: int) -> int:
    """So many numbers a row on average."""
    return round(mean * width)


def mapped_cost(mean: float, width_in: int, width_out: int, *, bias: bool = True) -> Cost:
    """A matrix product for each of a mean number of vectors a row."""
    product = width_in * width_out
    params = product + (width_out if bias else 0)
    return Cost(params, round(2 * product * mean), FLOAT_BYTES * times(mean, width_out))
