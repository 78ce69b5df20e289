"""What a training on a part of the rows leads to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from predictors.curves import LEAST_SPREAD
from predictors.monotone import Monotone, fit_monotone

NOISE = 0.0005


def world(count: int, *, seed: int = 0, by_speed: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steep where models are bad, flat near the front; each doubling of the QPS ends so much worse."""
    rng = np.random.default_rng(seed)
    levels, speeds = rng.uniform(0.88, 0.96, count), rng.uniform(-0.5, 3.0, count)
    ends = 0.86 + np.maximum(0.1 * (levels - 0.88), levels - 0.913) + by_speed * speeds
    return levels, ends + NOISE * rng.normal(size=count), speeds


def test_a_bent_curve_is_followed() -> None:
    found = fit_monotone(*world(80))
    for level, end in ((0.89, 0.861), (0.91, 0.863), (0.94, 0.887)):
        assert found.at(level, 0.0).ne == pytest.approx(end, abs=0.001)
    assert found.tau > 0.8


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(0.8, 1.0), st.floats(0.0, 0.1))
def test_a_lower_level_never_leads_to_more_and_nothing_to_less_than_was_reached(
    seed: int, count: int, level: float, more: float
) -> None:
    levels, ends, speeds = world(count, seed=seed, by_speed=0.003)
    found = fit_monotone(levels, ends, speeds)
    for speed in (-2.0, 1.0, 4.0):
        low, high = found.at(level, speed).ne, found.at(level + more, speed).ne
        assert ends.min() <= low <= high + 1e-12


def test_it_is_the_isotonic_regression_of_its_library_between_blocks() -> None:
    levels, ends, _ = world(50, seed=3)
    curve = fit_monotone(levels, ends, np.zeros(50)).curve
    library = IsotonicRegression().fit(levels, ends)
    assert np.allclose(np.unique(library.predict(levels)), np.unique(curve.end_K))


def test_what_fast_models_promise_is_taken_back() -> None:
    levels, ends, speeds = world(60, by_speed=0.004)
    found = fit_monotone(levels, ends, speeds)
    gap = found.at(0.93, 2.0).ne - found.at(0.93, 0.0).ne
    assert 0.5 * 0.008 < gap <= 0.008
    assert found.at(0.93, 2.0).std < 0.5 * fit_monotone(levels, ends, np.zeros(60)).at(0.93, 2.0).std


def test_the_spread_is_that_of_models_told_by_the_others() -> None:
    levels, ends, speeds = world(40, seed=5)
    whole = fit_monotone(levels, ends, speeds)
    others = np.arange(40) != 7
    left_out = fit_monotone(levels[others], ends[others], speeds[others]).at(levels[7], speeds[7])
    assert whole.error_N[7] == pytest.approx(ends[7] - left_out.ne)
    inside = np.mean([_covers(seed) for seed in range(200)])
    assert 0.8 < inside < 0.97


def _covers(seed: int) -> bool:
    levels, ends, speeds = world(31, seed=seed)
    found = fit_monotone(levels[:-1], ends[:-1], speeds[:-1]).at(levels[-1], speeds[-1])
    return bool(abs(ends[-1] - found.ne) < 1.645 * found.std)


def test_one_model_says_little() -> None:
    only: Monotone = fit_monotone(np.array([0.9]), np.array([0.87]), np.array([0.0]))
    assert only.at(0.95, 1.0).ne == 0.87
    assert only.at(0.95, 1.0).std == LEAST_SPREAD


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_values_that_are_not_finite_are_refused(broken: int) -> None:
    told = [*map(np.copy, world(9))]
    told[broken][4] = np.nan
    with pytest.raises(ValueError, match="finite"):
        fit_monotone(*told)
    with pytest.raises(ValueError, match="must be given"):
        fit_monotone(*[values[:0] for values in told])
    with pytest.raises(ValueError, match="must be finite"):
        fit_monotone(*world(9)).at(np.nan, 0.0)
