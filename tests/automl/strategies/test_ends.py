"""Places for the accurate end of the front: which they are, what is best there, what a preference makes of a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from automl.strategies import strategy_of
from automl.strategies.ends import PLACES, accurate_places, most_accurate
from automl.study.history import History, Prefer
from automl.testing import made_up as world
from search_spaces.space import SearchSpace

POINTS = np.array([[-0.5, 0.4], [-0.2, -0.1], [-0.1, -1.0], [0.3, -4.0]])  # NE gain, -log2 of the QPS ratio
ALL = np.ones(4, dtype=bool)


def test_places_take_turns_in_a_batch_and_over_short_ones() -> None:
    """A search in batches of one has accurate places as well."""
    turn = [False, False, True]
    assert accurate_places(Prefer.BALANCED, 12, 7) == accurate_places(Prefer.BALANCED, 22, 7) == [*turn, *turn, False]
    for count in (1, 2):
        found = [place for before in range(12, 18, count) for place in accurate_places(Prefer.BALANCED, before, count)]
        assert found == turn * 2


def test_a_preference_for_it_has_more_places_there() -> None:
    assert np.mean(PLACES[Prefer.ACCURATE]) > np.mean(PLACES[Prefer.BALANCED]) > 0


def test_the_accurate_end_is_no_slower_than_the_baseline() -> None:
    assert most_accurate(POINTS, ALL) == 1
    assert most_accurate(POINTS, np.array([True, False, False, True])) == 3
    assert most_accurate(POINTS, np.array([True, False, False, False])) is None


def forecast_ne(space: SearchSpace, history: History) -> float:
    found = strategy_of("controller")(space, history, 12, 0)
    return float(np.mean([one.forecast.ne for one in found if one.forecast]))


def test_a_batch_is_where_it_is_preferred() -> None:
    space = world.small_space()
    history = world.Search.start(space).play(strategy_of("random"), 40, 20, seed=3)
    assert forecast_ne(space, replace(history, prefer=Prefer.ACCURATE)) < forecast_ne(space, history)


def test_a_search_in_batches_of_one_looks_for_the_lowest_ne() -> None:
    """The thirtieth trial is a third one: what it is does not hang on the preference."""
    space = world.small_space()
    search = world.Search.start(space)
    search.play(strategy_of("random"), 29, 29, seed=3)
    last = strategy_of("controller")(space, search.history, 1, 0)[0]
    accurate = replace(search.history, prefer=Prefer.ACCURATE)
    assert strategy_of("controller")(space, accurate, 1, 0)[0].candidate.key == last.candidate.key
    assert last.forecast is not None
    assert last.forecast.qps_ratio >= 1.0
