"""What early stops have saved: told by `automl status`, which loads nothing that judges trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl.runtime.jobs import CURVE_POINTS
from automl.study.history import State, Trial


def saved_share(trials: Sequence[Trial]) -> float:
    """Of the seconds that all trainings would have taken, those that early stops have saved; NaN of none."""
    spent = saved = 0.0
    for trial in trials:
        seconds = trial.measurement.seconds.get("train", 0.0) if trial.measurement else 0.0
        share = len(trial.curve) / CURVE_POINTS if trial.state is State.STOPPED else 1.0
        spent += seconds
        saved += seconds * (1 / share - 1) if share else 0.0
    return saved / (spent + saved) if spent + saved else math.nan
