"""The front and its hypervolume against slow oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from automl.stats import pareto

coordinates = st.floats(-3, 3, allow_nan=False).map(lambda x: round(x, 2))
clouds = hnp.arrays(np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=coordinates)


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


@given(clouds)
def test_front_is_what_nothing_dominates(points: np.ndarray) -> None:
    expected = [not any(dominates(q, p) for q in points) for p in points]
    assert pareto.front(points).tolist() == expected


@given(clouds, clouds)
def test_improvements_are_differences_of_hypervolume(points: np.ndarray, candidates: np.ndarray) -> None:
    before = pareto.hypervolume(points)
    expected = [pareto.hypervolume(np.vstack([points, candidate])) - before for candidate in candidates]
    assert pareto.improvements(candidates, points) == pytest.approx(expected, abs=1e-9)


@given(clouds)
def test_contributions_are_what_would_be_lost(points: np.ndarray) -> None:
    whole = pareto.hypervolume(points)
    expected = [whole - pareto.hypervolume(np.delete(points, i, axis=0)) for i in range(len(points))]
    assert pareto.contributions(points) == pytest.approx(expected, abs=1e-9)


def test_hypervolume_against_monte_carlo() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1.2, size=(15, 2))
    draws = rng.uniform(-1, 1, size=(200_000, 2))
    hit = np.zeros(len(draws), dtype=bool)
    for point in points:
        hit |= (draws >= point).all(axis=1)
    assert pareto.hypervolume(points) == pytest.approx(4 * hit.mean(), abs=0.02)


def test_a_known_rectangle() -> None:
    points = pareto.objectives(np.array([-0.5]), np.array([2.0]))
    assert points.tolist() == [[-0.5, -1.0]]
    assert pareto.hypervolume(points) == pytest.approx(1.5 * 2.0)


def test_points_beyond_the_reference_or_unknown_count_for_nothing() -> None:
    points = np.array([[2.0, 0.0], [0.0, 2.0], [np.nan, 0.0]])
    assert pareto.hypervolume(points) == 0.0
    assert pareto.contributions(points).tolist() == [0.0, 0.0, 0.0]
    assert pareto.front(points).tolist() == [True, True, False]
    assert pareto.hypervolume(np.empty((0, 2))) == 0.0
    assert pareto.improvements(np.array([[np.nan, 0.0]]), points).tolist() == [0.0]


def test_equal_points_are_all_on_the_front() -> None:
    assert pareto.front(np.zeros((3, 2))).tolist() == [True, True, True]


def test_leaders_are_the_front_by_what_it_would_lose() -> None:
    points = np.array([[0.5, 0.5], [-1.0, 0.5], [0.2, -2.0], [0.1, -0.1]])
    found = pareto.leaders(points)
    assert sorted(found) == np.flatnonzero(pareto.front(points)).tolist() == [1, 2, 3]
    lost = pareto.contributions(points[found])
    assert lost.tolist() == sorted(lost, reverse=True)
