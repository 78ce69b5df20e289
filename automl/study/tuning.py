"""A baseline as brought and as tuned: which trainings its own knobs are given, and what takes its place.

Every training is of one model on one order of the data, scored on the validation window. The model as brought has the
number 0, those that were proposed count on from 1. On the first order all of them are tried; the best are trained again
on further orders, and only these decide: on the first, the best was chosen for its luck as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from automl.study.history import State, Trial
from search_spaces.model import ModelSpec

BROUGHT = 0  # number of the model as brought
LEAST = 12  # trainings that a tuning must be given


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """How trainings are spent: about two thirds to try models, one third to train the best of them again."""

    explored: int  # models on the first order, the one as brought among them
    leaders: int  # trained again beside the one as brought
    orders: int  # beside the first

    @classmethod
    def of(cls, trainings: int) -> TuningPlan:
        """The plan of a number of trainings, LEAST or more."""
        leaders = 1 if trainings < 16 else 2 if trainings < 24 else 3
        orders = max(2, round(trainings / 3 / (leaders + 1)))
        return cls(explored=trainings - orders * (leaders + 1), leaders=leaders, orders=orders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What the tuning found. NE by further order of the data, the same orders for both; empty where no model was worth
    a second training. `tuned` is the model as brought where none beats it."""

    trainings: int
    brought: ModelSpec
    tuned: ModelSpec
    brought_ne: tuple[float, ...]
    tuned_ne: tuple[float, ...]

    @property
    def changed(self) -> bool:
        """Whether the tuned model is another one."""
        return self.tuned != self.brought

    @property
    def gain_pct(self) -> float:
        """NE gain of the tuned model in percent, order by order; negative is better. NaN without further orders."""
        if not self.brought_ne:
            return math.nan
        return 100.0 * (math.fsum(self.tuned_ne) / math.fsum(self.brought_ne) - 1.0)


def first_ne(trials: Sequence[Trial]) -> dict[int, float]:
    """NE on the first order by number; NaN where a training failed."""
    return {t.number: _ne(t) for t in trials if t.seeds["repeat"] == 0}


def leading(trials: Sequence[Trial], plan: TuningPlan) -> tuple[int, ...]:
    """The numbers of the models that are worth a second training: of lowest NE on the first order, and lower than that
    of the model as brought."""
    tried = first_ne(trials)
    better = [number for number, ne in tried.items() if ne < tried.get(BROUGHT, math.nan)]
    return tuple(sorted(better, key=lambda number: (tried[number], number))[: plan.leaders])


def decided(trials: Sequence[Trial], plan: TuningPlan, errors: Callable[[int], float]) -> ModelSpec:
    """The model of lowest mean NE over the further orders, if it beats the one as brought by enough standard
    errors of their paired differences; else the model as brought. `errors(freedom)` says how many are enough, for a
    spread (pooled over the leading models) of so many degrees of freedom.

    A model that failed on one order is out.
    """
    base = _further(trials, BROUGHT, plan)
    found = {number: _further(trials, number, plan) for number in leading(trials, plan)}
    whole = {number: ne for number, ne in found.items() if len(ne) == plan.orders and math.isfinite(math.fsum(ne))}
    chosen = _beats(base, whole, errors) if whole else BROUGHT
    return next(trial.candidate.model for trial in trials if trial.number == chosen)


def told(trials: Sequence[Trial], plan: TuningPlan, tuned: ModelSpec) -> Tuning:
    """What there is to tell of a tuning that ended with this model."""
    models = {trial.number: trial.candidate.model for trial in trials}
    number = next(number for number, model in models.items() if model == tuned)
    return Tuning(
        trainings=len(trials),
        brought=models[BROUGHT],
        tuned=tuned,
        brought_ne=_further(trials, BROUGHT, plan),
        tuned_ne=_further(trials, number, plan),
    )


def _beats(base: tuple[float, ...], found: Mapping[int, tuple[float, ...]], errors: Callable[[int], float]) -> int:
    differences = {n: [a - b for a, b in zip(ne, base, strict=True)] for n, ne in found.items()}
    means = {n: math.fsum(d) / len(d) for n, d in differences.items()}
    squares = math.fsum((x - means[n]) ** 2 for n, d in differences.items() for x in d)
    freedom = sum(len(d) - 1 for d in differences.values())
    error = math.sqrt(squares / freedom / len(base))
    best = min(means, key=lambda n: (means[n], n))
    return best if means[best] < -errors(freedom) * error else BROUGHT


def _further(trials: Sequence[Trial], number: int, plan: TuningPlan) -> tuple[float, ...]:
    by_order = {t.seeds["repeat"]: _ne(t) for t in trials if t.number == number}
    return tuple(by_order[order] for order in range(1, plan.orders + 1) if order in by_order)


def _ne(trial: Trial) -> float:
    done = trial.state is State.COMPLETE and trial.measurement is not None
    return trial.measurement.ne if done and trial.measurement is not None else math.nan
