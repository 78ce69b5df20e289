"""Which window an example belongs to: by local days, or by a seeded draw where the log has no time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import midnight
from automl.data.describe.tables import RandomSplit, SplitConfig
from search_spaces.errors import Mistake, Position

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
        shares = _shares(config.random)
        return ShareSplit(tuple(float(edge) for edge in np.cumsum(shares)))
    days = _days(config)
    one = dt.timedelta(days=1)
    return DaySplit(
        tuple(midnight(first, timezone) for first, _ in days),
        tuple(midnight(last + one, timezone) for _, last in days),
    )


def split_mistakes(config: SplitConfig, at: Locate) -> list[Mistake]:
    """What is wrong with the windows before any row is read: order, overlap, shares."""
    if config.random is not None:
        total = sum(_shares(config.random))
        if total > 1 + 1e-9:
            must = "shares of train, validate and test must sum to at most 1"
            return [Mistake(at("split", "random"), must, f"{total:g}")]
        return []
    days = _days(config)
    mistakes = [
        Mistake(at("split", name), f"{name} must start before it ends", f"{first} to {last}")
        for name, (first, last) in zip(WINDOWS, days, strict=True)
        if first > last
    ]
    for k in range(1, len(WINDOWS)) if not mistakes else ():
        end, start = days[k - 1][1], days[k][0]
        if start <= end:
            must = f"{WINDOWS[k]} must start after {WINDOWS[k - 1]} ends ({end})"
            mistakes.append(
                Mistake(at("split", WINDOWS[k]), must, str(start), "a model must be scored on days it has not seen")
            )
    return mistakes


def _days(config: SplitConfig) -> Sequence[tuple[dt.date, dt.date]]:
    days = (config.train, config.validate_, config.test)
    return [day for day in days if day is not None]


def _shares(config: RandomSplit) -> tuple[float, float, float]:
    return config.train, config.validate_, config.test
