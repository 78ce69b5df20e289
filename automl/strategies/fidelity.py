"""Low fidelity: which part of the rows ranks trials as all rows do, and who is promoted to all of them.

The first trials, the pilots, are trained on parts of the rows and on all of them, until the smallest part ranks them
alike or there are PILOTS of them. The smallest part that does is the search's fidelity from then on: a trial is trained
on it first, and on all rows only where it is promising. Where no part ranks alike, every trial is trained on all rows.
Each trial that is trained on all rows tells anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl.strategies.promising import Agreement, Early, agreement, foreseen, promising
from automl.study.history import PartNE, State, Trial

PILOTS = 12
FEWEST = 8  # trials, the baseline among them, that must have ended before a part is chosen


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A part of the rows, and how it ranked those that were trained on all of them too."""

    every: int
    agreement: Agreement


def fidelities(trials: Sequence[Trial]) -> tuple[Fidelity, ...]:
    """Of every part that enough trials were trained on before they were trained to their end, the smallest first."""
    parts = {part.every for trial in trials if trial.measurement for part in trial.measurement.parts}
    told = ((every, agreement(_early(trials, every), FEWEST)) for every in sorted(parts, reverse=True))
    return tuple(Fidelity(every, found) for every, found in told if found is not None)


def chosen(trials: Sequence[Trial]) -> Fidelity | None:
    """The smallest part that ranks as all rows do; None where there is none, or too few trials tell."""
    return next((found for found in fidelities(trials) if found.agreement.holds), None)


def promoted(trial: Trial, part: PartNE, qps_ratio: float, others: Sequence[Trial]) -> bool:
    """Whether a trial that was trained on a part is promising enough for all rows. `others`: the baseline first."""
    peers = _early(others, part.every)
    return promising(Early(trial.number, part.ne, qps_ratio), peers, [peer for peer in peers if peer.ended])


def part_ne(part: PartNE, qps_ratio: float, others: Sequence[Trial]) -> float:
    """NE on the validation window that a training on all rows leads to; NaN where nothing tells."""
    found = foreseen(part.ne, _early(others, part.every), ratio=qps_ratio)
    return math.nan if found is None else found.ne


def _early(trials: Sequence[Trial], every: int) -> list[Early]:
    return [
        Early.of(trial, trial.measurement.part_ne(every))
        for trial in trials
        if trial.measurement is not None and trial.state in (State.COMPLETE, State.STOPPED)
    ]
