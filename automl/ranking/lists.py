"""Lists of events, ragged: those of many rows as they are kept, and those of a batch side by side as models read them.

B rows, P events of all of them, L events of a batch, K the longest list of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl.data.columns.lists import places
from automl.ranking.place import PROCESSOR, Device, moved, moved_if_any, numbered, put, where
from search_spaces.history import GAPS

_SECOND = 1e9
_AT_ONCE = 1 << 14  # rows whose events are looked up together: places and times are eight bytes an event


class Pool(Protocol):
    """The events that lists are made of; see automl/data/store/history.py."""

    @property
    def ids_P(self) -> NDArray[np.int32]: ...  # noqa: N802

    @property
    def times_P(self) -> NDArray[np.int64] | None: ...  # noqa: N802

    @property
    def actions_P(self) -> NDArray[np.uint8] | None: ...  # noqa: N802


@dataclass(frozen=True, slots=True)
class Lists:
    """Of B rows: the list of row b is `pool[stop_B[b] - count_B[b] : stop_B[b]]`, the latest event last.

    ids_P (int32) of the feature; gaps_P (uint8): kinds of gaps between an event and its row, where events have times;
    actions_P (uint8): bit k is set where the event was the k-th action, where the feature has actions.
    """

    ids_P: Tensor
    gaps_P: Tensor | None
    actions_P: Tensor | None
    stop_B: Tensor
    count_B: Tensor
    told_B: Tensor | None = None  # the counts once more, on the processor, where the lists are not

    def __len__(self) -> int:
        return len(self.count_B)

    def __getitem__(self, part: slice) -> Lists:
        """Neighbouring rows: views."""
        told_B = None if self.told_B is None else self.told_B[part]
        return replace(self, stop_B=self.stop_B[part], count_B=self.count_B[part], told_B=told_B)

    def take(self, index_B: Tensor) -> Lists:
        """Rows by number, of lists on the processor; the events stay where they are."""
        chosen = self.stop_B.index_select(0, index_B), self.count_B.index_select(0, index_B)
        return replace(self, stop_B=chosen[0], count_B=chosen[1])

    def to(self, there: Device) -> Lists:
        """The lists there. How long each is stays known here: a batch's size must not be waited for."""
        if where(self.count_B) == there:
            return self
        ids_P, stop_B, count_B = (moved(part, there) for part in (self.ids_P, self.stop_B, self.count_B))
        gaps_P, actions_P = (moved_if_any(part, there) for part in (self.gaps_P, self.actions_P))
        return Lists(ids_P, gaps_P, actions_P, stop_B, count_B, moved(self.count_B, PROCESSOR))

    def latest(self, most: int, action: int = 0) -> Lists:
        """The last `most` events of each list; of those of one action (k-th, from 1) among them, or of all (0)."""
        lists = self
        if action:
            if self.actions_P is None:
                raise ValueError("events of one action must be asked for of a feature with actions")
            kept_P = (self.actions_P >> (action - 1)) & 1
            upto_P1 = torch.cat([kept_P.new_zeros(1, dtype=torch.int64), kept_P.cumsum(0)])
            stop_B = upto_P1.index_select(0, self.stop_B)
            count_B = stop_B - upto_P1.index_select(0, self.stop_B - self.count_B)
            kept = kept_P.bool()
            gaps_P = None if self.gaps_P is None else self.gaps_P[kept]
            told_B = None if self.told_B is None else moved(count_B, PROCESSOR)
            lists = Lists(self.ids_P[kept], gaps_P, self.actions_P[kept], stop_B, count_B, told_B)
        told_B = None if lists.told_B is None else lists.told_B.clamp(max=most)
        return replace(lists, count_B=lists.count_B.clamp(max=most), told_B=told_B)

    def events(self, *, spare: bool = False) -> Events:
        """The lists side by side. `spare`: with one event of no list behind them, so that there always is one."""
        starts_B1 = torch.cat([self.count_B.new_zeros(1), self.count_B.cumsum(0)])
        told_B, rows = self.count_B if self.told_B is None else self.told_B, len(self)
        total, longest = int(told_B.sum()), max(int(told_B.max()), 1) if rows else 1
        row_L = torch.repeat_interleave(self.count_B, output_size=total)
        within_L = numbered(total, row_L) - starts_B1.index_select(0, row_L)
        from_L = within_L + (self.stop_B - self.count_B).index_select(0, row_L)
        place_L = row_L * longest + within_L

        def taken(pool_P: Tensor | None) -> Tensor | None:
            if pool_P is None:
                return None
            return _behind(pool_P.index_select(0, from_L).to(torch.int32), 0 if spare else None)

        ids_L = taken(self.ids_P)
        assert ids_L is not None
        return Events(
            ids_L=ids_L,
            gaps_L=taken(self.gaps_P),
            actions_L=taken(self.actions_P),
            row_L=_behind(row_L, 0 if spare else None),
            place_L=_behind(place_L, rows * longest if spare else None),
            starts_B1=starts_B1,
            there_BK=numbered(longest, row_L) < self.count_B.unsqueeze(1),
        )


