"""Parts of the training rows, one in n of them, on which a search with `fidelity: auto` trains first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl.study.history import Trial

EVERY = (16, 8, 4)  # a part is one row of each run of so many
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


def parted(trials: Sequence[Trial]) -> tuple[Parted, ...]:
    """By part, the smallest one first."""
    first = [(trial, trial.measurement.parts) for trial in trials if trial.measurement and not is_pilot(trial)]
    alone = [(trial, parts[0].every) for trial, parts in first if parts]
    return tuple(
        Parted(every, sum(n == every for _, n in alone), sum(n == every and bool(t.curve) for t, n in alone))
        for every in sorted({n for _, n in alone}, reverse=True)
    )
