"""Parts of the training rows, one in n of them, on which a search with `fidelity: auto` trains first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from automl.study.history import State, Trial

EVERY = (16, 8, 4)  # a part is one row of each run of so many
ON_A_PART = "on a part"
LEAST_ROWS = 8192  # of a part: fewer are a handful of steps


def parts_of(train_rows: int) -> tuple[int, ...]:
    """The parts that pilots are trained on; none where the window is so small that no part is worth it."""
    return tuple(every for every in EVERY if train_rows // every >= LEAST_ROWS)


@dataclass(frozen=True, slots=True)
class Parted:
    """How many trials, no pilots, were trained on one row in `every` first, and how many of them on all then."""

    every: int
    trials: int
    promoted: int


def is_pilot(trial: Trial) -> bool:
    """Whether it was trained on parts of the rows to tell what they are worth."""
    return trial.measurement is not None and trial.measurement.pilot


def is_parked(trial: Trial) -> bool:
    """Whether it ended on a part of the rows and may be promoted to all of them."""
    found = trial.measurement
    return trial.state is State.STOPPED and not trial.curve and found is not None and bool(found.parts)


def states(trials: Sequence[Trial]) -> dict[str, int]:
    """How many there are of each state, in words; those that wait on a part of the rows are told apart."""
    counts = Counter(ON_A_PART if is_parked(trial) else trial.state.value for trial in trials)
    order = [State.RUNNING.value, State.COMPLETE.value, ON_A_PART, State.STOPPED.value, State.FAILED.value]
    return {name: counts[name] for name in order if counts[name]}


def untrained(trials: Sequence[Trial], numbers: Sequence[int]) -> list[str]:
    """Of the trials asked for by number, as people read it, those that were not trained to their end."""
    complete = {trial.number for trial in trials if trial.state is State.COMPLETE}
    parked = {trial.number for trial in trials if is_parked(trial)}
    left = [number for number in numbers if number not in complete]
    return [f"#{number}{' (waits, trained on a part of the rows)' if number in parked else ''}" for number in left]


def before_promotion(trial: Trial) -> Trial:
    """A promoted trial as it was while it was parked, but for when that was, which is not kept; another as it is."""
    if trial.on_part is None:
        return trial
    parked = replace(trial, state=State.STOPPED, measurement=trial.on_part, on_part=None, failure=None)
    return replace(parked, curve=(), repeats=(), started_at=None, ended_at=None)


def parted(trials: Sequence[Trial]) -> tuple[Parted, ...]:
    """By part, the smallest one first."""
    first = [(trial, trial.on_part or trial.measurement) for trial in trials if not is_pilot(trial)]
    alone = [(trial, found.parts[0].every) for trial, found in first if found and found.parts]
    return tuple(
        Parted(every, sum(n == every for _, n in alone), sum(n == every and not is_parked(t) for t, n in alone))
        for every in sorted({n for _, n in alone}, reverse=True)
    )
