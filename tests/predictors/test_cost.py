"""Speed from analytic costs and a residual."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from predictors.cost import MIN_RESIDUAL_ROWS, fit_speed


def world(rng: np.random.Generator, n: int, quirk: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    costs = np.column_stack([np.ones(n), rng.lognormal(12, 1, n), rng.lognormal(9, 1, n)])
    rows = np.column_stack([np.log(costs[:, 1:]), rng.integers(0, 2, n)])
    seconds = 2e-6 + 1e-11 * costs[:, 1] + 1e-10 * costs[:, 2]
    return costs, rows, -np.log2(seconds) + quirk * rows[:, 2]


def test_a_few_rows_give_the_analytic_part() -> None:
    rng = np.random.default_rng(0)
    costs, rows, speed = world(rng, MIN_RESIDUAL_ROWS - 1, 0.0)
    model = fit_speed(costs, rows, speed, seed=0)
    assert model.residual is None
    costs, rows, speed = world(rng, 200, 0.0)
    assert np.abs(model.predict(costs, rows).mean[:, 0] - speed).max() < 0.1


def test_the_residual_learns_what_costs_do_not_say() -> None:
    rng = np.random.default_rng(1)
    model = fit_speed(*world(rng, 100, 0.8), seed=0)
    costs, rows, speed = world(rng, 200, 0.8)
    errors = model.predict(costs, rows).mean[:, 0] - speed
    assert np.sqrt(np.mean(errors**2)) < 0.25
    assert spearmanr(model.predict(costs, rows).mean[:, 0], speed).statistic > 0.95
    assert 0.2 < model.std / np.sqrt(np.mean(errors**2)) < 5


def test_goes_on_outside_the_data() -> None:
    rng = np.random.default_rng(2)
    costs, rows, speed = world(rng, 15, 0.0)
    model = fit_speed(costs, rows, speed, seed=0)
    ten_times = model.predict(costs * np.array([1.0, 10.0, 10.0]), rows).mean[:, 0]
    assert (ten_times < model.predict(costs, rows).mean[:, 0]).all()


def test_one_row() -> None:
    model = fit_speed(np.array([[1.0, 100.0]]), np.zeros((1, 1)), np.array([0.0]), seed=0)
    assert model.predict(np.array([[1.0, 100.0]]), np.zeros((1, 1))).mean[0, 0] == pytest.approx(0.0, abs=0.05)
