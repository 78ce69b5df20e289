"""How a job ended, as the trial or the repeat that it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from automl.runtime.jobs import Outcome
from automl.study.history import Failure, Measurement, Repeat, State, Trial


def failure_of(outcome: Outcome) -> Failure | None:
    """What it ended with, or what is wrong with what it ended with."""
    if outcome.failure is not None or outcome.stopped:
        return outcome.failure
    if outcome.measurement is None:
        return Failure("error", "its training ended without a measurement")
    return None if math.isfinite(outcome.measurement.ne) else Failure("diverged", "NE is not a number")


def with_outcome(trial: Trial, outcome: Outcome, measurement: Measurement | None) -> Trial:
    """A running trial as it ended."""
    failure = failure_of(outcome)
    state = State.FAILED if failure else State.STOPPED if outcome.stopped else State.COMPLETE
    return replace(
        trial,
        state=state,
        measurement=measurement,
        failure=failure,
        curve=outcome.curve,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        cpu_seconds=outcome.cpu_seconds,
    )


def repeat_with(trial: Trial, order: int, outcome: Outcome, seeds: Mapping[str, int]) -> Repeat:
    """One more training of a trial as it ended: at the speed that the trial was timed at."""
    found, failure = outcome.measurement, failure_of(outcome)
    if found is not None and trial.measurement is not None:
        found = replace(found, speed=replace(trial.measurement.speed, train_qps=found.speed.train_qps))
    return Repeat(
        order=order,
        measurement=None if failure else found,
        failure=failure,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        cpu_seconds=outcome.cpu_seconds,
        seeds=seeds,
    )
