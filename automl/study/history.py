"""What was tried, as frozen values. The study writes them, search and report read them; nothing here knows a store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from search_spaces.space import Candidate

Floats = NDArray[np.float64]


class State(StrEnum):
    """How far a trial came. STOPPED is ended early by the rule on its curve."""

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


class Origin(StrEnum):
    """Which generator proposed a candidate."""

    BASELINE = "baseline"
    DEFAULT = "default"
    RANDOM = "random"
    MUTATION = "mutation"
    CONTROLLER = "controller"
    TPE = "tpe"
    NSGA2 = "nsga2"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the predictor said of a candidate before it was trained."""

    ne: float
    ne_std: float
    qps_ratio: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate to be trained, who proposed it, and the forecast if there was a predictor."""

    candidate: Candidate
    origin: Origin
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Progressive NE while training: of the examples since the last point, and of all so far."""

    rows: int
    window_ne: float
    lifetime_ne: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Serving speed relative to the baseline, timed side by side; the interval is of 95%."""

    qps_ratio: float
    qps_ratio_low: float
    qps_ratio_high: float
    train_qps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a trial measured on the validation window. Stopped trials have no ne, auc and calibration of their own:
    theirs is extrapolated from the curve and marked so by the trial's state."""

    ne: float
    auc: float | None
    calibration: float | None
    speed: Speed
    params: int
    flops: int
    activation_bytes: int
    seconds: Mapping[str, float] = field(default_factory=dict)  # build, time, train, score


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial failed. `kind` is one word: error, diverged, timeout, memory, lost, constraint."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial of the search. `number` counts from 1 and never changes; `round` is the propose() call it came from."""

    number: int
    candidate: Candidate
    origin: Origin
    state: State
    round: int = 0
    forecast: Forecast | None = None
    measurement: Measurement | None = None
    failure: Failure | None = None
    curve: tuple[CurvePoint, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    cpu_seconds: float | None = None  # of its process: what it truly used of a core
    seeds: Mapping[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.state is not State.RUNNING

    @property
    def measured(self) -> bool:
        """Has a finite NE, be it extrapolated, and a QPS ratio."""
        m = self.measurement
        return m is not None and math.isfinite(m.ne) and math.isfinite(m.speed.qps_ratio) and m.speed.qps_ratio > 0


class Metric(StrEnum):
    """What a Limit speaks of: a figure against the baseline's."""

    QPS_RATIO = "qps_ratio"
    TRAIN_QPS_RATIO = "train_qps_ratio"
    NE_GAIN_PCT = "ne_gain_pct"


@dataclass(frozen=True, slots=True)
class Limit:
    """A constraint on what is measured: the metric at least `low` and at most `high`. The one home of what that means:
    a limit is kept where the excess is at most 0, and an unknown figure, whose excess is NaN, keeps none."""

    metric: Metric
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Both bounds, infinite where there is none."""
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high

    def excess(self, value: float) -> float:
        """By how much a value is beyond the limit; negative by how much it is within. NaN where it is not finite."""
        return self.least_excess(value, value) if math.isfinite(value) else math.nan

    def least_excess(self, first: float, last: float) -> float:
        """The least excess of the values from `first` to `last`: above 0 where every one of them breaks the limit."""
        low, high = self.ends
        return max(low - last, first - high)

    def keeps(self, values_N: Floats) -> NDArray[np.bool_]:
        """Which of N values keep the limit: those that `excess` puts at 0 or below."""
        low, high = self.ends
        return np.isfinite(values_N) & (low <= values_N) & (values_N <= high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The human's model, trained with several seeds before the search. `trials` are its repeats."""

    candidate: Candidate
    trials: tuple[Trial, ...]
    ne: float
    ne_std: float
    qps: float
    train_qps: float

    def gain_pct(self, ne: float) -> float:
        """NE gain against the baseline in percent; negative is better."""
        return 100.0 * (ne - self.ne) / self.ne

    def train_ratio(self, speed: Speed) -> float:
        """Training speed against the baseline's; NaN where either was not measured."""
        if speed.train_qps is None or not speed.train_qps > 0 or not self.train_qps > 0:
            return math.nan
        return speed.train_qps / self.train_qps

    def metric(self, metric: Metric, measurement: Measurement) -> float:
        """The figure that a Limit on `metric` judges; NaN where it was not measured."""
        match metric:
            case Metric.QPS_RATIO:
                return measurement.speed.qps_ratio
            case Metric.TRAIN_QPS_RATIO:
                return self.train_ratio(measurement.speed)
            case Metric.NE_GAIN_PCT:
                return self.gain_pct(measurement.ne)

    def keeps(self, limits: Sequence[Limit], measurement: Measurement) -> bool:
        """Whether a measurement keeps every limit; an unknown figure keeps none."""
        return all(limit.excess(self.metric(limit.metric, measurement)) <= 0 for limit in limits)

    def excess(self, limits: Sequence[Limit], measurement: Measurement) -> dict[Metric, float]:
        """By metric, how far a measurement is beyond its limits, the worst of them; unknown figures are left out."""
        over: dict[Metric, float] = {}
        for limit in limits:
            beyond = limit.excess(self.metric(limit.metric, measurement))
            if math.isfinite(beyond):
                over[limit.metric] = max(beyond, over.get(limit.metric, -math.inf))
        return over


@dataclass(frozen=True, slots=True)
class History:
    """All that a search strategy may look at, in the order of trial numbers."""

    baseline: Baseline
    trials: tuple[Trial, ...] = ()
    limits: tuple[Limit, ...] = ()

    def of_state(self, *states: State) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.state in states)

    def known(self) -> Mapping[str, int]:
        """Keys of every model tried or being tried, with the trial's number."""
        return {trial.candidate.key: trial.number for trial in self.trials}

    def taken(self) -> frozenset[str]:
        """Keys that must not be proposed: those known, and the baseline's, which is measured before any search."""
        return frozenset((*self.known(), self.baseline.candidate.key))
