"""What a stopped trial would have reached."""

from __future__ import annotations

import math

import numpy as np
import pytest

from predictors.curves import LEAST_SPREAD, MIN_FOR_LINE, foresee


def world(count: int, *, noise: float = 0.002, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Levels and ends: a start that is bad by 1% ends half a percent worse."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(0.88, 0.98, count)
    return levels, 0.43 + 0.5 * levels + noise * rng.normal(size=count)


def test_a_level_ends_where_others_lead_one_to_expect() -> None:
    levels, finals = world(60)
    for level in (0.89, 0.93, 0.97):
        found = foresee(level, levels, finals)
        assert found.ne == pytest.approx(0.43 + 0.5 * level, abs=0.002)
        assert 0.001 < found.std < 0.004
        assert found.tau > 0.8


def test_intervals_hold_what_they_say() -> None:
    inside = []
    for seed in range(200):
        levels, finals = world(31, seed=seed)
        found = foresee(float(levels[-1]), levels[:-1], finals[:-1])
        inside.append(abs(finals[-1] - found.ne) < 1.645 * found.std)
    assert 0.8 < np.mean(inside) < 0.96


def test_few_trials_give_their_median_drop() -> None:
    levels = np.array([0.95, 0.96, 0.99])
    found = foresee(0.97, levels, levels - np.array([0.02, 0.03, 0.08]))
    assert found.ne == pytest.approx(0.94)


def test_the_middle_is_that_of_the_trials_nearby() -> None:
    """Far off, trials end much worse than the line through the many says."""
    near, far = np.linspace(0.90, 0.92, 20), np.linspace(1.5, 2.0, 6)
    levels, finals = np.concatenate([near, far]), np.concatenate([near - 0.02, far])
    assert foresee(0.91, levels, finals).ne == pytest.approx(0.89, abs=1e-3)
    assert foresee(0.91, near, near - 0.02).std == LEAST_SPREAD


def test_what_ranks_nothing_says_so() -> None:
    rng = np.random.default_rng(3)
    assert abs(foresee(0.9, rng.uniform(0.88, 0.98, 200), rng.uniform(0.88, 0.9, 200)).tau) < 0.15
    assert math.isnan(foresee(0.9, np.full(9, 0.95), rng.uniform(0.88, 0.9, 9)).tau)


def test_nothing_to_learn_from_is_refused() -> None:
    levels, finals = world(MIN_FOR_LINE)
    for level, told, ends in (
        (math.nan, levels, finals),
        (0.9, levels[:0], finals[:0]),
        (0.9, np.full(9, math.nan), np.ones(9)),
    ):
        with pytest.raises(ValueError, match="must be finite"):
            foresee(level, told, ends)
