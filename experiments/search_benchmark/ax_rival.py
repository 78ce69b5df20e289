"""Ax: a Gaussian process for each objective, and noisy expected hypervolume improvement from the thresholds on.

The space is told without conditions, at its defaults where a question is not asked: Ax knows no more than trees of
choices, no depth of a stack, and its default model flattens them again.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from automl.stats.pareto import REFERENCE
from automl.study.history import History, Proposal, State
from experiments.search_benchmark.rivals import MODEL, Told, draft_of, filled, library_seed, ordered, told
from search_spaces.decisions import Decision, Integer, Real
from search_spaces.knobs import Value
from search_spaces.space import Candidate, SearchSpace

METRICS = ("ne_gain_pct", "log2_slowdown")
FIRST, FIRST_MEASURED = 5, 2  # trials, and measured ones, after which Ax by itself turns to its model


def ax(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Its default strategy, "fast"; "quality", which is fully Bayesian, needs JAX and NumPyro beside."""
    draft, known = draft_of(space, history, count), told(space, history)
    with _quiet():
        client = _client(space, known, library_seed("ax", seed, history))
        _tell(client, space, known, baseline=len(known) > len(history.trials))
        while len(draft) < count:
            found = client.get_next_trials(count - len(draft))
            added = [draft.add(_candidate(space, codes), MODEL) for codes in found.values()]
            if not any(added):
                break
    return filled(space, history, draft, count, seed)


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings, no log, and one thread: several are no faster on matrices so small."""
    threads, disabled = torch.get_num_threads(), logging.root.manager.disable
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        torch.set_num_threads(threads)


def _client(space: SearchSpace, known: Sequence[Told], seed: int) -> Any:
    """A strategy that begins anew would start every batch with a trial of its Sobol sequence: where Ax would have left
    that behind, it is told so."""
    from ax.api.client import Client  # type: ignore[import-not-found]

    client = Client(random_seed=seed)
    client.configure_experiment([_parameter(decision) for decision in space.decisions if decision.domain.count != 1])
    client.configure_optimization(
        objective=", ".join(f"-{metric}" for metric in METRICS),
        outcome_constraints=[f"{metric} <= {bound}" for metric, bound in zip(METRICS, REFERENCE, strict=True)],
    )
    begun = len(known) >= FIRST and sum(one.point is not None for one in known) >= FIRST_MEASURED
    client.configure_generation_strategy(
        initialization_budget=0 if begun else None,
        initialization_random_seed=seed,
        allow_exceeding_initialization_budget=True,
    )
    return client


def _parameter(decision: Decision) -> Any:
    """Answers are the numbers of the matrix form: of a choice the place of the option."""
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig  # type: ignore[import-not-found]

    domain = decision.domain
    if isinstance(domain, Real) or (isinstance(domain, Integer) and domain.step == 1):
        return RangeParameterConfig(
            name=decision.path,
            bounds=(domain.low, domain.high),
            parameter_type="float" if isinstance(domain, Real) else "int",
            scaling="log" if domain.log else "linear",
        )
    if isinstance(domain, Integer):
        values = list(range(domain.low, domain.high + 1, domain.step))
    else:
        values = list(range(domain.count or 0))
    return ChoiceParameterConfig(
        name=decision.path,
        values=values,
        parameter_type="int",
        is_ordered=isinstance(domain, Integer) or len(values) == 2 or ordered(decision),
    )


def _tell(client: Any, space: SearchSpace, known: Sequence[Told], baseline: bool) -> None:
    """What failed is abandoned: Ax may propose again what it knows as failed."""
    for place, one in enumerate(known):
        attach = client.attach_baseline if baseline and place == 0 else client.attach_trial
        index = attach(_codes(space, one.candidate))
        if one.point is not None:
            client.complete_trial(index, dict(zip(METRICS, one.point, strict=True)))
        elif one.state is not State.RUNNING:
            client.mark_trial_abandoned(index)


def _codes(space: SearchSpace, candidate: Candidate) -> dict[str, float | int]:
    """Defaults for what Ax asks and the space does not."""
    codes: dict[str, float | int] = {}
    for decision, answer in zip(space.decisions, space.answers(candidate).tolist(), strict=True):
        if decision.domain.count != 1:
            code = decision.encode(decision.default) if math.isnan(answer) else answer
            codes[decision.path] = code if isinstance(decision.domain, Real) else int(code)
    return codes


def _candidate(space: SearchSpace, codes: Mapping[str, Any]) -> Candidate:
    def choose(decision: Decision) -> Value:
        code = codes.get(decision.path)
        return decision.default if code is None else decision.domain.nearest(decision.decode(float(code)))

    return space.walk(choose)
