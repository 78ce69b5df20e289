"""What the page says, worked out from the history once: points, front, progress, picks. NumPy in, NumPy out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from automl.report.study.data import ReportData, role_rank
from automl.stats import pareto
from automl.study.history import History, Origin, State, Trial
from automl.study.results import Finals

Floats = NDArray[np.float64]
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Point:
    """A trial with both objectives. A stopped trial's gain is extrapolated and never on the front."""

    trial: Trial
    gain_pct: float
    qps_ratio: float
    qps_ratio_low: float
    qps_ratio_high: float
    on_front: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Running figures after each ended trial, in the order of ending. NaN where there is nothing yet."""

    seconds: Floats  # while at least one trial ran: pauses between two runs of the search are left out
    core_hours: Floats
    best_gain_pct: Floats
    best_gain_at_speed_pct: Floats  # of those at least as fast as the baseline
    best_ratio_at_quality: Floats  # of those with NE no worse than the baseline's
    hypervolume: Floats


class View:
    """A report's data with everything that is derived from it."""

    def __init__(self, data: ReportData) -> None:
        self.data = data
        self.history: History = data.history
        self.finals = None if data.finals is None else _in_order(data.finals)

    @cached_property
    def noise_pct(self) -> float:
        """Standard deviation of the baseline's NE over its repeats, in percent."""
        baseline = self.history.baseline
        return 100.0 * baseline.ne_std / baseline.ne

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Trials with finite NE and QPS ratio, in the order of numbers."""
        trials = [t for t in self.history.of_state(State.COMPLETE, State.STOPPED) if t.measured]
        gains = np.array([self.gain_pct(t) for t in trials], dtype=np.float64)
        ratios = np.array([_ratio(t) for t in trials], dtype=np.float64)
        eligible = np.array([self.history.eligible(t) for t in trials], dtype=bool)
        on_front = np.zeros(len(trials), dtype=bool)
        if eligible.any():
            on_front[eligible] = pareto.front(pareto.objectives(gains[eligible], ratios[eligible]))
        return tuple(self._point(t, bool(on)) for t, on in zip(trials, on_front, strict=True))

    def _point(self, trial: Trial, on_front: bool) -> Point:
        assert trial.measurement is not None
        speed = trial.measurement.speed
        low, high = speed.qps_ratio_low, speed.qps_ratio_high
        return Point(trial, self.gain_pct(trial), speed.qps_ratio, low, high, on_front)

    def gain_pct(self, trial: Trial) -> float:
        """NE gain in percent, over all of its trainings; NaN where nothing was measured. That of a repeat of the
        baseline is against their mean."""
        if trial.origin is Origin.BASELINE and trial.measurement is not None:
            return self.history.baseline.gain_pct(trial.measurement.ne)
        return self.history.baseline.mean_gain_pct(trial)

    def error_pct(self, trial: Trial) -> float:
        """Standard error of its NE gain; NaN where it was trained once, or not to its end."""
        count = len(trial.trainings)
        return self._training_noise_pct / math.sqrt(count) if count > 1 else math.nan

    @cached_property
    def _training_noise_pct(self) -> float:
        return self.history.noise_pct

    @cached_property
    def by_number(self) -> dict[int, Trial]:
        return {trial.number: trial for trial in self.history.trials}

    @cached_property
    def front(self) -> tuple[Point, ...]:
        """The front from the slowest to the fastest."""
        return tuple(sorted((p for p in self.points if p.on_front), key=lambda p: (p.qps_ratio, p.gain_pct)))

    @cached_property
    def state_counts(self) -> Counter[State]:
        return Counter(trial.state for trial in self.history.trials)

    @cached_property
    def failure_counts(self) -> list[tuple[str, list[tuple[str, list[int]]]]]:
        """Kind -> reasons with the trials' numbers, the most frequent first."""
        kinds: dict[str, dict[str, list[int]]] = {}
        for trial in self.history.of_state(State.FAILED):
            kind, reason = (trial.failure.kind, trial.failure.reason) if trial.failure else ("error", "not recorded")
            kinds.setdefault(kind, {}).setdefault(reason, []).append(trial.number)
        ordered = [(kind, sorted(reasons.items(), key=lambda item: -len(item[1]))) for kind, reasons in kinds.items()]
        return sorted(ordered, key=lambda item: -sum(len(numbers) for _, numbers in item[1]))

    @cached_property
    def picks(self) -> list[tuple[str, Point]]:
        """What the page marks, in the order of roles: the picks of the finals, else those of the search."""
        if self.finals is None or not self.finals.picks:
            return self.search_picks
        points = {point.trial.number: point for point in self.points}
        return [(pick.role, points[pick.trial]) for pick in self.finals.picks if pick.trial in points]

    @cached_property
    def search_picks(self) -> list[tuple[str, Point]]:
        """The search's picks in the order of roles: those handed over, or the extremes of the observed front."""
        points = {point.trial.number: point for point in self.points}
        if self.data.picks is not None:
            chosen = [(role, points[number]) for role, number in self.data.picks.items() if number in points]
            return sorted(chosen, key=lambda item: role_rank(item[0]))
        return _extremes(self.front)

    @cached_property
    def progress(self) -> Progress:
        """Running figures; trials that ended without a time are put in the order of numbers."""
        ended = sorted((t for t in self.history.trials if t.ended), key=lambda t: (t.ended_at or 0.0, t.number))
        usable = [self.history.eligible(t) for t in ended]
        gains = np.array([self.gain_pct(t) if ok else math.nan for t, ok in zip(ended, usable, strict=True)])
        ratios = np.array([_ratio(t) if ok else math.nan for t, ok in zip(ended, usable, strict=True)])
        return Progress(
            seconds=busy_seconds([(t.started_at, t.ended_at) for t in ended]),
            core_hours=np.cumsum([core_seconds(t) for t in ended]) / SECONDS_PER_HOUR,
            best_gain_pct=_running(np.fmin, gains),
            best_gain_at_speed_pct=_running(np.fmin, np.where(ratios >= 1.0, gains, math.nan)),
            best_ratio_at_quality=_running(np.fmax, np.where(gains <= 0.0, ratios, math.nan)),
            hypervolume=_running_hypervolume(gains, ratios),
        )


