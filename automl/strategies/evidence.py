"""The history as arrays: what was measured, what failed, what is still running. N trials, D decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.stats import pareto
from automl.study.history import History, Limit, Speed, State, Trial
from search_spaces.space import Candidate, SearchSpace

Floats = NDArray[np.float64]
STOPPED_WEIGHT = 0.5  # an extrapolated NE against a measured one


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Measured trials in the order of their numbers; the baseline comes first where it lies inside the space."""

    candidates: tuple[Candidate, ...]
    answers_ND: Floats
    ne_N: Floats
    gain_N: Floats  # percent against the baseline
    log2_ratio_N: Floats
    log2_train_ratio_N: Floats  # NaN where it was not measured
    weight_N: Floats
    eligible_N: NDArray[np.bool_]  # trained to the end and within every limit
    failed: tuple[Candidate, ...]
    pending: tuple[Candidate, ...]
    baseline_ne: float

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def points(self) -> Floats:
        """Objectives of the eligible trials, and of the baseline."""
        measured = pareto.objectives(self.gain_N[self.eligible_N], np.exp2(self.log2_ratio_N[self.eligible_N]))
        return np.vstack([measured, [[0.0, 0.0]]])

    def front(self) -> tuple[Candidate, ...]:
        """Eligible candidates that no other one dominates, the largest hypervolume contribution first."""
        index = np.flatnonzero(self.eligible_N)
        points = pareto.objectives(self.gain_N[index], np.exp2(self.log2_ratio_N[index]))
        on_front = pareto.front(points)
        worth = pareto.contributions(points[on_front])
        return tuple(self.candidates[i] for i in index[on_front][np.argsort(-worth, kind="stable")])


def gather(space: SearchSpace, history: History) -> Evidence:
    """Read the history. Failures for reasons of their own count against a candidate, a lost node does not."""
    trials = [t for t in history.of_state(State.COMPLETE, State.STOPPED) if measured(t)]
    candidates = [t.candidate for t in trials]
    ne = [_measurement_ne(t) for t in trials]
    speeds = [_speed(t) for t in trials]
    weights = [1.0 if t.state is State.COMPLETE else STOPPED_WEIGHT for t in trials]
    complete = [t.state is State.COMPLETE for t in trials]
    inside = space.locate(history.baseline.candidate.model)
    if inside is not None:
        candidates.insert(0, inside)
        ne.insert(0, history.baseline.ne)
        speeds.insert(0, _baseline_speed(history))
        weights.insert(0, float(max(1, len(history.baseline.trials))) ** 0.5)
        complete.insert(0, True)
    gains = np.array([history.baseline.gain_pct(value) for value in ne], dtype=np.float64)
    ratios = np.array([s.qps_ratio for s in speeds], dtype=np.float64)
    train = np.array([_train_ratio(s, history.baseline.train_qps) for s in speeds], dtype=np.float64)
    metrics = {"ne_gain_pct": gains, "qps_ratio": ratios, "train_qps_ratio": train}
    return Evidence(
        candidates=tuple(candidates),
        answers_ND=answers_of(space, candidates),
        ne_N=np.array(ne, dtype=np.float64),
        gain_N=gains,
        log2_ratio_N=np.log2(ratios),
        log2_train_ratio_N=np.log2(train),
        weight_N=np.array(weights, dtype=np.float64),
        eligible_N=np.array(complete, dtype=bool) & within(history.limits, metrics),
        failed=tuple(t.candidate for t in history.of_state(State.FAILED) if not _lost(t)),
        pending=tuple(t.candidate for t in history.of_state(State.RUNNING)),
        baseline_ne=history.baseline.ne,
    )


def answers_of(space: SearchSpace, candidates: Sequence[Candidate]) -> Floats:
    """(N, D) answers, NaN where not asked."""
    rows = [space.answers(candidate) for candidate in candidates]
    return np.array(rows, dtype=np.float64).reshape(len(candidates), len(space.decisions))


def within(limits: Sequence[Limit], metrics: dict[str, Floats]) -> NDArray[np.bool_]:
    """Which trials keep every limit; an unknown figure keeps none."""
    good = np.ones(len(metrics["qps_ratio"]), dtype=bool)
    for limit in limits:
        value = metrics[limit.metric]
        good &= np.isfinite(value)
        if limit.low is not None:
            good &= value >= limit.low
        if limit.high is not None:
            good &= value <= limit.high
    return good


def excess(history: History, trial: Trial) -> dict[str, float]:
    """By metric, by how much a trial breaks each limit; at most 0 where it keeps it."""
    if trial.measurement is None:
        return {}
    speed = trial.measurement.speed
    metrics = {
        "ne_gain_pct": history.baseline.gain_pct(trial.measurement.ne),
        "qps_ratio": speed.qps_ratio,
        "train_qps_ratio": _train_ratio(speed, history.baseline.train_qps),
    }
    over: dict[str, float] = {}
    for limit in history.limits:
        low = -math.inf if limit.low is None else limit.low
        high = math.inf if limit.high is None else limit.high
        breach = max(low - metrics[limit.metric], metrics[limit.metric] - high)
        over[limit.metric] = max(breach, over.get(limit.metric, -math.inf))
    return {metric: breach for metric, breach in over.items() if math.isfinite(breach)}


def measured(trial: Trial) -> bool:
    """Has a finite NE and QPS ratio."""
    m = trial.measurement
    return m is not None and math.isfinite(m.ne) and math.isfinite(m.speed.qps_ratio) and m.speed.qps_ratio > 0


def _lost(trial: Trial) -> bool:
    return trial.failure is not None and trial.failure.kind == "lost"


def _measurement_ne(trial: Trial) -> float:
    assert trial.measurement is not None
    return trial.measurement.ne


def _speed(trial: Trial) -> Speed:
    assert trial.measurement is not None
    return trial.measurement.speed


def _baseline_speed(history: History) -> Speed:
    return Speed(qps_ratio=1.0, qps_ratio_low=1.0, qps_ratio_high=1.0, train_qps=history.baseline.train_qps)


def _train_ratio(speed: Speed, baseline_train_qps: float) -> float:
    if speed.train_qps is None or not speed.train_qps > 0 or not baseline_train_qps > 0:
        return math.nan
    return speed.train_qps / baseline_train_qps
