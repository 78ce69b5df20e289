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


def promoted_with(trial: Trial, outcome: Outcome) -> Trial:
    """A parked trial as its training on all rows ended, at the speed that it was timed at. Its seconds are those of
    both trainings."""
    parked, found = trial.measurement, outcome.measurement
    assert parked is not None
    if found is not None:
        speed = replace(parked.speed, train_qps=found.speed.train_qps)
        seconds = _summed(parked.seconds, found.seconds)
        cpu_seconds = _summed(parked.cpu_seconds, found.cpu_seconds)
        found = replace(found, speed=speed, parts=parked.parts, seconds=seconds, cpu_seconds=cpu_seconds)
    ended = with_outcome(trial, outcome, found)
    return replace(ended, on_part=parked, cpu_seconds=(trial.cpu_seconds or 0.0) + (outcome.cpu_seconds or 0.0))


def _summed(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in {**first, **second}}


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