@dataclass(frozen=True, slots=True)
class Events:
    """The lists of a batch side by side: L events, row by row. `row_L` is whose they are, `starts_B1` where each row's
    begin, and the end; `place_L` their places in a matrix (B, K) whose cells are used where `there_BK`. A spare event
    behind the end is of no list: its row is 0, and its place behind the matrix.
    """

    ids_L: Tensor
    gaps_L: Tensor | None
    actions_L: Tensor | None
    row_L: Tensor
    place_L: Tensor
    starts_B1: Tensor
    there_BK: Tensor

    def __len__(self) -> int:
        return len(self.there_BK)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those that are there, in the order in which an exported graph takes them."""
        known = (part for part in (self.gaps_L, self.actions_L) if part is not None)
        return (self.ids_L, *known, self.row_L, self.place_L, self.starts_B1, self.there_BK)

    @property
    def count_B(self) -> Tensor:  # noqa: N802
        """How long each list is."""
        return self.starts_B1[1:] - self.starts_B1[:-1]


def _behind(values_L: Tensor, last: int | None) -> Tensor:
    return values_L if last is None else torch.cat([values_L, values_L.new_full((1,), last)])


def lists_of(
    pool: Pool, stop_B: NDArray[np.int64], count_B: NDArray[np.int32], times_B: NDArray[np.int64] | None
) -> Lists:
    """Of B rows, with events of their own. `times_B` of the rows, nanoseconds: where events have times."""
    times_P, actions_P = pool.times_P, pool.actions_P
    if times_P is not None and times_B is None:
        raise ValueError("events with times must be those of rows with times")
    ids: list[NDArray[np.int32]] = []
    gaps: list[NDArray[np.uint8]] = []
    actions: list[NDArray[np.uint8]] = []
    for first in range(0, len(count_B), _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        from_p = places(stop_B[rows], count_B[rows])
        ids.append(pool.ids_P[from_p])
        if times_P is not None and times_B is not None:
            gaps.append(kinds_of_gaps(np.repeat(times_B[rows], count_B[rows]) - times_P[from_p]))
        if actions_P is not None:
            actions.append(actions_P[from_p])
    count_B = count_B.astype(np.int64)
    return Lists(
        ids_P=put(np.concatenate([np.zeros(0, np.int32), *ids])),
        gaps_P=None if times_P is None else put(np.concatenate([np.zeros(0, np.uint8), *gaps])),
        actions_P=None if actions_P is None else put(np.concatenate([np.zeros(0, np.uint8), *actions])),
        stop_B=put(np.cumsum(count_B)),
        count_B=put(count_B),
    )


def kinds_of_gaps(gaps_P: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Of nanoseconds between an event and its row: floor(2 log2(1 + seconds)), at most GAPS - 1."""
    seconds_P = np.maximum(gaps_P, 0) / _SECOND
    kinds_P: NDArray[np.uint8] = np.minimum(2 * np.log2(1 + seconds_P), GAPS - 1).astype(np.uint8)
    return kinds_P


def unknown_lists(rows: int, events: int, timed: bool, actions: bool) -> Lists:
    """So many events a row, of which nothing is known: of every action, and just now."""
    count_B, total = np.full(rows, events, np.int64), rows * events
    gaps_P = put(np.zeros(total, np.uint8)) if timed else None
    actions_P = put(np.full(total, 255, np.uint8)) if actions else None
    return Lists(put(np.zeros(total, np.int32)), gaps_P, actions_P, put(count_B.cumsum()), put(count_B))