def trial_seconds(trial: Trial) -> float:
    """Seconds that a trial held its core: from start to end, else the sum of its measured parts. Start and end of a
    promoted trial are those of its promotion, before which it was trained on its part."""
    if trial.started_at is not None and trial.ended_at is not None:
        before = 0.0 if trial.on_part is None else sum(trial.on_part.seconds.values())
        return before + max(0.0, trial.ended_at - trial.started_at)
    return sum(trial.measurement.seconds.values()) if trial.measurement else 0.0


def core_seconds(trial: Trial) -> float:
    """Seconds of a core that a trial used; those that it held one where its use was not recorded."""
    return trial_seconds(trial) if trial.cpu_seconds is None else trial.cpu_seconds


def busy_seconds(spans: Sequence[tuple[float | None, float | None]]) -> Floats:
    """For each span, the time up to its end during which at least one of the spans was open; NaN without times."""
    known = sorted((start, end) for start, end in spans if start is not None and end is not None)
    merged: list[tuple[float, float]] = []
    for start, end in known:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))

    def until(moment: float) -> float:
        return sum(max(0.0, min(end, moment) - start) for start, end in merged)

    return np.array([math.nan if end is None else until(end) for _, end in spans], dtype=np.float64)


def _in_order(finals: Finals) -> Finals:
    return replace(finals, picks=tuple(sorted(finals.picks, key=lambda pick: role_rank(pick.role))))


def _ratio(trial: Trial) -> float:
    return math.nan if trial.measurement is None else trial.measurement.speed.qps_ratio


def _extremes(front: Sequence[Point]) -> list[tuple[str, Point]]:
    """Lowest NE at the baseline's speed or faster, highest QPS at its NE or better, and the lowest NE of all."""
    rules: tuple[tuple[str, Iterable[Point], Callable[[Point], float]], ...] = (
        ("accurate", [p for p in front if p.qps_ratio >= 1.0], lambda p: p.gain_pct),
        ("fast", [p for p in front if p.gain_pct <= 0.0], lambda p: -p.qps_ratio),
        ("unlimited", front, lambda p: p.gain_pct),
    )
    chosen: list[tuple[str, Point]] = []
    for role, allowed, key in rules:
        best = min(allowed, key=key, default=None)
        if best is not None and all(best is not point for _, point in chosen):
            chosen.append((role, best))
    return chosen


def _running(better: np.ufunc, values: Floats) -> Floats:
    return np.asarray(better.accumulate(values), dtype=np.float64) if len(values) else values


def _running_hypervolume(gains: Floats, ratios: Floats) -> Floats:
    """Hypervolume after each trial. Only a trial that joins the front can move it, so only then is it computed."""
    volumes = np.zeros(len(gains), dtype=np.float64)
    front = np.empty((0, 2), dtype=np.float64)
    volume = 0.0
    for index, (gain, ratio) in enumerate(zip(gains, ratios, strict=True)):
        if math.isfinite(gain) and math.isfinite(ratio):
            point = pareto.objectives(np.array([gain]), np.array([ratio]))
            if not (front <= point).all(axis=1).any():
                front = np.vstack([front[~(front >= point).all(axis=1)], point])
                volume = float(pareto.hypervolume(front, pareto.REFERENCE))
        volumes[index] = volume
    return volumes
