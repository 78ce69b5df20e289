"""The history as arrays: what was measured, what failed, what is still running. N trials, D decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from automl.stats import pareto
from automl.strategies.believed import believe
from automl.strategies.fidelity import Expected, waits
from automl.study.history import History, Limit, Metric, Speed, State, Trial
from automl.study.precedents import Precedent
from search_spaces.space import Candidate, SearchSpace

Floats = NDArray[np.float64]
STOPPED_WEIGHT = 0.5  # an extrapolated NE against a measured one


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Measured trials in the order of their numbers; the baseline comes first where it lies inside the space."""

    candidates: tuple[Candidate, ...]
    answers_ND: Floats
    gain_N: Floats  # percent against the baseline, mean of the trainings
    believed_N: Floats  # the same without the luck that is to be expected
    log2_ratio_N: Floats
    log2_train_ratio_N: Floats  # NaN where it was not measured
    weight_N: Floats
    eligible_N: NDArray[np.bool_]  # History.eligible, and by what is believed of them too
    waiting_N: NDArray[np.bool_]  # parked on a part of the rows, and no limit is broken by what that leads to
    failed: tuple[Candidate, ...]
    pending: tuple[Candidate, ...]
    baseline_ne: float
    task_gains: Mapping[str, Floats] = field(default_factory=dict)  # of the labels that a limit names
    precedents: tuple[Precedent, ...] = ()

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def points(self) -> Floats:
        """What is believed of the objectives of those that are eligible or may be yet, and of the baseline."""
        chosen = self.eligible_N | self.waiting_N
        measured = pareto.objectives(self.believed_N[chosen], np.exp2(self.log2_ratio_N[chosen]))
        return np.vstack([measured, [[0.0, 0.0]]])

    def front(self) -> tuple[Candidate, ...]:
        """Of the same the candidates that no other one dominates, the largest hypervolume contribution first."""
        index = np.flatnonzero(self.eligible_N | self.waiting_N)
        points = pareto.objectives(self.believed_N[index], np.exp2(self.log2_ratio_N[index]))
        return tuple(self.candidates[i] for i in index[pareto.leaders(points)])


def gather(space: SearchSpace, history: History) -> Evidence:
    """Read the history. Every failure counts against a candidate, that of a process which ended without a word too."""
    history = Expected(history).told_anew()
    trials = [t for t in history.of_state(State.COMPLETE, State.STOPPED) if t.measured]
    candidates = [t.candidate for t in trials]
    speeds = [_speed(t) for t in trials]
    complete = np.array([t.state is State.COMPLETE for t in trials], dtype=bool)
    belief = believe(history, [t for t in trials if t.state is State.COMPLETE])
    gains = np.array([history.baseline.mean_gain_pct(t) for t in trials], dtype=np.float64)
    believed, weights = gains.copy(), np.where(complete, 1.0, STOPPED_WEIGHT)
    gains[complete], believed[complete], weights[complete] = belief.level_N, belief.mean_N, belief.weights()
    fit = np.array([history.eligible(t) for t in trials], dtype=bool)
    waiting = np.array([waits(history, t) for t in trials], dtype=bool)
    for limit in history.limits:
        if limit.metric is Metric.NE_GAIN_PCT and limit.task is None:
            waiting &= limit.keeps(gains)
    inside = space.locate(history.baseline.candidate.model)
    if inside is not None:
        candidates.insert(0, inside)
        speeds.insert(0, _baseline_speed(history))
        gains, believed = (np.insert(values, 0, 0.0) for values in (gains, believed))
        weights = np.insert(weights, 0, float(max(1, len(history.baseline.trials))) ** 0.5)
        fit, waiting = np.insert(fit, 0, True), np.insert(waiting, 0, False)
    ratios = np.array([s.qps_ratio for s in speeds], dtype=np.float64)
    train = np.array([history.baseline.train_ratio(s) for s in speeds], dtype=np.float64)
    metrics = {str(Metric.NE_GAIN_PCT): believed, Metric.QPS_RATIO: ratios, Metric.TRAIN_QPS_RATIO: train}
    task_gains = {}
    for limit in history.limits:
        if limit.task is not None:
            of_task = np.array([history.baseline.mean_gain_pct(t, limit.task) for t in trials], dtype=np.float64)
            task_gains[limit.task] = of_task if inside is None else np.insert(of_task, 0, 0.0)
            metrics[limit.name] = task_gains[limit.task]
    return Evidence(
        candidates=tuple(candidates),
        answers_ND=answers_of(space, candidates),
        gain_N=gains,
        believed_N=believed,
        log2_ratio_N=np.log2(ratios),
        log2_train_ratio_N=np.log2(train),
        weight_N=weights,
        eligible_N=fit & _within(history.limits, metrics),
        waiting_N=waiting,
        failed=tuple(t.candidate for t in history.of_state(State.FAILED)),
        pending=tuple(t.candidate for t in history.of_state(State.RUNNING)),
        baseline_ne=history.baseline.ne,
        task_gains=task_gains,
        precedents=history.precedents,
    )


def answers_of(space: SearchSpace, candidates: Sequence[Candidate]) -> Floats:
    """(N, D) answers, NaN where not asked."""
    rows = [space.answers(candidate) for candidate in candidates]
    return np.array(rows, dtype=np.float64).reshape(len(candidates), len(space.decisions))


def _within(limits: Sequence[Limit], metrics: Mapping[str, Floats]) -> NDArray[np.bool_]:
    """Which trials keep every limit."""
    good = np.ones(len(metrics[Metric.QPS_RATIO]), dtype=bool)
    for limit in limits:
        good &= limit.keeps(metrics[limit.name])
    return good


def _speed(trial: Trial) -> Speed:
    assert trial.measurement is not None
    return trial.measurement.speed


def _baseline_speed(history: History) -> Speed:
    return Speed(qps_ratio=1.0, qps_ratio_low=1.0, qps_ratio_high=1.0, train_qps=history.baseline.train_qps)
