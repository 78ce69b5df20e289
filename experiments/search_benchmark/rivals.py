"""The search strategies that the benchmark compares by name, and what those of other libraries have in common.

All are pure functions of (space, history, count, seed). All minimise NE gain in percent and -log2 of the QPS ratio,
and know that the baseline stands at (0, 0). SMAC and Ax need not be installed for the others to be resolved.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from automl.stats import pareto
from automl.stats.seeds import seed_of
from automl.strategies import Strategy
from automl.strategies.draft import Draft
from automl.strategies.opening import nearest_to_baseline
from automl.study.history import History, Origin, Proposal, State, Trial
from search_spaces.decisions import Choice, Decision
from search_spaces.knobs import Value
from search_spaces.space import Candidate, SearchSpace

_HERE = "experiments.search_benchmark"
RIVALS: Mapping[str, str] = {
    "random": "automl.strategies.baselines:random",
    "evolution": "automl.strategies.baselines:evolution",
    "tpe": "automl.strategies.baselines:tpe",
    "nsga2": "automl.strategies.baselines:nsga2",
    "local": f"{_HERE}.plain_rivals:local",
    "lightgbm-mutations": f"{_HERE}.plain_rivals:lightgbm_mutations",
    "tpe-multivariate": f"{_HERE}.optuna_rivals:tpe_multivariate",
    "gp": f"{_HERE}.optuna_rivals:gp",
    "gp-flat": f"{_HERE}.optuna_rivals:gp_flat",
    "knobs-only": f"{_HERE}.optuna_rivals:knobs_only",
    "smac": f"{_HERE}.smac_rival:smac",
    "smac-short-start": f"{_HERE}.smac_rival:smac_short_start",
    "smac-flat": f"{_HERE}.smac_rival:smac_flat",
    "ax": f"{_HERE}.ax_rival:ax",
}

MODEL: Final = Origin.CONTROLLER  # of what a library's model proposed: Origin has no name for these libraries
TRIES_A_PLACE = 3  # of a library that takes seconds for a candidate

Point = tuple[float, float]


def rival_of(name: str) -> Strategy:
    """The strategy of that name; loads no other.

    Raises:
        KeyError: where the table has no such name.
        ImportError: where its library is not installed.
    """
    found: Strategy = pkgutil.resolve_name(RIVALS[name])
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a candidate: its point, or none while it runs and where it failed."""

    candidate: Candidate
    state: State
    point: Point | None = None


def told(space: SearchSpace, history: History) -> list[Told]:
    """The trials in their order, after the baseline where it lies inside the space."""
    inside = space.locate(history.baseline.candidate.model)
    first = [] if inside is None else [Told(inside, State.COMPLETE, (0.0, 0.0))]
    return [*first, *(_told(history, trial) for trial in history.trials)]


def _told(history: History, trial: Trial) -> Told:
    if trial.state is State.RUNNING:
        return Told(trial.candidate, State.RUNNING)
    if trial.state is State.FAILED or not trial.measured:
        return Told(trial.candidate, State.FAILED)
    return Told(trial.candidate, trial.state, point_of(history, trial))


def point_of(history: History, trial: Trial) -> Point:
    """Both objectives of a trial that was measured."""
    assert trial.measurement is not None
    return history.baseline.mean_gain_pct(trial), -math.log2(trial.measurement.speed.qps_ratio)


def front_of(history: History) -> tuple[Candidate, ...]:
    """Eligible trials that neither another one nor the baseline dominates, the largest hypervolume contribution
    first."""
    trials = [trial for trial in history.trials if history.eligible(trial)]
    points = np.array([*(point_of(history, trial) for trial in trials), (0.0, 0.0)])
    return tuple(trials[i].candidate for i in pareto.leaders(points) if i < len(trials))


def answers_to_all(space: SearchSpace, candidate: Candidate) -> dict[str, Value]:
    """A candidate as a space without conditions has it: defaults for what was not asked."""
    values = known_answers(space, candidate)
    return {decision.path: values.get(decision.path, decision.default) for decision in space.decisions}


def known_answers(space: SearchSpace, candidate: Candidate) -> dict[str, Value]:
    """The answers to what a candidate was asked, by path."""
    codes = zip(space.decisions, space.answers(candidate).tolist(), strict=True)
    return {decision.path: decision.decode(code) for decision, code in codes if code == code}


def ordered(decision: Decision) -> bool:
    """Whether the options of a choice are numbers in order."""
    options: Sequence[Value] = decision.domain.options if isinstance(decision.domain, Choice) else ()
    numbers = [float(option) for option in options if isinstance(option, int | float) and not isinstance(option, bool)]
    return bool(options) and len(numbers) == len(options) and numbers == sorted(numbers)


def library_seed(name: str, seed: int, history: History) -> int:
    """A seed of 31 bits that is another one at every call of a search."""
    return seed_of(name, seed, len(history.trials)) & 0x7FFFFFFF


def draft_of(space: SearchSpace, history: History, count: int) -> Draft:
    """A draft that is empty, but for what comes closest to a baseline outside the space where that is not known."""
    draft = Draft(space, history)
    if count:
        draft.add(nearest_to_baseline(space, history), Origin.MUTATION)
    return draft


def asked(draft: Draft, count: int, ask: Callable[[], Candidate], origin: Origin = MODEL) -> None:
    """Fill a draft from what is dear to ask: not for longer than TRIES_A_PLACE questions a place."""
    for _ in range(TRIES_A_PLACE * (count - len(draft))):
        if len(draft) >= count:
            break
        draft.add(ask(), origin)


def filled(space: SearchSpace, history: History, draft: Draft, count: int, seed: int) -> list[Proposal]:
    """The proposals, with random ones in the places that are left."""
    rng = np.random.default_rng(seed_of("filled", seed, len(history.trials)))
    draft.fill(count, lambda: space.random(rng), Origin.RANDOM)
    return draft.proposals
