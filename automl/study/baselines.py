"""The baseline in the record of a study: its repeats, the trainings that tuned it, and where it was widened those of
the model as brought."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from automl.study.facts import BROUGHT, REPEATS, TUNING
from automl.study.history import Baseline, Proposal, Trial
from automl.study.records import outcome_json, proposal_json, trial_of


class Baselines:
    """`write` writes an attribute of the record; `attributes` are those that it holds."""

    def __init__(self, attributes: Mapping[str, Any], write: Callable[[str, object], None]) -> None:
        self._write = write
        self._held: dict[str, list[Any]] = {name: attributes.get(name, []) for name in (REPEATS, BROUGHT, TUNING)}
        self.repeats = tuple(_repeat_of(plain) for plain in self._held[REPEATS])
        self.brought = tuple(_repeat_of(plain) for plain in self._held[BROUGHT])
        self.tunings = tuple(_tuning_of(plain) for plain in self._held[TUNING])

    @property
    def all(self) -> tuple[Trial, ...]:
        """Every training there was."""
        return (*self.repeats, *self.brought, *self.tunings)

    def add_repeat(self, proposal: Proposal, trial: Trial) -> None:
        """Record one repeat that is done."""
        plain = self._add(REPEATS, {"proposal": proposal_json(proposal), "outcome": outcome_json(trial)})
        self.repeats = (*self.repeats, _repeat_of(plain))

    def add_brought(self, proposal: Proposal, trial: Trial) -> None:
        """Record one training of the model as brought."""
        plain = self._add(BROUGHT, {"proposal": proposal_json(proposal), "outcome": outcome_json(trial)})
        self.brought = (*self.brought, _repeat_of(plain))

    def add_tuning(self, trial: Trial) -> None:
        """Record one training of the tuning that has ended."""
        proposal = proposal_json(_proposal_of(trial))
        data = {"number": trial.number, "round": trial.round, "proposal": proposal, "outcome": outcome_json(trial)}
        self.tunings = (*self.tunings, _tuning_of(self._add(TUNING, data)))

    def take_from(self, old: Baselines) -> None:
        """Record all that another study holds."""
        for trial in old.repeats:
            self.add_repeat(_proposal_of(trial), trial)
        for trial in old.brought:
            self.add_brought(_proposal_of(trial), trial)
        for trial in old.tunings:
            self.add_tuning(trial)

    def _add(self, name: str, data: Mapping[str, object]) -> Any:
        """What was added, as it is read again."""
        self._write(name, [*self._held[name], data])
        self._held[name] = [*self._held[name], plain := json.loads(json.dumps(data))]
        return plain


def _proposal_of(trial: Trial) -> Proposal:
    return Proposal(trial.candidate, trial.origin, trial.forecast)


def _repeat_of(plain: Any) -> Trial:
    return trial_of(0, 0, plain["proposal"], plain["outcome"])


def _tuning_of(plain: Any) -> Trial:
    return trial_of(plain["number"], plain["round"], plain["proposal"], plain["outcome"])


def summarize_baseline(repeats: Sequence[Trial], qps: float) -> Baseline:
    """Mean and spread of the baseline's repeats, which stand by their orders: the same is proposed, whichever of them
    ended first."""
    repeats = sorted(repeats, key=lambda trial: trial.seeds.get("repeat", 0))
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
