"""What every strategy proposes from a recorded history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from automl.strategies import strategy_of
from automl.study.history import History, Limit, Metric, State
from automl.testing import made_up as world
from search_spaces.space import SearchSpace
from tests.pins.pinned import hold_choice

LIMITS = (Limit(Metric.QPS_RATIO, low=0.5),)


@cache
def _played(trials: int) -> tuple[SearchSpace, History]:
    """Trials that ended, stopped, failed and still run, drawn evenly."""
    space = world.small_space()
    search = world.Search.start(space, LIMITS)
    search.play(strategy_of("random"), trials - 4, 13, seed=1)
    told = list(search.history.trials)
    for number in (3, 11, 17):
        told[number] = world.failed(replace(told[number], measurement=None))
    for number in (5, 9):
        told[number] = replace(told[number], state=State.STOPPED)
    search.history = replace(search.history, trials=tuple(told))
    search.begin(strategy_of("random")(space, search.history, 4, 2))
    return space, search.history


def _proposed(name: str, trials: int) -> list[dict[str, Any]]:
    if trials:
        space, history = _played(trials)
    else:
        space = world.small_space()
        history = world.Search.start(space, LIMITS).history
    proposed = strategy_of(name)(space, history, 10, 7)
    return [{"key": one.candidate.key, "origin": str(one.origin)} for one in proposed]


def _of(name: str, trials: int) -> Callable[[], object]:
    return lambda: _proposed(name, trials)


NAMES = ("controller", "evolution", "nsga2", "random", "tpe")
PROPOSALS: Mapping[str, Callable[[], object]] = {
    f"{name} after {trials} trials": _of(name, trials) for name in NAMES for trials in (0, 40)
}


@pytest.mark.parametrize("name", PROPOSALS)
def test_a_recorded_history_leads_to_the_same_proposals(name: str) -> None:
    hold_choice(name, PROPOSALS[name]())
