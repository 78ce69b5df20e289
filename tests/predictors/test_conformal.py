"""Widths hold what they promise, whatever errors are like."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.conformal import FIRST, LEVEL, NEWEST, NORMAL, bound, widening


@given(count=st.integers(2, 60), level=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_a_bound_holds_a_new_score_as_often_as_it_says(count: int, level: float, seed: int) -> None:
    """Each of the scores in turn is the new one: all have the same chance to be it, so this is the coverage itself."""
    scores = np.random.default_rng(seed).pareto(1.0, count)
    held = np.mean([scores[k] <= bound(np.delete(scores, k), level) for k in range(count)])
    assert held == pytest.approx(math.ceil(count * level - 1e-9) / count)
    assert level - 1e-6 <= held <= level + 1 / count


def test_too_few_scores_bound_nothing() -> None:
    assert bound(np.arange(8.0), 0.9) == math.inf
    assert bound(np.arange(9.0), 0.9) == 8.0


@given(factor=st.floats(0.1, 10.0), seed=st.integers(0, 1000))
def test_widths_that_are_so_many_times_too_small_are_widened_by_as_much(factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = rng.uniform(0.1, 1.0, NEWEST)
    errors = rng.normal(size=NEWEST) * widths
    found = widening(errors, widths)
    assert widening(errors, widths / factor) == pytest.approx(factor * found)
    assert np.mean(np.abs(errors) <= (1 + 1e-9) * NORMAL * found * widths) >= LEVEL


def test_only_the_newest_errors_count() -> None:
    old, new = np.full(50, 100.0), np.linspace(0.1, 1.0, NEWEST)
    assert widening(np.append(old, new), np.ones(50 + NEWEST)) == widening(new, np.ones(NEWEST))


def test_until_errors_tell_it_widths_are_widened_as_elsewhere_or_to_the_worst() -> None:
    none = np.empty(0)
    assert widening(none, none) == FIRST
    assert widening(np.array([0.1]), np.array([0.1])) == FIRST
    assert widening(np.array([-10.0]), np.array([1.0])) == pytest.approx(10 / NORMAL)


def test_what_is_not_known_does_not_count() -> None:
    errors, widths = np.array([np.nan, 1.0, 1.0]), np.array([1.0, 0.0, 1.0])
    assert widening(errors, widths) == FIRST


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    with pytest.raises(ValueError, match="level must be between 0 and 1, but found"):
        bound(np.ones(3), level)
