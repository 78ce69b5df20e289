"""SMAC3: a random forest, expected improvement and ParEGO, with the conditions of the space as ConfigSpace has them.

Questions that the user's own `when` takes away are asked all the same: it may say what ConfigSpace cannot.
"""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import (  # type: ignore[import-not-found]
    AndConjunction,
    Categorical,
    Configuration,
    ConfigurationSpace,
    Constant,
    Float,
    InCondition,
    Integer,
    OrdinalHyperparameter,
)
from smac import HyperparameterOptimizationFacade, Scenario  # type: ignore[import-not-found]
from smac.initial_design import SobolInitialDesign  # type: ignore[import-not-found]
from smac.multi_objective.parego import ParEGO  # type: ignore[import-not-found]
from smac.runhistory import StatusType, TrialInfo, TrialValue  # type: ignore[import-not-found]

from automl.stats.seeds import seed_of
from automl.study.history import History, Proposal, State
from experiments.search_benchmark.rivals import asked, draft_of, filled, library_seed, ordered, told
from search_spaces import decisions
from search_spaces.decisions import Decision
from search_spaces.guards import Guard
from search_spaces.knobs import Value
from search_spaces.space import Candidate, SearchSpace

SEED_OF_ALL = 0  # what SMAC trains everything with in a deterministic scenario
SHORT_START = 5

logging.getLogger("smac").setLevel(logging.ERROR)


def smac(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """The facade for hyperparameters at its defaults: of 100 trials 25 are of a Sobol sequence."""
    return _searched(space, history, count, seed, None, conditions=True)


def smac_short_start(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """The same with five trials of a Sobol sequence, as SMAC's own example of ParEGO has it."""
    return _searched(space, history, count, seed, SHORT_START, conditions=True)


def smac_flat(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """The same without conditions: the local search of SMAC 2.4 takes no step from where a parameter is inactive."""
    return _searched(space, history, count, seed, SHORT_START, conditions=False)


def _searched(
    space: SearchSpace, history: History, count: int, seed: int, first: int | None, *, conditions: bool
) -> list[Proposal]:
    draft = draft_of(space, history, count)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean time of a local search that took no step
        facade = _facade(_config_space(space, conditions), history, seed, first, Path(folder))
        _tell(facade, space, history)
        asked(draft, count, lambda: _candidate(space, facade.ask().config))
    return filled(space, history, draft, count, seed)


def _facade(config_space: ConfigurationSpace, history: History, seed: int, first: int | None, folder: Path) -> Any:
    """Its chances are other ones at every call, but for the initial design, which is one for a whole search."""
    scenario = Scenario(
        config_space,
        output_directory=folder,
        deterministic=True,
        objectives=["ne_gain_pct", "log2_slowdown"],
        seed=library_seed("smac", seed, history),
    )
    maximizer = HyperparameterOptimizationFacade.get_acquisition_maximizer(scenario)
    _start_in_order(maximizer._local_search)
    return HyperparameterOptimizationFacade(
        scenario,
        acquisition_maximizer=maximizer,
        initial_design=SobolInitialDesign(scenario, n_configs=first, seed=seed_of("smac", seed) & 0x7FFFFFFF),
        multi_objective_algorithm=ParEGO(scenario),
        logging_level=False,
    )


def _start_in_order(local_search: Any) -> None:
    """SMAC takes the starts of its local search out of a set of texts, whose order is another one in every process."""
    starts = local_search._get_initial_points
    local_search._get_initial_points = lambda *args: sorted(starts(*args), key=repr)


def _tell(facade: Any, space: SearchSpace, history: History) -> None:
    """A failed trial costs what the worst one did; while none was measured it counts as running."""
    known = told(space, history)
    points = [one.point for one in known if one.point is not None]
    for one in known:
        info = TrialInfo(_configuration(facade.scenario.configspace, space, one.candidate), seed=SEED_OF_ALL)
        if one.point is not None:
            facade.tell(info, TrialValue(list(one.point)), save=False)
        elif one.state is State.RUNNING or not points:
            facade.runhistory.add_running_trial(info)
        else:
            worst = np.max(points, axis=0).tolist()
            facade.tell(info, TrialValue(worst, status=StatusType.CRASHED), save=False)


# ---------------------------------------------------------------------- the space


def _config_space(space: SearchSpace, conditions: bool) -> ConfigurationSpace:
    """An answer is the number of the matrix form."""
    made = ConfigurationSpace()
    parameters = [_parameter(decision) for decision in space.decisions]
    made.add(parameters)
    for decision, parameter in zip(space.decisions, parameters, strict=True):
        asked_if = [
            InCondition(parameter, parameters[guard.index], _guarded(space.decisions[guard.index], guard))
            for guard in decision.condition.guards
            if conditions and space.decisions[guard.index].domain.count != 1
        ]
        if asked_if:
            made.add(asked_if[0] if len(asked_if) == 1 else AndConjunction(*asked_if))
    return made


def _parameter(decision: Decision) -> Any:
    domain, default = decision.domain, decision.encode(decision.default)
    if domain.count == 1:
        return Constant(decision.path, int(default))
    if isinstance(domain, decisions.Real):
        return Float(decision.path, (domain.low, domain.high), default=default, log=domain.log)
    if isinstance(domain, decisions.Integer) and domain.step == 1:
        return Integer(decision.path, (domain.low, domain.high), default=int(default), log=domain.log)
    codes = list(_codes(decision))
    if isinstance(domain, decisions.Integer) or ordered(decision):
        return OrdinalHyperparameter(decision.path, codes, default_value=int(default))
    return Categorical(decision.path, codes, default=int(default))


def _codes(decision: Decision) -> Iterator[int]:
    """All answers of a domain that is not of real numbers."""
    if isinstance(decision.domain, decisions.Integer):
        yield from range(decision.domain.low, decision.domain.high + 1, decision.domain.step)
    else:
        yield from range(decision.domain.count or 0)


def _guarded(decision: Decision, guard: Guard) -> list[int]:
    return [code for code in _codes(decision) if guard.low <= code <= guard.high]


# ---------------------------------------------------------------------- candidates


def _configuration(config_space: ConfigurationSpace, space: SearchSpace, candidate: Candidate) -> Configuration:
    """Defaults for what ConfigSpace asks and the space does not."""
    row = space.answers(candidate).tolist()
    everything = not config_space.conditions
    for column, decision in enumerate(space.decisions):
        if math.isnan(row[column]) and (everything or _guards_hold(decision.condition.guards, row)):
            row[column] = decision.encode(decision.default)
    values = {
        decision.path: code if isinstance(decision.domain, decisions.Real) else int(code)
        for decision, code in zip(space.decisions, row, strict=True)
        if not math.isnan(code)
    }
    return Configuration(config_space, values=values)


def _guards_hold(guards: Sequence[Guard], row: Sequence[float]) -> bool:
    return all(guard.low <= row[guard.index] <= guard.high for guard in guards)


def _candidate(space: SearchSpace, configuration: Configuration) -> Candidate:
    values = dict(configuration)

    def answer(decision: Decision) -> Value:
        code = values.get(decision.path)
        return decision.default if code is None else decision.decode(float(code))

    return space.walk(answer)
