"""What early stops and low fidelity have saved: told by `automl status`, which loads nothing that judges trials."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from automl.study.history import Baseline, State, Trial


def saved_share(trials: Sequence[Trial], baseline: Baseline) -> float:
    """Of the CPU seconds that first trainings of all trials would have taken, what was not spent; NaN of none. What was
    spent on parts of the rows counts as spent, so it may be below 0."""
    epoch = max((_epoch_rows(trial) for trial in (*baseline.trials, *trials)), default=0.0)
    spent = sum(_seconds(trial, "train") + _seconds(trial, "parts") for trial in trials)
    costs = _cost_of_rows((*baseline.trials, *trials))
    whole = sum(_whole(trial, epoch, costs) for trial in trials)
    return 1 - spent / whole if whole else math.nan


def saved_words(share: float) -> str:
    """As people read it."""
    if round(share, 2) < 0:
        return f"cost {-share:.0%} more than to train all on all rows"
    return f"saved {abs(share):.0%} of the training"


def _cost_of_rows(trials: Sequence[Trial]) -> float:
    """Seconds of a training on all rows over those of its parts for as many rows: what a part costs beside its rows
    makes it less than 1. The median of those that had both."""
    both = [
        _seconds(trial, "train") / _by_rows(trial)
        for trial in trials
        if trial.state is State.COMPLETE and _by_rows(trial) > 0 and _seconds(trial, "train") > 0
    ]
    return statistics.median(both) if both else 1.0


def _by_rows(trial: Trial) -> float:
    """Seconds that all rows would have taken at the rate of its parts."""
    parts = trial.measurement.parts if trial.measurement else ()
    return _seconds(trial, "parts") / sum(1 / part.every for part in parts) if parts else 0.0


def _whole(trial: Trial, epoch: float, costs: float) -> float:
    """Seconds of the training if it had come to its end. Rows are counted: a batch may be larger than what is between
    two points."""
    if trial.state is not State.STOPPED:
        return _seconds(trial, "train")
    if not trial.curve:
        return costs * _by_rows(trial)
    return _seconds(trial, "train") * max(1.0, epoch / _epoch_rows(trial))


def _epoch_rows(trial: Trial) -> float:
    """Rows that were trained on, over the epochs that there were to be."""
    return trial.curve[-1].rows / trial.candidate.model.train.epochs if trial.curve else 0.0


def _seconds(trial: Trial, part: str) -> float:
    """CPU seconds of a part of a trial; those of the clock in older records."""
    found = trial.measurement
    return 0.0 if found is None else found.cpu_seconds.get(part, found.seconds.get(part, 0.0))
