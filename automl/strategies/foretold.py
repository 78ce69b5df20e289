"""How this study's forecasts turned out: each was made before its trial was trained. N trials that were measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.study.history import Forecast, History, Trial
from predictors.conformal import widening
from predictors.evaluate import Ranked, pooled_tau, rankings

Floats = NDArray[np.float64]
MIN_RANKED = 10  # forecasts that must have been tested before a predictor can be given up
RECENT = 5  # groups of trials by which it is judged


@dataclass(frozen=True, slots=True)
class Width:
    """From the spread of a predictor to the standard deviation of what will be measured: a training's luck is added,
    and both are widened by as much as past forecasts were off. Percent of NE."""

    luck: float = 0.0
    widened: float = 1.0

    def std(self, spread_N: Floats) -> Floats:
        """(N,)."""
        return np.asarray(self.widened * np.hypot(spread_N, self.luck), dtype=np.float64)


AS_CLAIMED = Width()  # the predictor's own spread


def width_of(history: History) -> Width:
    """So that 90% of what is measured lies within 1.645 standard deviations, if forecasts go on as they went."""
    judged, base = _judged(history), history.baseline
    errors = [base.mean_gain_pct(trial) - base.gain_pct(told.ne) for trial, told in judged]
    narrow = [100.0 * told.ne_std / told.widened / base.ne for _, told in judged]
    return Width(history.noise_pct, widening(np.array(errors), np.array(narrow)))


def track_record(history: History) -> list[Ranked]:
    """How well the forecasts ranked each round."""
    judged = _judged(history)
    found = [history.baseline.mean_gain_pct(trial) for trial, _ in judged]
    return rankings([trial.round for trial, _ in judged], np.array([told.ne for _, told in judged]), np.array(found))


def trusted(history: History) -> bool:
    """False where the forecasts of the last rounds ranked no better than chance."""
    recent = track_record(history)[-RECENT:]
    return sum(ranked.count for ranked in recent) < MIN_RANKED or pooled_tau(recent) > 0.0


def _judged(history: History) -> list[tuple[Trial, Forecast]]:
    """The trials that were measured and had been forecast."""
    return [(trial, trial.forecast) for trial in history.trials if trial.forecast is not None and trial.measured]
