"""What earlier studies say is believed as far as this study's own trials bear it out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.strategies import strategy_of
from automl.strategies.evidence import gather
from automl.strategies.opening import KINDS
from automl.strategies.outlook import fit_outlook
from automl.strategies.prior import leading, weight_of
from automl.study.history import History, Origin
from automl.study.precedents import Precedent
from automl.testing import made_up as world
from predictors.evaluate import tau

SPACE = world.small_space()
numbers = st.floats(-3, 3, allow_nan=False).map(lambda value: round(value, 3))


@cache
def precedents(sign: float = 1.0, study: str = "last-week") -> tuple[Precedent, ...]:
    """A hundred models drawn at random, with their true gains; or with the opposite."""
    trials = world.Search.start(SPACE).play(strategy_of("random"), 100, 100, seed=9).trials
    return tuple(
        Precedent(
            study=study,
            trial=trial.number,
            model=trial.candidate.model,
            ne_gain_pct=sign * world.baseline().gain_pct(world.true_ne(trial.candidate.model)),
            qps_ratio=world.true_qps_ratio(trial.candidate.model),
        )
        for trial in trials
    )


def started(told: tuple[Precedent, ...]) -> world.Search:
    search = world.Search.start(SPACE)
    search.history = replace(search.history, precedents=told)
    return search


@given(st.lists(st.tuples(numbers, numbers), max_size=40))
def test_a_weight_is_never_negative(pairs: list[tuple[float, float]]) -> None:
    said, found = np.array(pairs).reshape(-1, 2).T
    assert weight_of(said, found) >= 0.0


def test_a_weight_is_the_slope_of_what_is_borne_out() -> None:
    found = np.linspace(-2, 2, 100)
    assert weight_of(found, found) == pytest.approx(0.9)
    assert weight_of(0.5 * found, found) == pytest.approx(1.8), "on the scale of what is found"
    assert weight_of(-found, found) == 0.0
    assert weight_of(np.ones(100), found) == 0.0
    assert weight_of(np.sin(9 * found), found) == 0.0, "no more than chance"


def test_the_opening_tries_the_front_of_the_precedents_in_the_place_of_chance() -> None:
    history = started(precedents()).history
    opened = strategy_of("controller")(SPACE, history, len(KINDS), 1)
    tried = [p.candidate.model for p in opened if p.origin is Origin.PRECEDENT]
    assert len(tried) == KINDS.count(Origin.RANDOM)
    assert Origin.RANDOM not in {p.origin for p in opened}
    front = [candidate.model for candidate in leading(SPACE, precedents(), 4)]
    assert tried == front


def test_several_studies_take_turns() -> None:
    told = (*precedents(), *precedents(-1.0, "another"))
    first = [candidate.key for candidate in leading(SPACE, told, 4)]
    alone = [[c.key for c in leading(SPACE, precedents(*which), 2)] for which in ((1.0,), (-1.0, "another"))]
    assert first == [alone[0][0], alone[1][0], alone[0][1], alone[1][1]]


def test_a_precedent_of_another_space_stands_for_the_nearest_model() -> None:
    told = precedents()[0]
    wide = replace(told, model=replace(told.model, embedding=replace(told.model.embedding, dim=40)))
    (found,) = leading(SPACE, (wide,), 4)
    assert found.model.embedding.dim in (32, 48)


def ranked(history: History) -> tuple[float, float]:
    """How well the outlook ranks models that nobody tried, and what the prior weighs."""
    evidence = gather(SPACE, history)
    outlook = fit_outlook(SPACE, evidence, (), seed=1)
    assert outlook is not None
    answers = SPACE.sample(None, 200, np.random.default_rng(5))
    true = np.array([world.true_ne(SPACE.candidate(row).model) for row in answers])
    return tau(outlook.see(answers).score_MN.mean(axis=0), true), 0 if outlook.prior is None else outlook.prior.weight


def test_it_helps_where_it_is_right_and_weighs_nothing_where_it_misleads() -> None:
    plain = started(()).play(strategy_of("random"), 20, 20, seed=2)
    alone, _ = ranked(plain)
    helped, trusted = ranked(replace(plain, precedents=precedents()))
    misled, weight = ranked(replace(plain, precedents=precedents(-1.0)))
    assert trusted > 0.5
    assert helped > alone + 0.1
    assert weight == 0.0
    assert misled == alone
