"""What was tried, as frozen values. The study writes them, search and report read them; nothing here knows a store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from automl.study.precedents import Precedent
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
    PRECEDENT = "precedent"
    RANDOM = "random"
    MUTATION = "mutation"
    CONTROLLER = "controller"
    TPE = "tpe"
    NSGA2 = "nsga2"


class Prefer(StrEnum):
    """What a search is to look at more: the lowest NE at the baseline's QPS or more, or the front as a whole."""

    ACCURATE = "accurate"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the predictor said of a candidate before it was trained. `ne_std` is of what its training would give:
    1.645 of them hold 90%. `widened`: what it was multiplied by, since past forecasts had been off by more."""

    ne: float
    ne_std: float
    qps_ratio: float
    widened: float = 1.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate to be trained, who proposed it, and the forecast if there was a predictor."""

    candidate: Candidate
    origin: Origin
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Progressive NE while training: of the examples since the last point, and of all so far. `check_ne`: at a stop, NE
    of a part of the validation window by the weights of that moment; None elsewhere."""

    rows: int
    window_ne: float
    lifetime_ne: float
    check_ne: float | None = None


@dataclass(frozen=True, slots=True)
class PartNE:
    """NE of a part of the validation window by a training of its own on one training row in `every`."""

    every: int
    ne: float


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
    theirs is extrapolated from the curve and marked so by the trial's state. Of several labels ne, auc and calibration
    are those of the objective; `nes` has the NE of each by name, None where there is one label. `parts`: what trainings
    on parts of the rows came to before it was trained on all of them; none where the study's fidelity is full. A
    `pilot` was to be trained on all of them whatever its parts said."""

    ne: float
    auc: float | None
    calibration: float | None
    speed: Speed
    params: int
    flops: int
    activation_bytes: int
    seconds: Mapping[str, float] = field(default_factory=dict)  # of the clock: build, time, parts, train, score
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)  # of parts and train; none in older records
    nes: Mapping[str, float] | None = None
    parts: tuple[PartNE, ...] = ()
    pilot: bool = False

    def part_ne(self, every: int) -> float:
        """NE by a training on one row in `every`; NaN where there was none."""
        return next((part.ne for part in self.parts if part.every == every), math.nan)

    def ne_of(self, task: str | None) -> float:
        """NE of the objective (None), or of one of several labels; NaN where it was not measured."""
        return self.ne if task is None else (self.nes or {}).get(task, math.nan)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial failed. `kind` is one word: error, diverged, timeout, memory, lost, constraint."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """One more training of a trial's model, on another order of the data. Its speed is the trial's: it is not timed
    again."""

    order: int  # 0 is the order on which the search trains every trial
    measurement: Measurement | None = None
    failure: Failure | None = None
    started_at: float | None = None
    ended_at: float | None = None
    cpu_seconds: float | None = None
    seeds: Mapping[str, int] = field(default_factory=dict)


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
    repeats: tuple[Repeat, ...] = ()  # that ended, in the order of their ends
    on_part: Measurement | None = None  # what it had ended with on a part of the rows, where it was promoted later

    @property
    def ended(self) -> bool:
        return self.state is not State.RUNNING

    @property
    def unfit(self) -> Failure | None:
        """Why it may not ship though it was trained to its end: one of its repeats failed. A process that was lost says
        nothing of a model."""
        failures = (repeat.failure for repeat in self.repeats)
        return next((failure for failure in failures if failure is not None and failure.kind != "lost"), None)

    @property
    def trainings(self) -> tuple[tuple[int | None, float], ...]:
        """The order's seed and the NE of each training that has one, the search's own first."""
        return self.trainings_of(None)

    def trainings_of(self, task: str | None) -> tuple[tuple[int | None, float], ...]:
        """The same with the NE of one of several labels."""
        done = [(self.seeds, self.measurement), *((one.seeds, one.measurement) for one in self.repeats)]
        found = [(seeds.get("order"), m.ne_of(task)) for seeds, m in done if m is not None]
        return tuple((order, ne) for order, ne in found if math.isfinite(ne))

    @property
    def measured(self) -> bool:
        """Has a finite NE, be it extrapolated, and a QPS ratio."""
        m = self.measurement
        return m is not None and math.isfinite(m.ne) and math.isfinite(m.speed.qps_ratio) and m.speed.qps_ratio > 0


def begun(trial: Trial) -> Trial:
    """A trial as it was before anything was known of its end."""
    return Trial(
        number=trial.number,
        candidate=trial.candidate,
        origin=trial.origin,
        state=State.RUNNING,
        round=trial.round,
        forecast=trial.forecast,
    )


class Metric(StrEnum):
    """What a Limit speaks of: a figure against the baseline's."""

    QPS_RATIO = "qps_ratio"
    TRAIN_QPS_RATIO = "train_qps_ratio"
    NE_GAIN_PCT = "ne_gain_pct"


