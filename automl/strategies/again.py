"""Which trial is worth one more training: what would be shipped if the search ended now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from automl.strategies.believed import Belief, believe
from automl.study.history import History, Trial

Floats = NDArray[np.float64]


def again(history: History, most: int, margin_pct: float, busy: frozenset[int] = frozenset()) -> int | None:
    """The number of the trial to be trained again; None where none is worth it.

    Worth it are the two ends of what may ship, by what is believed. One that falls back when it is trained again makes
    room for the next, which is then trained again itself: so a lead is only ever held by what was seen several times.
    Of the two the one that was trained less comes first. `most` is how often a trial may be trained again; those that
    are `busy` wait.
    """
    trials = [trial for trial in history.trials if history.eligible(trial)]
    ends = ends_of(believe(history, trials), np.array([_ratio(t) for t in trials]), margin_pct)
    able = [trials[i] for i in ends if len(trials[i].repeats) < most and trials[i].number not in busy]
    return min(able, key=lambda trial: len(trial.repeats)).number if able else None


def ends_of(belief: Belief, ratio_N: Floats, margin_pct: float) -> list[int]:
    """The trial of lowest NE at the baseline's speed or more, if it is within the margin, and the fastest one that is
    believed to be no worse than the baseline."""
    able = np.flatnonzero((ratio_N >= 1.0) & (belief.mean_N <= margin_pct))
    equal = able[belief.mean_N[able] <= 0.0]
    accurate = [int(able[np.argmin(belief.mean_N[able])])] if len(able) else []
    fast = [int(equal[np.argmax(ratio_N[equal])])] if len(equal) else []
    return list(dict.fromkeys([*accurate, *fast]))


def _ratio(trial: Trial) -> float:
    assert trial.measurement is not None
    return trial.measurement.speed.qps_ratio
