"""Rivals from Optuna: multivariate TPE, its Gaussian process, and TPE on the training knobs of the baseline alone."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import GPSampler, TPESampler
from optuna.trial import TrialState, create_trial

from automl.strategies.baselines import _asked, _replayed, _suggested
from automl.strategies.opening import nearest_to_baseline
from automl.study.history import History, Origin, Proposal, State
from automl.study.in_optuna import distribution
from experiments.search_benchmark.rivals import (
    Told,
    answers_to_all,
    asked,
    draft_of,
    filled,
    library_seed,
    ordered,
    told,
)
from search_spaces.decisions import Choice, Decision
from search_spaces.knobs import Value
from search_spaces.space import Candidate, SearchSpace

KNOBS = re.compile(r"embedding\.(lr|init_std|weight_decay)|train\..*")

Domains = Mapping[str, BaseDistribution]


def tpe_multivariate(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """TPE that looks at parameters together, in the groups that conditions make."""
    study = _replayed(space, history, _tpe(library_seed("tpe-multivariate", seed, history), together=True))
    domains = {decision.path: distribution(decision) for decision in space.decisions}
    draft = draft_of(space, history, count)
    draft.fill(count, lambda: _asked(space, study, domains, draft), Origin.TPE)
    return filled(space, history, draft, count, seed)


def _tpe(seed: int, *, together: bool) -> TPESampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=together, group=together, constant_liar=True)


def gp(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """The Gaussian process at its defaults: what is not always asked it draws at random."""
    study = _replayed(space, history, _gp(library_seed("gp", seed, history)))
    domains = {decision.path: distribution(decision) for decision in space.decisions}
    draft = draft_of(space, history, count)
    asked(draft, count, lambda: _asked(space, study, domains, draft))
    return filled(space, history, draft, count, seed)


def gp_flat(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """The Gaussian process sees every parameter: all are asked always, and choices of numbers are asked by place."""
    domains = {decision.path: _flat(decision) for decision in space.decisions}
    study = _study(_gp(library_seed("gp-flat", seed, history)))
    for one in told(space, history):
        study.add_trial(_as_flat(space, domains, one))
    draft = draft_of(space, history, count)
    asked(draft, count, lambda: _asked_flat(space, study, domains))
    return filled(space, history, draft, count, seed)


def _gp(seed: int) -> GPSampler:
    return GPSampler(seed=seed, warn_independent_sampling=False)


def _study(sampler: GPSampler) -> optuna.Study:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    optuna.logging.set_verbosity(verbosity)
    return study


def _flat(decision: Decision) -> BaseDistribution:
    if isinstance(decision.domain, Choice) and ordered(decision):
        return IntDistribution(0, len(decision.domain.options) - 1)
    return distribution(decision)


def _as_flat(space: SearchSpace, domains: Domains, one: Told) -> optuna.trial.FrozenTrial:
    values = answers_to_all(space, one.candidate)
    params = {d.path: int(d.encode(values[d.path])) if ordered(d) else values[d.path] for d in space.decisions}
    state = TrialState.COMPLETE
    if one.point is None:
        state = TrialState.RUNNING if one.state is State.RUNNING else TrialState.FAIL
    return create_trial(state=state, values=one.point, params=params, distributions=dict(domains))


def _asked_flat(space: SearchSpace, study: optuna.Study, domains: Domains) -> Candidate:
    trial = study.ask(dict(domains))

    def answer(decision: Decision) -> Value:
        value: Value = trial.params[decision.path]
        return decision.decode(float(value)) if ordered(decision) else value

    return space.walk(answer)


def knobs_only(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """TPE on how the baseline is trained; its architecture stays as it is."""
    near = nearest_to_baseline(space, history)
    study = _replayed(space, history, _tpe(library_seed("knobs-only", seed, history), together=False))
    domains = {decision.path: distribution(decision) for decision in space.decisions}
    draft = draft_of(space, history, count)

    def ask() -> Candidate:
        trial = study.ask()

        def answer(decision: Decision) -> Value:
            if KNOBS.fullmatch(decision.path):
                return _suggested(trial, decision, domains[decision.path])
            return near.values.get(decision.path, decision.default)

        candidate = space.walk(answer)
        if not draft.fresh(candidate):
            study.tell(trial, state=TrialState.FAIL)
        return candidate

    draft.fill(count, ask, Origin.TPE)
    return filled(space, history, draft, count, seed)
