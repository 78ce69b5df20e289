"""The record of a study: one class over an Optuna storage. What is not in here did not happen.

The truth of a trial is two user attributes, `proposal` and `outcome`, as JSON. Parameters, the two values and the
constraints are their projection by Optuna's public API, so that its dashboard and importances work unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl.study.baselines import Baselines, summarize_baseline
from automl.study.batches import Batches
from automl.study.drivers import ALONE, Claim, Drivers, others
from automl.study.facts import DRIVER, NEXT_NUMBER, PROMOTED, Facts
from automl.study.history import Baseline, History, Limit, Proposal, Repeat, State, Trial
from automl.study.importances import shares_of
from automl.study.in_optuna import STATES, distribution, new_trial, number_of, read_trial
from automl.study.parts import is_parked
from automl.study.records import (
    ProposalJson,
    outcome_json,
    proposal_json,
    proposal_of,
    trial_of,
)
from automl.study.requests import Batch, Request
from automl.study.scale_up import ScaleUp, scale_up_of
from automl.study.trial_repeats import TrialRepeats
from automl.study.tuning import Tuning, TuningPlan, told
from search_spaces.errors import InputError
from search_spaces.knobs import Value
from search_spaces.space import SearchSpace


class Study:
    """Trials of one study and one space. Who writes holds a lock on the folder; of several drivers that share a record
    each writes in its turn."""

    baselines: Baselines
    repeats: TrialRepeats

    def __init__(
        self, study: optuna.Study, space: SearchSpace, limits: Sequence[Limit] = (), drivers: Drivers = ALONE
    ) -> None:
        self._study = study
        self._space = space
        self.limits = tuple(limits)
        self.drivers = drivers
        self._facts: Facts | None = None
        self._trials: dict[int, Trial] = {}
        self._ids: dict[int, int] = {}  # of the trials that Optuna has not been told the end of
        self._owners: dict[int, int] = {}  # of those, which of several drivers trains it
        self._distributions = {decision.path: distribution(decision) for decision in space.decisions}
        self._load()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A block in which what other drivers have written is known, and none of them writes."""
        with self.drivers.turn():
            if self.drivers.number is not None:
                self._load()
            yield

    @property
    def started(self) -> bool:
        """Whether its facts are written."""
        return self._facts is not None

    @property
    def facts(self) -> Facts:
        """What was written down of the run.

        Raises:
            RuntimeError: if the study was not started.
        """
        if self._facts is None:
            raise RuntimeError("the study must be started before its facts are read")
        return self._facts

    def read_again(self) -> None:
        """Read the facts anew: another process may have noted some since this one has opened the record."""
        self._facts = Facts.of_json(self._study.user_attrs)

    def note(self, facts: Facts) -> None:
        """Write down what is new among the facts."""
        before = {} if self._facts is None else self._facts.to_json()
        for name, value in facts.to_json().items():
            if name not in before or before[name] != value:
                self._study.set_user_attr(name, value)
        self._facts = facts

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial in the order of its number."""
        return tuple(self._trials[number] for number in sorted(self._trials))

    def trial(self, number: int) -> Trial:
        """One of them."""
        return self._trials[number]

    def baseline(self) -> Baseline | None:
        """The baseline, once all its repeats are in."""
        repeats = self.baselines.repeats
        if self._facts is None or not repeats or len(repeats) < self._facts.baseline_seeds:
            return None
        return summarize_baseline(repeats, self._facts.baseline_qps)

    def has_baselines(self) -> bool:
        """Whether all that the search is compared with is trained: the baseline, and where it was widened the one
        brought."""
        facts = self.facts
        whole = facts.scaled is None or len(self.baselines.brought) >= facts.baseline_seeds
        return whole and self.baseline() is not None and not (facts.tune_baseline and facts.tuned is None)

    def scale_up(self) -> ScaleUp | None:
        """What a scaled study found so far; None where it is not scaled, or its baseline not measured yet."""
        if self._facts is None or self._facts.scaled is None or self.baseline() is None:
            return None
        return scale_up_of(self.history(), self.baselines.brought, self._facts.scaled)

    def tuning(self) -> Tuning | None:
        """The baseline as brought and as tuned; None where it is not tuned, or not yet."""
        if self._facts is None or self._facts.tuned is None:
            return None
        return told(self.baselines.tunings, TuningPlan.of(self._facts.tune_baseline), self._facts.tuned)

    def history(self) -> History:
        """All trials so far, for a search strategy.

        Raises:
            RuntimeError: if the baseline has not been measured yet.
        """
        baseline = self.baseline()
        if baseline is None:
            raise RuntimeError("the baseline must be measured before the history is read")
        return History(baseline, self.trials, self.limits, self.facts.warm_start, self.facts.prefer)

    def importances(self, most: int) -> dict[str, dict[str, float]]:
        """Share of each knob in the variance of NE and of QPS, from at most so many trials."""
        return shares_of(self._study, most)

    @property
    def batches(self) -> Mapping[int, Batch]:
        """By round, in their order: those that were proposed in this space."""
        return self._batches.named

    @property
    def proposed_here(self) -> tuple[Trial, ...]:
        """The trials that were not copied from a study of another space."""
        return tuple(trial for trial in self.trials if trial.number >= self._first_number)

    def begin(self, proposals: Sequence[Proposal], round_: int, request: Request | None = None) -> tuple[Trial, ...]:
        """Record proposals as running trials, numbered on from the last one; all of them or, if the driver dies before,
        none: what of a batch is not there when the study is taken over is added then."""
        data = [proposal_json(proposal) for proposal in proposals]
        first = self.next_number
        self._batches.begin(round_, range(first, first + len(data)), data, request)
        return self._complete(round_)

    def _complete(self, round_: int) -> tuple[Trial, ...]:
        """Add the trials of a batch that are not there yet."""
        batch = self._batches[round_]
        for number, plain in zip(batch.numbers, batch.proposals, strict=True):
            if number not in self._trials:
                data = cast(ProposalJson, plain)
                self._add(trial_of(number, round_, data, None), data, proposal_of(data).candidate.values)
        self._note_running(self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        self._batches.end(round_)
        return tuple(self._trials[number] for number in batch.numbers)

    @property
    def next_number(self) -> int:
        """A number that no trial has, nor had one that an edited space left behind."""
        return max(self._first_number, max(self._trials, default=0) + 1)

    def adopt(self, old: Study) -> None:
        """Take over the facts, the baseline and its tuning of a study of another space, and its numbers as given."""
        if old.started:
            self.note(old.facts)
        self.baselines.take_from(old.baselines)
        self._first_number = old.next_number
        self._study.set_user_attr(NEXT_NUMBER, self._first_number)

    def copy(self, trial: Trial, values: Mapping[str, Value]) -> None:
        """Record an ended trial of another study under its own number, with its repeats; `values` are its answers to
        this space."""
        self._add(
            replace(trial, repeats=()), proposal_json(Proposal(trial.candidate, trial.origin, trial.forecast)), values
        )
        for repeat in trial.repeats:
            self.add_repeat(trial.number, repeat)

    def end(self, trial: Trial) -> None:
        """Record how a running trial ended; for good: an ended trial never changes, unless it is promoted."""
        if self._trials[trial.number].ended:
            raise RuntimeError(f"trial {trial.number} has ended before and must not change")
        live = optuna.trial.Trial(self._study, self._ids[trial.number])
        for metric, excess in self._constraints(trial).items():
            live.set_constraint(metric, excess)
        live.set_user_attr("outcome", json.dumps(outcome_json(trial)))
        self._trials[trial.number] = trial
        self._tell(trial)

    def promote(self, trial: Trial) -> None:
        """Record what a trial that was parked came to on all rows: for Optuna one more trial, of the same number.

        Raises:
            RuntimeError: where the trial was not parked, or `trial` does not hold what it had ended with.
        """
        parked = self._trials[trial.number]
        if not is_parked(parked) or trial.on_part != parked.measurement or not trial.ended:
            raise RuntimeError(f"trial {trial.number} must have ended on a part of the rows to be promoted")
        data = proposal_json(Proposal(trial.candidate, trial.origin, trial.forecast))
        self._add(trial, data, trial.candidate.values)

    def add_repeat(self, number: int, repeat: Repeat) -> None:
        """Record one more training of a complete trial. What the trial itself ended with stays as it is.

        Raises:
            RuntimeError: where the trial is not complete, or was trained on that order before.
        """
        trial = self._trials[number]
        if trial.state is not State.COMPLETE or repeat.order in {0, *(known.order for known in trial.repeats)}:
            raise RuntimeError(f"trial {number} must be complete, and new to order {repeat.order}, to be repeated")
        self.repeats.add(number, repeat)
        self._trials[number] = replace(trial, repeats=(*trial.repeats, repeat))

    def take_over(self) -> tuple[Trial, ...]:
        """The trials that dead drivers left running: they are ours from now on, under their numbers.

        One whose outcome was written but not told is told now: it has ended. What was not written of a last batch is
        added.
        """
        for round_ in self._batches.begun:
            self._complete(round_)
        for number in list(self._ids):
            if self._trials[number].ended:
                self._tell(self._trials[number])
        left = sorted(self.orphans())
        for number in left:
            self._own(number)
        return tuple(self._trials[number] for number in left)

    def left_meanwhile(self) -> tuple[Trial, ...]:
        """What drivers that died since the start have left; nothing where there is no other driver."""
        return () if self.drivers.number is None else self.take_over()

    def orphans(self) -> set[int]:
        """Numbers of trials that have not ended and that no living driver trains."""
        alive = self.drivers.claimed(Claim.DRIVER)
        return {number for number in self._ids if self._owners.get(number) not in alive}

    def with_others(self) -> set[int]:
        """Numbers of trials that another living driver trains."""
        alive = others(self.drivers)
        return {number for number, owner in self._owners.items() if owner in alive}

    def _own(self, number: int) -> None:
        if self.drivers.number is not None:
            optuna.trial.Trial(self._study, self._ids[number]).set_user_attr(DRIVER, self.drivers.number)
            self._owners[number] = self.drivers.number

    # ------------------------------------------------------------------ Optuna

    def _load(self) -> None:
        attrs = self._study.user_attrs
        self._facts = Facts.of_json(attrs)
        self._first_number = int(attrs.get(NEXT_NUMBER, 1))
        self._batches = Batches(attrs, self._study.set_user_attr)
        self.baselines = Baselines(attrs, self._study.set_user_attr)
        self.repeats = TrialRepeats(attrs, self._study.set_user_attr)
        trials = self._study.get_trials(deepcopy=False)
        for frozen in trials:
            known = self._trials.get(number_of(frozen))
            promoted = PROMOTED in frozen.user_attrs and known is not None and known.on_part is None
            if known is None or not known.ended or promoted:  # else an ended trial never changes
                self._trials[number_of(frozen)] = read_trial(frozen)
        self._note_running([frozen for frozen in trials if frozen.state is TrialState.RUNNING])
        for number, repeats in self.repeats.by_trial(self.repeats.places).items():
            self._trials[number] = replace(self._trials[number], repeats=repeats)

    def _note_running(self, running: Sequence[FrozenTrial]) -> None:
        self._ids = {number_of(frozen): frozen._trial_id for frozen in running}
        self._owners = {number_of(f): f.user_attrs[DRIVER] for f in running if DRIVER in f.user_attrs}

    def _add(self, trial: Trial, proposal: ProposalJson, values: Mapping[str, Value]) -> None:
        """One transaction, so that a trial is there as a whole or not at all."""
        number = self.drivers.number
        attributes = {PROMOTED: 1} if trial.on_part is not None else {}
        if not trial.ended and number is not None:
            attributes[DRIVER] = number
        added = new_trial(
            trial,
            proposal,
            values,
            self._distributions,
            objectives=self._values(trial),
            constraints=self._constraints(trial),
            attributes=attributes,
        )
        self._study.add_trial(added)
        self._trials[trial.number] = trial

    def _tell(self, trial: Trial) -> None:
        live = optuna.trial.Trial(self._study, self._ids.pop(trial.number))
        self._study.tell(live, self._values(trial), state=STATES[trial.state])

    def _values(self, trial: Trial) -> list[float] | None:
        if trial.state is not State.COMPLETE:
            return None
        assert trial.measurement is not None
        return [trial.measurement.ne, trial.measurement.speed.qps_ratio * self.facts.baseline_qps]

    def _constraints(self, trial: Trial) -> dict[str, float]:
        """By metric, how far the trial is beyond its limits; at most 0 where it keeps them."""
        baseline = self.baseline()
        if trial.measurement is None or baseline is None:
            return {}
        return baseline.excess(self.limits, trial)


def measured_history(study: Study, folder: Path) -> History:
    """The history of a study in a folder, to judge it by.

    Raises:
        InputError: where the baseline is not measured yet: every figure is against it.
    """
    if study.baseline() is None:
        found = f"{len(study.baselines.repeats)} of {study.facts.baseline_seeds} seeds"
        raise InputError.of(str(folder), "must hold a measured baseline", found, "the same `automl search` goes on")
    return study.history()
