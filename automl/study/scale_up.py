"""What a scaled study found: NE at equal cost, cost at equal NE, and what a core-hour of the search gained.

Gains are against the widened baseline, as the search saw them; the finals tell which of them hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl.study.history import History, Trial
from automl.study.scaled import Scaled

_SECONDS_PER_HOUR = 3600.0
LEAST_CORE_HOURS = 0.01  # of a search, below which nobody is told what each of them gained


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A candidate that stands for a figure. Gain in percent over so many trainings, negative is better, with its
    standard error."""

    trial: int
    gain_pct: float
    error_pct: float
    trainings: int
    qps_ratio: float
    flops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUp:
    """NE on the validation window, means and standard deviations over orders of the data."""

    scaled: Scaled
    brought_ne: float  # NaN while it is not trained
    brought_ne_std: float
    brought_qps_ratio: float  # against the widened one
    widened_ne: float
    widened_ne_std: float
    capacity_gain_pct: float  # of the widened baseline against the one brought, order by order; negative is better
    capacity_error_pct: float  # its standard error
    equal_cost: Reached | None  # lowest NE at the QPS of the widened baseline or more
    equal_ne: Reached | None  # highest QPS with NE no worse than the widened baseline's
    core_hours: float  # inside trials and their repeats

    @property
    def gain_per_core_hour_pct(self) -> float:
        """Percent of NE gained at equal cost for each core-hour of the search; 0 where nothing was gained."""
        gain = 0.0 if self.equal_cost is None else min(self.equal_cost.gain_pct, 0.0)
        return gain / self.core_hours if self.core_hours > 0 else 0.0


def scale_up_of(history: History, brought: Sequence[Trial], scaled: Scaled) -> ScaleUp:
    """The figures as they stand. `brought` are the trainings of the baseline as brought, on the orders of the widened
    one."""
    base = history.baseline
    ne = {trial.seeds["order"]: trial.measurement.ne for trial in brought if trial.measurement is not None}
    ratios = [trial.measurement.speed.qps_ratio for trial in brought if trial.measurement is not None]
    gains = [100.0 * (base.ne_on(order) / value - 1.0) for order, value in ne.items()]
    mean, spread = _mean_and_std(list(ne.values()))
    capacity, luck = _mean_and_std(gains)
    named = [reached for trial in history.trials if (reached := _reached(history, trial)) is not None]
    at_speed = [one for one in named if one.qps_ratio >= 1.0]
    no_worse = [one for one in at_speed if one.gain_pct <= 0.0]
    return ScaleUp(
        scaled=scaled,
        brought_ne=mean,
        brought_ne_std=spread,
        brought_qps_ratio=_mean_and_std(ratios)[0],
        widened_ne=base.ne,
        widened_ne_std=base.ne_std,
        capacity_gain_pct=capacity,
        capacity_error_pct=luck / math.sqrt(len(gains)) if gains else math.nan,
        equal_cost=min(at_speed, key=lambda one: one.gain_pct + one.error_pct, default=None),
        equal_ne=max(no_worse, key=lambda one: one.qps_ratio, default=None),
        core_hours=core_seconds(history.trials) / _SECONDS_PER_HOUR,
    )


def core_seconds(trials: Sequence[Trial]) -> float:
    """Seconds of a core inside trials and their repeats, as far as they were recorded."""
    spent = [seconds for trial in trials for seconds in (trial.cpu_seconds, *(r.cpu_seconds for r in trial.repeats))]
    return math.fsum(seconds or 0.0 for seconds in spent)


def _reached(history: History, trial: Trial) -> Reached | None:
    if trial.measurement is None or not history.eligible(trial):
        return None
    gain = history.gain(trial)
    return Reached(
        trial=trial.number,
        gain_pct=gain.pct,
        error_pct=gain.error_pct,
        trainings=gain.trainings,
        qps_ratio=trial.measurement.speed.qps_ratio,
        flops=trial.measurement.flops,
    )


def _mean_and_std(values: Sequence[float]) -> tuple[float, float]:
    """NaN where there is none; the deviation of one value is not known."""
    if not values:
        return math.nan, math.nan
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
