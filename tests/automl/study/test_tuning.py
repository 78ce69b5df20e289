"""Which trained model takes the place of the baseline as brought."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from automl.stats.significance import one_sided
from automl.study.history import Origin, State, Trial
from automl.study.tuning import BROUGHT, LEAST, TuningPlan, decided, first_ne, leading, told
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate
from tests.worlds.studies import HUMAN, complete, failed

PLAN = TuningPlan(explored=4, leaders=2, orders=2)


def model(number: int) -> ModelSpec:
    return HUMAN if number == BROUGHT else replace(HUMAN, train=replace(HUMAN.train, batch_size=number))


def training(number: int, order: int, ne: float | None) -> Trial:
    trial = Trial(number=number, candidate=Candidate({}, model(number)), origin=Origin.MUTATION, state=State.RUNNING)
    done = failed(trial) if ne is None else complete(trial, ne=ne)
    return replace(done, seeds={"weights": 1, "order": 2, "repeat": order})


def trainings(by_number: Sequence[Sequence[float | None]]) -> list[Trial]:
    """NE of each model by order."""
    return [training(n, order, ne) for n, row in enumerate(by_number) for order, ne in enumerate(row)]


@pytest.mark.parametrize("count", [*range(LEAST, 40), 100, 200])
def test_a_plan_spends_what_it_is_given(count: int) -> None:
    plan = TuningPlan.of(count)
    assert plan.explored + plan.orders * (1 + plan.leaders) == count
    assert plan.explored >= 8
    assert plan.orders >= 2
    assert 0.25 <= 1 - plan.explored / count <= 0.41
    assert TuningPlan.of(16) == TuningPlan(explored=10, leaders=2, orders=2)


def test_only_the_best_below_the_model_as_brought_are_trained_again() -> None:
    tried = trainings([[0.90], [0.89], [0.91], [0.88], [0.885], [None]])
    assert leading(tried, PLAN) == (3, 4)
    assert leading(trainings([[0.90], [0.91], [0.95]]), PLAN) == ()
    assert math.isnan(first_ne(tried)[5])


def test_the_lowest_mean_over_the_further_orders_is_taken() -> None:
    tried = trainings([[0.90, 0.901, 0.899], [0.88, 0.897, 0.896], [0.885, 0.892, 0.889]])
    assert decided(tried, PLAN, one_sided) == model(2), "the first was lucky on the first order"
    found = told(tried, PLAN, model(2))
    assert (found.changed, found.trainings, found.brought_ne, found.tuned_ne) == (
        True,
        9,
        (0.901, 0.899),
        (0.892, 0.889),
    )
    assert found.gain_pct == pytest.approx(100 * (1.781 / 1.8 - 1))


def test_within_noise_the_model_as_brought_stays() -> None:
    tried = trainings([[0.90, 0.900, 0.900], [0.88, 0.890, 0.908], [0.885, 0.905, 0.897]])
    assert decided(tried, PLAN, one_sided) == HUMAN
    found = told(tried, PLAN, HUMAN)
    assert not found.changed
    assert found.gain_pct == 0.0


def test_nothing_worth_a_second_training_leaves_no_spread() -> None:
    tried = trainings([[0.90], [0.91], [None]])
    assert decided(tried, PLAN, one_sided) == HUMAN
    assert math.isnan(told(tried, PLAN, HUMAN).gain_pct)


def test_a_model_that_fails_on_one_order_is_out() -> None:
    tried = trainings([[0.90, 0.901, 0.899], [0.87, 0.88, None], [0.885, 0.892, 0.889]])
    assert decided(tried, PLAN, one_sided) == model(2)


def test_a_model_that_is_no_better_seldom_takes_the_place() -> None:
    rng, taken = np.random.default_rng(0), 0
    for _ in range(400):
        rows = 0.9 + 0.0005 * rng.standard_normal((10, 3))
        taken += decided(trainings(rows.tolist()), TuningPlan(explored=10, leaders=2, orders=2), one_sided) != HUMAN
    assert taken <= 50
