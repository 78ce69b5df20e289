"""Forward validation."""

from __future__ import annotations

import numpy as np
import pytest

from predictors.evaluate import forward, pooled_tau, rankings, tau


def test_a_round_is_forecast_by_earlier_rounds_only() -> None:
    rounds = np.repeat(np.arange(4), 10)
    rows, targets = np.arange(40.0)[:, None], np.arange(40.0)
    seen: list[tuple[int, float]] = []

    def fit_predict(before: np.ndarray, known: np.ndarray, now: np.ndarray) -> np.ndarray:
        seen.append((len(before), float(now.min())))
        return now[:, 0]

    forecasts = forward(rounds, rows, targets, fit_predict)
    assert np.isnan(forecasts[:10]).all()
    assert np.array_equal(forecasts[10:], targets[10:])
    assert seen == [(10, 10.0), (20, 20.0), (30, 30.0)]


def test_a_common_trend_is_no_skill() -> None:
    rng = np.random.default_rng(0)
    rounds = np.repeat(np.arange(30), 10)
    trend = rounds * 1.0
    forecasts, measured = trend + rng.uniform(size=300), trend + rng.uniform(size=300)
    assert tau(forecasts, measured) > 0.9
    assert abs(pooled_tau(rankings(rounds.tolist(), forecasts, measured))) < 0.1


def test_small_rounds_are_taken_together() -> None:
    rounds = [1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9]
    values = np.arange(11.0)
    found = rankings(rounds, values, values, min_group=4)
    assert [(r.round, r.count, round(r.tau, 9)) for r in found] == [(1, 5, 1.0), (4, 4, 1.0), (8, 2, 1.0)]


def test_unknown_figures_do_not_count() -> None:
    values = np.array([1.0, 2.0, np.nan, 3.0])
    assert [r.count for r in rankings([1, 1, 1, 1], values, np.array([1.0, np.nan, 1.0, 2.0]))] == [2]
    assert rankings([1, 1], np.array([1.0, 1.0]), np.array([1.0, 2.0])) == []
    assert np.isnan(pooled_tau([]))
    assert np.isnan(tau(np.ones(1), np.ones(1)))


def test_pairs_are_the_weights() -> None:
    found = rankings([1, 1, 2, 2, 2], np.array([1.0, 2, 1, 2, 3]), np.array([2.0, 1, 1, 2, 3]), min_group=2)
    assert pooled_tau(found) == pytest.approx((-1 + 3) / 4)
