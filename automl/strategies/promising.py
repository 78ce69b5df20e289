"""Whether a trial of which an early figure is known is worth its end: what it may be expected to add to the front.

An early figure is NE by a training on a part of the rows (or at a check of the training: automl/strategies/stopping.py
foresees by it too). What others came to from theirs tells what this one will come to, and how sure that is; where early
figures have not ranked the ends, nothing is told. The trial is then held against those before it by the hypervolume
that it may be expected to add, which keeps the fast end of the front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.stats import pareto
from automl.study.history import State, Trial
from predictors.curves import Foreseen, at_speed, foresee
from predictors.evaluate import tau

Floats = NDArray[np.float64]
LUCK = 0.0015  # of NE: one training's standard deviation on two logs, the least that a forecast has
SPEED_SLACK = 0.95  # a trial counts as fast where it is slower by the noise of the ratio
MIN_LOW = 0.2  # of the interval of Kendall's tau between early figures and ends
RECENT = 20  # trials with whom one is compared
# Of those, what share goes on: by hypervolume, and by NE at the baseline's speed or more. Replayed on 350 and 590
# trials that were trained to their end (experiments/LOG.md); .3 and .15 save a sixth less and lose as much.
BY_VOLUME, BY_NE = 0.2, 0.1
_NODES, _WEIGHTS = np.array([-math.sqrt(3), 0.0, math.sqrt(3)]), np.array([1, 4, 1]) / 6  # Gauss-Hermite, of a normal


@dataclass(frozen=True, slots=True)
class Early:
    """Of a trial: early NE, QPS ratio, and NE at its end (NaN where it has none)."""

    number: int
    level: float
    ratio: float
    ne: float = math.nan

    @classmethod
    def of(cls, trial: Trial, level: float) -> Early:
        """Of a trial that ended, at that early NE."""
        found = trial.measurement
        if found is None:
            return cls(trial.number, level, 0.0)
        return cls(trial.number, level, found.speed.qps_ratio, found.ne if trial.state is State.COMPLETE else math.nan)

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


def agreement(peers: Sequence[Early], fewest: int) -> Agreement | None:
    """Of those that came to their end; None of fewer than that, or where all are equal."""
    done = [peer for peer in peers if math.isfinite(peer.level) and peer.ended]
    if len(done) < fewest:
        return None
    found = tau(np.array([peer.level for peer in done]), np.array([peer.ne for peer in done]))
    return None if math.isnan(found) else Agreement(found, *tau_interval(found, len(done)), len(done))


def tau_interval(found: float, count: int) -> tuple[float, float]:
    """Of Kendall's tau of so many trials, at least 5: 95%, normal after Fisher's transformation with the variance
    .437 / (n - 4) (Fieller, Hartley and Pearson, 1957)."""
    middle, half = math.atanh(max(-0.995, min(0.995, found))), 1.96 * math.sqrt(0.437 / (count - 4))
    return math.tanh(middle - half), math.tanh(middle + half)


def foreseen(level: float, peers: Sequence[Early], fewest: int = 1, ratio: float | None = None) -> Foreseen | None:
    """NE at its end of a trial at a level; None where too few peers tell. With its QPS ratio: of a level on a part of
    the rows, which does not mean the same for fast and for slow models."""
    done = [peer for peer in peers if math.isfinite(peer.level) and peer.ended]
    if len(done) < fewest or not math.isfinite(level):
        return None
    levels, ends = np.array([peer.level for peer in done]), np.array([peer.ne for peer in done])
    if ratio is not None:
        ends = at_speed(math.log2(ratio), levels, ends, np.log2([peer.ratio for peer in done]))
    return foresee(level, levels, ends)


def std_of(found: Foreseen) -> float:
    """The standard deviation of a forecast of NE: no less than a training's luck."""
    return max(found.std, LUCK * found.ne)


def promising(mine: Early, peers: Sequence[Early], done: Sequence[Early]) -> bool:
    """Whether a trial may be expected to add as much hypervolume as the best fifth of the RECENT peers, or is by its
    NE among the best tenth and as fast as the baseline.

    Args:
        peers: those whose level compares with its own, whether they came to their end or not.
        done: all that came to their end, of whatever kind, the baseline first.
    """
    beside = [peer for peer in peers if peer.number != mine.number and math.isfinite(peer.level)][-RECENT:]
    worth, *others = (_worth(one, peers, done) for one in (mine, *beside))
    count = len(beside) + 1
    if worth > 0 and sum(other >= worth for other in others) < BY_VOLUME * count:
        return True
    better = sum(peer.level <= mine.level for peer in beside if peer.ratio >= SPEED_SLACK)
    return mine.ratio >= SPEED_SLACK and better < BY_NE * count


def _worth(one: Early, peers: Sequence[Early], done: Sequence[Early]) -> float:
    """Hypervolume that it may be expected to add to what the others came to; the baseline stands for all of it."""
    others = [peer for peer in peers if peer.number != one.number or one.number == 0]
    found = foreseen(one.level, others, ratio=one.ratio)
    if found is None:
        return 0.0
    base = done[0].ne
    rest = [other for other in done if other.number != one.number or one.number == 0]
    known = _points(np.array([other.ne for other in rest]), np.array([other.ratio for other in rest]), base)
    ends = found.ne + _NODES * std_of(found)
    return float(pareto.improvements(_points(ends, np.full(len(ends), one.ratio), base), known) @ _WEIGHTS)


def _points(ne_N: Floats, ratio_N: Floats, base: float) -> Floats:
    return pareto.objectives(100.0 * (ne_N / base - 1.0), ratio_N)
