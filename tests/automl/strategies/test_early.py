"""Early figures, held against ends: how well they rank, and what a trial may be expected to add."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from automl.stats.pareto import improvements
from automl.strategies.early import LUCK, Early, added_volume, agreement, points_of, tau_interval
from predictors.curves import Foreseen

BASE = Early(0.92, 1.0, 0.90)
DROP = 0.02


def ended(ne: float, ratio: float = 1.0) -> Early:
    """One whose level told its end exactly."""
    return Early(ne + DROP, ratio, ne)


def crowd(count: int = 15, best: float = 0.901, step: float = 0.002) -> list[Early]:
    return [BASE, *(ended(best + step * n) for n in range(1, count + 1))]


def test_levels_that_rank_the_ends_agree_with_them() -> None:
    found = agreement(crowd(), 8)
    assert found is not None
    assert found.tau == pytest.approx(1.0)
    assert found.trials == 16
    assert found.holds


def test_levels_that_say_nothing_do_not_hold() -> None:
    rng = np.random.default_rng(3)
    peers = [Early(float(rng.normal()), 1.0, float(rng.normal())) for _ in range(30)]
    found = agreement(peers, 8)
    assert found is not None
    assert found.tau == pytest.approx(float(kendalltau([p.level for p in peers], [p.ne for p in peers]).statistic))
    assert found.low < 0.2
    assert not found.holds


def test_only_those_that_came_to_their_end_tell() -> None:
    peers = [*crowd(6), *[Early(0.9, 1.0)] * 10]
    assert agreement(peers, 8) is None
    assert agreement([Early(0.9, 1.0, 0.9)] * 20, 8) is None, "all alike"


@given(st.floats(-1, 1), st.integers(5, 500))
def test_an_interval_holds_its_middle_and_narrows(found: float, count: int) -> None:
    low, high = tau_interval(found, count)
    assert -1 <= low <= max(-0.995, min(0.995, found)) <= high <= 1
    wider = tau_interval(found, max(5, count // 2))
    assert wider[0] <= low + 1e-12
    assert high <= wider[1] + 1e-12


def test_an_interval_covers_as_it_says() -> None:
    """Normal pairs of a correlation of .6, whose tau is 2/pi asin(.6): 2,000 samples of 15."""
    rng, true = np.random.default_rng(1), 2 / math.pi * math.asin(0.6)
    pairs = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(2000, 15))
    bounds = [tau_interval(float(kendalltau(*pair.T).statistic), 15) for pair in pairs]
    assert np.mean([low <= true <= high for low, high in bounds]) == pytest.approx(0.95, abs=0.02)


def test_what_is_expected_to_be_added_is_the_mean_over_what_a_forecast_may_mean() -> None:
    rng, known = np.random.default_rng(2), np.array([[0.0, 0.0], [-0.4, -1.0], [-0.2, -2.0]])
    foreseen = [Foreseen(0.9, 0.004, 0.5), Foreseen(0.897, 0.0, 0.5), Foreseen(0.95, 0.004, 0.5)]
    ratios = np.array([3.0, 1.0, 1.0])
    found = added_volume(foreseen, ratios, known, 0.9)
    for one, ratio, worth in zip(foreseen, ratios, found, strict=True):
        drawn = one.ne + max(one.std, LUCK * one.ne) * rng.normal(size=20_000)
        points = points_of(drawn, np.full(len(drawn), ratio), 0.9)
        assert worth == pytest.approx(float(improvements(points, known).mean()), rel=0.1, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.85, 1.0), st.floats(0.001, 0.05), st.floats(0.3, 8.0))
def test_a_better_forecast_never_adds_less(ne: float, better: float, ratio: float) -> None:
    known, ratios = points_of(np.array([0.9, 0.895]), np.array([1.0, 2.0]), 0.9), np.array([ratio, ratio])
    worse, good = added_volume([Foreseen(ne, 0.002, 0.5), Foreseen(ne - better, 0.002, 0.5)], ratios, known, 0.9)
    assert good >= worse
