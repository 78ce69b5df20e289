"""Rivals of the controller behind the same function: random, regularised evolution, and Optuna's TPE and NSGA-II.

An Optuna sampler is asked through the walk of the space: a study in memory is filled anew from the history at every
call, so that these too are pure functions of (space, history, seed).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from automl.stats import pareto
from automl.stats.seeds import seed_of
from automl.strategies.draft import Draft
from automl.strategies.evidence import Evidence, gather
from automl.study.history import History, Origin, Proposal, State
from automl.study.in_optuna import distribution
from search_spaces.decisions import Decision
from search_spaces.knobs import Value
from search_spaces.moves import crossover, mutate
from search_spaces.space import Candidate, SearchSpace

FIRST_RANDOM = 20
POPULATION = 30  # the newest trials: evolution is regularised by age
TOURNAMENT = 6
CROSSED = 0.25  # share of children with two parents
NSGA2_POPULATION = 50
MANY_FAILED = 4  # so many are no accident

Domains = dict[str, BaseDistribution]


def random(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Uniform over the questions of the space."""
    rng = np.random.default_rng(seed_of("random", seed, len(history.trials)))
    draft = Draft(space, history)
    draft.fill(count, lambda: space.random(rng), Origin.RANDOM)
    return draft.proposals


def evolution(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Regularised evolution (Real et al., arXiv 1802.01548) on the front: of a few drawn from the newest trials, one
    that no other of them dominates becomes a parent."""
    rng = np.random.default_rng(seed_of("evolution", seed, len(history.trials)))
    draft = Draft(space, history)
    draft.fill(min(count, FIRST_RANDOM - len(history.trials)), lambda: space.random(rng), Origin.RANDOM)
    evidence = gather(space, history)
    if len(evidence):
        draft.fill(count, lambda: _child(space, evidence, rng), Origin.MUTATION)
    draft.fill(count, lambda: space.random(rng), Origin.RANDOM)
    return draft.proposals


def _child(space: SearchSpace, evidence: Evidence, rng: np.random.Generator) -> Candidate:
    parent = _parent(evidence, rng)
    if rng.random() < CROSSED:
        parent = crossover(space, parent, _parent(evidence, rng), rng)
    return mutate(space, parent, rng)


def _parent(evidence: Evidence, rng: np.random.Generator) -> Candidate:
    alive = np.arange(max(0, len(evidence) - POPULATION), len(evidence))
    drawn = rng.choice(alive, size=min(TOURNAMENT, len(alive)), replace=False)
    points = pareto.objectives(evidence.gain_N[drawn], np.exp2(evidence.log2_ratio_N[drawn]))
    points = points + np.where(evidence.eligible_N[drawn], 0.0, 1e6)[:, None]  # behind every eligible one
    return evidence.candidates[int(rng.choice(drawn[pareto.front(points)]))]


def tpe(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Optuna's multi-objective TPE at its defaults, told to keep away from what is running."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = TPESampler(seed=_sampler_seed("tpe", seed, history), constant_liar=True)
    return _sampled(space, history, count, seed, sampler, Origin.TPE)


def nsga2(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Optuna's NSGA-II at its defaults."""
    sampler = NSGAIISampler(population_size=NSGA2_POPULATION, seed=_sampler_seed("nsga2", seed, history))
    return _sampled(space, history, count, seed, sampler, Origin.NSGA2)


def _sampler_seed(name: str, seed: int, history: History) -> int:
    return seed_of(name, seed, len(history.trials)) & 0xFFFFFFFF


def _sampled(
    space: SearchSpace, history: History, count: int, seed: int, sampler: BaseSampler, origin: Origin
) -> list[Proposal]:
    study = _replayed(space, history, sampler)
    domains = {decision.path: distribution(decision) for decision in space.decisions}
    draft = Draft(space, history)
    draft.fill(count, lambda: _asked(space, study, domains, draft), origin)
    rng = np.random.default_rng(seed_of(str(origin), "else", seed, len(history.trials)))
    draft.fill(count, lambda: space.random(rng), Origin.RANDOM)
    return draft.proposals


def _replayed(space: SearchSpace, history: History, sampler: BaseSampler) -> optuna.Study:
    """A study in memory that holds the baseline and every trial of the history.

    A sampler forgets a trial that failed. TPE then prefers where nothing else is known: after 40 trials 75 to 85% of
    its proposals were in a region that always fails, where chance has 43%. One that was pruned is worse than all.
    """
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # creating a study is no news
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    optuna.logging.set_verbosity(verbosity)
    domains = {decision.path: distribution(decision) for decision in space.decisions}
    inside = space.locate(history.baseline.candidate.model)
    if inside is not None:
        study.add_trial(_told(inside, domains, (0.0, 0.0), {}, generation=0))
    done = len(study.trials)
    many = len(history.of_state(State.FAILED)) >= MANY_FAILED
    for trial in history.trials:
        if trial.measured and trial.state is not State.FAILED:
            assert trial.measurement is not None
            gain = history.baseline.mean_gain_pct(trial)
            point = (gain, -math.log2(trial.measurement.speed.qps_ratio))
            over = history.baseline.excess(history.limits, trial)
            study.add_trial(_told(trial.candidate, domains, point, over, generation=done // NSGA2_POPULATION))
            done += 1
        else:
            ended = TrialState.PRUNED if many else TrialState.FAIL
            state = TrialState.RUNNING if trial.state is State.RUNNING else ended
            params, kinds = _params(trial.candidate, domains)
            study.add_trial(create_trial(state=state, params=params, distributions=kinds))
    return study


def _told(
    candidate: Candidate, domains: Domains, point: tuple[float, float], over: Mapping[str, float], generation: int
) -> FrozenTrial:
    """A complete trial. NSGA-II knows its generations by a system attribute, which a replay must set itself."""
    params, kinds = _params(candidate, domains)
    return create_trial(
        state=TrialState.COMPLETE,
        values=point,
        params=params,
        distributions=kinds,
        constraints={str(metric): beyond for metric, beyond in over.items()},
        system_attrs={NSGAIISampler._get_generation_key(): generation},
    )


def _params(candidate: Candidate, domains: Domains) -> tuple[dict[str, Value], dict[str, BaseDistribution]]:
    asked = {path: value for path, value in candidate.values.items() if path in domains}
    return asked, {path: domains[path] for path in asked}


def _asked(space: SearchSpace, study: optuna.Study, domains: Domains, draft: Draft) -> Candidate:
    trial = study.ask()
    candidate = space.walk(lambda decision: _suggested(trial, decision, domains[decision.path]))
    if not draft.fresh(candidate):
        study.tell(trial, state=TrialState.FAIL)
    return candidate


def _suggested(trial: optuna.Trial, decision: Decision, domain: BaseDistribution) -> Value:
    if isinstance(domain, CategoricalDistribution):
        chosen = trial.suggest_categorical(decision.path, domain.choices)
        assert chosen is not None, "no option is empty"
        return chosen
    if isinstance(domain, IntDistribution):
        return trial.suggest_int(decision.path, domain.low, domain.high, step=domain.step, log=domain.log)
    assert isinstance(domain, FloatDistribution)
    return trial.suggest_float(decision.path, domain.low, domain.high, log=domain.log)
