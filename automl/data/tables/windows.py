"""Which window an example belongs to: by local days, or by a seeded draw where the log has no time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import midnight
from automl.data.describe.split import SplitConfig
from search_spaces.errors import Position

WINDOWS = ("train", "validate", "test")
Locate = Callable[..., Position]
Window = NDArray[np.int8]


class Split(Protocol):
    """Window of each row, -1 for none. `unit` is a uniform draw of the row in [0, 1)."""

    def window(self, times: NDArray[np.int64], unit: NDArray[np.float64]) -> Window: ...


@dataclass(frozen=True, slots=True)
class DaySplit:
    """Half-open spans [start, end) in nanoseconds UTC, in order and disjoint."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def window(self, times: NDArray[np.int64], unit: NDArray[np.float64]) -> Window:
        at = np.searchsorted(np.array(self.starts), times, side="right") - 1
        inside = (at >= 0) & (times < np.array(self.ends)[at])
        return np.where(inside, at, -1).astype(np.int8)


@dataclass(frozen=True, slots=True)
class ShareSplit:
    """Shares of the unit interval; what they leave over belongs to no window."""

    edges: tuple[float, ...]

    def window(self, times: NDArray[np.int64], unit: NDArray[np.float64]) -> Window:
        at = np.searchsorted(np.array(self.edges), unit, side="right")
        return np.where(at < len(WINDOWS), at, -1).astype(np.int8)


def split_of(config: SplitConfig, timezone: str) -> Split:
    """The split that a study file asks for; call split_mistakes first."""
    if config.random is not None:
        return ShareSplit(tuple(float(edge) for edge in np.cumsum(config.random.shares)))
    days = config.days.values()
    one = dt.timedelta(days=1)
    return DaySplit(
        tuple(midnight(first, timezone) for first, _ in days),
        tuple(midnight(last + one, timezone) for _, last in days),
    )
