"""A list of events for each row of a log, such as the videos that its user watched before: ragged, never padded.

N rows, P events of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from search_spaces.inputs import HistoryShape


class HistoryJson(TypedDict):
    """A sequence among the facts of a log; the K-th has its columns in `history-K-ids.npy` and so on."""

    name: str
    field: int
    max_len: int
    actions: list[str]
    timed: bool
    lengths: list[list[int]]


@dataclass(frozen=True, eq=False, slots=True)
class History:
    """One sequence feature. The list of row n is `pool[stop_N[n] - count_N[n] : stop_N[n]]`, the latest event last; two
    rows may share events. Arrays may be memory maps.

    ids_P (int32): ids of the events, numbered as those of the id field whose place is `shape.field`; 0 is "not known".
    times_P (int64, nanoseconds UTC): when; None where the lists have no times. actions_P (uint8): bit k is set where
    the event was the k-th of `actions`; None where there are none. count_N (int32) is at most `shape.most`.
    """

    name: str
    actions: tuple[str, ...]
    shape: HistoryShape
    ids_P: NDArray[np.int32]
    times_P: NDArray[np.int64] | None
    actions_P: NDArray[np.uint8] | None
    stop_N: NDArray[np.int64]
    count_N: NDArray[np.int32]


def shape_of(told: HistoryJson) -> HistoryShape:
    return HistoryShape(told["field"], told["max_len"], tuple(map(tuple, told["lengths"])), told["timed"])
