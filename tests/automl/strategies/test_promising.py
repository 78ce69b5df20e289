"""Early figures, held against ends: how well they rank, and what a trial may be expected to add."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from automl.strategies.promising import RECENT, Early, agreement, promising, tau_interval

BASE = Early(0, 0.92, 1.0, 0.90)
DROP = 0.02


def ended(number: int, ne: float, ratio: float = 1.0) -> Early:
    """One whose level told its end exactly."""
    return Early(number, ne + DROP, ratio, ne)


def crowd(count: int = 15, best: float = 0.901, step: float = 0.002) -> list[Early]:
    return [BASE, *(ended(n, best + step * n) for n in range(1, count + 1))]


def test_levels_that_rank_the_ends_agree_with_them() -> None:
    found = agreement(crowd(), 8)
    assert found is not None
    assert found.tau == pytest.approx(1.0)
    assert found.trials == 16
    assert found.holds


def test_levels_that_say_nothing_do_not_hold() -> None:
    rng = np.random.default_rng(3)
    peers = [Early(n, float(rng.normal()), 1.0, float(rng.normal())) for n in range(30)]
    found = agreement(peers, 8)
    assert found is not None
    assert found.tau == pytest.approx(float(kendalltau([p.level for p in peers], [p.ne for p in peers]).statistic))
    assert found.low < 0.2
    assert not found.holds


def test_only_those_that_came_to_their_end_tell() -> None:
    peers = [*crowd(6), *(Early(n, 0.9, 1.0) for n in range(50, 60))]
    assert agreement(peers, 8) is None
    assert agreement([Early(n, 0.9, 1.0, 0.9) for n in range(20)], 8) is None, "all alike"


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


def test_who_would_lead_goes_on_and_who_would_follow_does_not() -> None:
    peers = crowd()
    assert promising(Early(99, 0.905, 1.0), peers, peers)
    assert not promising(Early(99, 0.93, 1.0), peers, peers)


def test_a_fast_one_goes_on_though_its_ne_is_behind() -> None:
    peers = crowd()
    assert not promising(Early(99, 0.9245, 0.9), peers, peers), "no better than others, and slower"
    assert promising(Early(99, 0.9245, 4.0), peers, peers), "nobody else is so fast"


def test_the_lowest_ne_at_the_baselines_speed_goes_on_where_another_end_has_all_the_volume() -> None:
    fast = [ended(n, 0.8995 + 0.0001 * n, 6.0 + n) for n in range(1, 16)]
    peers = [BASE, *fast]
    assert promising(Early(99, 0.9194, 1.0), peers, peers)


def test_it_is_held_against_the_latest_only() -> None:
    old = [ended(n, 0.85 + 0.001 * n) for n in range(1, 11)]
    late = [ended(n, 0.93 + 0.001 * n) for n in range(11, 11 + RECENT)]
    mine = Early(99, 0.9315, 1.0)
    assert promising(mine, [BASE, *old, *late], [BASE, *late])
    assert not promising(mine, [BASE, *late, *old, *old], [BASE, *late, *old])


@settings(max_examples=30, deadline=None)
@given(st.floats(0.85, 1.0), st.floats(0.001, 0.05), st.floats(0.3, 8.0))
def test_a_better_level_is_never_less_promising(level: float, better: float, ratio: float) -> None:
    peers = crowd(step=0.004)
    if promising(Early(99, level, ratio), peers, peers):
        assert promising(Early(99, level - better, ratio), peers, peers)


def test_with_nobody_to_tell_it_goes_on() -> None:
    assert promising(Early(1, 0.9, 1.0), [], [BASE])
