"""What an early figure of a trial leads one to expect: NE at its end, and what that would add to the front.

An early figure is NE by a training on a part of the rows, or at a check of the training. What others came to from
theirs tells what this one will come to, and how sure that is; where early figures have not ranked the ends, nothing is
told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from automl.stats import pareto
from automl.study.history import State, Trial
from predictors.curves import Foreseen, foresee
from predictors.evaluate import tau

Floats = NDArray[np.float64]
LUCK = 0.0015  # of NE: one training's standard deviation on two logs, the least that a forecast has
SPEED_SLACK = 0.95  # a trial counts as fast where it is slower by the noise of the ratio
MIN_LOW = 0.2  # of the interval of Kendall's tau between early figures and ends
_NODES = norm.ppf((np.arange(21) + 0.5) / 21)  # of a normal, as likely each: what a trial adds has a kink


@dataclass(frozen=True, slots=True)
class Early:
    """Of a trial: early NE, QPS ratio, and NE at its end (NaN where it has none)."""

    level: float
    ratio: float
    ne: float = math.nan

    @classmethod
    def of(cls, trial: Trial, level: float) -> Early:
        """Of a trial that ended, at that early NE."""
        found = trial.measurement
        if found is None:
            return cls(level, 0.0)
        return cls(level, found.speed.qps_ratio, found.ne if trial.state is State.COMPLETE else math.nan)

    @property
    def ended(self) -> bool:
        """Whether it came to its end with a NE."""
        return math.isfinite(self.ne)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How early figures ranked trials by their ends: Kendall's tau, its interval of 95%, and of how many trials."""

    tau: float
    low: float
    high: float
    trials: int

    @property
    def holds(self) -> bool:
        return self.low >= MIN_LOW


def agreement(peers: Iterable[Early], fewest: int) -> Agreement | None:
    """Of those that came to their end; None of fewer than that, or where all are equal."""
    done = told(peers)
    if len(done) < fewest:
        return None
    found = tau(np.array([peer.level for peer in done]), np.array([peer.ne for peer in done]))
    return None if math.isnan(found) else Agreement(found, *tau_interval(found, len(done)), len(done))


def tau_interval(found: float, count: int) -> tuple[float, float]:
    """Of Kendall's tau of so many trials, at least 5: 95%, normal after Fisher's transformation with the variance
    .437 / (n - 4) (Fieller, Hartley and Pearson, 1957)."""
    middle, half = math.atanh(max(-0.995, min(0.995, found))), 1.96 * math.sqrt(0.437 / (count - 4))
    return math.tanh(middle - half), math.tanh(middle + half)


def foreseen(level: float, peers: Iterable[Early], fewest: int = 1) -> Foreseen | None:
    """NE at its end of a trial at a level of its training; None where too few peers tell."""
    done = told(peers)
    if len(done) < fewest or not math.isfinite(level):
        return None
    return foresee(level, np.array([peer.level for peer in done]), np.array([peer.ne for peer in done]))


def std_of(found: Foreseen) -> float:
    """The standard deviation of a forecast of NE: no less than a training's luck."""
    return max(found.std, LUCK * found.ne)


def added_volume(foreseen: Sequence[Foreseen], ratio_N: Floats, known: Floats, base: float) -> Floats:
    """(N,): hypervolume that trials of these forecasts and QPS ratios may be expected to add, each alone, to points
    that are known. `base`: NE that gains are against."""
    ends_NK = np.array([found.ne + _NODES * std_of(found) for found in foreseen])
    points = points_of(ends_NK.ravel(), np.repeat(ratio_N, len(_NODES)), base)
    return np.asarray(pareto.improvements(points, known).reshape(-1, len(_NODES)).mean(axis=1), dtype=np.float64)


def points_of(ne_N: Floats, ratio_N: Floats, base: float) -> Floats:
    """(N, 2): as they stand in the plane that a search is judged in."""
    return pareto.objectives(100.0 * (ne_N / base - 1.0), ratio_N)


def told(peers: Iterable[Early]) -> list[Early]:
    """Those of whom both an early NE and that at the end are known."""
    return [peer for peer in peers if math.isfinite(peer.level) and peer.ended]
