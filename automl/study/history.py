"""What was tried, as frozen values. The study writes them, search and report read them; nothing here knows a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from search_spaces.knobs import Value
from search_spaces.space import Candidate


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


@dataclass(frozen=True, slots=True)
class Limit:
    """A constraint on what is measured: qps_ratio, train_qps_ratio or ne_gain_pct, at least `low` or at most `high`."""

    metric: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All that a search strategy may look at, in the order of trial numbers."""

    baseline: Baseline
    trials: tuple[Trial, ...] = ()
    limits: tuple[Limit, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def of_state(self, *states: State) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.state in states)

    def known(self) -> Mapping[str, Value]:
        """Keys of every model tried or being tried, with the trial's number."""
        return {trial.candidate.key: trial.number for trial in self.trials}
