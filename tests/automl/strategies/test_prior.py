"""What earlier studies say is believed as far as this study's own trials bear it out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.strategies import strategy_of
from automl.strategies.evidence import gather
from automl.strategies.opening import KINDS
from automl.strategies.outlook import fit_outlook
from automl.strategies.prior import keeps, leading, weight_of
from automl.study.config import DEAF, STRATEGIES
from automl.study.history import History, Limit, Metric, Origin
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
    front = [candidate.model for candidate in islice(leading(SPACE, precedents()), 4)]
    assert tried == front


def test_several_studies_take_turns() -> None:
    told = (*precedents(), *precedents(-1.0, "another"))
    first = [candidate.key for candidate in islice(leading(SPACE, told), 4)]
    each = (precedents(), precedents(-1.0, "another"))
    alone = [[candidate.key for candidate in islice(leading(SPACE, one), 2)] for one in each]
    assert first == [alone[0][0], alone[1][0], alone[0][1], alone[1][1]]


def test_a_model_that_the_space_forbids_or_that_was_tried_gives_its_place_to_the_next() -> None:
    front = list(leading(SPACE, precedents()))
    small = sorted(candidate.model.cost(world.INPUTS).params for candidate in front)[2]
    narrow = SPACE.with_where([f"params <= {small}"])
    opened = strategy_of("controller")(narrow, started(precedents()).history, len(KINDS), 1)
    tried = [p.candidate.key for p in opened if p.origin is Origin.PRECEDENT]
    allowed = [candidate.key for candidate in front if narrow.allows(candidate)]
    assert len(allowed) == 3
    assert tried == allowed, "all three of the front, wherever they stand in it"


def test_the_front_is_of_what_this_study_allows() -> None:
    slow = [one for one in precedents() if one.qps_ratio < 1.0]
    quick = Limit(Metric.QPS_RATIO, low=1.0)
    front = {candidate.key for candidate in leading(SPACE, precedents(), (quick,))}
    assert front
    assert front.isdisjoint(SPACE.locate(one.model).key for one in slow)  # type: ignore[union-attr]
    assert not list(leading(SPACE, slow, (quick,))), "rather chance than what is sure to break a limit"
    unknown = (Limit(Metric.TRAIN_QPS_RATIO, low=9.0), Limit(Metric.NE_GAIN_PCT, high=-9.0, task="cvr"))
    assert [c.key for c in leading(SPACE, precedents(), unknown)] == [c.key for c in leading(SPACE, precedents())]
    better = Limit(Metric.NE_GAIN_PCT, high=0.0)
    assert keeps(replace(precedents()[0], ne_gain_pct=-0.1), (better,))
    assert not keeps(replace(precedents()[0], ne_gain_pct=0.1), (better,))
    assert not list(leading(SPACE, [replace(one, fit=False) for one in precedents()])), "a repeat of them failed"


def test_only_the_controller_hears_it() -> None:
    for name in STRATEGIES:
        heard = started(precedents()).history, started(()).history
        warm, cold = ([p.candidate.key for p in strategy_of(name)(SPACE, one, 12, 1)] for one in heard)
        assert (warm == cold) == (name in DEAF), name


def test_a_precedent_of_another_space_stands_for_the_nearest_model() -> None:
    told = precedents()[0]
    wide = replace(told, model=replace(told.model, embedding=replace(told.model.embedding, dim=40)))
    (found,) = leading(SPACE, (wide,))
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
