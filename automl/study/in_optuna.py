"""A trial as Optuna has it, so that its dashboard and importances work on a record of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from automl.study.history import State, Trial
from automl.study.records import ProposalJson, outcome_json, trial_of
from search_spaces.decisions import Choice, Decision, Flag, Integer, Real
from search_spaces.knobs import Value

STATES = {
    State.RUNNING: TrialState.RUNNING,
    State.COMPLETE: TrialState.COMPLETE,
    State.STOPPED: TrialState.PRUNED,
    State.FAILED: TrialState.FAIL,
}


def distribution(decision: Decision) -> BaseDistribution:
    """The Optuna form of a decision's domain."""
    domain = decision.domain
    if isinstance(domain, Choice):
        return CategoricalDistribution(list(domain.options))
    if isinstance(domain, Flag):
        return CategoricalDistribution([False, True])
    if isinstance(domain, Integer):
        return IntDistribution(domain.low, domain.high, step=domain.step, log=domain.log)
    assert isinstance(domain, Real)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def number_of(frozen: FrozenTrial) -> int:
    """Ours; Optuna's own counts from 0 and without gaps."""
    return int(frozen.user_attrs["number"])


def read_trial(frozen: FrozenTrial) -> Trial:
    """The trial, without its repeats."""
    told = frozen.user_attrs
    outcome = json.loads(told["outcome"]) if "outcome" in told else None
    return trial_of(number_of(frozen), told["round"], json.loads(told["proposal"]), outcome)


def new_trial(
    trial: Trial,
    proposal: ProposalJson,
    values: Mapping[str, Value],
    distributions: Mapping[str, BaseDistribution],
    *,
    objectives: list[float] | None,
    constraints: Mapping[str, float],
    attributes: Mapping[str, int],
) -> FrozenTrial:
    """What is to be added to a study: a trial that runs, or one that has ended elsewhere. `values` are its answers,
    also to what the space does not ask; `attributes` stand beside its own."""
    asked = {path: value for path, value in values.items() if path in distributions}
    attrs = {"number": trial.number, "round": trial.round, "proposal": json.dumps(proposal), **attributes}
    if trial.ended:
        attrs["outcome"] = json.dumps(outcome_json(trial))
    return create_trial(
        state=STATES[trial.state],
        values=objectives,
        params=asked,
        distributions={path: distributions[path] for path in asked},
        user_attrs=attrs,
        constraints=dict(constraints),
    )
