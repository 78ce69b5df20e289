"""Trainings go where they decide, and the intervals keep their word all the same: shown by replays of known truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.stats.race import FIRST_LOOK, MOST, can_win, is_race, orders_of_the_rest
from automl.stats.significance import Gain, gains, verdict

Floats = NDArray[np.float64]
BASE, SEED_STD, MARGIN = 0.9, 1e-3, 0.2
REPLAYS = 1500
LUCK = 2 * math.sqrt(0.03 * 0.97 / REPLAYS)


# ---------------------------------------------------------------- what is promised, by simulation


@dataclass
class Replays:
    """What came of many finals of the same truth."""

    covered: Floats  # share of reported intervals that hold the true gain, by pick
    claims: float  # share of finals with any pick called better that is not
    found: Floats  # share of finals in which it is called better, by pick


def replay(
    true_K: Floats, seeds: int, examples: float, *, raced: bool = True, spread_K: Sequence[float] | None = None
) -> Replays:
    """NE = truth + what the order does to all models, the baseline too + luck of the seed + luck of the examples."""
    rng, picks = np.random.default_rng([seeds, len(true_K), int(1e6 * examples)]), len(true_K)
    scale = SEED_STD * np.array([1.0, *(spread_K or [1.0] * picks)])
    covered, found, claims = np.zeros(picks), np.zeros(picks), 0
    for _ in range(REPLAYS):
        orders = MOST * seeds
        ne = BASE + rng.normal(0, 5 * SEED_STD, orders) + rng.normal(0, 1, (1 + picks, orders)) * scale[:, None]
        ne[1:] += (true_K + rng.normal(0, examples, picks))[:, None]
        known = np.full(picks, examples)
        counts = [seeds] * picks
        if raced:
            looked = gains(ne[0, :FIRST_LOOK], ne[1:, :FIRST_LOOK], known)
            left = can_win(looked, [False] * picks, seeds, MARGIN)
            most = orders_of_the_rest(picks, sum(left), seeds)
            counts = [most if goes else FIRST_LOOK for goes in left]
        judged = gains(ne[0, : max(counts)], [of[:count] for of, count in zip(ne[1:], counts, strict=True)], known)
        held = [gain.low_pct <= 100 * t / BASE <= gain.high_pct for gain, t in zip(judged, true_K, strict=True)]
        called = np.array([verdict(gain, qps_ratio_low=1.0, margin_pct=MARGIN) == "better" for gain in judged])
        covered, found, claims = covered + held, found + called, claims + bool((called & (true_K >= 0)).any())
    return Replays(covered / REPLAYS, claims / REPLAYS, found / REPLAYS)


@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("picks", [1, 4])
@pytest.mark.parametrize("examples", [0.0, 0.3 * SEED_STD, SEED_STD])
def test_where_nothing_is_better_nothing_is_claimed(seeds: int, picks: int, examples: float) -> None:
    found = replay(np.zeros(picks), seeds, examples)
    assert found.claims <= 0.03 + LUCK
    assert (found.covered >= 0.935).all()
    assert (found.covered <= 0.98).all(), "and not by making it wide"


def test_intervals_hold_the_truth_whatever_it_is() -> None:
    """Those of picks that were dropped, too; the first is six times as noisy as the others."""
    found = replay(np.array([-2e-3, -1e-3, 0.0, 3e-3]), 5, 3e-4, spread_K=[6.0, 1.0, 1.0, 1.0])
    assert found.claims <= 0.03 + LUCK
    assert (found.covered >= 0.935).all()


def test_a_real_gain_is_found_more_often_than_with_trainings_dealt_out_evenly() -> None:
    true = np.array([-2e-3, 5e-3, 5e-3, 5e-3])
    raced, even = replay(true, 5, 3e-4), replay(true, 5, 3e-4, raced=False)
    assert raced.found[0] > even.found[0] + 0.05
    assert (raced.covered >= 0.935).all()


# ---------------------------------------------------------------- who goes on


LOOKED = Gain(
    pct=0.0,
    low_pct=-0.3,
    high_pct=0.3,
    p=1.0,
    p_corrected=1.0,
    orders=FIRST_LOOK,
    order_std_pct=0.1,
    examples_std_pct=0.03,
    examples_freedom=1000.0,
)


def goes_on(*gains_pct: float, fast: bool = False, seeds: int = 5, **changes: float) -> tuple[bool, ...]:
    found = [replace(LOOKED, pct=pct, low_pct=pct - 0.3, high_pct=pct + 0.3, **changes) for pct in gains_pct]  # type: ignore[arg-type]
    return can_win(found, [fast] * len(found), seeds, MARGIN)


def test_a_pick_that_cannot_be_better_is_dropped() -> None:
    assert goes_on(-0.15, 0.0, 0.4) == (True, False, False)


def test_a_fast_pick_goes_on_as_long_as_the_margin_may_hold() -> None:
    assert goes_on(-0.15, 0.0, 0.4, fast=True) == (True, True, False)


def test_three_orders_that_agree_by_chance_do_not_drop_a_pick() -> None:
    """Its own spread is nothing, that of the others says what the orders to come may do."""
    calm = replace(LOOKED, pct=-0.08, order_std_pct=1e-6, low_pct=-0.2, high_pct=0.05)
    noisy = replace(LOOKED, order_std_pct=0.15)
    assert can_win([calm], [False], 5, MARGIN) == (True,), "alone it is known to be better"
    assert can_win([replace(calm, pct=-0.03), noisy], [False, False], 5, MARGIN)[0] is False
    assert can_win([replace(calm, pct=-0.16), noisy], [False, False], 5, MARGIN)[0]


def test_a_pick_that_has_won_already_goes_on() -> None:
    won = replace(LOOKED, pct=-0.01, low_pct=-0.02, high_pct=-0.001, p_corrected=0.01)
    noisy = replace(LOOKED, order_std_pct=5.0)
    assert can_win([won, noisy], [False, False], 5, MARGIN)[0]


def test_no_picks_no_race() -> None:
    assert can_win([], [], 5, MARGIN) == ()
    assert [is_race(seeds) for seeds in (2, 3, 4, 5)] == [False, False, True, True]


# ---------------------------------------------------------------- how far


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(FIRST_LOOK + 1, 40), st.data())
def test_no_more_is_trained_than_was_asked_for(picks: int, seeds: int, data: st.DataObject) -> None:
    left = data.draw(st.integers(0, picks))
    orders = orders_of_the_rest(picks, left, seeds)
    dropped = picks - left
    assert (left + 1) * orders + FIRST_LOOK * dropped <= seeds * (picks + 1)
    assert orders <= MOST * seeds
    assert (orders == FIRST_LOOK) if left == 0 else orders >= seeds
    if left == picks:
        assert orders == seeds