@dataclass(frozen=True, slots=True)
class Limit:
    """A constraint on what is measured: the metric at least `low` and at most `high`. The one home of what that means:
    a limit is kept where the excess is at most 0, and an unknown figure, whose excess is NaN, keeps none. `task`: of
    several labels the one whose NE it is about; None: that of the objective."""

    metric: Metric
    low: float | None = None
    high: float | None = None
    task: str | None = None

    @property
    def name(self) -> str:
        """Of the figure that it judges."""
        return str(self.metric) if self.task is None else f"{self.metric}.{self.task}"

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
    """The human's model, trained on several orders of the data before the search. `trials` are its repeats."""

    candidate: Candidate
    trials: tuple[Trial, ...]
    ne: float
    ne_std: float
    qps: float
    train_qps: float

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of several labels; none where there is one."""
        return tuple(
            dict.fromkeys(task for trial in self.trials if trial.measurement for task in trial.measurement.nes or ())
        )

    def ne_on(self, order: int | None, task: str | None = None) -> float:
        """Mean NE of its trainings on an order of the data, which is named by its seed; of all of them where it was not
        trained on that one. Of one of several labels where it is named."""
        all_ = [(at, ne) for trial in self.trials for at, ne in trial.trainings_of(task)]
        same = [ne for at, ne in all_ if at == order and order is not None]
        if same:
            return math.fsum(same) / len(same)
        return self.ne if task is None else _mean([ne for _, ne in all_])

    def gain_pct(self, ne: float, order: int | None = None, task: str | None = None) -> float:
        """NE gain in percent against the baseline on the same order of the data; negative is better."""
        base = self.ne_on(order, task)
        return 100.0 * (ne - base) / base

    def gains_pct(self, trial: Trial, task: str | None = None) -> tuple[float, ...]:
        """The NE gain of each of a trial's trainings, the search's own first."""
        return tuple(self.gain_pct(ne, order, task) for order, ne in trial.trainings_of(task))

    def mean_gain_pct(self, trial: Trial, task: str | None = None) -> float:
        """NE gain over a trial's trainings; NaN where there is none."""
        gains = self.gains_pct(trial, task)
        return math.fsum(gains) / len(gains) if gains else math.nan

    def train_ratio(self, speed: Speed) -> float:
        """Training speed against the baseline's; NaN where either was not measured."""
        if speed.train_qps is None or not speed.train_qps > 0 or not self.train_qps > 0:
            return math.nan
        return speed.train_qps / self.train_qps

    def metric(self, metric: Metric, trial: Trial, task: str | None = None) -> float:
        """The figure of a trial that a Limit on `metric` judges; NaN where it was not measured."""
        if trial.measurement is None:
            return math.nan
        match metric:
            case Metric.QPS_RATIO:
                return trial.measurement.speed.qps_ratio
            case Metric.TRAIN_QPS_RATIO:
                return self.train_ratio(trial.measurement.speed)
            case Metric.NE_GAIN_PCT:
                return self.mean_gain_pct(trial, task)

    def keeps(self, limits: Sequence[Limit], trial: Trial) -> bool:
        """Whether a trial keeps every limit; an unknown figure keeps none."""
        return all(limit.excess(self.metric(limit.metric, trial, limit.task)) <= 0 for limit in limits)

    def excess(self, limits: Sequence[Limit], trial: Trial) -> dict[str, float]:
        """By figure, how far a trial is beyond its limits, the worst of them; unknown figures are left out."""
        over: dict[str, float] = {}
        for limit in limits:
            beyond = limit.excess(self.metric(limit.metric, trial, limit.task))
            if math.isfinite(beyond):
                over[limit.name] = max(beyond, over.get(limit.name, -math.inf))
        return over


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


BASELINE_SPREAD_COUNTS = 2  # degrees of freedom that the baseline's spread has in the noise of a gain


@dataclass(frozen=True, slots=True)
class MeanGain:
    """NE gain in percent over so many trainings of a trial, and its standard error."""

    pct: float
    trainings: int
    error_pct: float


@dataclass(frozen=True, slots=True)
class History:
    """All that a search strategy may look at, in the order of trial numbers."""

    baseline: Baseline
    trials: tuple[Trial, ...] = ()
    limits: tuple[Limit, ...] = ()
    precedents: tuple[Precedent, ...] = ()  # of the studies that it starts warm from
    prefer: Prefer = Prefer.BALANCED

    def of_state(self, *states: State) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.state in states)

    def within_limits(self, trial: Trial) -> bool:
        """Keeps every limit of the study; an unknown figure keeps none."""
        return self.baseline.keeps(self.limits, trial)

    def eligible(self, trial: Trial) -> bool:
        """Whether a trial may be named as the best of anything, stand on the front or be picked: trained to its end and
        measured, no repeat of it failed, every limit of the study kept. Everyone who names a trial asks here."""
        fit = trial.state is State.COMPLETE and trial.measured and trial.unfit is None
        return fit and self.within_limits(trial)

    def known(self) -> Mapping[str, int]:
        """Keys of every model tried or being tried, with the trial's number."""
        return {trial.candidate.key: trial.number for trial in self.trials}

    def taken(self) -> frozenset[str]:
        """Keys that must not be proposed: those known, and the baseline's, which is measured before any search."""
        return frozenset((*self.known(), self.baseline.candidate.key))

    @property
    def noise_pct(self) -> float:
        """Standard deviation of the gain of one training: pooled over the trials that were trained again, and over the
        baseline's own spread, which counts little."""
        spread = 100.0 * self.baseline.ne_std / self.baseline.ne
        squares, degrees = BASELINE_SPREAD_COUNTS * spread**2, BASELINE_SPREAD_COUNTS
        for trial in self.trials:
            if trial.repeats and len(gains := self.baseline.gains_pct(trial)) > 1:
                mean = math.fsum(gains) / len(gains)
                squares += math.fsum((gain - mean) ** 2 for gain in gains)
                degrees += len(gains) - 1
        return math.sqrt(squares / degrees)

    def gain(self, trial: Trial) -> MeanGain:
        """What a trial's trainings say of its gain; the error is of what one training's luck may be."""
        count = len(trial.trainings)
        error = self.noise_pct / math.sqrt(count) if count else math.nan
        return MeanGain(self.baseline.mean_gain_pct(trial), count, error)
