"""The baseline in the record of a study: its repeats, and the trainings that tuned it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from automl.study.facts import REPEATS, TUNING
from automl.study.history import Baseline, Proposal, Trial
from automl.study.records import outcome_json, proposal_json, trial_of


class Baselines:
    """`read` gives the attributes of the record as they are now, `write` writes one."""

    def __init__(self, read: Callable[[], Mapping[str, Any]], write: Callable[[str, object], None]) -> None:
        self._read, self._write = read, write
        self._load()

    def _load(self) -> None:
        attributes = self._read()
        self.repeats = tuple(trial_of(0, 0, one["proposal"], one["outcome"]) for one in attributes.get(REPEATS, []))
        self.tunings = tuple(
            trial_of(one["number"], one["round"], one["proposal"], one["outcome"]) for one in attributes.get(TUNING, [])
        )

    def add_repeat(self, proposal: Proposal, trial: Trial) -> None:
        """Record one repeat that is done."""
        data = {"proposal": proposal_json(proposal), "outcome": outcome_json(trial)}
        self._write(REPEATS, [*self._read().get(REPEATS, []), data])
        self._load()

    def add_tuning(self, trial: Trial) -> None:
        """Record one training of the tuning that has ended."""
        proposal = proposal_json(Proposal(trial.candidate, trial.origin, trial.forecast))
        data = {"number": trial.number, "round": trial.round, "proposal": proposal, "outcome": outcome_json(trial)}
        self._write(TUNING, [*self._read().get(TUNING, []), data])
        self._load()


def summarize_baseline(repeats: Sequence[Trial], qps: float) -> Baseline:
    """Mean and spread of the baseline's repeats."""
    measurements = [trial.measurement for trial in repeats if trial.measurement is not None]
    ne = [m.ne for m in measurements]
    mean = math.fsum(ne) / len(ne)
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in ne) / max(len(ne) - 1, 1))
    train = [m.speed.train_qps for m in measurements if m.speed.train_qps is not None]
    return Baseline(
        candidate=repeats[0].candidate,
        trials=tuple(replace(trial, number=0) for trial in repeats),
        ne=mean,
        ne_std=spread,
        qps=qps,
        train_qps=math.fsum(train) / len(train) if train else math.nan,
    )
